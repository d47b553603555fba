import type { TopicPartition } from '../kafka/source.ts'
import type { GapClass } from '../ledger/gap.ts'
import type { HoldReason } from './start-plan.ts'
import type { PauseReason } from './status.ts'

/** Everything the sink tells the outside. Past tense, plain facts, called synchronously; must not throw. */
export interface SinkObserver {
  partitionsAssigned(event: { partitions: number; held: number; epoch: number }): void
  partitionHeld(event: TopicPartition & { reason: HoldReason; detail: string }): void
  /** A committed offset that this group's stores did not write was found, and not followed. */
  foreignCommitIgnored(event: TopicPartition & { offset: number; metadata: string }): void
  batchAccepted(event: TopicPartition & { records: number; bytes: number }): void
  /** How long a batch waited for memory before it was accepted; not called when it did not wait. */
  memoryWaited(event: { durationMs: number }): void
  /** Redelivered records, dropped because they were accepted before. */
  duplicatesDropped(event: TopicPartition & { records: number }): void
  /** The record went to the quarantine entry of its partition. */
  recordRejected(event: TopicPartition & { offset: number; cause: string }): void
  /** The dead-letter topic has them. */
  deadLettersSent(event: TopicPartition & { records: number }): void
  /** It did not take some; they are sent again until it does. */
  deadLettersFailed(event: TopicPartition & { error: unknown }): void
  /** `durationMs` since they were accepted. */
  recordsDurable(event: TopicPartition & { records: number; bytes: number; durationMs: number }): void
  /** Durably. `offsets` is how many are missing. */
  gapRecorded(event: TopicPartition & { class: GapClass; offsets: number }): void
  committed(event: { partitions: number; durationMs: number }): void
  commitFailed(event: { error: unknown }): void
  /** Reading begins to wait: one call each time, however many batches wait; for a hold one each partition. */
  paused(event: { reason: PauseReason }): void
  /** A hold ends with its generation, without a call. */
  resumed(event: { reason: PauseReason }): void
  /** Before a rejoin or a stop. `discarded` records will be delivered again. */
  drained(event: { durationMs: number; isComplete: boolean; discarded: number }): void
  failed(event: { error: Error }): void
}

const nothing = (): void => {}

export const silentSinkObserver: SinkObserver = {
  partitionsAssigned: nothing,
  partitionHeld: nothing,
  foreignCommitIgnored: nothing,
  batchAccepted: nothing,
  memoryWaited: nothing,
  duplicatesDropped: nothing,
  recordRejected: nothing,
  deadLettersSent: nothing,
  deadLettersFailed: nothing,
  recordsDurable: nothing,
  gapRecorded: nothing,
  committed: nothing,
  commitFailed: nothing,
  paused: nothing,
  resumed: nothing,
  drained: nothing,
  failed: nothing,
}
