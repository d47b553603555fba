// CONTRACT ONLY for now: the engine's author replaces the bodies. Other rooms code against these signatures.
import type { EntryInfo, EntryName, RecordReader, RecordWrite, StoredRecord, TimeRange } from './record.ts'
import type { StorageOptions } from './options.ts'

export interface StoreIdentity {
  /** UUID of this data directory, made once. */
  readonly storeId: string
  /** Kafka cluster and group this store belongs to, once `claim` has set them. */
  readonly clusterId: string | undefined
  readonly groupId: string | undefined
}

export interface Submission {
  readonly writes: readonly RecordWrite[]
  /** Goes to the companion together with the writes, as one atom. */
  readonly delta?: Uint8Array
}

export class Storage implements RecordReader {
  /** Locks, recovers and opens the directory. @throws {StorageError} */
  static open(_options: StorageOptions): Promise<Storage> {
    throw new Error('not built')
  }
  get identity(): StoreIdentity {
    throw new Error('not built')
  }
  /** Binds the store to a cluster and group, durably. @throws {StorageError} `ERR_FORMAT` when bound to another. */
  claim(_clusterId: string, _groupId: string): Promise<void> {
    throw new Error('not built')
  }
  /**
   * Stores `writes` and `delta` as one atom. Resolves when they are durable and visible to readers.
   * Submissions become durable in the order of the calls. Back-pressure is the caller's: what is submitted is
   * held in memory until it resolves.
   */
  submit(_submission: Submission): Promise<void> {
    throw new Error('not built')
  }
  /** Free bytes beyond the reserve that recovery and checkpoints need. Negative: consumption must pause. */
  spareBytes(): Promise<number> {
    throw new Error('not built')
  }
  /** Folds every open block and checkpoints: afterwards stock ReductStore finds no WAL. */
  settle(_progress?: (done: number, total: number) => void): Promise<void> {
    throw new Error('not built')
  }
  /** Drains, folds what fits `deadlineMs`, checkpoints, unlocks. Idempotent. */
  close(_options?: { deadlineMs?: number }): Promise<void> {
    throw new Error('not built')
  }
  entries(): Promise<EntryInfo[]> {
    throw new Error('not built')
  }
  get(_name: EntryName, _timestampUs: bigint): Promise<StoredRecord | undefined> {
    throw new Error('not built')
  }
  records(_name: EntryName, _range?: TimeRange & { readonly anyState?: boolean }): AsyncIterable<StoredRecord> {
    throw new Error('not built')
  }
}
