import { decodeDescriptor, encodeDescriptor } from '../../../src/storage/codec/descriptor-codec.ts'
import { decodeRecord, encodeRecord, recordBytes } from '../../../src/storage/codec/record-codec.ts'
import { scanWal } from '../../../src/storage/wal/wal-codec.ts'
import type { SimulatedDisk } from '../simulated-disk.ts'

/**
 * Leaves one block of a killed store as ReductStore does: saved without our fields, and without the WAL, of which it has read
 * the records that `isKept` takes. It cuts the data file behind them. The disk is restarted for it.
 */
export async function visitBlock(
  disk: SimulatedDisk,
  entry: string,
  blockId: number,
  isKept: (timestampUs: number) => boolean,
  isCut: boolean,
): Promise<void> {
  const fs = disk.restart()
  const path = `/data/${entry}/${blockId}`
  const walPath = `/data/${entry}/.wal/${blockId}.wal`
  const old = disk.peek(`${path}.meta`)
  const wal = disk.peek(walPath) ?? new Uint8Array(0)
  const saved = old === undefined ? undefined : decodeDescriptor(old)
  const all = [
    ...[...(saved?.recordFromBytes ?? [])].map((from, index) =>
      decodeRecord(saved!.bytes, from, saved!.recordToBytes[index]),
    ),
    ...scanWal(wal).entries.map((found) => decodeRecord(wal, found.payloadFromBytes, found.payloadToBytes)),
  ]
  // Of the same time, the last counts.
  const byTime = new Map(all.map((record) => [record.timestampUs, record]))
  const records = [...byTime.values()].filter(({ timestampUs }) => isKept(Number(timestampUs)))
  const sizeBytes = Math.max(0, ...records.map(({ endBytes }) => endBytes))
  const encoded = records.map((fields) => {
    const theirs = { ...fields, timestampUs: Number(fields.timestampUs), contentCrc32: undefined }
    const target = new Uint8Array(recordBytes(theirs))
    encodeRecord(target, 0, theirs)
    return target
  })
  disk.putFile(`${path}.meta`, encodeDescriptor({ id: BigInt(blockId), sizeBytes }, encoded))
  if (isCut) disk.putFile(`${path}.blk`, disk.peek(`${path}.blk`)!.slice(0, sizeBytes))
  await fs.unlink(walPath)
}
