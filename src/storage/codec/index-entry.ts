import { crc64 } from '../../base/crc64.ts'
import type { Descriptor } from './descriptor-codec.ts'
import type { IndexEntry } from './index-codec.ts'
import { lacksContentCrc } from './scan-record.ts'

/** The index entry that a descriptor asks for. */
export function indexEntryOf(id: bigint, descriptor: Descriptor): IndexEntry {
  return {
    ...openIndexEntryOf(id, descriptor),
    crc64: crc64(descriptor.bytes),
    ...(descriptor.corrupted ? { corrupted: true } : {}),
    ...(hasAllChecksums(descriptor) ? { hasChecksums: true } : {}),
  }
}

/** Whether every finished record has the CRC-32 of its content. */
function hasAllChecksums({ bytes, recordFromBytes, recordToBytes }: Descriptor): boolean {
  return recordFromBytes.every((from, index) => !lacksContentCrc(bytes, from, recordToBytes[index] as number))
}

/** The same without CRC: of a block with a WAL, merged into its descriptor. */
export function openIndexEntryOf(id: bigint, { bytes, sizeBytes, timestampsUs }: Descriptor): IndexEntry {
  return {
    id,
    sizeBytes: BigInt(sizeBytes),
    recordCount: timestampsUs.length,
    metadataBytes: BigInt(bytes.byteLength),
    latestUs: timestampsUs.at(-1) ?? 0n,
  }
}

/** What a block counts for in sizes and quotas: content and descriptor, not its WAL. */
export function blockBytes({ sizeBytes, metadataBytes }: IndexEntry): number {
  return Number(sizeBytes + metadataBytes)
}

/**
 * For a block of ours whose descriptor cannot be used, where no index lists it any more: its id stays taken, so that no block
 * is begun over its data, and whoever needs its records is told.
 */
export function lostIndexEntry(id: bigint, descriptor: Uint8Array): IndexEntry {
  const metadataBytes = BigInt(descriptor.byteLength)
  return { id, sizeBytes: 0n, recordCount: 0, metadataBytes, latestUs: id, crc64: crc64(descriptor) }
}
