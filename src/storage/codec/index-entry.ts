import { crc64 } from '../../base/crc64.ts'
import type { Descriptor } from './descriptor-codec.ts'
import type { IndexEntry } from './index-codec.ts'

/** The index entry that a descriptor asks for. */
export function indexEntryOf(id: bigint, descriptor: Descriptor): IndexEntry {
  return {
    id,
    sizeBytes: BigInt(descriptor.sizeBytes),
    recordCount: descriptor.timestampsUs.length,
    metadataBytes: BigInt(descriptor.bytes.byteLength),
    latestUs: descriptor.timestampsUs.at(-1) ?? 0n,
    crc64: crc64(descriptor.bytes),
    ...(descriptor.corrupted ? { corrupted: true } : {}),
  }
}

/** What a block counts for in sizes and quotas: content and descriptor, not its WAL. */
export function blockBytes({ sizeBytes, metadataBytes }: IndexEntry): number {
  return Number(sizeBytes + metadataBytes)
}
