import { StorageError } from '../errors.ts'
import type { LabelList, RecordState } from '../record.ts'
import { varintBytes, WireReader, writeTimestampField, writeVarint, type ExactUs } from './wire.ts'

/** Record.state in the file. A value the format does not know counts as errored. */
export const recordStateNumber = { started: 0, finished: 1, errored: 2 } as const satisfies Record<
  RecordState,
  number
>

/**
 * The field of a state that is not zero. ReductStore counts a record as it was inserted, before its state was set (format
 * 2.4): sizes of metadata leave it out.
 */
export const stateFieldBytes = 2

export function recordStateName(state: number): RecordState {
  return state === 0 ? 'started' : state === 1 ? 'finished' : 'errored'
}

/** What a Record message holds. */
export interface RecordFields {
  /** Below 2^53. */
  readonly timestampUs: number
  /** The content's range in the data file, the end exclusive. */
  readonly beginBytes: number
  readonly endBytes: number
  /** See `recordStateNumber`. */
  readonly state: number
  readonly labels: LabelList
  readonly contentType: string
  /** CRC-32 of the content, `undefined` when unknown. */
  readonly contentCrc32: number | undefined
}

export interface DecodedRecord extends Omit<RecordFields, 'timestampUs'> {
  readonly timestampUs: bigint
}

/** Field tags of Record; the last one is field 1000, fixed32. */
export const recordTag = {
  timestamp: 0x0a,
  begin: 0x10,
  end: 0x18,
  state: 0x20,
  label: 0x2a,
  contentType: 0x32,
  contentCrc32: 8005,
} as const
const labelNameTag = 0x0a
const labelValueTag = 0x12
const contentCrc32FieldBytes = 2 + 4

/** Up to this length a loop over characters beats a call into the runtime. */
const loopCharactersMax = 256

/** Exact size of `encodeRecord`'s output. */
export function recordBytes(fields: RecordFields): number {
  const seconds = Math.floor(fields.timestampUs / 1_000_000)
  const nanos = (fields.timestampUs - seconds * 1_000_000) * 1000
  let bytes = 2 + scalarBytes(seconds) + scalarBytes(nanos)
  bytes += scalarBytes(fields.beginBytes) + scalarBytes(fields.endBytes) + scalarBytes(fields.state)
  const { labels } = fields
  for (let index = 0; index < labels.length; index += 2) {
    const label = textFieldBytes(labels[index] as string) + textFieldBytes(labels[index + 1] as string)
    bytes += 1 + varintBytes(label) + label
  }
  return bytes + textFieldBytes(fields.contentType) + (fields.contentCrc32 === undefined ? 0 : 6)
}

/**
 * Writes a Record message into `target` at `atBytes`, fields ascending, zero scalars and empty text left out, as
 * ReductStore writes it. `target` must have room for `recordBytes(fields)`. @returns the position after it
 */
export function encodeRecord(target: Uint8Array, atBytes: number, fields: RecordFields): number {
  let at = writeTimestampField(target, atBytes, 1, fields.timestampUs)
  if (fields.beginBytes !== 0) {
    target[at++] = recordTag.begin
    at = writeVarint(target, at, fields.beginBytes)
  }
  if (fields.endBytes !== 0) {
    target[at++] = recordTag.end
    at = writeVarint(target, at, fields.endBytes)
  }
  if (fields.state !== 0) {
    target[at++] = recordTag.state
    target[at++] = fields.state
  }
  const { labels } = fields
  for (let index = 0; index < labels.length; index += 2) {
    at = writeLabel(target, at, labels[index] as string, labels[index + 1] as string)
  }
  at = writeTextField(target, at, recordTag.contentType, fields.contentType)
  const crc32 = fields.contentCrc32
  if (crc32 !== undefined) at = writeContentCrc(target, at, crc32)
  // Writes beyond a typed array are dropped without an error.
  if (at > target.byteLength) throw new RangeError('no room for the record')
  return at
}

/** @throws {StorageError} `ERR_CORRUPT` */
export function decodeRecord(bytes: Uint8Array, fromBytes = 0, toBytes = bytes.byteLength): DecodedRecord {
  const reader = new WireReader(bytes, fromBytes, toBytes)
  let timestampUs: ExactUs | undefined
  let beginBytes = 0
  let endBytes = 0
  let state = 0
  let contentType = ''
  let contentCrc32: number | undefined
  const labels: string[] = []
  while (!reader.done) {
    const tag = reader.tag()
    if (tag === recordTag.timestamp) timestampUs = reader.timestamp()
    else if (tag === recordTag.begin) beginBytes = reader.uint()
    else if (tag === recordTag.end) endBytes = reader.uint()
    else if (tag === recordTag.state) state = reader.uint()
    else if (tag === recordTag.label) readLabel(reader, labels)
    else if (tag === recordTag.contentType) contentType = reader.string()
    else if (tag === recordTag.contentCrc32) contentCrc32 = reader.fixed32()
    else reader.skip(tag)
  }
  const exactUs = BigInt(checked(timestampUs, beginBytes, endBytes, fromBytes))
  return { timestampUs: exactUs, beginBytes, endBytes, state, labels, contentType, contentCrc32 }
}

/** The encoded record with its content elsewhere; every other field stays as it is, unknown ones too. */
export function moveRecord(bytes: Uint8Array, beginBytes: number, endBytes: number): Uint8Array {
  const parts: Uint8Array[] = []
  const reader = new WireReader(bytes)
  while (!reader.done) {
    const from = reader.at
    const tag = reader.tag()
    reader.skip(tag)
    if (tag !== recordTag.begin && tag !== recordTag.end) parts.push(bytes.subarray(from, reader.at))
    if (tag !== recordTag.timestamp) continue
    const range = new Uint8Array(scalarBytes(beginBytes) + scalarBytes(endBytes))
    let at = 0
    if (beginBytes !== 0) {
      range[at++] = recordTag.begin
      at = writeVarint(range, at, beginBytes)
    }
    if (endBytes !== 0) {
      range[at++] = recordTag.end
      writeVarint(range, at, endBytes)
    }
    parts.push(range)
  }
  return Buffer.concat(parts)
}

/** The encoded record with other labels; every other field stays as it is, unknown ones too. */
export function replaceLabels(bytes: Uint8Array, labels: LabelList): Uint8Array {
  const before: Uint8Array[] = []
  const after: Uint8Array[] = []
  const reader = new WireReader(bytes)
  while (!reader.done) {
    const from = reader.at
    const tag = reader.tag()
    reader.skip(tag)
    if (tag !== recordTag.label)
      (tag < recordTag.label ? before : after).push(bytes.subarray(from, reader.at))
  }
  let labelsBytes = 0
  for (let index = 0; index < labels.length; index += 2) {
    const label = textFieldBytes(labels[index] as string) + textFieldBytes(labels[index + 1] as string)
    labelsBytes += 1 + varintBytes(label) + label
  }
  const encoded = new Uint8Array(labelsBytes)
  let at = 0
  for (let index = 0; index < labels.length; index += 2)
    at = writeLabel(encoded, at, labels[index] as string, labels[index + 1] as string)
  return Buffer.concat([...before, encoded, ...after])
}

/**
 * The encoded record `bytes` with another place in the data file, or another state; every other field stays as it is,
 * also those that we do not know.
 */
export function rewriteRecord(
  bytes: Uint8Array,
  to: Pick<RecordFields, 'beginBytes' | 'endBytes' | 'state'>,
): Uint8Array {
  const time: Uint8Array[] = []
  const others: Uint8Array[] = []
  const reader = new WireReader(bytes)
  while (!reader.done) {
    const fromBytes = reader.at
    const tag = reader.tag()
    reader.skip(tag)
    if (tag === recordTag.begin || tag === recordTag.end || tag === recordTag.state) continue
    const kept = tag === recordTag.timestamp ? time : others
    kept.push(bytes.subarray(fromBytes, reader.at))
  }
  const place = new Uint8Array(3 * 11)
  let at = 0
  for (const [tag, value] of [
    [recordTag.begin, to.beginBytes],
    [recordTag.end, to.endBytes],
    [recordTag.state, to.state],
  ] as const) {
    if (value !== 0) at = writeVarint(place, writeVarint(place, at, tag), value)
  }
  return new Uint8Array(Buffer.concat([...time, place.subarray(0, at), ...others]))
}

/** The encoded record with this CRC-32 of its content; every other field stays as it is. */
export function addContentCrc(bytes: Uint8Array, contentCrc32: number): Uint8Array {
  const parts: Uint8Array[] = []
  const reader = new WireReader(bytes)
  while (!reader.done) {
    const fromBytes = reader.at
    const tag = reader.tag()
    reader.skip(tag)
    if (tag !== recordTag.contentCrc32) parts.push(bytes.subarray(fromBytes, reader.at))
  }
  const field = new Uint8Array(contentCrc32FieldBytes)
  writeContentCrc(field, 0, contentCrc32)
  return new Uint8Array(Buffer.concat([...parts, field]))
}

function writeContentCrc(target: Uint8Array, atBytes: number, contentCrc32: number): number {
  let at = writeVarint(target, atBytes, recordTag.contentCrc32)
  for (let bits = 0; bits < 32; bits += 8) target[at++] = (contentCrc32 >>> bits) & 0xff
  return at
}

function checked(
  timestampUs: ExactUs | undefined,
  beginBytes: number,
  endBytes: number,
  atBytes: number,
): ExactUs {
  if (timestampUs === undefined) throw new StorageError('ERR_CORRUPT', 'record without a time', { atBytes })
  if (endBytes < beginBytes)
    throw new StorageError('ERR_CORRUPT', 'record ends before it begins', { atBytes })
  return timestampUs
}

function readLabel(reader: WireReader, labels: string[]): void {
  const outerEnd = reader.end
  reader.end = reader.valueEnd()
  let name = ''
  let value = ''
  while (!reader.done) {
    const tag = reader.tag()
    if (tag === labelNameTag) name = reader.string()
    else if (tag === labelValueTag) value = reader.string()
    else reader.skip(tag)
  }
  reader.end = outerEnd
  labels.push(name, value)
}

/** Size of a varint field with a one-byte tag. */
function scalarBytes(value: number): number {
  return value === 0 ? 0 : 1 + varintBytes(value)
}

/** Size of a text field with a one-byte tag. */
function textFieldBytes(text: string): number {
  if (text.length === 0) return 0
  const bytes = utf8Bytes(text)
  return 1 + varintBytes(bytes) + bytes
}

function utf8Bytes(text: string): number {
  if (text.length > loopCharactersMax) return Buffer.byteLength(text)
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text)
  }
  return text.length
}

function writeLabel(target: Uint8Array, atBytes: number, name: string, value: string): number {
  target[atBytes] = recordTag.label
  if (name.length + value.length <= loopCharactersMax) {
    const at = writeAsciiLabel(target, atBytes + 1, name, value)
    if (at !== undefined) return at
  }
  const at = writeVarint(target, atBytes + 1, textFieldBytes(name) + textFieldBytes(value))
  return writeTextField(target, writeTextField(target, at, labelNameTag, name), labelValueTag, value)
}

/** Length and fields of a label, in one pass; `undefined` when the text is not ASCII. */
function writeAsciiLabel(
  target: Uint8Array,
  atBytes: number,
  name: string,
  value: string,
): number | undefined {
  const at = writeVarint(
    target,
    atBytes,
    scalarBytes(name.length) + name.length + scalarBytes(value.length) + value.length,
  )
  const afterName = writeAsciiField(target, at, labelNameTag, name)
  return afterName === undefined ? undefined : writeAsciiField(target, afterName, labelValueTag, value)
}

function writeTextField(target: Uint8Array, atBytes: number, tag: number, text: string): number {
  if (text.length <= loopCharactersMax) {
    const at = writeAsciiField(target, atBytes, tag, text)
    if (at !== undefined) return at
  }
  target[atBytes] = tag
  const bytes = Buffer.byteLength(text)
  const at = writeVarint(target, atBytes + 1, bytes)
  textEncoder.encodeInto(text, target.subarray(at))
  return at + bytes
}

/** Nothing for empty text; `undefined` at the first character beyond ASCII. */
function writeAsciiField(target: Uint8Array, atBytes: number, tag: number, text: string): number | undefined {
  const length = text.length
  if (length === 0) return atBytes
  target[atBytes] = tag
  let at = writeVarint(target, atBytes + 1, length)
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index)
    if (code > 0x7f) return undefined
    target[at++] = code
  }
  return at
}

/** Replaces lone surrogates by U+FFFD, so that what is written is always UTF-8. */
const textEncoder = new TextEncoder()
