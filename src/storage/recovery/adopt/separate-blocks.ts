import { atomicWrite } from '../../../fs/atomic-write.ts'
import type { FileRef, FileSystem } from '../../../fs/file-system.ts'
import { writeAll } from '../../../fs/write-all.ts'
import { checkDescriptor } from '../../block/block-content.ts'
import { encodeDescriptor, type Descriptor } from '../../codec/descriptor-codec.ts'
import { encodeIndex, type IndexEntry } from '../../codec/index-codec.ts'
import { indexEntryOf } from '../../codec/index-entry.ts'
import { rewriteRecord } from '../../codec/record-codec.ts'
import { scanRecord } from '../../codec/scan-record.ts'
import type { EntryPaths } from '../../paths.ts'
import { lookAtEntry } from '../../query/entry-files.ts'
import type { Quarantine } from './quarantine.ts'
import { readMessage } from '../../read-message.ts'

const COPY_BYTES = 1024 * 1024

/**
 * Parts the ranges of blocks that overlap, as ReductStore leaves them after a late record into a full block (W2): every
 * record goes into the block with the greatest id at or below its time, where readers of ReductStore look for it. Of
 * a time that is there twice the older block's record stays.
 *
 * In an order that can be interrupted and repeated: the index lets go of the checksums (W1); the blocks that take
 * records get content, then descriptor; only then the others lose them; the index. In between both hold them, which
 * readers do not see. Blocks that are not ours to change – compressed, flagged, in the commit log – stay as they are.
 */
export async function separateBlocks(paths: EntryPaths, options: SeparateOptions): Promise<void> {
  const { fs, isForeign, ours } = options
  const { listed, isIndexValid } = await lookAtEntry(fs, paths)
  if (!isIndexValid) return
  const blocks = [...listed.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  const isMovable = ({ id, crc64, compression, corrupted }: IndexEntry): boolean =>
    crc64 !== undefined && (compression ?? 0) === 0 && corrupted !== true && !ours.has(id)
  const isOfStock = async (block: IndexEntry): Promise<boolean> => {
    // Of an open block there may be no descriptor yet.
    if (block.crc64 === undefined || ours.has(block.id)) return false
    if (!isMovable(block)) return true
    return (await readDescriptor(fs, paths, block.id, block.crc64)).lastFrame === undefined
  }
  const moves = new Map<bigint, Move[]>()
  const stripped = new Map<bigint, Set<bigint>>()
  for (const [at, block] of blocks.entries()) {
    const next = blocks[at + 1]
    if (next === undefined || block.latestUs < next.id || !isMovable(block)) continue
    const descriptor = await readDescriptor(fs, paths, block.id, block.crc64)
    // A split of ours that was interrupted overlaps as well; it is not ReductStore's to be mended.
    if (!isForeign && descriptor.lastFrame !== undefined && !(await isOfStock(next))) continue
    for (const [index, timestampUs] of descriptor.timestampsUs.entries()) {
      const owner = blocks.findLast(({ id }) => id <= timestampUs)
      if (owner === undefined || owner.id <= block.id || !isMovable(owner)) continue
      const incoming = moves.get(owner.id) ?? []
      if (!incoming.some((move) => move.timestampUs === timestampUs))
        incoming.push({ timestampUs, from: block.id, record: recordAt(descriptor, index) })
      moves.set(owner.id, incoming)
      stripped.set(block.id, (stripped.get(block.id) ?? new Set()).add(timestampUs))
    }
  }
  if (moves.size === 0) return

  const touched = new Set([...moves.keys(), ...stripped.keys()])
  const listing = new Map(listed)
  for (const id of touched) listing.set(id, { ...(listed.get(id) as IndexEntry), crc64: undefined })
  await writeIndex(fs, paths, listing)
  for (const [id, incoming] of moves) await takeIn(paths, id, incoming, options)
  for (const [id, gone] of stripped) await strip(fs, paths, id, gone)
  for (const id of touched) {
    const { version } = listed.get(id) as IndexEntry
    const now = indexEntryOf(id, await readDescriptor(fs, paths, id, undefined))
    if (now.recordCount === 0) listing.delete(id)
    else listing.set(id, { ...now, version })
  }
  await writeIndex(fs, paths, listing)
  for (const id of touched) if (!listing.has(id)) await removeEmpty(fs, paths, id)
}

/** Whether a block has records in the range of the next one. */
export function isOverlapping(listing: ReadonlyMap<bigint, IndexEntry>): boolean {
  const blocks = [...listing.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  return blocks.some(({ latestUs }, at) => latestUs >= (blocks[at + 1]?.id ?? Infinity))
}

interface SeparateOptions {
  readonly fs: FileSystem
  readonly quarantine: Quarantine
  /** The directory was never ours. */
  readonly isForeign: boolean
  /** Blocks of the entry that the commit log accounts for. */
  readonly ours: ReadonlySet<bigint>
}

interface Move {
  readonly timestampUs: bigint
  /** Block whose data file has the content. */
  readonly from: bigint
  readonly record: Uint8Array
}

function recordAt({ bytes, recordFromBytes, recordToBytes }: Descriptor, index: number): Uint8Array {
  return bytes.subarray(recordFromBytes[index], recordToBytes[index])
}

async function readDescriptor(
  fs: FileSystem,
  paths: EntryPaths,
  id: bigint,
  crc: bigint | undefined,
): Promise<Descriptor> {
  const path = paths.descriptor(id)
  return checkDescriptor(await readMessage(fs, path), path, crc)
}

async function writeIndex(
  fs: FileSystem,
  paths: EntryPaths,
  listing: ReadonlyMap<bigint, IndexEntry>,
): Promise<void> {
  const sorted = [...listing.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  await atomicWrite(fs, paths.index, 'index', encodeIndex(sorted).bytes)
}

/** Records of other blocks, their content appended. */
async function takeIn(
  paths: EntryPaths,
  id: bigint,
  incoming: readonly Move[],
  { fs, quarantine }: SeparateOptions,
): Promise<void> {
  const before = await readDescriptor(fs, paths, id, undefined)
  const records = new Map<bigint, Uint8Array>()
  for (const [index, timestampUs] of before.timestampsUs.entries())
    records.set(timestampUs, recordAt(before, index))
  const data: FileRef = { path: paths.data(id), kind: 'data' }
  let sizeBytes = before.sizeBytes
  let isReplacing = false
  for (const { timestampUs, from, record } of incoming) {
    const { beginBytes, endBytes, state } = scanRecord(record, 0, record.byteLength)
    const lengthBytes = endBytes - beginBytes
    const place = { beginBytes: sizeBytes, endBytes: sizeBytes + lengthBytes, state }
    const there = records.get(timestampUs)
    if (there !== undefined) {
      const source = { path: paths.data(from), record }
      // Put there before an interruption.
      if (await isSame(fs, source, { path: data.path, record: there })) continue
      isReplacing = true
    }
    await copyRange(fs, paths.data(from), beginBytes, lengthBytes, data, sizeBytes)
    records.set(timestampUs, rewriteRecord(record, place))
    sizeBytes += lengthBytes
  }
  if (isReplacing)
    await quarantine.copy(
      paths.descriptor(id),
      before.bytes,
      `block ${id}: has times that an older block had`,
    )
  const lengthBytes = (await fs.fileBytes(data.path)) ?? 0
  if (lengthBytes < sizeBytes) await fs.truncate(data, sizeBytes)
  await fs.syncFiles([data])
  await writeDescriptor(fs, paths, id, { ...before, sizeBytes }, records)
}

async function strip(
  fs: FileSystem,
  paths: EntryPaths,
  id: bigint,
  gone: ReadonlySet<bigint>,
): Promise<void> {
  const before = await readDescriptor(fs, paths, id, undefined)
  const records = new Map<bigint, Uint8Array>()
  for (const [index, timestampUs] of before.timestampsUs.entries())
    if (!gone.has(timestampUs)) records.set(timestampUs, recordAt(before, index))
  await writeDescriptor(fs, paths, id, before, records)
}

async function writeDescriptor(
  fs: FileSystem,
  paths: EntryPaths,
  id: bigint,
  { sizeBytes, otherFields, lastFrame }: Pick<Descriptor, 'sizeBytes' | 'otherFields' | 'lastFrame'>,
  records: ReadonlyMap<bigint, Uint8Array>,
): Promise<void> {
  const sorted = [...records].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record)
  const bytes = encodeDescriptor({ id, sizeBytes, otherFields, lastFrame }, sorted)
  await atomicWrite(fs, paths.descriptor(id), 'descriptor', bytes)
}

async function copyRange(
  fs: FileSystem,
  fromPath: string,
  fromBytes: number,
  lengthBytes: number,
  to: FileRef,
  toBytes: number,
): Promise<void> {
  for (let done = 0; done < lengthBytes;) {
    const bytes = await fs.read(fromPath, fromBytes + done, Math.min(COPY_BYTES, lengthBytes - done))
    // Only a failed upload ends beyond the data.
    if (bytes.byteLength === 0) return
    await writeAll(fs, 'projection', [{ file: to, atBytes: toBytes + done, bytes }])
    done += bytes.byteLength
  }
}

interface PlacedRecord {
  readonly path: string
  readonly record: Uint8Array
}

async function isSame(fs: FileSystem, one: PlacedRecord, other: PlacedRecord): Promise<boolean> {
  const nowhere = { beginBytes: 0, endBytes: 0, state: 0 }
  const [a, b] = [rewriteRecord(one.record, nowhere), rewriteRecord(other.record, nowhere)]
  if (!Buffer.from(a).equals(b)) return false
  const from = scanRecord(one.record, 0, one.record.byteLength)
  const to = scanRecord(other.record, 0, other.record.byteLength)
  const lengthBytes = from.endBytes - from.beginBytes
  if (to.endBytes - to.beginBytes !== lengthBytes || from.state !== to.state) return false
  for (let done = 0; done < lengthBytes; done += COPY_BYTES) {
    const bytes = Math.min(COPY_BYTES, lengthBytes - done)
    const [there, here] = await Promise.all([
      fs.read(one.path, from.beginBytes + done, bytes),
      fs.read(other.path, to.beginBytes + done, bytes),
    ])
    if (!Buffer.from(there).equals(here)) return false
  }
  return true
}

async function removeEmpty(fs: FileSystem, paths: EntryPaths, id: bigint): Promise<void> {
  await fs.unlink(paths.data(id))
  await fs.unlink(paths.descriptor(id))
  await fs.syncDirectories([paths.directory])
}
