import type { TopicPartition } from '../kafka/source.ts'
import type { Hold } from './partition-state.ts'

/**
 * Why something is not read on: everything for lack of disk or memory (a batch that waits for memory keeps its broker
 * waiting), one partition for a hold, or because the dead-letter topic does not take its messages.
 */
export type PauseReason = 'memory' | 'disk-space' | 'hold' | 'dead-letters'

/**
 * The life of a sink:
 *
 *     idle ──start──▶ running ──drain──▶ draining ──stop──▶ stopped
 *       ╰───────────────┴────────────────────┴──▶ failed
 */
export type SinkPhase = 'idle' | 'running' | 'draining' | 'stopped' | 'failed'

export interface PartitionStatus extends TopicPartition {
  /** Next offset to be accepted. */
  readonly acceptedOffset: number
  /** Everything below is stored, or a recorded gap. */
  readonly durableOffset: number
  readonly committedOffset: number | undefined
  readonly highWatermark: number
  /** High watermark minus durable. */
  readonly lagRecords: number
  /** For how long the oldest record that is not durable has been known to exist. */
  readonly durableLagSeconds: number
  readonly hold: Hold | undefined
  /** It is read again for content that ReductStore has cut off. */
  readonly isOwing?: boolean
  /** What the dead-letter topic said last, while its messages wait for it. */
  readonly waitsFor?: string | undefined
  readonly paused: readonly PauseReason[]
}

export interface SinkStatus {
  readonly phase: SinkPhase
  readonly failure: Error | undefined
  /** Whether the group has given us partitions and they are being accepted. */
  readonly isAssigned: boolean
  readonly epoch: number
  readonly partitions: readonly PartitionStatus[]
  /** Reasons that hold for all partitions. */
  readonly paused: readonly PauseReason[]
  readonly memory: {
    /** Of batches that are accepted and not durable. */
    readonly usedBytes: number
    readonly bytesMax: number
    /** Batches that wait for memory. */
    readonly waiting: number
    /** Of batches that are fetched and not accepted. */
    readonly fetchedBytes: number
  }
  /** Accepted and not durable. */
  readonly underway: { readonly submissions: number; readonly records: number; readonly bytes: number }
}

export interface DrainReport {
  /** Everything accepted is durable, and Kafka knows it. */
  readonly isComplete: boolean
  /** Accepted but not durable when the deadline came; they will be delivered again. */
  readonly recordsLeft: number
  /** Partitions whose durable offset Kafka does not know; the ledger does. */
  readonly partitionsUncommitted: number
  readonly durationMs: number
}
