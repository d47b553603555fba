import { crc32 } from '../../base/crc32.ts'
import type { FileRef, FileSystem, WriteOp } from '../../fs/file-system.ts'
import { atomicWrite } from '../../fs/atomic-write.ts'
import { writeAll } from '../../fs/write-all.ts'
import { checkDescriptor } from '../block/block-content.ts'
import { encodeDescriptor, type Descriptor } from '../codec/descriptor-codec.ts'
import {
  decodeRecord,
  encodeRecord,
  recordBytes,
  recordStateNumber,
  scanRecord,
  type DecodedRecord,
  type RecordFields,
} from '../codec/record-codec.ts'
import { StorageError } from '../errors.ts'
import type { EntryPaths } from '../paths.ts'
import { scanWal, walEntryType, type WalEntry } from '../wal/wal-codec.ts'
import type { LoggedItem } from './facts.ts'
import { holdsContent } from './holds-content.ts'
import { readEntries } from './read-entries.ts'
import { readIfThere } from './read-if-there.ts'
import { isHeld, recordIndex } from './scan-blocks.ts'
import { unlistCrc } from './unlist-crc.ts'

/** A record of the log that the descriptor does not hold. */
interface MissingRecord {
  readonly record: DecodedRecord
  /** `undefined`: it went home before its frame, and ReductStore has cut the data file since. */
  readonly content: Uint8Array | undefined
}

/**
 * Before anything is written: why the records of `items` cannot be inserted into a block that ReductStore saved;
 * `undefined` when they can.
 */
export async function findCutContent(
  fs: FileSystem,
  paths: EntryPaths,
  blockId: number,
  items: readonly LoggedItem[],
): Promise<string | undefined> {
  const descriptor = await readDescriptor(fs, paths, blockId)
  const cutUs: (number | bigint)[] = []
  for await (const { record, content } of missingRecords(fs, paths, blockId, descriptor, items)) {
    if (content === undefined) cutUs.push(record.timestampUs)
  }
  for await (const { record, isCut } of changedRecords(fs, paths, blockId, descriptor, items)) {
    if (isCut) cutUs.push(record.timestampUs)
  }
  if (cutUs.length === 0) return undefined
  cutUs.sort((a, b) => (a < b ? -1 : 1))
  return (
    `${paths.data(blockId)}: ReductStore has cut the content of ${cutUs.length} records, with times from ${cutUs[0]} ` +
    `to ${cutUs.at(-1)}: put the files of this block back from a copy made before ReductStore opened the directory`
  )
}

/**
 * Rule R7 where ReductStore saved the block after the kill: the records of the frames that it does not hold are
 * inserted behind its present end, at the first free microsecond; nothing of stock's is overwritten. Labels that the
 * frames change are changed.
 * @throws {StorageError} `ERR_CORRUPT` where `findCutContent` finds something
 */
export async function mergeIntoDescriptor(
  fs: FileSystem,
  paths: EntryPaths,
  blockId: number,
  items: readonly LoggedItem[],
): Promise<void> {
  const path = paths.descriptor(blockId)
  const descriptor = await readDescriptor(fs, paths, blockId)
  const records = Array.from(descriptor.timestampsUs, (_, index) =>
    descriptor.bytes.subarray(descriptor.recordFromBytes[index], descriptor.recordToBytes[index]),
  )
  for await (const { index, record, isCut } of changedRecords(fs, paths, blockId, descriptor, items)) {
    if (isCut) throw contentIsCut(paths, blockId, BigInt(record.timestampUs))
    const encoded = new Uint8Array(recordBytes(record))
    encodeRecord(encoded, 0, record)
    records[index] = encoded
  }
  const taken = new Set(descriptor.timestampsUs)
  let sizeBytes = descriptor.sizeBytes
  // What ReductStore has written since and not saved.
  const wal = await fs.readFile(paths.wal(blockId))
  for (const entry of wal === undefined ? [] : scanWal(wal).entries) {
    if (entry.type !== walEntryType.writeRecord && entry.type !== walEntryType.updateRecord) continue
    const record = decodeRecord(wal as Uint8Array, entry.payloadFromBytes, entry.payloadToBytes)
    taken.add(BigInt(record.timestampUs))
    sizeBytes = Math.max(sizeBytes, record.endBytes)
  }
  const ops: WriteOp[] = []
  const data: FileRef = { path: paths.data(blockId), kind: 'data' }
  for await (const { record, content } of missingRecords(fs, paths, blockId, descriptor, items)) {
    if (content === undefined) throw contentIsCut(paths, blockId, BigInt(record.timestampUs))
    let timestampUs = BigInt(record.timestampUs)
    while (taken.has(timestampUs)) timestampUs += 1n
    taken.add(timestampUs)
    ops.push({ file: data, atBytes: sizeBytes, bytes: content })
    const moved = {
      ...record,
      timestampUs: Number(timestampUs),
      beginBytes: sizeBytes,
      endBytes: sizeBytes + record.endBytes - record.beginBytes,
    }
    const encoded = new Uint8Array(recordBytes(moved))
    encodeRecord(encoded, 0, moved)
    records.push(encoded)
    sizeBytes = moved.endBytes
  }
  await writeAll(fs, 'projection', ops)
  await fs.syncFiles([data])
  records.sort((a, b) => {
    const difference =
      BigInt(scanRecord(a, 0, a.byteLength).timestampUs) - BigInt(scanRecord(b, 0, b.byteLength).timestampUs)
    return difference < 0n ? -1 : difference > 0n ? 1 : 0
  })
  const lastFrame = items.at(-1)?.sequence
  const head = { id: BigInt(blockId), sizeBytes, lastFrame, otherFields: descriptor.otherFields }
  await unlistCrc(fs, paths, BigInt(blockId))
  await atomicWrite(fs, path, 'descriptor', encodeDescriptor(head, records))
}

async function readDescriptor(fs: FileSystem, paths: EntryPaths, blockId: number): Promise<Descriptor> {
  const path = paths.descriptor(blockId)
  return checkDescriptor(await fs.readFile(path), path, undefined)
}

/** In the order of the log. */
async function* missingRecords(
  fs: FileSystem,
  paths: EntryPaths,
  blockId: number,
  descriptor: Descriptor,
  items: readonly LoggedItem[],
): AsyncGenerator<MissingRecord> {
  const last = await lastEntries(fs, items, ({ type }) => type === walEntryType.writeRecord)
  for (const item of items) {
    const inline = item.direct
      ? new Uint8Array(0)
      : await fs.read(item.logPath, item.contentInLogBytes, item.contentBytes)
    const entries = await readEntries(fs, item)
    for (const entry of scanWal(entries).entries) {
      if (entry.type !== walEntryType.writeRecord) continue
      const record = decodeRecord(entries, entry.payloadFromBytes, entry.payloadToBytes)
      if (!isLast(last, record.timestampUs, item, entry)) continue
      const lengthBytes = record.endBytes - record.beginBytes
      if (holds(descriptor, BigInt(record.timestampUs), lengthBytes)) continue
      if (record.state !== recordStateNumber.finished) {
        yield { record, content: new Uint8Array(0) }
        continue
      }
      const content = item.direct
        ? await readIfThere(fs, paths.data(blockId), record.beginBytes, lengthBytes)
        : inline.slice(record.beginBytes - item.blkAtBytes, record.endBytes - item.blkAtBytes)
      const isWhole =
        content.byteLength === lengthBytes &&
        (record.contentCrc32 === undefined || crc32(content) === record.contentCrc32)
      yield { record, content: isWhole ? content : undefined }
    }
  }
}

/** Records that are there with other labels, or in another state, than the log says; where their content is now. */
async function* changedRecords(
  fs: FileSystem,
  paths: EntryPaths,
  blockId: number,
  descriptor: Descriptor,
  items: readonly LoggedItem[],
): AsyncGenerator<{ index: number; record: RecordFields; isCut: boolean }> {
  const last = await lastEntries(fs, items, () => true)
  for (const item of items) {
    const entries = await readEntries(fs, item)
    for (const entry of scanWal(entries).entries) {
      const record = decodeRecord(entries, entry.payloadFromBytes, entry.payloadToBytes)
      if (!isLast(last, record.timestampUs, item, entry)) continue
      const index = recordIndex(descriptor, record.timestampUs)
      if (index === undefined || isHeld(descriptor, index, entries, entry)) continue
      const from = descriptor.recordFromBytes[index] as number
      const held = scanRecord(descriptor.bytes, from, descriptor.recordToBytes[index] as number)
      if (held.endBytes - held.beginBytes !== record.endBytes - record.beginBytes) continue
      const { beginBytes, endBytes } = held
      const moved = { ...record, timestampUs: Number(record.timestampUs), beginBytes, endBytes }
      // An upload that ReductStore has saved as failed: its content went home before the frame that finished it.
      const isToBeThere = held.state !== record.state && record.state === recordStateNumber.finished
      const isCut = isToBeThere && !(await holdsContent(fs, paths.data(blockId), moved))
      yield { index, record: moved, isCut }
    }
  }
}

function contentIsCut(paths: EntryPaths, blockId: number, timestampUs: bigint): StorageError {
  const path = paths.data(blockId)
  return new StorageError('ERR_CORRUPT', `${path}: content is not there`, { path, timestampUs })
}

/** By time, where the last entry that is `wanted` stands: of several the last one counts. */
async function lastEntries(
  fs: FileSystem,
  items: readonly LoggedItem[],
  wanted: (entry: WalEntry) => boolean,
): Promise<ReadonlyMap<bigint, { item: LoggedItem; atBytes: number }>> {
  const last = new Map<bigint, { item: LoggedItem; atBytes: number }>()
  for (const item of items) {
    const entries = await readEntries(fs, item)
    for (const entry of scanWal(entries).entries.filter(wanted)) {
      const { timestampUs } = scanRecord(entries, entry.payloadFromBytes, entry.payloadToBytes)
      last.set(BigInt(timestampUs), { item, atBytes: entry.atBytes })
    }
  }
  return last
}

function isLast(
  last: ReadonlyMap<bigint, { item: LoggedItem; atBytes: number }>,
  timestampUs: bigint,
  item: LoggedItem,
  { atBytes }: WalEntry,
): boolean {
  const found = last.get(timestampUs)
  return found?.item === item && found.atBytes === atBytes
}

function holds(descriptor: Descriptor, timestampUs: bigint, lengthBytes: number): boolean {
  const index = recordIndex(descriptor, timestampUs)
  if (index === undefined) return false
  const from = descriptor.recordFromBytes[index] as number
  const facts = scanRecord(descriptor.bytes, from, descriptor.recordToBytes[index] as number)
  return facts.endBytes - facts.beginBytes === lengthBytes
}
