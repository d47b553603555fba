import { IntervalSet } from '../../base/interval-set.ts'
import type { FileRef } from '../../fs/file-system.ts'
import { blockBytes } from '../codec/index-entry.ts'
import type { Entry } from '../entry.ts'
import type { BlockGroup } from '../commitlog/group.ts'
import type { CheckpointBlock } from '../commitlog/log-file.ts'

/** Whatever the limits of the bucket are: far below what is read as a descriptor (`readMessage`). */
const METADATA_BYTES_FULL = 128 * 1024 * 1024
/** Of the limits of its bucket, and of those of a WAL: see `isCrowded`. */
const CROWDED_FACTOR = 3
const CROWDED_WAL_FACTOR = 2

let lives = 0

/**
 * A block that takes records: its descriptor on disk (`base`) plus everything in its WAL. Memory does not grow with
 * records, only with runs of occupied slots.
 *
 * Three positions are kept apart: *reserved* (promised to groups that were built), *projected* (in the files, and
 * so visible), and what a fold has written.
 *
 *     absent ──first record──▶ open ◀──late record, append── cold
 *                               │ ╲──fold, nothing reserved meanwhile──▶ cold
 *                               ╰──fold gave up──▶ open
 */
export class OpenBlock {
  /** No other has it in this process, not even one that comes to the same path later. */
  readonly life = ++lives
  readonly entry: Entry
  readonly id: number
  readonly data: FileRef
  readonly wal: FileRef
  /** CRC-64 of the descriptor below the WAL; `undefined` = none. */
  baseCrc64: bigint | undefined
  /** Where the next entries go in the WAL; 0 = the WAL is not begun. */
  walReservedBytes: number
  /** Position of the stop marker in the WAL as readers may see it. */
  walProjectedBytes: number
  /** All records, reserved ones included. */
  recordCount: number
  /** What the block had when it was opened. */
  opened = { recordCount: 0, blkBytes: 0 }
  /** Greatest record time; meaningless while there are no records. */
  latestUs: number
  /** Every finished record below the WAL has its CRC-32; those in the WAL do. */
  hasChecksums = true
  /** Whether the usage of the bucket counts its bytes here, not in the index. */
  isCounted = false
  #blkReservedBytes = 0
  #metadataBytes = 0
  /** Occupied microseconds. */
  readonly slots: IntervalSet
  /** Groups built and not yet projected. */
  pendingGroups = 0
  /** Raised by every reservation: a fold compares it to see that nothing came in between. */
  reservations = 0
  /** The index on disk lists this block without CRC. */
  isListedOpen: boolean
  /** The names of its files are known durable in this process. */
  isNameDurable = false
  isFolding = false
  /** Uploads and changes that are under way in it: the block stays open for them. */
  holds = 0
  /** Monotonic time of the last reservation. */
  touchedMs: number
  /** First id behind this block's range; `Infinity` for the last block. */
  nextIdUs = Infinity
  /** The part of the group being built that goes into this block. */
  building: BlockGroup | undefined

  constructor(entry: Entry, id: number, nowMs: number) {
    this.entry = entry
    this.id = id
    this.data = { path: entry.paths.data(id), kind: 'data' }
    this.wal = { path: entry.paths.wal(id), kind: 'wal' }
    this.baseCrc64 = undefined
    this.walReservedBytes = 0
    this.walProjectedBytes = 0
    this.recordCount = 0
    this.latestUs = 0
    this.slots = new IntervalSet()
    this.isListedOpen = false
    this.touchedMs = nowMs
  }

  /** Where the next content goes in the data file. */
  get blkReservedBytes(): number {
    return this.#blkReservedBytes
  }

  set blkReservedBytes(bytes: number) {
    if (this.isCounted) this.entry.bucket.usedBytes += bytes - this.#blkReservedBytes
    this.#blkReservedBytes = bytes
  }

  /** Encoded size of all records, as the descriptor's metadata_size counts it. */
  get metadataBytes(): number {
    return this.#metadataBytes
  }

  set metadataBytes(bytes: number) {
    if (this.isCounted) this.entry.bucket.usedBytes += bytes - this.#metadataBytes
    this.#metadataBytes = bytes
  }

  /** Moves the block's bytes in the usage of its bucket from the index to here, or back. */
  count(isCounted: boolean): void {
    if (isCounted === this.isCounted) return
    this.isCounted = isCounted
    const { bucket, index } = this.entry
    const listed = index.get(BigInt(this.id))
    const listedBytes = listed === undefined ? 0 : blockBytes(listed)
    const bytes = this.#blkReservedBytes + this.#metadataBytes - listedBytes
    bucket.usedBytes += isCounted ? bytes : -bytes
  }

  /** Whether `moreBytes` of content do not fit into so many times the limits of its bucket. */
  isFull(moreBytes: number, factor = 1): boolean {
    const { blockBytesMax, blockRecordsMax } = this.entry.blockLimits
    return (
      this.recordCount > 0 &&
      (this.blkReservedBytes + moreBytes > blockBytesMax * factor ||
        this.recordCount >= blockRecordsMax * factor ||
        this.metadataBytes >= METADATA_BYTES_FULL * factor)
    )
  }

  /**
   * Whether it has to be folded, and split, before another group is built: a fold beside groups gives up for each record that
   * comes meanwhile, and under a steady stream of them there is never a gap. Once it has grown by its limits since it was
   * opened, lest one that cannot be split be folded for every group.
   */
  isCrowded(walBytesMax: number): boolean {
    if (this.holds > 0 || this.recordCount < 2) return false
    if (this.walReservedBytes >= walBytesMax * CROWDED_WAL_FACTOR) return true
    const { blockBytesMax, blockRecordsMax } = this.entry.blockLimits
    const hasGrown =
      this.walReservedBytes >= walBytesMax ||
      this.recordCount - this.opened.recordCount >= blockRecordsMax ||
      this.blkReservedBytes - this.opened.blkBytes >= blockBytesMax
    return hasGrown && this.isFull(0, CROWDED_FACTOR)
  }

  /** This block as a checkpoint of now describes it. */
  checkpointed(): CheckpointBlock {
    return {
      bucket: this.entry.name.bucket,
      entry: this.entry.name.entry,
      blockId: this.id,
      walBytes: this.walReservedBytes,
      blkEndBytes: this.blkReservedBytes,
      recordCount: this.recordCount,
      baseCrc64: this.baseCrc64,
      isFolding: this.isFolding,
    }
  }

  /** What this block counts for in the write cache. */
  get cacheBytes(): number {
    return OPEN_BLOCK_BYTES + 16 * this.slots.runCount
  }
}

/** Fixed memory of an open block: object, paths, interval set. Measured with 10,000 of them, rounded up. */
const OPEN_BLOCK_BYTES = 1024
