import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { KafkaSource } from '../kafka/source.ts'
import { place } from '../kafka/topic-partition.ts'
import type { Committer } from './committer.ts'
import { isDoneWithin } from './deadline.ts'
import type { Generation } from './generation.ts'
import type { Life } from './life.ts'
import type { SinkObserver } from './observer.ts'
import type { PartitionTable } from './partition-table.ts'
import type { DrainReport } from './status.ts'
import type { SubmissionQueue } from './submission-queue.ts'
import type { Uncommitted } from './uncommitted.ts'

/** A drain keeps this share of its time, at most so many milliseconds, for the commit. */
const COMMIT_SHARE = 0.25
const COMMIT_RESERVE_MS = 5000
const COMMIT_RETRY_MS = 200

export interface DrainerOptions {
  readonly source: Pick<KafkaSource, 'pause'>
  readonly life: Life
  readonly generation: Generation
  readonly partitions: PartitionTable
  readonly queue: SubmissionQueue
  readonly committer: Committer
  readonly uncommitted: Uncommitted
  readonly clock: Clock
  readonly observer: SinkObserver
  readonly logger: Logger
}

/** Brings what is accepted to its end, within a deadline: before a generation ends, and before the sink stops. */
export class Drainer {
  readonly #options: DrainerOptions

  constructor(options: DrainerOptions) {
    this.#options = options
  }

  /** Makes durable and commits what can be within `deadlineMs`; returns how many records were discarded. */
  async settle(deadlineMs: number): Promise<number> {
    const { clock, queue, committer, life, observer, logger } = this.#options
    const startedMs = clock.monotonicMs()
    const leftMs = (): number => startedMs + deadlineMs - clock.monotonicMs()
    const reserveMs = Math.min(COMMIT_RESERVE_MS, deadlineMs * COMMIT_SHARE)
    const isDurable = await isDoneWithin(queue.idle(), leftMs() - reserveMs, clock)
    const discarded = isDurable ? 0 : queue.discardQueued()
    while (life.failure === undefined && leftMs() > 0) {
      let isFailed = false
      const commit = committer.commitNow().then((outcome) => (isFailed = outcome === 'failed'))
      await isDoneWithin(commit, leftMs(), clock)
      if (!isFailed) break
      await clock.sleep(Math.min(COMMIT_RETRY_MS, leftMs()), life.stopping)
    }
    const durationMs = clock.monotonicMs() - startedMs
    observer.drained({ durationMs, isComplete: isDurable, discarded })
    if (!isDurable) logger.warn({ durationMs, discarded }, 'drain ended at its deadline')
    return discarded
  }

  /** Ends a generation: what is not settled by then, another store may have as well. */
  async giveBack(epoch: number, deadlineMs: number): Promise<void> {
    const { clock, queue, uncommitted, logger } = this.#options
    const startedMs = clock.monotonicMs()
    const discarded = await this.settle(deadlineMs)
    const durationMs = Math.round(clock.monotonicMs() - startedMs)
    const left = { recordsInFlight: queue.records, partitionsUncommitted: uncommitted.partitions.length }
    logger.info({ epoch, durationMs, discarded, ...left }, 'partitions given back')
  }

  /** Accepts nothing more, and settles what is accepted. */
  async drain(deadlineMs: number): Promise<DrainReport> {
    const { source, clock, life, generation, partitions, queue, uncommitted } = this.#options
    const startedMs = clock.monotonicMs()
    life.drain()
    generation.stopAccepting()
    // What is fetched from now on would be dropped.
    source.pause(partitions.all.map(place))
    const recordsLeft = (await this.settle(deadlineMs)) + queue.records
    const partitionsUncommitted = uncommitted.partitions.length
    return {
      isComplete: queue.submissions === 0 && recordsLeft === 0 && partitionsUncommitted === 0,
      recordsLeft,
      partitionsUncommitted,
      durationMs: clock.monotonicMs() - startedMs,
    }
  }
}
