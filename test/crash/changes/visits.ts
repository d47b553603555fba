import { decodeDescriptor, encodeDescriptor } from '../../../src/storage/codec/descriptor-codec.ts'
import { decodeIndex, encodeIndex } from '../../../src/storage/codec/index-codec.ts'
import { indexEntryOf } from '../../../src/storage/codec/index-entry.ts'
import {
  decodeRecord,
  encodeRecord,
  recordBytes,
  type DecodedRecord,
} from '../../../src/storage/codec/record-codec.ts'
import { scanWal, walEntryType } from '../../../src/storage/wal/wal-codec.ts'
import type { SimulatedDisk } from '../../support/simulated-disk.ts'
import { saveAsServer } from '../../support/storage/save-as-server.ts'
import { DATA_PATH } from '../store-process.ts'

/** ReductStore opens a store that was closed and saves every block: what it does not know is gone. */
export function visitClosed(disk: SimulatedDisk): void {
  for (const [entry, blockIds] of filesOf(disk, /\/(\d+)\.meta$/)) saveAsServer(disk, entry, blockIds)
}

/**
 * ReductStore opens a killed store: it folds each WAL as a whole or drops it, and cuts the data file behind the last record
 * that it knows.
 * @returns false, with nothing done, where a block or its entry was being removed or moved
 */
export function visitKilled(disk: SimulatedDisk): boolean {
  const isMoving = disk
    .paths(`${DATA_PATH}/.sediment`)
    .some((path) => /\/(staged\/|moving|removed-)/.test(path))
  const found = filesOf(disk, /\/\.wal\/(\d+)\.wal$/)
  const wals = [...found].flatMap(([entry, ids]) => ids.map((id) => walOf(disk, entry, id)))
  const isChanging = wals.some((bytes) =>
    scanWal(bytes).entries.some(({ type }) => type > walEntryType.updateRecord),
  )
  const isListed = [...found.keys()].every(
    (entry) =>
      decodeIndex(disk.peek(`${DATA_PATH}/${entry}/blocks.idx`) ?? new Uint8Array(0)).verdict === 'valid',
  )
  if (isMoving || isChanging || !isListed) return false
  // The kernel had time; only the ends of the WALs are too fresh.
  disk.cutPower({ data: 'all', names: 'all' })
  for (const [entry, ids] of found) for (const id of ids) foldAsServer(disk, entry, id)
  return true
}

function foldAsServer(disk: SimulatedDisk, entry: string, id: number): void {
  const path = `${DATA_PATH}/${entry}/${id}`
  const wal = walOf(disk, entry, id)
  const { entries, ending } = scanWal(wal)
  disk.unlink(walPath(entry, id))
  if (ending !== 'marker') return
  const old = disk.peek(`${path}.meta`)
  const records = new Map<bigint, DecodedRecord>()
  let sizeBytes = 0
  if (old !== undefined) {
    const descriptor = decodeDescriptor(old)
    sizeBytes = descriptor.sizeBytes
    for (const [place, from] of descriptor.recordFromBytes.entries()) {
      const record = decodeRecord(descriptor.bytes, from, descriptor.recordToBytes[place])
      records.set(record.timestampUs, record)
    }
  }
  for (const { payloadFromBytes, payloadToBytes } of entries) {
    const record = decodeRecord(wal, payloadFromBytes, payloadToBytes)
    if (!records.has(record.timestampUs)) sizeBytes += record.endBytes - record.beginBytes
    records.set(record.timestampUs, record)
  }
  const times = [...records.keys()].sort((one, other) => (one < other ? -1 : 1))
  const saved = encodeDescriptor(
    { id: BigInt(id), sizeBytes },
    times.map((timestampUs) => asServer(records.get(timestampUs) as DecodedRecord)),
  )
  disk.putFile(`${path}.meta`, saved)
  const data = new Uint8Array(sizeBytes)
  data.set((disk.peek(`${path}.blk`) ?? new Uint8Array(0)).subarray(0, sizeBytes))
  disk.putFile(`${path}.blk`, data)
  const indexPath = `${DATA_PATH}/${entry}/blocks.idx`
  const { entries: listed } = decodeIndex(disk.peek(indexPath) as Uint8Array)
  listed.set(BigInt(id), indexEntryOf(BigInt(id), decodeDescriptor(saved)))
  const sorted = [...listed.values()].sort((one, other) => (one.id < other.id ? -1 : 1))
  disk.putFile(indexPath, encodeIndex(sorted.map((one) => ({ ...one, hasChecksums: undefined }))).bytes)
}

function asServer(record: DecodedRecord): Uint8Array {
  const theirs = { ...record, timestampUs: Number(record.timestampUs), contentCrc32: undefined }
  const bytes = new Uint8Array(recordBytes(theirs))
  encodeRecord(bytes, 0, theirs)
  return bytes
}

/** Block ids by entry, of files that match. */
function filesOf(disk: SimulatedDisk, pattern: RegExp): Map<string, number[]> {
  const found = new Map<string, number[]>()
  for (const path of disk.paths(DATA_PATH)) {
    const match = path.startsWith(`${DATA_PATH}/.`) ? null : pattern.exec(path)
    if (match === null) continue
    const entry = path.slice(DATA_PATH.length + 1, match.index)
    found.set(entry, [...(found.get(entry) ?? []), Number(match[1])])
  }
  return found
}

function walPath(entry: string, id: number): string {
  return `${DATA_PATH}/${entry}/.wal/${id}.wal`
}

function walOf(disk: SimulatedDisk, entry: string, id: number): Uint8Array {
  return disk.peek(walPath(entry, id)) as Uint8Array
}
