import type { SourceRecord, TopicPartition } from '../kafka/source.ts'
import { ContiguousOffsets } from '../ledger/contiguous-offsets.ts'
import type { MapHold, Skip } from '../mapping/rejection.ts'
import type { RecordWrite } from '../storage/index.ts'
import { LagMarks } from './lag-marks.ts'
import type { HoldReason } from './start-plan.ts'
import type { Stall } from './watchdog.ts'

/** What the sink needs of the mapping; a rejection is a value. */
export interface RecordMapper {
  /** `undefined` when no rule names the topic, or it would share an entry with another. */
  forPartition(topic: string, partition: number): PartitionRecordMapper | undefined
}

export interface PartitionRecordMapper {
  /** What people call the rule that maps. */
  readonly ruleName?: string
  map(
    record: SourceRecord,
    arrivalMs: number,
  ): RecordWrite | { readonly rejected: string; readonly detail?: string } | Skip | MapHold
  /** Why none of the records of a batch is to be mapped now. */
  holdOf?(records: readonly SourceRecord[], arrivalMs: number): MapHold | undefined
}

/** What the store did not take. */
export interface Refusal {
  readonly reason: 'damaged-block' | 'quota'
  readonly detail: string
  /** For `quota`: what did not fit, and where. */
  readonly wanted?: { readonly bucket: string; readonly bytes: number }
}

export interface Hold {
  readonly reason: HoldReason
  readonly detail: string
  /** It ends by itself at this time, in milliseconds since 1970. */
  readonly untilMs?: number | undefined
}

/**
 * One partition of ours. It outlives a generation while something of it is under way to the store.
 *
 * Invariant: committed <= durable <= accepted; what is below `acceptedOffset` is dropped at the door.
 */
export class PartitionState implements TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly marks = new LagMarks()
  /** `undefined` where the mapping refuses the topic: then it is held. */
  mapper: PartitionRecordMapper | undefined
  acceptedOffset: number
  /** Of the record batch that ends at `acceptedOffset`, where it is known. */
  leaderEpoch: number | undefined
  /** Of the topic that is read; `undefined` while it is not known or the partition is held. */
  topicId: string | undefined
  committedOffset: number | undefined
  highWatermark = 0
  /** How far the partition is read again below `acceptedOffset`, on account of what is owed. */
  rereadOffset = 0
  hold: Hold | undefined
  /** What is submitted together without holes. A new one begins where a refusal has ended. */
  stream: object = {}
  /** Why the store takes nothing more of this state's stream; the next state of the partition has another. */
  refusal: Refusal | undefined
  stall: Stall | undefined
  /** Submissions that are neither durable nor discarded. */
  pending = 0
  readonly #durable: ContiguousOffsets

  constructor({ topic, partition }: TopicPartition, nextOffset: number) {
    this.topic = topic
    this.partition = partition
    this.acceptedOffset = nextOffset
    this.#durable = new ContiguousOffsets(nextOffset)
  }

  get durableOffset(): number {
    return this.#durable.next
  }

  get lagRecords(): number {
    return Math.max(0, this.highWatermark - this.durableOffset)
  }

  /** A new generation. */
  wasAssigned(mapper: PartitionRecordMapper | undefined, committedOffset: number | undefined): void {
    this.mapper = mapper
    this.committedOffset = committedOffset
    this.highWatermark = 0
    this.hold = undefined
    this.stall = undefined
    this.topicId = undefined
  }

  accepted(nextOffset: number, leaderEpoch: number | undefined): void {
    this.pending += 1
    if (nextOffset > this.acceptedOffset || leaderEpoch !== undefined) this.leaderEpoch = leaderEpoch
    this.acceptedOffset = nextOffset
  }

  sawHighWatermark(highWatermark: number, nowMs: number): void {
    this.highWatermark = Math.max(this.highWatermark, highWatermark)
    this.marks.seen(highWatermark, nowMs)
  }

  becameDurable(fromOffset: number, nextOffset: number): void {
    this.pending -= 1
    this.marks.reached(this.#durable.complete(fromOffset, nextOffset))
  }

  /** What the store does not take is discarded, and so is everything behind it. */
  wasRefused(fromOffset: number, refusal: Refusal): void {
    this.refusal ??= refusal
    this.wasDiscarded(fromOffset)
  }

  /** Everything refused is back, and there is room for it: it goes on from `acceptedOffset`, as a new stream. */
  goOn(): void {
    this.stream = {}
    this.refusal = undefined
    this.hold = undefined
    this.stall = undefined
  }

  /** What remains accepted ends where the oldest discarded step began. */
  wasDiscarded(fromOffset: number): void {
    this.pending -= 1
    this.leaderEpoch = undefined
    this.acceptedOffset = Math.min(this.acceptedOffset, fromOffset)
  }
}
