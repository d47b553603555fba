import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { DeadLetterTopic } from '../kafka/dead-letters.ts'
import type { KafkaSource } from '../kafka/source.ts'
import type { LedgerKey, LedgerRow } from '../ledger/ledger-codec.ts'
import type { OwedRecord } from '../storage/index.ts'
import type { SinkObserver } from './observer.ts'
import type { RecordMapper } from './partition-state.ts'
import type { DeletedPolicy, StartPolicy } from './start-plan.ts'
import type { StoreSubmission } from './submission-queue.ts'

/** What the sink needs of the store. */
export interface SinkStorage {
  readonly identity: { readonly storeId: string }
  /** Binds the store to a cluster and group; rejects when it belongs to another. */
  claim(clusterId: string, groupId: string): Promise<void>
  /** Resolves when durable and applied to the ledger; durable in the order of the calls. */
  submit(submission: StoreSubmission): Promise<void>
  /** Negative: consumption must pause. */
  spareBytes(): Promise<number>
  /** Whether so many bytes fit into the quota of a bucket now. */
  hasRoom(bucket: string, bytes: number): boolean
  /** Records whose content ReductStore has cut off; to be read again from Kafka. */
  readonly owed: readonly OwedRecord[]
  payOwed(record: OwedRecord, content: Uint8Array): Promise<void>
  forgetOwed(records: readonly OwedRecord[]): Promise<void>
  /** Rises while the store works, and not while it hangs. */
  readonly changes: number
}

/** What the sink needs of the ledger: it reads, the store writes. */
export interface SinkLedger {
  position(key: LedgerKey): LedgerRow | undefined
  positions(): readonly LedgerRow[]
}

export interface SinkLimits {
  /** Memory of batches that are accepted and not durable, for the whole process. */
  readonly memoryBytesMax: number
  /** A batch is cut into submissions of about this size. */
  readonly submissionBytesMax: number
  /** Handed to the store at a time; the rest can still be discarded. */
  readonly inFlightBytesMax: number
  readonly commitIntervalMs: number
  readonly commitBytesMax: number
  readonly diskPollMs: number
  /** Spare bytes at which consumption resumes after a pause for space. */
  readonly spareBytesResume: number
  readonly watermarkPollMs: number
  /** A partition that has work and does not move for so long ends the process. */
  readonly stuckAfterMs: number
}

export const defaultSinkLimits: SinkLimits = {
  memoryBytesMax: 64 * 1024 * 1024,
  submissionBytesMax: 4 * 1024 * 1024,
  inFlightBytesMax: 32 * 1024 * 1024,
  commitIntervalMs: 1000,
  commitBytesMax: 64 * 1024 * 1024,
  diskPollMs: 1000,
  spareBytesResume: 64 * 1024 * 1024,
  watermarkPollMs: 5000,
  stuckAfterMs: 60_000,
}

export interface SinkOptions {
  readonly source: KafkaSource
  readonly storage: SinkStorage
  /** The companion of `storage`. */
  readonly ledger: SinkLedger
  readonly mapper: RecordMapper
  /** Where rejected messages go before their offsets count, beside quarantine. */
  readonly deadLetters?: DeadLetterTopic | undefined
  readonly clock: Clock
  readonly groupId: string
  readonly start: StartPolicy
  /** What to do where Kafka has deleted what comes next. Default: `continue`. */
  readonly onDeleted?: DeletedPolicy
  readonly limits?: Partial<SinkLimits>
  readonly logger?: Logger
  readonly observer?: SinkObserver
}
