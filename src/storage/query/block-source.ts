import type { Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import type { EntryName } from '../record.ts'

/** The blocks of one entry at one moment, for reading: of a live store, or of a directory. */
export interface BlockSource {
  readonly name: EntryName
  /** Ascending by id, with totals that count WALs. */
  readonly blocks: readonly IndexEntry[]
  /**
   * Those of them that may hold a record of this time, the likely ones first. The first block behind it is the last of
   * them: one that others wrote may begin before its id. Asked at once, not after something was waited for.
   */
  covering(timestampUs: bigint): readonly IndexEntry[]
  /** The file with its content: plain, compressed, or one that a removal was about to put in its place. */
  dataPath(block: IndexEntry): string
  /**
   * The records of a block as of now, its WAL included.
   * @throws {StorageError} `ERR_CORRUPT`; `ERR_NOT_FOUND` when the block is not any more what was listed: ask `now`
   */
  descriptor(block: IndexEntry): Promise<Descriptor>
  /** Keeps the data file of the block, also when it is removed, until the result is called. */
  pin(block: IndexEntry): () => void
  /** Whether no record has left the entry or its block since this was listed, as far as that is known. */
  isCurrent(): boolean
  /** Pins hold, and `isCurrent` tells. Not of a directory that somebody else writes. */
  readonly isHeld: boolean
  /** The entry as of now. @throws {StorageError} `ERR_NOT_FOUND` when it is gone */
  now(): Promise<BlockSource>
  /** Whether the content of the record is being uploaded by this process. */
  isStarted(timestampUs: bigint): boolean
}
