import type { FileRef, FileSystem, WriteOp } from '../../fs/file-system.ts'
import { checkDescriptor } from '../block/block-content.ts'
import { decodeDescriptor, encodeDescriptor, type Descriptor } from '../codec/descriptor-codec.ts'
import {
  addContentCrc,
  decodeRecord,
  encodeRecord,
  recordBytes,
  recordStateNumber,
  replaceLabels,
  rewriteRecord,
  type DecodedRecord,
  type RecordFields,
} from '../codec/record-codec.ts'
import { scanRecord } from '../codec/scan-record.ts'
import { EntryPaths } from '../paths.ts'
import { scanWal, walEntryType } from '../wal/wal-codec.ts'
import type { BlockFacts, LoggedItem } from './facts.ts'
import { holdsContent } from './holds-content.ts'
import { owedRecord, type OwedRecord } from './owed-content.ts'
import { readEntries } from './read-entries.ts'
import { recordIndex, sameLabels } from './scan-blocks.ts'
import { readMessage } from '../read-message.ts'

/** What a block that ReductStore has saved since becomes. */
export interface Merge {
  /** Encoded, in any order. */
  readonly records: readonly Uint8Array[]
  readonly sizeBytes: number
  readonly otherFields: Uint8Array
  /** Content that is to be written first. */
  readonly ops: readonly WriteOp[]
  /** Records whose content is nowhere any more. */
  readonly owed: readonly OwedRecord[]
  /** Times of finished records of the log that ReductStore does not have: unseen, lost, or removed there (FORMAT.md). */
  readonly returnedUs: readonly number[]
}

/** What the frames say of one time, last. */
interface Logged {
  /** With the labels of the last entry, where the frames first placed it. */
  record: DecodedRecord
  /** The item that brought the content; `undefined` where the frames only change labels. */
  item: LoggedItem | undefined
  isRelabelled: boolean
}

/**
 * Rule R7 where ReductStore saved the block after the kill; reads only, and finds the same when it is asked again before
 * the descriptor is replaced.
 *
 * - A record that the descriptor does not hold is inserted behind its present end, at the first free microsecond. Content
 *   that went home before its frame and lies there stays where it is.
 * - But not where the descriptor holds one that stands behind it in the WAL: ReductStore had read both, and somebody has
 *   removed it there.
 * - A record that it holds gets what ReductStore has dropped or lost: its CRC-32, labels that the frames change, its
 *   content where the log has it.
 * - Content that is neither in the log nor in the data file is owed.
 */
export async function planMerge(
  fs: FileSystem,
  dataPath: string,
  block: BlockFacts,
  items: readonly LoggedItem[],
): Promise<Merge> {
  const paths = new EntryPaths(dataPath, block)
  const dataFile: FileRef = { path: paths.data(block.blockId), kind: 'data' }
  const path = paths.descriptor(block.blockId)
  const descriptor = await readDescriptor(fs, path, block.blockId)
  const records = Array.from(descriptor.timestampsUs, (_, index) =>
    descriptor.bytes.subarray(descriptor.recordFromBytes[index], descriptor.recordToBytes[index]),
  )
  const logged = await readLogged(fs, items)
  const theirs = block.wal?.isOurs === true ? NO_WAL : await readTheirWal(fs, paths.wal(block.blockId))
  // A removal that ReductStore has not finished: where content is, adoption decides.
  const isMoving = theirs.isThere || (await fs.fileBytes(paths.swap(block.blockId))) !== undefined
  const ops: WriteOp[] = []
  const owed: OwedRecord[] = []
  const owe = (record: RecordFields): void => {
    owed.push(owedRecord(block, record))
  }

  const seenUpTo = logged.findLastIndex(({ record, item }) => {
    // The end of an upload may be that of a record which was there before.
    if (item === undefined || item.recordCount === 0 || record.state !== recordStateNumber.finished)
      return false
    const index = recordIndex(descriptor, record.timestampUs)
    return index !== undefined && isSameRecord(records[index] as Uint8Array, record)
  })
  const missing: Logged[] = []
  for (const [position, { record, item, isRelabelled }] of logged.entries()) {
    const index = recordIndex(descriptor, record.timestampUs)
    const held = index === undefined ? undefined : (records[index] as Uint8Array)
    if (held === undefined || index === undefined || lengthOf(held) !== record.endBytes - record.beginBytes) {
      const wasRemoved = held === undefined && position < seenUpTo
      if (item !== undefined && !wasRemoved) missing.push({ record, item, isRelabelled })
      continue
    }
    let encoded = held
    if (isRelabelled && !sameLabels(decodeRecord(held).labels, record.labels))
      encoded = replaceLabels(held, record.labels)
    const { beginBytes, endBytes, state } = scanRecord(held, 0, held.byteLength)
    if (item !== undefined && record.state === recordStateNumber.finished && !isMoving) {
      const place = { ...record, timestampUs: Number(record.timestampUs), beginBytes, endBytes }
      const isThere = await holdsContent(fs, dataFile.path, place)
      const content = isThere ? undefined : await loggedContent(fs, record, item)
      if (content !== undefined) ops.push({ file: dataFile, atBytes: beginBytes, bytes: content })
      const isWhole = isThere || content !== undefined
      if (!isWhole) owe(place)
      const after = isWhole ? recordStateNumber.finished : recordStateNumber.errored
      if (state !== after) encoded = rewriteRecord(encoded, { beginBytes, endBytes, state: after })
      if (isWhole && record.contentCrc32 !== undefined) encoded = addContentCrc(encoded, record.contentCrc32)
    }
    records[index] = encoded
  }

  const taken = new Set([...descriptor.timestampsUs, ...theirs.timestampsUs])
  const theirEndBytes = Math.max(descriptor.sizeBytes, theirs.endBytes)
  const found: { logged: Logged; content: Uint8Array | 'in place' | 'elsewhere' | 'nowhere' }[] = []
  let sizeBytes = theirEndBytes
  for (const one of missing) {
    const content = await contentOf(fs, dataFile.path, one, theirEndBytes)
    if (content === 'in place') sizeBytes = Math.max(sizeBytes, one.record.endBytes)
    found.push({ logged: one, content })
  }
  for (const { logged: one, content } of found) {
    const { record } = one
    let timestampUs = record.timestampUs
    while (taken.has(timestampUs)) timestampUs += 1n
    taken.add(timestampUs)
    let { beginBytes, endBytes } = record
    if (content !== 'in place') {
      endBytes = sizeBytes + endBytes - beginBytes
      beginBytes = sizeBytes
      sizeBytes = endBytes
    }
    const placed = { ...record, timestampUs: Number(timestampUs), beginBytes, endBytes }
    if (content === 'nowhere') owe(placed)
    else if (content === 'elsewhere') {
      const bytes = await fs.read(dataFile.path, record.beginBytes, record.endBytes - record.beginBytes)
      ops.push({ file: dataFile, atBytes: beginBytes, bytes })
    } else if (content !== 'in place') ops.push({ file: dataFile, atBytes: beginBytes, bytes: content })
    const lost = { state: recordStateNumber.errored, contentCrc32: undefined }
    records.push(encoded(content === 'nowhere' ? { ...placed, ...lost } : placed))
  }
  const returned = missing.filter(({ record }) => record.state === recordStateNumber.finished)
  const returnedUs = returned.map(({ record }) => Number(record.timestampUs))
  return { records, sizeBytes, otherFields: descriptor.otherFields, ops, owed, returnedUs }
}

/** The frames' records, each time once, in the order in which their content was logged. */
async function readLogged(fs: FileSystem, items: readonly LoggedItem[]): Promise<Logged[]> {
  const logged = new Map<bigint, Logged>()
  for (const item of items) {
    const entries = await readEntries(fs, item)
    for (const { type, payloadFromBytes, payloadToBytes } of scanWal(entries).entries) {
      const record = decodeRecord(entries, payloadFromBytes, payloadToBytes)
      const known = logged.get(record.timestampUs)
      if (type === walEntryType.writeRecord) {
        // The end of an upload stands where its beginning stood: of the two, ReductStore may have read one only.
        logged.set(record.timestampUs, { record, item, isRelabelled: false })
      } else if (known === undefined) {
        logged.set(record.timestampUs, { record, item: undefined, isRelabelled: true })
      } else {
        known.record = { ...known.record, labels: record.labels }
        known.isRelabelled = true
      }
    }
  }
  return [...logged.values()]
}

/** What ReductStore has written since, and not saved. */
interface TheirWal {
  readonly isThere: boolean
  readonly timestampsUs: readonly bigint[]
  readonly endBytes: number
}

const NO_WAL: TheirWal = { isThere: false, timestampsUs: [], endBytes: 0 }

/** Where nothing can be read there is nothing. */
async function readTheirWal(fs: FileSystem, path: string): Promise<TheirWal> {
  const wal = await fs.readFile(path)
  const timestampsUs: bigint[] = []
  let endBytes = 0
  const { entries } = scanWal(wal ?? new Uint8Array(0))
  for (const entry of entries) {
    if (entry.type !== walEntryType.writeRecord && entry.type !== walEntryType.updateRecord) continue
    const record = decodeRecord(wal as Uint8Array, entry.payloadFromBytes, entry.payloadToBytes)
    timestampsUs.push(record.timestampUs)
    endBytes = Math.max(endBytes, record.endBytes)
  }
  return { isThere: entries.length > 0, timestampsUs, endBytes }
}

async function contentOf(
  fs: FileSystem,
  dataPath: string,
  { record, item }: Logged,
  theirEndBytes: number,
): Promise<Uint8Array | 'in place' | 'elsewhere' | 'nowhere'> {
  // A range that was promised to an upload holds nothing yet.
  if (record.state !== recordStateNumber.finished) return new Uint8Array(0)
  const inLog = await loggedContent(fs, record, item as LoggedItem)
  if (inLog !== undefined) return inLog
  if (!(await holdsContent(fs, dataPath, record))) return 'nowhere'
  return record.beginBytes >= theirEndBytes ? 'in place' : 'elsewhere'
}

/** `undefined` for content that went home before its frame. */
async function loggedContent(
  fs: FileSystem,
  { beginBytes, endBytes }: Pick<DecodedRecord, 'beginBytes' | 'endBytes'>,
  item: LoggedItem,
): Promise<Uint8Array | undefined> {
  if (item.direct) return undefined
  return fs.read(item.logPath, item.contentInLogBytes + beginBytes - item.blkAtBytes, endBytes - beginBytes)
}

/** An empty one where ReductStore has removed the block, or never saw it. */
async function readDescriptor(fs: FileSystem, path: string, blockId: number): Promise<Descriptor> {
  const bytes = await readMessage(fs, path)
  return bytes === undefined
    ? decodeDescriptor(encodeDescriptor({ id: BigInt(blockId), sizeBytes: 0 }, []))
    : checkDescriptor(bytes, path, undefined)
}

function isSameRecord(held: Uint8Array, record: DecodedRecord): boolean {
  const { beginBytes, endBytes, labels } = decodeRecord(held)
  return endBytes - beginBytes === record.endBytes - record.beginBytes && sameLabels(labels, record.labels)
}

function lengthOf(encodedRecord: Uint8Array): number {
  const { beginBytes, endBytes } = scanRecord(encodedRecord, 0, encodedRecord.byteLength)
  return endBytes - beginBytes
}

function encoded(record: RecordFields): Uint8Array {
  const bytes = new Uint8Array(recordBytes(record))
  encodeRecord(bytes, 0, record)
  return bytes
}
