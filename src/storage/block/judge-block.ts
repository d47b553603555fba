import { crc64 } from '../../base/crc64.ts'
import { decodeDescriptor, encodeDescriptor, type Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { recordStateNumber, rewriteRecord } from '../codec/record-codec.ts'
import { scanRecord } from '../codec/scan-record.ts'
import { fieldTag, WireReader, wireType } from '../codec/wire.ts'
import { scanWal, walEntryType, walStopMarker } from '../wal/wal-codec.ts'

/** What is on disk of one block: facts. */
export interface BlockFiles {
  readonly id: bigint
  /** As a valid index lists it. */
  readonly listed: IndexEntry | undefined
  /** Bytes of `<id>.meta`. */
  readonly descriptor: Uint8Array | undefined
  readonly wal: Uint8Array | undefined
  /** Length of `<id>.blk`. */
  readonly dataBytes: number | undefined
  /** Length of `<id>.blk.tmp`, which ReductStore makes while it removes records. */
  readonly swapBytes: number | undefined
}

/** A block with records that can be relied on. */
export interface WholeBlock {
  readonly kind: 'whole'
  /** Descriptor and WAL as one. */
  readonly descriptor: Descriptor
  /** The descriptor is not the one on disk. */
  readonly isChanged: boolean
  /** `swap`: ReductStore has unlinked the data file, and not yet renamed the new one. */
  readonly dataFrom: 'data' | 'swap'
  /** Finished records whose content lies beyond the end of the data file; not in `descriptor` when left out. */
  readonly beyondUs: readonly bigint[]
  /** Why records that were saved could not be used, for people. */
  readonly baseFault: string | undefined
  /** Why bytes of the WAL could not be used. */
  readonly walFault: string | undefined
}

export type BlockVerdict =
  | WholeBlock
  /** Its removal was begun: it is to be finished. */
  | { readonly kind: 'removed' }
  /** It was begun and never held a record. */
  | { readonly kind: 'void' }
  /** Nothing of it can be relied on. */
  | { readonly kind: 'lost'; readonly why: string }

/**
 * Decides what the files of one block mean, whoever left them, and however they were interrupted (format 14.8);
 * touches no disk. What it lays down:
 *  - the descriptor counts when it is the one that the index names, or, under a WAL, when it agrees with itself: a save
 *    puts the descriptor before the index (W1). One that was lengthened and not yet written still begins with the old;
 *  - of a WAL the valid entries at its front count (W7);
 *  - a removal moves bytes, and what says so is written in three steps: `laidOut` tells them apart by lengths, and what
 *    it cannot tell is lost rather than read from wrong places (W5, W6);
 *  - the size never shrinks below the largest end (W4), an upload that nobody finishes any more has failed (W20).
 *
 * @param lastFrame up to which the log was redone before: what is made of descriptor and WAL holds it
 * @param keepBeyond finished records beyond the end of the data file stay, for a reader that names them when they are read
 */
export function judgeBlock(files: BlockFiles, keepBeyond = false, lastFrame?: number): BlockVerdict {
  const { base, fault: baseFault } = findBase(files)
  const log = readWal(files.wal)
  if (log.isRemoved) return { kind: 'removed' }
  const why = [baseFault, log.fault].filter((fault) => fault !== undefined).join('; ')
  if (log.changes.length === 0 && base === undefined) return withoutBase(files, why)

  const history = replay(base, log.changes)
  if (history.removed > 0 && history.kept.size === 0) return { kind: 'removed' }
  const layout = laidOut(files, base, history)
  if (typeof layout === 'string') return { kind: 'lost', why: layout }

  const lengthBytes = (layout.dataFrom === 'swap' ? files.swapBytes : files.dataBytes) ?? 0
  const records: Uint8Array[] = []
  const beyondUs: bigint[] = []
  let endBytesMax = 0
  for (const { bytes, timestampUs, beginBytes, endBytes, state } of layout.records) {
    const isFinished = state === recordStateNumber.finished
    if (isFinished && endBytes > beginBytes && endBytes > lengthBytes) {
      beyondUs.push(BigInt(timestampUs))
      if (!keepBeyond) continue
    }
    const errored = { beginBytes, endBytes, state: recordStateNumber.errored }
    records.push(state === recordStateNumber.started ? rewriteRecord(bytes, errored) : bytes)
    if (endBytes > endBytesMax) endBytesMax = endBytes
  }
  if (records.length === 0) {
    if (beyondUs.length > 0) return { kind: 'lost', why: 'its data file is missing or too short' }
    return why === '' ? { kind: 'void' } : { kind: 'lost', why }
  }
  const reservedBytes = layout.isMoved ? 0 : Math.max(base?.sizeBytes ?? 0, history.endBytesMax)
  const sizeBytes = Math.max(endBytesMax, Math.min(reservedBytes, lengthBytes))
  const isAsStored =
    base !== undefined &&
    log.changes.length === 0 &&
    base.bytes === files.descriptor &&
    base.id === files.id &&
    base.latestUs === base.timestampsUs.at(-1) &&
    base.recordCount === records.length &&
    base.sizeBytes === sizeBytes &&
    layout.records.every(({ state }) => state !== recordStateNumber.started)
  const head = {
    id: files.id,
    sizeBytes,
    lastFrame: lastFrame ?? base?.lastFrame,
    otherFields: base?.otherFields,
  }
  const descriptor = isAsStored ? base : decodeDescriptor(encodeDescriptor(head, records))
  const { dataFrom } = layout
  return {
    kind: 'whole',
    descriptor,
    isChanged: !isAsStored,
    dataFrom,
    beyondUs,
    baseFault,
    walFault: log.fault,
  }
}

const versionTag = fieldTag(8, wireType.varint)

interface PlacedRecord {
  readonly bytes: Uint8Array
  readonly timestampUs: number | bigint
  readonly beginBytes: number
  readonly endBytes: number
  readonly state: number
}

type Change = PlacedRecord | { readonly removedUs: number | bigint }

function placed(bytes: Uint8Array): PlacedRecord {
  return { bytes, ...scanRecord(bytes, 0, bytes.byteLength) }
}

/** The descriptor to start from; `fault`: why there is none, where there should be one. */
function findBase({ id, listed, descriptor: bytes, wal }: BlockFiles): {
  base?: Descriptor | undefined
  fault?: string | undefined
} {
  const crc = listed?.crc64
  if (bytes === undefined || bytes.byteLength === 0) {
    if (crc === undefined) return {}
    return { fault: bytes === undefined ? 'its descriptor is missing' : 'its descriptor is empty' }
  }
  const whole = decoded(bytes)
  const isAsListed = crc !== undefined && crc64(bytes) === crc
  const mayDiffer = crc === undefined || wal !== undefined || (whole !== undefined && isNewer(whole, listed))
  if (whole !== undefined && (isAsListed || (mayDiffer && agrees(whole, id, crc !== undefined)))) {
    const isOfAnother = whole.id !== undefined && whole.id !== id
    return isOfAnother ? { fault: `its descriptor is that of block ${whole.id}` } : { base: whole }
  }
  // Set to its new length and not yet written: the old one, followed by zeros.
  const before = bytes.subarray(0, Number(listed?.metadataBytes ?? 0n))
  if (before.byteLength < bytes.byteLength && bytes.subarray(before.byteLength).every((byte) => byte === 0)) {
    const old = decoded(before)
    if (old !== undefined && (crc === undefined ? agrees(old, id, false) : crc64(before) === crc))
      return { base: old }
  }
  return {
    fault:
      whole === undefined ? 'its descriptor cannot be decoded' : 'its descriptor contradicts its checksum',
  }
}

function decoded(bytes: Uint8Array): Descriptor | undefined {
  try {
    return decodeDescriptor(bytes)
  } catch {
    return undefined
  }
}

/** ReductStore 1.20 and later count the saves of a block, and save the descriptor first. */
function isNewer({ otherFields }: Descriptor, listed: IndexEntry | undefined): boolean {
  const reader = new WireReader(otherFields)
  let version = 0n
  while (!reader.done) {
    const tag = reader.tag()
    if (tag === versionTag) version = reader.uint64()
    else reader.skip(tag)
  }
  return version > (listed?.version ?? 0n)
}

/**
 * What speaks for a descriptor without its checksum: it names its block and has its end, where its records are counted.
 * Versions before 1.9 did not count; a descriptor that was cut between two records has less content than its size.
 * @param isOther the index has the checksum of another: then every record must be there
 */
function agrees(descriptor: Descriptor, id: bigint, isOther: boolean): boolean {
  const { timestampsUs, recordCount, sizeBytes } = descriptor
  if (descriptor.id !== undefined && descriptor.id !== id) return false
  if (recordCount === 0) return contentBytes(descriptor) === sizeBytes
  return !isOther || recordCount === timestampsUs.length
}

function contentBytes({ bytes, recordFromBytes, recordToBytes }: Descriptor): number {
  let sum = 0
  for (const [index, from] of recordFromBytes.entries()) {
    const { beginBytes, endBytes } = scanRecord(bytes, from, recordToBytes[index] as number)
    sum += endBytes - beginBytes
  }
  return sum
}

interface WalContent {
  readonly changes: readonly Change[]
  readonly isRemoved: boolean
  readonly fault: string | undefined
}

function readWal(wal: Uint8Array | undefined): WalContent {
  if (wal === undefined) return { changes: [], isRemoved: false, fault: undefined }
  const { entries, endBytes, ending } = scanWal(wal)
  const isTorn = ending !== 'marker' && wal.subarray(endBytes).some((byte) => byte !== 0)
  let fault = isTorn ? `the end of its WAL cannot be read (${ending})` : undefined
  const changes: Change[] = []
  let isRemoved = false
  for (const { type, payloadFromBytes, payloadToBytes } of entries) {
    const payload = wal.subarray(payloadFromBytes, payloadToBytes)
    if (type === walEntryType.removeBlock) isRemoved = true
    else if (type === walEntryType.removeRecord) changes.push({ removedUs: timeOf(payload) })
    else {
      try {
        changes.push(placed(payload))
      } catch {
        fault = 'its WAL has an entry that is no record'
      }
    }
  }
  return { changes, isRemoved, fault }
}

function timeOf(payload: Uint8Array): number | bigint {
  const us = new DataView(payload.buffer, payload.byteOffset, 8).getBigUint64(0)
  return us <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(us) : us
}

function withoutBase({ listed, wal }: BlockFiles, why: string): BlockVerdict {
  if (why !== '') return { kind: 'lost', why }
  const isEmptyWal = wal?.every((byte) => byte === 0 || byte === walStopMarker) !== false
  if (listed !== undefined && listed.recordCount > 0 && !(wal !== undefined && isEmptyWal))
    return { kind: 'lost', why: 'its descriptor and its WAL are missing' }
  return { kind: 'void' }
}

interface History {
  readonly kept: ReadonlyMap<number | bigint, PlacedRecord>
  /** How many records were taken away that were there. */
  readonly removed: number
  /** Largest end of any record that ever was. */
  readonly endBytesMax: number
}

function replay(base: Descriptor | undefined, changes: readonly Change[]): History {
  const kept = new Map<number | bigint, PlacedRecord>()
  let removed = 0
  let endBytesMax = 0
  const put = (record: PlacedRecord): void => {
    kept.set(record.timestampUs, record)
    endBytesMax = Math.max(endBytesMax, record.endBytes)
  }
  for (const record of recordsOf(base)) put(record)
  for (const change of changes) {
    if (!('removedUs' in change)) put(change)
    else if (kept.delete(change.removedUs)) removed += 1
  }
  return { kept, removed, endBytesMax }
}

function recordsOf(base: Descriptor | undefined): PlacedRecord[] {
  if (base === undefined) return []
  return Array.from(base.recordFromBytes, (from, index) =>
    placed(base.bytes.subarray(from, base.recordToBytes[index])),
  )
}

interface Layout {
  /** Ascending by time. */
  readonly records: readonly PlacedRecord[]
  readonly dataFrom: 'data' | 'swap'
  /** The records stand in the data file as a removal has put them together. */
  readonly isMoved: boolean
}

/**
 * Where the content of the kept records is. A removal copies them into `.blk.tmp`, in order of time and without gaps,
 * unlinks the data file, renames the copy, and only then saves the descriptor.
 * @returns why it cannot be known
 */
function laidOut(files: BlockFiles, base: Descriptor | undefined, history: History): Layout | string {
  const { dataBytes, swapBytes } = files
  const records = [...history.kept.values()].sort((a, b) =>
    a.timestampUs < b.timestampUs ? -1 : a.timestampUs > b.timestampUs ? 1 : 0,
  )
  const moved = together(records)
  const movedBytes = moved.at(-1)?.endBytes ?? 0
  const old: Layout = { records, dataFrom: 'data', isMoved: false }
  const isMovedAlready = samePlaces(records, moved)
  if (dataBytes === undefined) {
    const isKnown = (history.removed > 0 || isMovedAlready) && swapBytes === movedBytes
    if (isKnown) return { records: moved, dataFrom: 'swap', isMoved: true }
    return swapBytes === undefined
      ? old
      : 'its data file is missing, and the copy beside it has another length'
  }
  // The copy is still there: it was not renamed.
  if (history.removed === 0 || swapBytes !== undefined || isMovedAlready) return old
  const saved = recordsOf(base)
  if (dataBytes === movedBytes && samePlaces(saved, moved))
    return { records: saved, dataFrom: 'data', isMoved: true }
  if (dataBytes === movedBytes && movedBytes < history.endBytesMax)
    return { records: moved, dataFrom: 'data', isMoved: true }
  if (dataBytes !== movedBytes && dataBytes >= history.endBytesMax) return old
  return 'it cannot be told whether the bytes of its data file were moved by a removal'
}

function together(records: readonly PlacedRecord[]): PlacedRecord[] {
  let atBytes = 0
  return records.map((record) => {
    const beginBytes = atBytes
    atBytes += record.endBytes - record.beginBytes
    if (beginBytes === record.beginBytes) return record
    const place = { beginBytes, endBytes: atBytes, state: record.state }
    return { ...record, ...place, bytes: rewriteRecord(record.bytes, place) }
  })
}

function samePlaces(one: readonly PlacedRecord[], other: readonly PlacedRecord[]): boolean {
  return (
    one.length === other.length &&
    one.every((record, index) => {
      const { timestampUs, beginBytes, endBytes } = other[index] as PlacedRecord
      return (
        record.timestampUs === timestampUs && record.beginBytes === beginBytes && record.endBytes === endBytes
      )
    })
  )
}
