import { SourceError, type SourceHeader, type SourceRecord } from '../source.ts'
import { Codec, decompress } from './codecs.ts'

/**
 * A record batch, message format 2. All integers are big-endian; `varint` and `varlong` are zigzag.
 *
 *      0        8       12      16     17   21     23       27       35      43       51      53      57      61
 *      +--------+-------+-------+------+----+------+--------+--------+-------+--------+-------+-------+-------+- -
 *      | base   | bytes | leader| magic| crc| attri| last   | base   | max   | produ- | produ-| base  | record| records
 *      | offset | after | epoch | 2    |    | butes| offset | time   | time  | cer id | cer   | sequ- | count |
 *      |        | here  |       |      |    |      | delta  | stamp  | stamp |        | epoch | ence  |       |
 *      +--------+-------+-------+------+----+------+--------+--------+-------+--------+-------+-------+-------+- -
 *         i64      i32     i32     i8    u32  i16     i32      i64      i64      i64     i16     i32     i32
 *
 * The CRC-32C covers everything behind it. Where `attributes` name a codec, the records are one compressed piece.
 *
 * A record: varint bytes after here, i8 attributes, varlong time stamp delta, varint offset delta, varint key bytes
 * (-1: null), key, varint value bytes (-1: null), value, varint header count; a header: varint name bytes, name,
 * varint value bytes (-1: null), value.
 */
export const HEADER_BYTES = 61
export const LENGTH_END = 12
export const LEADER_EPOCH_AT = 12
export const MAGIC_AT = 16
export const CRC_AT = 17
export const ATTRIBUTES_AT = 21
export const LAST_OFFSET_DELTA_AT = 23
export const BASE_TIMESTAMP_AT = 27
export const MAX_TIMESTAMP_AT = 35
export const PRODUCER_ID_AT = 43
export const RECORD_COUNT_AT = 57

const CODEC_MASK = 0x07
const APPEND_TIME_FLAG = 0x08
export const TRANSACTIONAL_FLAG = 0x10
const CONTROL_FLAG = 0x20

export interface Batch {
  readonly bytes: Buffer
  readonly baseOffset: number
  readonly nextOffset: number
  /** -1 when the broker has not said. */
  readonly leaderEpoch: number
  readonly attributes: number
  readonly recordCount: number
}

export function isData(batch: Batch): boolean {
  return (batch.attributes & CONTROL_FLAG) === 0
}

export function codecOf(batch: Batch): number {
  return batch.attributes & CODEC_MASK
}

/** @throws {Error} also when it becomes more than `decompressedBytesMax` */
export async function payloadOf(batch: Batch, decompressedBytesMax: number): Promise<Buffer> {
  const content = batch.bytes.subarray(HEADER_BYTES)
  return codecOf(batch) === Codec.none ? content : decompress(codecOf(batch), content, decompressedBytesMax)
}

/** Appends the records of one batch from `fetchOffset` on. @throws {SourceError} `ERR_BATCH` */
export function decodeRecords(
  batch: Batch,
  content: Buffer,
  fetchOffset: number,
  records: SourceRecord[],
): void {
  const { baseOffset, attributes, recordCount } = batch
  const isAppendTime = (attributes & APPEND_TIME_FLAG) !== 0
  const timestampType = isAppendTime ? 'append' : 'create'
  const baseTimestampMs = readInt64(batch.bytes, isAppendTime ? MAX_TIMESTAMP_AT : BASE_TIMESTAMP_AT)
  const reader = new VarintReader(content)
  let expected = baseOffset
  for (let index = 0; index < recordCount; index++) {
    const recordBytes = reader.varint()
    const end = reader.at + recordBytes
    if (recordBytes <= 0 || end > content.length) throw damaged(baseOffset, 'ends inside a record')
    reader.at++
    const timestampDelta = reader.varlong()
    const offset = baseOffset + reader.varint()
    const keyBytes = reader.varint()
    const keyAt = reader.at
    if (keyBytes > 0) reader.at += keyBytes
    const valueBytes = reader.varint()
    const valueAt = reader.at
    if (valueBytes > 0) reader.at += valueBytes
    const headerCount = reader.varint()
    const headersAt = reader.at
    let headers = 0
    for (; headers < headerCount && reader.at < end; headers++) {
      const nameBytes = reader.varint()
      if (nameBytes < 0) throw damaged(baseOffset, 'has a header without a name')
      reader.at += nameBytes
      const headerBytes = reader.varint()
      if (headerBytes > 0) reader.at += headerBytes
    }
    if (reader.at !== end || keyBytes < -1 || valueBytes < -1 || headers !== headerCount) {
      throw damaged(baseOffset, 'has a record whose fields do not fill it')
    }
    if (offset < expected || offset >= batch.nextOffset) throw damaged(baseOffset, 'has offsets out of order')
    expected = offset + 1
    if (offset < fetchOffset) continue
    records.push(
      new BatchRecord(
        offset,
        isAppendTime ? baseTimestampMs : baseTimestampMs + timestampDelta,
        timestampType,
        keyBytes < 0 ? null : content.subarray(keyAt, keyAt + keyBytes),
        valueBytes < 0 ? null : content.subarray(valueAt, valueAt + valueBytes),
        headerCount === 0 ? undefined : content,
        headersAt,
        headerCount,
      ),
    )
  }
  if (reader.at !== content.length) throw damaged(baseOffset, 'has bytes behind its last record')
}

const NO_HEADERS: readonly SourceHeader[] = []

/** Headers are decoded when asked for; `decodeRecords` has checked that they can be. */
class BatchRecord implements SourceRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly timestampType: 'create' | 'append'
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  private readonly content: Buffer | undefined
  private readonly headersAt: number
  private readonly headerCount: number

  constructor(
    offset: number,
    timestampMs: number,
    timestampType: 'create' | 'append',
    key: Uint8Array | null,
    value: Uint8Array | null,
    content: Buffer | undefined,
    headersAt: number,
    headerCount: number,
  ) {
    this.offset = offset
    this.timestampMs = timestampMs
    this.timestampType = timestampType
    this.key = key
    this.value = value
    this.content = content
    this.headersAt = headersAt
    this.headerCount = headerCount
  }

  get headers(): readonly SourceHeader[] {
    if (this.content === undefined) return NO_HEADERS
    const reader = new VarintReader(this.content)
    reader.at = this.headersAt
    const headers: SourceHeader[] = []
    for (let index = 0; index < this.headerCount; index++) {
      headers.push({ name: reader.bytes() ?? new Uint8Array(0), value: reader.bytes() })
    }
    return headers
  }
}

/** Reads past the end give zeros: callers check where they arrive. */
class VarintReader {
  at = 0
  private readonly content: Buffer

  constructor(content: Buffer) {
    this.content = content
  }

  varint(): number {
    let byte = this.content[this.at++]!
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 0x7f
    for (let shift = 7; shift < 35; shift += 7) {
      byte = this.content[this.at++]!
      value |= (byte & 0x7f) << shift
      if (!(byte >= 0x80)) break
    }
    return (value >>> 1) ^ -(value & 1)
  }

  /** Exact below 2^53, rounded beyond. */
  varlong(): number {
    let byte = this.content[this.at++]!
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 0x7f
    let unit = 128
    for (let count = 1; count < 10; count++) {
      byte = this.content[this.at++]!
      value += (byte & 0x7f) * unit
      unit *= 128
      if (!(byte >= 0x80)) break
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A length, then that many bytes; -1 is null. */
  bytes(): Uint8Array | null {
    const length = this.varint()
    if (length < 0) return null
    this.at += length
    return this.content.subarray(this.at - length, this.at)
  }
}

/** Rounded beyond 2^53. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}

export function damaged(offset: number, what: string, cause?: unknown): SourceError {
  return new SourceError('ERR_BATCH', `the record batch at offset ${offset} ${what}`, cause)
}
