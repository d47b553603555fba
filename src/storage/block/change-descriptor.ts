import { encodeDescriptor, type Descriptor } from '../codec/descriptor-codec.ts'
import { addContentCrc } from '../codec/record-codec.ts'
import type { BlockChange } from '../commitlog/block-change.ts'

/** CRC-32 of the content of one record of a descriptor. */
export interface RecordChecksum {
  /** Among the records of the descriptor, in the order of time. */
  readonly place: number
  readonly crc32: number
}

const CHECKSUM_BYTES = 8

/** As the log has them, see `BlockChange`. */
export function encodeChecksums(checksums: readonly RecordChecksum[]): Uint8Array {
  const bytes = new Uint8Array(checksums.length * CHECKSUM_BYTES)
  const view = new DataView(bytes.buffer)
  checksums.forEach(({ place, crc32 }, index) => {
    view.setUint32(index * CHECKSUM_BYTES, place, true)
    view.setUint32(index * CHECKSUM_BYTES + 4, crc32, true)
  })
  return bytes
}

/**
 * The descriptor of a cold block with a change made. Its size stays, everything else keeps its place. Records that it does
 * not have are passed over.
 * @param lastFrame sequence of the frame that says so
 */
export function changeDescriptor(
  descriptor: Descriptor,
  change: Extract<BlockChange, { kind: 'strip' | 'checksum' }>,
  lastFrame: number,
): Uint8Array {
  const { sizeBytes, otherFields } = descriptor
  const records =
    change.kind === 'strip'
      ? recordsWithout(descriptor, change.timestampsUs)
      : recordsWith(descriptor, change.checksums)
  return encodeDescriptor({ id: BigInt(change.blockId), sizeBytes, lastFrame, otherFields }, records)
}

/** The bytes of those that go become holes. */
function recordsWithout(descriptor: Descriptor, timestampsUs: readonly bigint[]): Uint8Array[] {
  const gone = new Set(timestampsUs)
  return recordsOf(descriptor).filter((_, place) => !gone.has(descriptor.timestampsUs[place] as bigint))
}

function recordsWith(descriptor: Descriptor, checksums: Uint8Array): Uint8Array[] {
  const records = recordsOf(descriptor)
  const view = new DataView(checksums.buffer, checksums.byteOffset, checksums.byteLength)
  for (let at = 0; at + CHECKSUM_BYTES <= checksums.byteLength; at += CHECKSUM_BYTES) {
    const place = view.getUint32(at, true)
    const record = records[place]
    if (record !== undefined) records[place] = addContentCrc(record, view.getUint32(at + 4, true))
  }
  return records
}

function recordsOf({ bytes, recordFromBytes, recordToBytes }: Descriptor): Uint8Array[] {
  return Array.from(recordFromBytes, (from, place) => bytes.subarray(from, recordToBytes[place]))
}
