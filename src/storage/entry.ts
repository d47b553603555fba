import { IntervalSet } from '../base/interval-set.ts'
import type { OpenBlock } from './block/block.ts'
import { BlockPins } from './block/block-pins.ts'
import type { BlockIndex } from './block/block-index.ts'
import type { IndexFile } from './block/index-file.ts'
import type { IndexEntry } from './codec/index-codec.ts'
import { blockBytes } from './codec/index-entry.ts'
import type { Bucket } from './bucket.ts'
import { isAttachment, type EntryPaths } from './paths.ts'
import type { BucketSettings, EntryName } from './record.ts'

/** Blocks of attachments are small, whatever their bucket says (format 1.3). */
const ATTACHMENT_BLOCK_BYTES_MAX = 131_072
/** Bounds what an entry remembers of its taken times: 16 bytes a run. */
const TAKEN_RUNS_MAX = 64
/** Of the quota of a bucket that evicts: it can only let go of whole blocks. */
const FIFO_BLOCK_SHARE = 4

export type BlockLimits = Pick<BucketSettings, 'blockBytesMax' | 'blockRecordsMax'>

/** One entry of an open store: its blocks, cold (in the index) and open. */
export class Entry {
  readonly name: EntryName
  readonly paths: EntryPaths
  readonly bucket: Bucket
  readonly index: BlockIndex
  readonly indexFile: IndexFile
  readonly open = new Map<number, OpenBlock>()
  readonly pins = new BlockPins()
  /** Times of the records whose content is being uploaded. */
  readonly uploading = new Set<bigint>()
  /** Raised when a record or block leaves, or gets another place: what was listed before is out of date. */
  removals = 0
  readonly isAttachment: boolean
  /** The open block that took the last record: most records go where the one before went. */
  hot: OpenBlock | undefined
  /** Its directories are known durable in this process. That they are seen at the start says nothing. */
  isNameDurable = false
  /** Removed or renamed: nothing at its paths is its own any more. */
  isGone = false
  /** Blocks that leave with a frame which is not carried out yet: the index file still lists them. */
  readonly leaving = new Map<number, IndexEntry>()
  /** Removed blocks whose data file waits for its readers: a new block of this id would lose its files to that. */
  readonly lingering = new Set<number>()
  /** Cold blocks that could not be read back when they were last needed: what lies behind them begins a block of its own. */
  readonly unreadable = new Set<bigint>()
  /** Blocks that somebody has read since this process began. */
  readonly read = new Set<number>()
  #taken = new IntervalSet()
  /** `removals` when they were noted. */
  #takenAtRemovals = 0
  #limits: (BlockLimits & { readonly settings: BucketSettings }) | undefined

  constructor(name: EntryName, paths: EntryPaths, bucket: Bucket, index: BlockIndex, indexFile: IndexFile) {
    this.name = name
    this.isAttachment = isAttachment(name)
    this.paths = paths
    this.bucket = bucket
    this.index = index
    this.indexFile = indexFile
    for (const block of index.blocks) bucket.usedBytes += blockBytes(block)
    index.onChange = (id, addedBytes) => {
      if (!this.open.has(Number(id))) bucket.usedBytes += addedBytes
    }
  }

  /** Limits of its blocks. A bucket that evicts has several blocks to choose from, however small its quota is. */
  get blockLimits(): BlockLimits {
    const { settings } = this.bucket
    if (this.#limits?.settings !== settings) {
      const { blockRecordsMax, quota } = settings
      const blockBytesMax = Math.min(
        settings.blockBytesMax,
        quota.kind === 'fifo' ? Math.ceil(quota.bytes / FIFO_BLOCK_SHARE) : Infinity,
        this.isAttachment ? ATTACHMENT_BLOCK_BYTES_MAX : Infinity,
      )
      this.#limits = { settings, blockBytesMax, blockRecordsMax }
    }
    return this.#limits
  }

  /** The first time from `timestampUs` on that is not known to be taken. */
  firstNotTaken(timestampUs: number): number {
    return this.#takenAtRemovals === this.removals ? this.#taken.firstFree(timestampUs) : timestampUs
  }

  /** Every microsecond of the range is taken: who looks for a free one need not go through its blocks again. */
  noteTaken(fromUs: number, toUs: number): void {
    if (this.#takenAtRemovals !== this.removals || this.#taken.runCount >= TAKEN_RUNS_MAX) this.forgetTaken()
    this.#taken.addRange(fromUs, toUs)
  }

  /** Some of them may be free again. */
  forgetTaken(): void {
    this.#taken = new IntervalSet()
    this.#takenAtRemovals = this.removals
  }

  /** Its blocks count for nothing from now on. Once, when it has been removed or renamed. */
  leave(): void {
    for (const block of this.index.blocks) this.bucket.usedBytes -= blockBytes(block)
    this.index.onChange = undefined
  }

  /** The index entry of an open block: current totals, no CRC. */
  indexEntryOf(block: OpenBlock): IndexEntry {
    return {
      id: BigInt(block.id),
      sizeBytes: BigInt(block.blkReservedBytes),
      recordCount: block.recordCount,
      metadataBytes: BigInt(block.metadataBytes),
      latestUs: BigInt(block.latestUs),
      hasChecksums: block.hasChecksums,
    }
  }

  /** Every block with its totals of now, ascending by id. */
  listing(): IndexEntry[] {
    return this.index.blocks.map((entry) => this.#asOfNow(entry))
  }

  /** As `BlockSource.covering`; where no blocks overlap, without going through them. */
  covering(timestampUs: bigint): IndexEntry[] {
    const { index } = this
    const position = index.floorPosition(timestampUs)
    const known = index.at(position)
    const next = index.at(position + 1)
    const blocks = index.isOverlapping ? this.listing() : known === undefined ? [] : [this.#asOfNow(known)]
    const covering = blocks.filter(({ id, latestUs }) => id <= timestampUs && latestUs >= timestampUs)
    return next === undefined ? covering : [...covering, this.#asOfNow(next)]
  }

  #asOfNow(entry: IndexEntry): IndexEntry {
    const open = this.open.get(Number(entry.id))
    return open === undefined ? entry : this.indexEntryOf(open)
  }
}
