import { StorageError } from '../errors.ts'
import { recordStateNumber, recordTag } from './record-codec.ts'
import { WireReader, type ExactUs } from './wire.ts'

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

/** `scanRecord` for one record of `bytes` after the other: it is what it has scanned last, so that none costs an object. */
export class RecordScanner implements RecordFacts {
  timestampUs: ExactUs = 0
  beginBytes = 0
  endBytes = 0
  state = 0
  contentCrc32: number | undefined
  readonly #reader: WireReader

  constructor(bytes: Uint8Array) {
    this.#reader = new WireReader(bytes)
  }

  /** @throws {StorageError} `ERR_CORRUPT` */
  scan(fromBytes: number, toBytes: number): RecordFacts {
    const reader = this.#reader
    reader.at = fromBytes
    reader.end = toBytes
    let timestampUs: ExactUs | undefined
    let beginBytes = 0
    let endBytes = 0
    let state = 0
    let contentCrc32: number | undefined
    while (reader.at < toBytes) {
      const tag = reader.tag()
      if (tag === recordTag.label || tag === recordTag.contentType) reader.at = reader.valueEnd()
      else if (tag === recordTag.timestamp) timestampUs = reader.timestamp()
      else if (tag === recordTag.begin) beginBytes = reader.uint()
      else if (tag === recordTag.end) endBytes = reader.uint()
      else if (tag === recordTag.state) state = reader.uint()
      else if (tag === recordTag.contentCrc32) contentCrc32 = reader.fixed32()
      else reader.skip(tag)
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
}
