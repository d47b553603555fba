/** One Kafka record. Byte arrays may be views into a whole fetch response: copy what is kept for long. */
export interface SourceRecord {
  readonly offset: number
  /** Milliseconds since the epoch; -1 when the producer gave none. */
  readonly timestampMs: number
  readonly timestampType: 'create' | 'append'
  readonly key: Uint8Array | null
  /** `null` is a tombstone, empty is empty. */
  readonly value: Uint8Array | null
  /** As on the wire: in order, repeats kept, names as bytes. */
  readonly headers: readonly SourceHeader[]
}

export interface SourceHeader {
  readonly name: Uint8Array
  readonly value: Uint8Array | null
}

/**
 * Offsets that Kafka has no record for us at.
 *
 * - `control`: a marker that ends a transaction
 * - `aborted`: records of a transaction that was given up
 * - `compacted`: missing from the log of a topic that Kafka compacts
 * - `missing`: missing from the log, and nothing says why
 */
export interface AbsentOffsets {
  readonly why: 'control' | 'aborted' | 'compacted' | 'missing'
  readonly fromOffset: number
  readonly nextOffset: number
}

/** Offsets are numbers, exact below 2^53; the source refuses larger ones. */
export interface SourceBatch {
  readonly topic: string
  readonly partition: number
  /** The offset asked for: everything from here to `nextOffset` is in `records` or absent. */
  readonly fromOffset: number
  /** One past the last offset this batch stands for, control records and compacted ones included. */
  readonly nextOffset: number
  readonly records: readonly SourceRecord[]
  /** Every offset from `fromOffset` to `nextOffset` that `records` does not have, ascending; `missing` when unsaid. */
  readonly absent?: readonly AbsentOffsets[]
  /** Memory this batch holds on to. */
  readonly bytes: number
  /** One past the last offset that could be read when this was fetched; open transactions hold it back. */
  readonly highWatermark: number
  /** Of the leader that took all of it, where the broker says. A batch has one: where it changes, another batch begins. */
  readonly leaderEpoch?: number | undefined
  /**
   * Gives the memory back to the source, which fills it with other records. For whoever took the batch, once nothing
   * of its keys, values and headers is read any more. Without it the memory is collected as usual.
   */
  readonly release?: () => void
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** An offset with the leader epoch of the record before it: a log that has been cut since does not lead there any more. */
export interface LogPlace {
  readonly offset: number
  readonly leaderEpoch: number
}

/** A place that we have read up to, and what the leader says of it now. */
export interface CheckedPlace extends LogPlace {
  /**
   * Where its records of this leader epoch and earlier ones end: below `offset` the log was cut, and goes on otherwise or
   * not at all. -1: it has earlier epochs only.
   */
  readonly endOffset: number
}

/** A record batch that cannot be decoded. */
export interface DamagedBatch {
  /** One past its last offset, by what follows it or by its own header. */
  readonly nextOffset: number
  /** As the broker sent it; a copy. */
  readonly bytes: Uint8Array
  /** It is sound, but becomes so much when it is decompressed, or more: that is more than is allowed. */
  readonly decompressedBytes?: number
}

/** What Kafka holds for one of our partitions when it is assigned. */
export interface AssignedPartition extends TopicPartition {
  /** The group's committed offset, `undefined` when there is none. */
  readonly committedOffset: number | undefined
  readonly committedMetadata: string
  readonly lowWatermark: number
  /** One past the last offset that can be read; open transactions hold it back. */
  readonly highWatermark: number
  /** As Kafka's tools print it; another one is another topic. Unknown from brokers older than Kafka 2.8. */
  readonly topicId?: string | undefined
  /** Of `lastRead`, where there was one and the broker can be asked. */
  readonly checked?: CheckedPlace | undefined
  /** The first offset with a record at or after `startTimeMs`, where that was told; `undefined` when there is none yet. */
  readonly offsetAtTime?: number | undefined
  /** It was not there yet when this source started. */
  readonly isNew?: boolean
}

/** A partition that a store has begun, and how far it is. */
export interface Claim extends TopicPartition {
  readonly nextOffset: number
}

/** A partition of ours that no broker can be asked about, with why; it is asked for again and again. */
export interface UnreadablePartition extends TopicPartition {
  readonly reason: string
}

/** A partition whose offsets the broker does not take. */
export interface RefusedCommit extends TopicPartition {
  readonly reason: string
}

/** Where to begin, or why not to. A held partition is assigned but not fetched. */
export type StartDecision =
  | {
      readonly kind: 'start'
      readonly offset: number
      /** Of the record before, where it is known: what is fetched next is then checked to follow it. */
      readonly leaderEpoch?: number | undefined
    }
  | { readonly kind: 'hold'; readonly reason: string }

/** Called by the source. A rejection of any of these is fatal for the source. */
export interface SourceHandler {
  /**
   * A new generation of the group, or another set of its partitions that can be read. Nothing of it is delivered before
   * this resolves. `epoch` rises with each call; batches, revocations and commits carry it. Ours but unreadable
   * partitions are left out: when a leader answers for them, the epoch is revoked and the next one has them, too.
   */
  assigned(partitions: readonly AssignedPartition[], epoch: number): Promise<readonly StartDecision[]>
  /** Up to where we have read a partition that is about to be assigned: asked of its leader, told with `checked`. */
  lastRead?(partition: AssignedPartition): LogPlace | undefined
  /** From which time on a partition is to be begun: asked of its leader, told with `offsetAtTime`. */
  startTimeMs?(partition: AssignedPartition): number | undefined
  /** Resolves when the batch is accepted (waiting here is the back-pressure). */
  batch(batch: SourceBatch, epoch: number, signal: AbortSignal): Promise<void>
  /** Before the next epoch: drain and commit what can be within `deadlineMs`. */
  revoking(epoch: number, deadlineMs: number): Promise<void>
  /** The position asked for does not exist any more (below low) or not yet (above high). */
  outOfRange(partition: TopicPartition, wanted: number, low: number, high: number): Promise<StartDecision>
  /**
   * The log was cut below what has been delivered, and goes on from there under another leader. Without this method the
   * partition is held.
   */
  truncated?(partition: TopicPartition, place: CheckedPlace): Promise<StartDecision>
  /**
   * The record batch at `offset` is damaged, also when fetched again, in a form that cannot be decoded, or becomes too large
   * (`ERR_BATCH`).
   * Everything before it has been delivered. Without this method the partition is held.
   */
  undecodable?(
    partition: TopicPartition,
    offset: number,
    error: SourceError,
    batch: DamagedBatch,
  ): Promise<StartDecision>
  /** What the store has, for the leader of the group: partitions stay where they are. */
  claims?(): { readonly store: string; readonly partitions: readonly Claim[] }
  /** The source has stopped for good. */
  failed(error: Error): void
}

/** A Kafka consumer as the sink sees it: positions come from the sink, never from the committed offsets alone. */
export interface KafkaSource {
  /**
   * Reaches a broker and sees that every named topic exists, without joining the group; `clusterId` is known after.
   * `start` does the same when it was not called. @throws {SourceError} as `start`
   */
  probe?(): Promise<void>
  /**
   * Connects and joins. @throws {SourceError} `ERR_BROKER`, `ERR_REFUSED` or `ERR_TOPIC` when that fails within
   * `startTimeoutMs`; a refusal at once.
   */
  start(handler: SourceHandler): Promise<void>
  readonly clusterId: string
  /** Memory (`heldBytes`) of batches that were fetched and that no `batch` call has accepted yet. */
  readonly fetchedBytes: number
  /**
   * Commits next offsets of the given generation. Retried by the caller.
   * @returns those that the broker does not take, beside the others: their topic is gone, or we have no right to it
   * @throws {SourceError} `ERR_STALE_EPOCH`: the generation is over, also by the broker's word; `ERR_BROKER`: try again
   */
  commit(
    offsets: readonly (TopicPartition & { readonly offset: number; readonly metadata: string })[],
    epoch: number,
  ): Promise<readonly RefusedCommit[]>
  /**
   * No batch call begins after this; one that runs may end. What was fetched already is fetched again later. For this
   * generation only: in a new one nothing is paused.
   */
  pause(partitions: readonly TopicPartition[]): void
  resume(partitions: readonly TopicPartition[]): void
  /** A paused partition goes on from this offset when it is resumed; nothing that was fetched before is delivered. */
  seek?(partition: TopicPartition, offset: number): void
  /** Partitions of ours that cannot be read now, as far as is known: they have no leader, or it does not answer. */
  readonly unreadable?: readonly UnreadablePartition[]
  /**
   * Low and high watermarks (see `AssignedPartition`) of the partitions in the present epoch, asked of the brokers
   * now; those that nobody answers for are left out.
   * @throws {SourceError} `ERR_BROKER` when nobody answers for any
   */
  watermarks(): Promise<readonly (TopicPartition & { readonly low: number; readonly high: number })[]>
  /** Leaves without drain or commit: do both first. May wait for brokers; the handler is not called any more. Idempotent. */
  stop(): Promise<void>
}

export type SourceErrorCode =
  | 'ERR_BROKER' // unreachable: trying again may help (exit 3)
  | 'ERR_REFUSED' // the broker will not have us, or we not it; the message says what to do (exit 3)
  | 'ERR_TOPIC' // a named topic does not exist (exit 4)
  | 'ERR_STALE_EPOCH'
  | 'ERR_DEAD' // the client has stopped for good (exit 8)
  | 'ERR_BATCH' // a record batch that is corrupt or cannot be decoded

export class SourceError extends Error {
  override readonly name = 'SourceError'
  readonly code: SourceErrorCode

  constructor(code: SourceErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
