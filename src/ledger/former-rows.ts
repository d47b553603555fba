import { crc32 } from '../base/crc32.ts'
import { type DamagedGaps, type GapDisk, rowPath, unlessUnreadable } from './gap-files.ts'
import { decodeSnapshot, encodeSnapshot, type LedgerRow } from './ledger-codec.ts'

/*
 * What was known of a partition when its offsets began anew, beside its gap pages: proof of what is stored of it. Written
 * once, and never read to decide anything.
 *
 *   magic u32 "SEDR" | crc32 u32 | ledger snapshot with this row
 *
 * Integers are little-endian. The CRC-32 is of the path below the directory and of the snapshot.
 */
const MAGIC = 0x52444553
const HEADER_BYTES = 8

/** Below the directory of the ledger's own files. */
export function formerFileOf(row: LedgerRow): string {
  return `${rowPath(row)}.row`
}

export function encodeFormer(row: LedgerRow): Uint8Array {
  const snapshot = encodeSnapshot([row])
  const bytes = new Uint8Array(HEADER_BYTES + snapshot.length)
  const view = new DataView(bytes.buffer)
  bytes.set(snapshot, HEADER_BYTES)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, checksumOf(formerFileOf(row), snapshot), true)
  return bytes
}

/**
 * What a partition was before, in the order of incarnations; those that nothing was kept of are left out.
 * @param waiting of any partitions, not on disk yet
 * @param onDamaged - called for each that is there and cannot be read
 */
export async function readFormerRows(
  row: LedgerRow,
  waiting: readonly LedgerRow[],
  { fs, directory }: GapDisk,
  onDamaged: (damaged: DamagedGaps) => void,
): Promise<LedgerRow[]> {
  const found: LedgerRow[] = []
  for (let incarnation = 0; incarnation < row.incarnation; incarnation++) {
    const file = formerFileOf({ ...row, incarnation })
    const inMemory = waiting.find((other) => formerFileOf(other) === file)
    if (inMemory !== undefined) {
      found.push(inMemory)
      continue
    }
    const path = `${directory}/${file}`
    if ((await unlessUnreadable(fs.fileBytes(path))) === undefined) continue
    const bytes = await unlessUnreadable(fs.readFile(path))
    const former = bytes && decodeFormer(file, bytes)
    if (former === undefined)
      onDamaged({ path, message: 'it cannot be read: what the partition was before is not known' })
    else found.push(former)
  }
  return found
}

function decodeFormer(file: string, bytes: Uint8Array): LedgerRow | undefined {
  if (bytes.length < HEADER_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const snapshot = bytes.subarray(HEADER_BYTES)
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== checksumOf(file, snapshot))
    return undefined
  return decodeSnapshot(snapshot)[0]
}

function checksumOf(file: string, snapshot: Uint8Array): number {
  return crc32(snapshot, crc32(file))
}
