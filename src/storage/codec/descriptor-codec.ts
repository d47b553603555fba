import { StorageError } from '../errors.ts'
import { RecordScanner, scanRecord } from './scan-record.ts'
import {
  fieldTag,
  timestampFieldBytesMax,
  varintBytes,
  WireReader,
  wireType,
  writeTimestampField,
  writeVarint,
  type ExactUs,
} from './wire.ts'

/** What a descriptor (`<id>.meta`) says besides its records; the rest follows from them. */
export interface DescriptorHead {
  readonly id: ExactUs
  /** Append position: at least the largest end of a record; more when a record was removed. */
  readonly sizeBytes: number
  /** Sequence of the last commit-log frame folded in; `undefined` leaves the field out. */
  readonly lastFrame?: number | undefined
  /** Encoded fields that this module does not know, kept as read (`Descriptor.otherFields`). */
  readonly otherFields?: Uint8Array | undefined
}

/** A descriptor as read: the raw bytes and where each record stands in them. */
export interface Descriptor {
  /** Absent in the file: `undefined`; the file's name decides then. */
  readonly id: bigint | undefined
  readonly latestUs: bigint | undefined
  readonly sizeBytes: number
  /** As the file says; `timestampsUs.length` is what it holds. */
  readonly recordCount: number
  readonly metadataBytes: number
  readonly lastFrame: number | undefined
  /** Set by ReductStore 1.20 and later on a block it does not trust. */
  readonly corrupted: boolean
  readonly bytes: Uint8Array
  /** Ascending, without repeats; of records with the same time the last one in the file. */
  readonly timestampsUs: BigUint64Array
  /** Ranges of the encoded records in `bytes`, in the order of `timestampsUs`. */
  readonly recordFromBytes: Uint32Array
  readonly recordToBytes: Uint32Array
  /** What each of them says, in the same order. */
  readonly facts: DescriptorFacts
  /** Encoded fields other than those above (version, corrupted, unknown ones), in stored order. */
  readonly otherFields: Uint8Array
}

/** `RecordFacts` of many records but for their times. The arrays run in parallel. */
interface DescriptorFacts {
  /** Of the content in the data file. */
  readonly beginBytes: Float64Array
  readonly endBytes: Float64Array
  /** See `recordStateNumber`; what does not fit is 255, which the format does not know either. */
  readonly states: Uint8Array
  /** Undefined where `hasCrc32` is 0. */
  readonly contentCrc32: Uint32Array
  readonly hasCrc32: Uint8Array
}

const beginTimeTag = fieldTag(1, wireType.bytes)
const latestTag = fieldTag(2, wireType.bytes)
const sizeTag = fieldTag(3, wireType.varint)
const recordTag = fieldTag(4, wireType.bytes)
const recordCountTag = fieldTag(6, wireType.varint)
const metadataTag = fieldTag(7, wireType.varint)
const corruptedTag = fieldTag(9, wireType.varint)
const lastFrameTag = fieldTag(1001, wireType.varint)

/** Stands for all states of records that do not fit a byte; the format knows none of them. */
const stateUnknown = 0xff

/** Of one record in all arrays of a descriptor. */
const recordArraysBytes = 8 + 2 * 4 + 2 * 8 + 1 + 4 + 1

/** Above this a file is no descriptor: positions in it are kept in 32 bits. */
const descriptorBytesMax = 0xffff_ffff

/** Encoded Record messages by where they stand, ascending by time, each time once. The arrays run in parallel. */
export interface RecordRanges {
  readonly sources: readonly Uint8Array[]
  readonly fromBytes: readonly number[]
  readonly toBytes: readonly number[]
  /** Time of the last one; 0 when there is none. */
  readonly latestUs: ExactUs
  /** Sum of `recordMetadataBytes`. */
  readonly metadataBytes: number
}

/** ReductStore counts a record when it is inserted, while the field `state` is still zero and left out. */
export function recordMetadataBytes(encodedBytes: number, state: number): number {
  return encodedBytes - (state === 0 ? 0 : 2)
}

/** The descriptor of a block. `records` are encoded Record messages, ascending by time, each time once. */
export function encodeDescriptor(head: DescriptorHead, records: readonly Uint8Array[]): Uint8Array {
  let metadataBytes = 0
  let latestUs: ExactUs = 0
  for (const record of records) {
    const facts = scanRecord(record, 0, record.byteLength)
    metadataBytes += recordMetadataBytes(record.byteLength, facts.state)
    latestUs = facts.timestampUs
  }
  const fromBytes = records.map(() => 0)
  const toBytes = records.map(({ byteLength }) => byteLength)
  return spliceDescriptor(head, { sources: records, fromBytes, toBytes, latestUs, metadataBytes })
}

/** As `encodeDescriptor`. Records are copied as they are, so fields unknown to us survive. */
export function spliceDescriptor(head: DescriptorHead, records: RecordRanges): Uint8Array {
  const { sources, fromBytes, toBytes, latestUs, metadataBytes } = records
  const count = sources.length
  let recordsBytes = 0
  for (let index = 0; index < count; index++) {
    const length = (toBytes[index] as number) - (fromBytes[index] as number)
    recordsBytes += 1 + varintBytes(length) + length
  }
  const otherFields = head.otherFields ?? new Uint8Array(0)
  const scalarsBytesMax = 2 * timestampFieldBytesMax + 4 * 11
  const bytes = new Uint8Array(scalarsBytesMax + recordsBytes + otherFields.byteLength)
  let at = writeTimestampField(bytes, 0, 1, head.id)
  at = writeTimestampField(bytes, at, 2, latestUs)
  at = writeScalar(bytes, at, sizeTag, head.sizeBytes)
  for (let index = 0; index < count; index++) {
    const from = fromBytes[index] as number
    const to = toBytes[index] as number
    bytes[at] = recordTag
    at = writeVarint(bytes, at + 1, to - from)
    copyRange(bytes, at, sources[index] as Uint8Array, from, to)
    at += to - from
  }
  at = writeScalar(bytes, at, recordCountTag, count)
  at = writeScalar(bytes, at, metadataTag, metadataBytes)
  bytes.set(otherFields, at)
  at += otherFields.byteLength
  if (head.lastFrame !== undefined) {
    at = writeVarint(bytes, at, lastFrameTag)
    at = writeVarint(bytes, at, head.lastFrame)
  }
  return bytes.subarray(0, at)
}

/** Up to this length a loop beats making a view. */
const LOOP_BYTES_MAX = 256

function copyRange(target: Uint8Array, atBytes: number, source: Uint8Array, from: number, to: number): void {
  if (to - from > LOOP_BYTES_MAX) {
    target.set(source.subarray(from, to), atBytes)
    return
  }
  for (let read = from, write = atBytes; read < to; read++, write++) target[write] = source[read] as number
}

/** Keeps `bytes`. @throws {StorageError} `ERR_CORRUPT`, also for a file of 0 bytes */
export function decodeDescriptor(bytes: Uint8Array): Descriptor {
  if (bytes.byteLength === 0) throw new StorageError('ERR_CORRUPT', 'descriptor is empty')
  if (bytes.byteLength > descriptorBytesMax) throw new StorageError('ERR_CORRUPT', 'descriptor is too large')
  const fields = decodeFields(bytes)
  const count = fields.records
  const words = new Uint32Array(count * 2)
  let fromBytes = new Uint32Array(count)
  let toBytes = new Uint32Array(count)
  let facts = emptyFacts(count)
  const reader = new WireReader(bytes)
  const scanner = new RecordScanner(bytes)
  for (let index = 0; index < count;) {
    const tag = reader.tag()
    if (tag !== recordTag) {
      reader.skip(tag)
      continue
    }
    const to = reader.valueEnd()
    const { timestampUs, beginBytes, endBytes, state, contentCrc32 } = scanner.scan(reader.at, to)
    setWords(words, index, timestampUs)
    fromBytes[index] = reader.at
    toBytes[index] = to
    facts.beginBytes[index] = beginBytes
    facts.endBytes[index] = endBytes
    facts.states[index] = Math.min(state, stateUnknown)
    if (contentCrc32 !== undefined) {
      facts.contentCrc32[index] = contentCrc32
      facts.hasCrc32[index] = 1
    }
    reader.at = to
    index++
  }
  let timestampsUs = new BigUint64Array(words.buffer)
  const order = ascendingOrder(timestampsUs)
  if (order !== undefined) {
    timestampsUs = BigUint64Array.from(order, (index) => timestampsUs[index] as bigint)
    fromBytes = picked(fromBytes, order)
    toBytes = picked(toBytes, order)
    facts = {
      beginBytes: picked(facts.beginBytes, order),
      endBytes: picked(facts.endBytes, order),
      states: picked(facts.states, order),
      contentCrc32: picked(facts.contentCrc32, order),
      hasCrc32: picked(facts.hasCrc32, order),
    }
  }
  const { records: _, ...head } = fields
  return { ...head, bytes, timestampsUs, recordFromBytes: fromBytes, recordToBytes: toBytes, facts }
}

function emptyFacts(count: number): DescriptorFacts {
  return {
    beginBytes: new Float64Array(count),
    endBytes: new Float64Array(count),
    states: new Uint8Array(count),
    contentCrc32: new Uint32Array(count),
    hasCrc32: new Uint8Array(count),
  }
}

/** The values at these places. */
function picked<Values extends Float64Array | Uint32Array | Uint8Array>(
  values: Values,
  places: Uint32Array,
): Values {
  const chosen = values.slice(0, places.length) as Values
  for (let index = 0; index < places.length; index++)
    chosen[index] = values[places[index] as number] as number
  return chosen
}

/** Bytes of memory that a descriptor holds. */
export function descriptorMemoryBytes(descriptor: Descriptor): number {
  return descriptor.bytes.byteLength + descriptor.timestampsUs.length * recordArraysBytes + 256
}

/** Index of the first record at or after `timestampUs`; the number of records when there is none. */
export function firstRecordFrom(descriptor: Descriptor, timestampUs: bigint): number {
  const { timestampsUs } = descriptor
  let low = 0
  let high = timestampsUs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((timestampsUs[middle] as bigint) < timestampUs) low = middle + 1
    else high = middle
  }
  return low
}

function writeScalar(target: Uint8Array, atBytes: number, tag: number, value: number): number {
  if (value === 0) return atBytes
  return writeVarint(target, writeVarint(target, atBytes, tag), value)
}

type Fields = Omit<Descriptor, 'bytes' | 'timestampsUs' | 'recordFromBytes' | 'recordToBytes' | 'facts'> & {
  readonly records: number
}

function decodeFields(bytes: Uint8Array): Fields {
  let id: ExactUs | undefined
  let latestUs: ExactUs | undefined
  let sizeBytes = 0
  let recordCount = 0
  let metadataBytes = 0
  let lastFrame: number | undefined
  let corrupted = false
  let records = 0
  const others: Uint8Array[] = []
  const reader = new WireReader(bytes)
  while (!reader.done) {
    const fieldAtBytes = reader.at
    const tag = reader.tag()
    if (tag === recordTag) {
      reader.at = reader.valueEnd()
      records++
    } else if (tag === beginTimeTag) id = reader.timestamp()
    else if (tag === latestTag) latestUs = reader.timestamp()
    else if (tag === sizeTag) sizeBytes = reader.uint()
    else if (tag === recordCountTag) recordCount = reader.uint()
    else if (tag === metadataTag) metadataBytes = reader.uint()
    else if (tag === lastFrameTag) lastFrame = reader.uint()
    else {
      if (tag === corruptedTag) corrupted = reader.uint64() !== 0n
      else reader.skip(tag)
      others.push(bytes.subarray(fieldAtBytes, reader.at))
    }
  }
  return {
    id: id === undefined ? undefined : BigInt(id),
    latestUs: latestUs === undefined ? undefined : BigInt(latestUs),
    sizeBytes,
    recordCount,
    metadataBytes,
    lastFrame,
    corrupted,
    records,
    otherFields: new Uint8Array(Buffer.concat(others)),
  }
}

/** The 64 bits of a time, low word first, as a BigUint64Array over the same memory reads them. */
function setWords(words: Uint32Array, index: number, timestampUs: ExactUs): void {
  if (typeof timestampUs === 'number') {
    words[index * 2] = timestampUs >>> 0
    words[index * 2 + 1] = Math.floor(timestampUs / 0x1_0000_0000)
  } else {
    words[index * 2] = Number(timestampUs & 0xffff_ffffn)
    words[index * 2 + 1] = Number(timestampUs >> 32n)
  }
}

/** Indexes in ascending order of time, the last of each time only; `undefined` when they are in order already. */
function ascendingOrder(timestampsUs: BigUint64Array): Uint32Array | undefined {
  const at = (index: number): bigint => timestampsUs[index] as bigint
  let ordered = true
  for (let index = 1; index < timestampsUs.length && ordered; index++) ordered = at(index - 1) < at(index)
  if (ordered) return undefined
  const order = Uint32Array.from(timestampsUs, (_, index) => index)
  order.sort((one, other) => (at(one) < at(other) ? -1 : at(one) > at(other) ? 1 : one - other))
  return order.filter(
    (index, place) => place === order.length - 1 || at(index) !== at(order[place + 1] as number),
  )
}
