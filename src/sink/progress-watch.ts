import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { KafkaSource } from '../kafka/source.ts'
import { partitionName } from '../kafka/topic-partition.ts'
import { isDoneWithin } from './deadline.ts'
import type { PartitionState } from './partition-state.ts'
import { SinkError } from './sink-error.ts'
import { isStuck, type Movement, nextStall } from './watchdog.ts'

export interface ProgressWatchOptions {
  readonly source: Pick<KafkaSource, 'watermarks'>
  readonly clock: Clock
  readonly logger: Logger
  /** The brokers have so long to answer. */
  readonly answerMs: number
  readonly stuckAfterMs: number
  readonly partitions: () => readonly PartitionState[]
  readonly isExempt: (state: PartitionState) => boolean
  /** Rises while the store works. */
  readonly storeChanges: () => number
}

/** Asks the brokers how far each partition reaches, and finds the partition that has work and does not move. */
export class ProgressWatch {
  readonly #options: ProgressWatchOptions
  #asking: Promise<unknown> | undefined
  readonly #store = new LastChange()
  readonly #offsets = new LastChange()

  constructor(options: ProgressWatchOptions) {
    this.#options = options
  }

  /** @throws {SinkError} `ERR_STUCK` */
  async check(): Promise<void> {
    const { clock, partitions, isExempt, stuckAfterMs } = this.#options
    const highs = await this.#askHighWatermarks()
    const nowMs = clock.monotonicMs()
    const movement = this.#movement(nowMs)
    for (const state of partitions()) {
      const highWatermark = highs.get(partitionName(state))
      if (highWatermark !== undefined) state.sawHighWatermark(highWatermark, nowMs)
      const { acceptedOffset, durableOffset, rereadOffset } = state
      const offsets = { acceptedOffset, durableOffset, rereadOffset, highWatermark }
      const facts = { ...offsets, nowMs, isExempt: isExempt(state) }
      state.stall = nextStall(state.stall, facts)
      if (!isStuck(state.stall, nowMs, stuckAfterMs, movement)) continue
      throw new SinkError(
        'ERR_STUCK',
        `${partitionName(state)} has ${state.lagRecords} records to go and did not move for ` +
          `${Math.round(nowMs - state.stall.sinceMs)} ms (accepted ${acceptedOffset}, durable ${durableOffset})`,
      )
    }
  }

  #movement(nowMs: number): Movement {
    const { storeChanges, partitions, stuckAfterMs } = this.#options
    const offsets = partitions().reduce(
      (sum, state) => sum + state.acceptedOffset + state.durableOffset + state.rereadOffset,
      0,
    )
    return {
      inStore: nowMs - this.#store.seen(storeChanges(), nowMs) < stuckAfterMs,
      inPartitions: nowMs - this.#offsets.seen(offsets, nowMs) < stuckAfterMs,
    }
  }

  /** Empty when the brokers do not answer in time: no answer is no proof of a lag. */
  async #askHighWatermarks(): Promise<Map<string, number>> {
    const { source, clock, logger, answerMs } = this.#options
    const highs = new Map<string, number>()
    if (this.#asking !== undefined) return highs
    const asking = source.watermarks().then(
      (marks) => {
        for (const mark of marks) highs.set(partitionName(mark), mark.high)
      },
      (error: unknown) => logger.warn({ error }, 'the brokers did not tell the watermarks'),
    )
    this.#asking = asking
    void asking.then(() => (this.#asking = undefined))
    await isDoneWithin(asking, answerMs, clock)
    return highs
  }
}

/** When a number was another one for the last time. */
class LastChange {
  #value: number | undefined
  #changedMs = -Infinity

  /** `undefined` and the first number are no change. */
  seen(value: number | undefined, nowMs: number): number {
    if (this.#value !== undefined && value !== undefined && value !== this.#value) this.#changedMs = nowMs
    this.#value = value
    return this.#changedMs
  }
}
