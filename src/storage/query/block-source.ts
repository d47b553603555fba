import type { Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import type { EntryName } from '../record.ts'

/** The blocks of one entry at one moment, for reading: of a live store, or of a directory. */
export interface BlockSource {
  readonly name: EntryName
  /** Ascending by id, with totals that count WALs. */
  readonly blocks: readonly IndexEntry[]
  /** The file with its content: plain, compressed, or one that a removal was about to put in its place. */
  dataPath(block: IndexEntry): string
  /** The records of a block, its WAL included. @throws {StorageError} `ERR_CORRUPT` */
  descriptor(block: IndexEntry): Promise<Descriptor>
}
