import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { FileSystem } from '../fs/file-system.ts'
import type { StorageObserver } from './observer.ts'
import type { BucketSettings } from './record.ts'

/**
 * State that rides along in the commit log, one delta a submission, opaque to the engine (the offset ledger).
 * Its durable value is always that of the last durable frame: data and state are one atom.
 */
export interface LogCompanion {
  /** Called once by `open`, before any `apply`: the value at the last checkpoint, `undefined` for a new store. */
  restore(snapshot: Uint8Array | undefined): void
  /** Called in log order: for recovered frames during `open`, later as soon as a frame is durable. */
  apply(delta: Uint8Array): void
  /** The value after every `apply` so far, for a checkpoint. */
  snapshot(): Uint8Array
  /**
   * Called behind each `snapshot`, before the checkpoint with its value replaces the one before: what that value leaves
   * out, because it lies in files of the companion's own below `directory`, is durable when this resolves. The checkpoint
   * before must stay true meanwhile. A failure ends the store.
   */
  spill?(fs: FileSystem, directory: string): Promise<void>
  /** Bytes in memory that wait for `spill`; a checkpoint is due before they are many. */
  readonly unspilledBytes?: number
}

export interface StorageLimits {
  /** A group is closed at this many bytes; a single larger submission is a group of its own. */
  readonly groupBytesMax: number
  readonly groupRecordsMax: number
  /** Content of one block in one group from this size goes straight into the data file. */
  readonly directBytesMin: number
  readonly directBlocksMax: number
  /** A checkpoint is due at this log size … */
  readonly logBytesCheckpoint: number
  /** … and groups wait for it at this one. */
  readonly logBytesMax: number
  /** A checkpoint is due when so much of the companion waits for one. */
  readonly unspilledBytesCheckpoint: number
  /** A checkpoint is due after this long without a group. */
  readonly idleCheckpointMs: number
  /** A full block is sealed after this long without a write. */
  readonly sealIdleMs: number
  /** A WAL of this size gets its block folded. */
  readonly walBytesMax: number
  /** Removed bytes of a block are given back from here on, when they are half of it. */
  readonly holesBytesMin: number
  /** An upload to which nothing is written for so long is aborted. */
  readonly uploadIdleMs: number
  readonly writeCacheBytesMax: number
  readonly readCacheBytesMax: number
  /** Content that is read a second to give records their CRC-32s again. */
  readonly upkeepBytesPerSecond: number
}

export const defaultLimits: StorageLimits = {
  groupBytesMax: 8 * 1024 * 1024,
  groupRecordsMax: 16_384,
  directBytesMin: 256 * 1024,
  directBlocksMax: 8,
  logBytesCheckpoint: 256 * 1024 * 1024,
  logBytesMax: 1024 * 1024 * 1024,
  unspilledBytesCheckpoint: 4 * 1024 * 1024,
  idleCheckpointMs: 60_000,
  sealIdleMs: 30_000,
  walBytesMax: 16 * 1024 * 1024,
  holesBytesMin: 1024 * 1024,
  uploadIdleMs: 60_000,
  writeCacheBytesMax: 64 * 1024 * 1024,
  readCacheBytesMax: 32 * 1024 * 1024,
  upkeepBytesPerSecond: 16 * 1024 * 1024,
}

export const defaultBucketSettings: BucketSettings = {
  blockBytesMax: 64_000_000,
  blockRecordsMax: 8192,
  quota: { kind: 'none', bytes: 0 },
}

export interface StorageOptions {
  /** Absolute path of the data directory; made when missing. */
  readonly dataPath: string
  readonly fs: FileSystem
  readonly clock: Clock
  /** A new random UUID, for the store id. */
  readonly randomUuid: () => string
  readonly logger?: Logger
  readonly observer?: StorageObserver
  readonly companion?: LogCompanion
  readonly limits?: Partial<StorageLimits>
  /** Settings of a bucket that does not exist yet. */
  readonly bucketSettings?: (bucket: string) => BucketSettings
  /** Called once when a write or sync has failed; every later submission is refused. */
  readonly onPoisoned?: (cause: unknown) => void
}
