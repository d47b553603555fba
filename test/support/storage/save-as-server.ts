import { decodeDescriptor, encodeDescriptor } from '../../../src/storage/codec/descriptor-codec.ts'
import { decodeIndex, encodeIndex } from '../../../src/storage/codec/index-codec.ts'
import { indexEntryOf } from '../../../src/storage/codec/index-entry.ts'
import { decodeRecord, encodeRecord, recordBytes } from '../../../src/storage/codec/record-codec.ts'
import type { SimulatedDisk } from '../simulated-disk.ts'

/**
 * Saves these blocks of an entry of a closed store as ReductStore does: the fields that it does not know are gone, from
 * the descriptors and from the whole index. Their last records may be `removed`.
 */
export function saveAsServer(
  disk: SimulatedDisk,
  entry: string,
  blockIds: readonly number[],
  removed = 0,
): void {
  const indexPath = `/data/${entry}/blocks.idx`
  const { entries } = decodeIndex(disk.peek(indexPath)!)
  for (const id of blockIds) {
    const path = `/data/${entry}/${id}.meta`
    const { bytes, sizeBytes, recordFromBytes, recordToBytes } = decodeDescriptor(disk.peek(path)!)
    const records = Array.from(recordFromBytes, (from, index) => {
      const record = decodeRecord(bytes, from, recordToBytes[index])
      const theirs = { ...record, timestampUs: Number(record.timestampUs), contentCrc32: undefined }
      const target = new Uint8Array(recordBytes(theirs))
      encodeRecord(target, 0, theirs)
      return target
    }).slice(0, recordFromBytes.length - removed)
    const saved = encodeDescriptor({ id: BigInt(id), sizeBytes }, records)
    disk.putFile(path, saved)
    entries.set(BigInt(id), indexEntryOf(BigInt(id), decodeDescriptor(saved)))
  }
  const listed = [...entries.values()].map((one) => ({ ...one, hasChecksums: undefined }))
  disk.putFile(indexPath, encodeIndex(listed.sort((a, b) => (a.id < b.id ? -1 : 1))).bytes)
}
