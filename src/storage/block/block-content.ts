import { crc64 } from '../../base/crc64.ts'
import { decodeDescriptor, encodeDescriptor, type Descriptor } from '../codec/descriptor-codec.ts'
import { scanRecord } from '../codec/record-codec.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
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
  const records = new Map<number | bigint, Uint8Array>()
  let sizeBytes = base?.sizeBytes ?? 0
  let isRemoved = false
  const take = (bytes: Uint8Array): void => {
    const facts = scanRecord(bytes, 0, bytes.byteLength)
    records.set(facts.timestampUs, bytes)
    if (facts.endBytes > sizeBytes) sizeBytes = facts.endBytes
  }
  if (base !== undefined) {
    for (let index = 0; index < base.timestampsUs.length; index++) {
      take(base.bytes.subarray(base.recordFromBytes[index], base.recordToBytes[index]))
    }
  }
  for (const entry of scan.entries) {
    const payload = walBytes.subarray(entry.payloadFromBytes, entry.payloadToBytes)
    if (entry.type === walEntryType.removeBlock) isRemoved = true
    else if (entry.type === walEntryType.removeRecord) records.delete(removedKey(payload))
    else take(payload)
  }
  const sorted = [...records].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  const latest = sorted.at(-1)?.[0] ?? 0
  const bytes = encodeDescriptor(
    { id, sizeBytes, lastFrame, otherFields: base?.otherFields },
    sorted.map(([, record]) => record),
  )
  return { bytes, sizeBytes, recordCount: sorted.length, latestUs: BigInt(latest), isRemoved }
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

function removedKey(payload: Uint8Array): number | bigint {
  const timestampUs = new DataView(payload.buffer, payload.byteOffset, 8).getBigUint64(0)
  return timestampUs <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(timestampUs) : timestampUs
}
