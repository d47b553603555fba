import { StorageError } from '../errors.ts'
import { recordStateNumber, recordTag } from './record-codec.ts'
import { WireReader, type ExactUs } from './wire.ts'

/** Of google.protobuf.Timestamp. */
const secondsTag = 0x08
const nanosTag = 0x10

/** The part of a record that recovery, lookups and scans need. */
export interface RecordFacts {
  readonly timestampUs: ExactUs
  readonly beginBytes: number
  readonly endBytes: number
  /** See `recordStateNumber`. */
  readonly state: number
  /** `undefined` when unknown. */
  readonly contentCrc32: number | undefined
}

/** Time, range, state and CRC-32; labels and text are stepped over. @throws {StorageError} `ERR_CORRUPT` */
export function scanRecord(bytes: Uint8Array, fromBytes: number, toBytes: number): RecordFacts {
  const { timestampUs, beginBytes, endBytes, state, contentCrc32 } = new RecordScanner(bytes).scan(
    fromBytes,
    toBytes,
  )
  return { timestampUs, beginBytes, endBytes, state, contentCrc32 }
}

/** Whether it is finished, and without the CRC-32 of its content. @throws {StorageError} `ERR_CORRUPT` */
export function lacksContentCrc(bytes: Uint8Array, fromBytes: number, toBytes: number): boolean {
  const { state, contentCrc32 } = scanRecord(bytes, fromBytes, toBytes)
  return state === recordStateNumber.finished && contentCrc32 === undefined
}

/**
 * `scanRecord` for one record of `bytes` after the other: it is what it has scanned last, so that none costs an object. What
 * nearly all records consist of – times, short numbers, short texts – is read here, everything else by the general reader.
 */
export class RecordScanner implements RecordFacts {
  timestampUs: ExactUs = 0
  beginBytes = 0
  endBytes = 0
  state = 0
  contentCrc32: number | undefined
  readonly #reader: WireReader
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#reader = new WireReader(bytes)
  }

  /** @throws {StorageError} `ERR_CORRUPT` */
  scan(fromBytes: number, toBytes: number): RecordFacts {
    const reader = this.#reader
    const { bytes } = reader
    reader.end = toBytes
    let timestampUs: ExactUs | undefined
    let beginBytes = 0
    let endBytes = 0
    let state = 0
    let contentCrc32: number | undefined
    this.#at = fromBytes
    while (this.#at < toBytes) {
      const first = bytes[this.#at]
      if (first === recordTag.label || first === recordTag.contentType) {
        if (this.#passShortText(toBytes)) continue
      } else if (first === recordTag.timestamp) {
        const usualUs = this.#usualTime(toBytes)
        if (usualUs >= 0) {
          timestampUs = usualUs
          continue
        }
      } else if (first === recordTag.begin || first === recordTag.end || first === recordTag.state) {
        const short = this.#shortNumber(this.#at + 1, toBytes)
        if (short >= 0) {
          if (first === recordTag.begin) beginBytes = short
          else if (first === recordTag.end) endBytes = short
          else state = short
          continue
        }
      }
      reader.at = this.#at
      const tag = reader.tag()
      if (tag === recordTag.contentCrc32) contentCrc32 = reader.fixed32()
      else if (tag === recordTag.label || tag === recordTag.contentType) reader.at = reader.valueEnd()
      else if (tag === recordTag.timestamp) timestampUs = reader.timestamp()
      else if (tag === recordTag.begin) beginBytes = reader.uint()
      else if (tag === recordTag.end) endBytes = reader.uint()
      else if (tag === recordTag.state) state = reader.uint()
      else reader.skip(tag)
      this.#at = reader.at
    }
    const atBytes = fromBytes
    if (timestampUs === undefined) throw new StorageError('ERR_CORRUPT', 'record without a time', { atBytes })
    if (endBytes < beginBytes)
      throw new StorageError('ERR_CORRUPT', 'record ends before it begins', { atBytes })
    this.timestampUs = timestampUs
    this.beginBytes = beginBytes
    this.endBytes = endBytes
    this.state = state
    this.contentCrc32 = contentCrc32
    return this
  }

  /** Steps over the field when its length is one byte. */
  #passShortText(toBytes: number): boolean {
    const lengthBytes = this.#reader.bytes[this.#at + 1] as number
    const next = this.#at + 2 + lengthBytes
    if (!(lengthBytes < 0x80) || next > toBytes) return false
    this.#at = next
    return true
  }

  /** Seconds and nanoseconds, each once and in this order. @returns -1, and nothing is passed, for any other */
  #usualTime(toBytes: number): number {
    const { bytes } = this.#reader
    const from = this.#at
    const lengthBytes = bytes[from + 1] as number
    const end = from + 2 + lengthBytes
    if (!(lengthBytes < 0x80) || end > toBytes || bytes[from + 2] !== secondsTag) return -1
    const seconds = this.#shortNumber(from + 3, end)
    if (seconds >= 0 && this.#at < end && bytes[this.#at] === nanosTag) {
      const nanos = this.#shortNumber(this.#at + 1, end)
      if (nanos >= 0 && this.#at === end) return seconds * 1_000_000 + Math.trunc(nanos / 1000)
    }
    this.#at = from
    return -1
  }

  /** A number below 2^31, of five bytes at most. @returns -1, and nothing is passed, for any other */
  #shortNumber(fromBytes: number, toBytes: number): number {
    const { bytes } = this.#reader
    let value = 0
    for (let at = fromBytes, shift = 0; at < toBytes && shift <= 28; at++, shift += 7) {
      const byte = bytes[at] as number
      if (byte < 0x80) {
        if (shift === 28 && byte > 7) return -1
        this.#at = at + 1
        return value | (byte << shift)
      }
      value |= (byte & 0x7f) << shift
    }
    return -1
  }
}
