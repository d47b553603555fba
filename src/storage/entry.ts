import type { OpenBlock } from './block/block.ts'
import { BlockPins } from './block/block-pins.ts'
import type { BlockIndex } from './block/block-index.ts'
import type { IndexFile } from './block/index-file.ts'
import type { IndexEntry } from './codec/index-codec.ts'
import type { EntryPaths } from './paths.ts'
import type { BucketSettings, EntryName } from './record.ts'

/** One entry of an open store: its blocks, cold (in the index) and open. */
export class Entry {
  readonly name: EntryName
  readonly paths: EntryPaths
  readonly settings: BucketSettings
  readonly index: BlockIndex
  readonly indexFile: IndexFile
  readonly open = new Map<number, OpenBlock>()
  readonly pins = new BlockPins()
  /** Removed blocks whose data file waits for its readers: a new block of this id would lose its files to that. */
  readonly leaving = new Set<number>()
  /** Times of the records whose content is being uploaded. */
  readonly uploading = new Set<bigint>()
  /** Raised when a record or block leaves, or gets another place: what was listed before is out of date. */
  removals = 0
  /** The open block that took the last record: most records go where the one before went. */
  hot: OpenBlock | undefined
  /** Its directories are known durable in this process. That they are seen at the start says nothing. */
  isNameDurable = false

  constructor(
    name: EntryName,
    paths: EntryPaths,
    settings: BucketSettings,
    index: BlockIndex,
    indexFile: IndexFile,
  ) {
    this.name = name
    this.paths = paths
    this.settings = settings
    this.index = index
    this.indexFile = indexFile
  }

  /** The index entry of an open block: current totals, no CRC. */
  indexEntryOf(block: OpenBlock): IndexEntry {
    return {
      id: BigInt(block.id),
      sizeBytes: BigInt(block.blkReservedBytes),
      recordCount: block.recordCount,
      metadataBytes: BigInt(block.metadataBytes),
      latestUs: BigInt(block.latestUs),
    }
  }

  /** Every block with its totals of now, ascending by id. */
  listing(): IndexEntry[] {
    return this.index.blocks.map((entry) => {
      const open = this.open.get(Number(entry.id))
      return open === undefined ? entry : this.indexEntryOf(open)
    })
  }
}
