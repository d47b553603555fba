import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { KafkaSource, StartDecision } from '../kafka/source.ts'
import { place } from '../kafka/topic-partition.ts'
import type { MapHold } from '../mapping/rejection.ts'
import type { SinkObserver } from './observer.ts'
import type { SinkStorage } from './options.ts'
import type { PartitionState } from './partition-state.ts'
import type { PartitionTable } from './partition-table.ts'
import type { SpaceGate } from './space-gate.ts'
import type { HoldReason } from './start-plan.ts'

export interface HoldsOptions {
  readonly source: Pick<KafkaSource, 'pause' | 'resume' | 'seek'>
  readonly storage: Pick<SinkStorage, 'hasRoom'>
  readonly partitions: PartitionTable
  readonly space: SpaceGate
  readonly clock: Clock
  readonly observer: SinkObserver
  readonly logger: Logger
}

/** Partitions that are ours and not read: they are held for a reason, and some go on by themselves. */
export class Holds {
  readonly #options: HoldsOptions

  constructor(options: HoldsOptions) {
    this.#options = options
  }

  /** For a partition that the source asks about: it does not read what is held. */
  hold(state: PartitionState, reason: HoldReason, detail: string, untilMs?: number): StartDecision {
    const { observer, logger } = this.#options
    state.hold = { reason, detail, untilMs }
    observer.partitionHeld({ ...place(state), reason, detail })
    observer.paused({ reason: 'hold' })
    logger.error({ ...place(state), reason, detail }, 'partition held')
    return { kind: 'hold', reason }
  }

  /** The mapping stops in front of a message. */
  heldByRule(state: PartitionState, { held, detail, untilMs }: MapHold): void {
    this.hold(state, held, `${detail}; offset ${state.acceptedOffset} is next`, untilMs)
    this.#options.source.pause([place(state)])
  }

  /** Nothing of the partition is stored any more; nobody has asked for a decision, so it is paused. */
  refused(state: PartitionState): void {
    const { partitions, source } = this.#options
    const { refusal } = state
    if (refusal === undefined || state.hold !== undefined || partitions.owned(state) !== state) return
    this.hold(state, refusal.reason, refusal.detail)
    source.pause([place(state)])
  }

  /** Partitions that wait for room in a bucket, or for the clock, go on where that has come. */
  look(): void {
    const { storage, source, partitions, space, clock, observer, logger } = this.#options
    for (const state of partitions.all) {
      const { hold } = state
      if (hold === undefined || state.pending > 0 || source.seek === undefined) continue
      const wanted = hold.reason === 'quota' ? state.refusal?.wanted : undefined
      const hasRoom = wanted !== undefined && storage.hasRoom(wanted.bucket, wanted.bytes)
      const isTime = hold.untilMs !== undefined && clock.nowUs() >= hold.untilMs * 1000
      if (!hasRoom && !isTime) continue
      state.goOn()
      source.seek(place(state), state.acceptedOffset)
      if (!space.isClosed) source.resume([place(state)])
      observer.resumed({ reason: 'hold' })
      logger.info(
        { ...place(state), ...wanted },
        hasRoom ? 'there is room again: partition goes on' : 'the clock is there: partition goes on',
      )
    }
  }
}
