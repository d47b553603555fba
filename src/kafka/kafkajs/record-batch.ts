import { crc32c } from '../../base/crc32c.ts'
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
const HEADER_BYTES = 61
const LENGTH_END = 12
const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_OFFSET_DELTA_AT = 23
const BASE_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const PRODUCER_ID_AT = 43
const RECORD_COUNT_AT = 57

const CODEC_MASK = 0x07
const APPEND_TIME_FLAG = 0x08
const TRANSACTIONAL_FLAG = 0x10
const CONTROL_FLAG = 0x20

/** The type in the key of a control record that ends an aborted transaction. */
const ABORT_MARKER = 0

/** What a broker can have appended between reading its high watermark and its log; beyond, an offset is damaged. */
const RECORDS_PAST_HIGH_WATERMARK_MAX = 1_000_000

/** One entry of a fetch response: this producer's records from here to its abort marker must not be delivered. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

export interface DecodedRecordSet {
  readonly records: readonly SourceRecord[]
  /** One past the last offset that was looked at; the offset asked for when there was no whole batch. */
  readonly nextOffset: number
  /** Memory that the records hold on to. */
  readonly bytes: number
  /** What is wrong with the batch at `nextOffset`; everything before it was decoded. */
  readonly error: SourceError | undefined
}

interface Batch {
  readonly bytes: Buffer
  readonly baseOffset: number
  readonly nextOffset: number
  readonly attributes: number
  readonly recordCount: number
}

/**
 * Decodes the record batches of one partition in a fetch response. Control records, aborted records and those below
 * `fetchOffset` are left out, and `nextOffset` counts them. An incomplete last batch is normal: it is asked for again.
 * Keys, values and headers are views into `recordSet`, or into what its batches decompress to.
 *
 * @param aborted in the order of the response: by first offset
 */
export async function decodeRecordSet(
  recordSet: Buffer,
  fetchOffset: number,
  highWatermark: number,
  aborted: readonly AbortedTransaction[],
): Promise<DecodedRecordSet> {
  const records: SourceRecord[] = []
  let nextOffset = fetchOffset
  let bytes = recordSet.length
  const scanned = scanBatches(recordSet, fetchOffset, highWatermark)
  let error = scanned.error
  try {
    const wanted = skipAborted(scanned.batches, aborted)
    const payloads = wanted.some((batch) => codecOf(batch) !== Codec.none && isData(batch))
      ? await Promise.allSettled(wanted.map(payloadOf))
      : undefined
    for (let index = 0; index < wanted.length; index++) {
      const batch = wanted[index]!
      if (isData(batch)) {
        const payload = payloads?.[index]
        if (payload?.status === 'rejected')
          throw damaged(batch.baseOffset, 'does not decompress', payload.reason)
        const content = payload?.value ?? batch.bytes.subarray(HEADER_BYTES)
        if (codecOf(batch) !== Codec.none) bytes += content.length
        decodeRecords(batch, content, fetchOffset, records)
      }
      nextOffset = Math.max(nextOffset, batch.nextOffset)
    }
    // Aborted batches at the end count as seen, once everything before them was decoded.
    for (const batch of scanned.batches) nextOffset = Math.max(nextOffset, batch.nextOffset)
    if (nextOffset === fetchOffset && scanned.batches.length > 0) {
      throw damaged(scanned.batches[0]!.baseOffset, `ends before ${fetchOffset}, which was asked for`)
    }
  } catch (cause) {
    if (!(cause instanceof SourceError)) throw cause
    error = cause
    while (records.length > 0 && records.at(-1)!.offset >= nextOffset) records.pop()
  }
  return { records, nextOffset, bytes, error }
}

/** The whole and sound batches of a record set, and what is wrong with the one after them. */
function scanBatches(
  recordSet: Buffer,
  fetchOffset: number,
  highWatermark: number,
): { batches: Batch[]; error: SourceError | undefined } {
  const batches: Batch[] = []
  let error: SourceError | undefined
  let at = 0
  let expected = 0
  try {
    while (at + HEADER_BYTES <= recordSet.length) {
      const baseOffset = readInt64(recordSet, at)
      const magic = recordSet[at + MAGIC_AT]!
      if (magic !== 2) {
        throw damaged(
          baseOffset,
          magic < 2 ? `has the old message format ${magic}` : `has the format ${magic}`,
        )
      }
      const end = at + LENGTH_END + recordSet.readInt32BE(at + 8)
      if (end < at + HEADER_BYTES) throw damaged(baseOffset, 'has an impossible length')
      if (end > recordSet.length) break
      const batch = recordSet.subarray(at, end)
      if (crc32c(batch.subarray(ATTRIBUTES_AT)) !== batch.readUInt32BE(CRC_AT)) {
        throw damaged(baseOffset, 'does not match its CRC-32C')
      }
      const lastOffsetDelta = batch.readInt32BE(LAST_OFFSET_DELTA_AT)
      const nextOffset = baseOffset + lastOffsetDelta + 1
      if (
        baseOffset < expected ||
        lastOffsetDelta < 0 ||
        nextOffset > highWatermark + RECORDS_PAST_HIGH_WATERMARK_MAX ||
        !Number.isSafeInteger(nextOffset)
      ) {
        throw damaged(baseOffset, 'has impossible offsets')
      }
      batches.push({
        bytes: batch,
        baseOffset,
        nextOffset,
        attributes: batch.readUInt16BE(ATTRIBUTES_AT),
        recordCount: batch.readInt32BE(RECORD_COUNT_AT),
      })
      expected = nextOffset
      at = end
    }
    if (at === 0 && recordSet.length > 0) {
      // A broker always sends the first batch whole, however large it is.
      throw damaged(fetchOffset, 'is longer than the response that should hold it')
    }
  } catch (cause) {
    if (!(cause instanceof SourceError)) throw cause
    error = cause
  }
  return { batches, error }
}

/** A transaction's records share their batches with no other producer's, so that whole batches are left out. */
function skipAborted(batches: readonly Batch[], aborted: readonly AbortedTransaction[]): readonly Batch[] {
  if (aborted.length === 0) return batches
  const open = new Set<bigint>()
  let index = 0
  return batches.filter((batch) => {
    while (index < aborted.length && aborted[index]!.firstOffset < batch.nextOffset) {
      open.add(aborted[index]!.producerId)
      index++
    }
    const producerId = batch.bytes.readBigInt64BE(PRODUCER_ID_AT)
    if (!isData(batch)) {
      if (isAbortMarker(batch)) open.delete(producerId)
      return true
    }
    return (batch.attributes & TRANSACTIONAL_FLAG) === 0 || !open.has(producerId)
  })
}

function isAbortMarker(batch: Batch): boolean {
  const markers: SourceRecord[] = []
  decodeRecords(batch, batch.bytes.subarray(HEADER_BYTES), 0, markers)
  const key = markers[0]?.key
  return key !== null && key !== undefined && key.length >= 4 && ((key[2]! << 8) | key[3]!) === ABORT_MARKER
}

function isData(batch: Batch): boolean {
  return (batch.attributes & CONTROL_FLAG) === 0
}

function codecOf(batch: Batch): number {
  return batch.attributes & CODEC_MASK
}

async function payloadOf(batch: Batch): Promise<Buffer> {
  const content = batch.bytes.subarray(HEADER_BYTES)
  return codecOf(batch) === Codec.none || !isData(batch) ? content : decompress(codecOf(batch), content)
}

/** Appends the records of one batch from `fetchOffset` on. @throws {SourceError} `ERR_BATCH` */
function decodeRecords(batch: Batch, content: Buffer, fetchOffset: number, records: SourceRecord[]): void {
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
function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}

function damaged(offset: number, what: string, cause?: unknown): SourceError {
  return new SourceError('ERR_BATCH', `the record batch at offset ${offset} ${what}`, cause)
}
