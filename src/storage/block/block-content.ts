import { crc64 } from '../../base/crc64.ts'
import {
  decodeDescriptor,
  recordMetadataBytes,
  spliceDescriptor,
  type Descriptor,
  type RecordRanges,
} from '../codec/descriptor-codec.ts'
import { scanRecord } from '../codec/scan-record.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import type { ExactUs } from '../codec/wire.ts'
import { scanWal, walEntryType } from '../wal/wal-codec.ts'

/** What descriptor and WAL of one block say together. */
export interface MergedBlock {
  /** The descriptor as it would be written now. */
  readonly bytes: Uint8Array
  readonly sizeBytes: number
  readonly recordCount: number
  readonly latestUs: bigint
  /** The WAL says that the block is to be removed. */
  readonly isRemoved: boolean
}

/**
 * Lays a WAL over its base descriptor, record by record, as replay does: insert or replace. Record bytes are carried
 * over as they are, so fields that we do not know survive. `size` never shrinks below the largest end (W4, W5).
 *
 * @param walBytes only bytes that may be trusted; a torn tail ends the WAL at its last valid entry (W7)
 * @param lastFrame sequence to note in the descriptor
 */
export function mergeBlock(
  id: bigint,
  base: Descriptor | undefined,
  walBytes: Uint8Array,
  lastFrame: number | undefined,
): MergedBlock {
  const scan = scanWal(walBytes)
  const found = new FoundRecords()
  let sizeBytes = base?.sizeBytes ?? 0
  let isRemoved = false
  if (base !== undefined) {
    for (let index = 0; index < base.timestampsUs.length; index++) {
      found.take(base.bytes, base.recordFromBytes[index] as number, base.recordToBytes[index] as number)
    }
  }
  for (const { type, payloadFromBytes, payloadToBytes } of scan.entries) {
    if (type === walEntryType.removeBlock) isRemoved = true
    else if (type === walEntryType.removeRecord) found.remove(removedKey(walBytes, payloadFromBytes))
    else found.take(walBytes, payloadFromBytes, payloadToBytes)
  }
  if (found.endBytes > sizeBytes) sizeBytes = found.endBytes
  const records = found.standing()
  const bytes = spliceDescriptor({ id, sizeBytes, lastFrame, otherFields: base?.otherFields }, records)
  const { sources, latestUs } = records
  return { bytes, sizeBytes, recordCount: sources.length, latestUs: BigInt(latestUs), isRemoved }
}

/** What is said of records, in the order in which it was said. The arrays run in parallel. */
class FoundRecords {
  readonly #timesUs: ExactUs[] = []
  /** `undefined` where a record was removed. */
  readonly #sources: (Uint8Array | undefined)[] = []
  readonly #fromBytes: number[] = []
  readonly #toBytes: number[] = []
  readonly #metadataBytes: number[] = []
  /** Each time is greater than the one before, and nothing was removed. */
  #isInOrder = true
  #endBytes = 0

  /** The largest end of content, removed records included. */
  get endBytes(): number {
    return this.#endBytes
  }

  take(source: Uint8Array, fromBytes: number, toBytes: number): void {
    const { timestampUs, endBytes, state } = scanRecord(source, fromBytes, toBytes)
    if (endBytes > this.#endBytes) this.#endBytes = endBytes
    this.#push(timestampUs, source, fromBytes, toBytes, recordMetadataBytes(toBytes - fromBytes, state))
  }

  remove(timestampUs: ExactUs): void {
    this.#isInOrder = false
    this.#push(timestampUs, undefined, 0, 0, 0)
  }

  /** Ascending by time; of each time what was said last, unless that is a removal. */
  standing(): RecordRanges {
    if (!this.#isInOrder) return this.#sorted().standing()
    return {
      sources: this.#sources as Uint8Array[],
      fromBytes: this.#fromBytes,
      toBytes: this.#toBytes,
      latestUs: this.#timesUs.at(-1) ?? 0,
      metadataBytes: this.#metadataBytes.reduce((sum, bytes) => sum + bytes, 0),
    }
  }

  #sorted(): FoundRecords {
    const timesUs = this.#timesUs
    const order = Uint32Array.from(timesUs, (_, index) => index)
    order.sort((one, other) => {
      const [a, b] = [timesUs[one] as ExactUs, timesUs[other] as ExactUs]
      return a < b ? -1 : a > b ? 1 : one - other
    })
    const sorted = new FoundRecords()
    for (let place = 0; place < order.length; place++) {
      const index = order[place] as number
      const timeUs = timesUs[index] as ExactUs
      const source = this.#sources[index]
      const isLast = place === order.length - 1 || timesUs[order[place + 1] as number] !== timeUs
      if (!isLast || source === undefined) continue
      const [from, to] = [this.#fromBytes[index] as number, this.#toBytes[index] as number]
      sorted.#push(timeUs, source, from, to, this.#metadataBytes[index] as number)
    }
    return sorted
  }

  #push(
    timeUs: ExactUs,
    source: Uint8Array | undefined,
    fromBytes: number,
    toBytes: number,
    metadataBytes: number,
  ): void {
    const before = this.#timesUs.at(-1)
    if (before !== undefined && timeUs <= before) this.#isInOrder = false
    this.#timesUs.push(timeUs)
    this.#sources.push(source)
    this.#fromBytes.push(fromBytes)
    this.#toBytes.push(toBytes)
    this.#metadataBytes.push(metadataBytes)
  }
}

/** The descriptor of a cold block. @throws {StorageError} `ERR_CORRUPT` when it is missing or not what the index says */
export function checkDescriptor(
  bytes: Uint8Array | undefined,
  path: string,
  crc: bigint | undefined,
): Descriptor {
  if (bytes === undefined) throw new StorageError('ERR_CORRUPT', `descriptor ${path} is missing`, { path })
  if (crc !== undefined && crc64(bytes) !== crc) {
    throw new StorageError('ERR_CORRUPT', `descriptor ${path} does not match the checksum in the index`, {
      path,
    })
  }
  try {
    return decodeDescriptor(bytes)
  } catch (cause) {
    throw new StorageError('ERR_CORRUPT', `descriptor ${path} cannot be decoded`, { path }, cause)
  }
}

/** A block that was removed since it was listed. */
export function blockIsGone({ name, paths }: Pick<Entry, 'name' | 'paths'>, id: bigint): StorageError {
  return new StorageError('ERR_NOT_FOUND', `block ${paths.data(id)} is gone`, {
    ...name,
    path: paths.data(id),
  })
}

function removedKey(bytes: Uint8Array, atBytes: number): ExactUs {
  const timestampUs = new DataView(bytes.buffer, bytes.byteOffset + atBytes, 8).getBigUint64(0)
  return timestampUs <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(timestampUs) : timestampUs
}
