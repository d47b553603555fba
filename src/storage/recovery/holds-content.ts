import { crc32 } from '../../base/crc32.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import {
  decodeRecord,
  recordStateNumber,
  type DecodedRecord,
  type RecordFields,
} from '../codec/record-codec.ts'
import { scanWal, walEntryType } from '../wal/wal-codec.ts'
import { readIfThere } from './read-if-there.ts'

const PIECE_BYTES = 1024 * 1024

/**
 * Whether the data file holds the content of a record: all bytes, and those of its CRC-32. Read in pieces: a record may be
 * of any length.
 */
export async function holdsContent(
  fs: FileSystem,
  path: string,
  { beginBytes, endBytes, contentCrc32 }: Pick<RecordFields, 'beginBytes' | 'endBytes' | 'contentCrc32'>,
): Promise<boolean> {
  let computed = 0
  for (let at = beginBytes; at < endBytes; at += PIECE_BYTES) {
    const lengthBytes = Math.min(PIECE_BYTES, endBytes - at)
    const bytes = await readIfThere(fs, path, at, lengthBytes)
    if (bytes.byteLength < lengthBytes) return false
    computed = crc32(bytes, computed)
  }
  return contentCrc32 === undefined || computed === contentCrc32
}

/**
 * The finished records that these WAL entries write, and whose content the data file does not hold.
 * @param isRead of each record; otherwise only what lies behind the end of the file counts
 */
export async function recordsWithoutContent(
  fs: FileSystem,
  path: string,
  entries: Uint8Array,
  isRead: (record: DecodedRecord) => boolean,
): Promise<DecodedRecord[]> {
  const dataBytes = (await fs.fileBytes(path)) ?? 0
  const found: DecodedRecord[] = []
  for (const { type, payloadFromBytes, payloadToBytes } of scanWal(entries).entries) {
    if (type !== walEntryType.writeRecord) continue
    const record = decodeRecord(entries, payloadFromBytes, payloadToBytes)
    const { state, beginBytes, endBytes } = record
    if (state !== recordStateNumber.finished || beginBytes === endBytes) continue
    if (endBytes > dataBytes || (isRead(record) && !(await holdsContent(fs, path, record))))
      found.push(record)
  }
  return found
}
