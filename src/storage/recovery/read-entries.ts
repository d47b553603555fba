import { crc32 } from '../../base/crc32.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { StorageError } from '../errors.ts'
import type { LoggedItem } from './facts.ts'

/**
 * The WAL entries of `item`, from the log file.
 * @throws {StorageError} `ERR_CORRUPT` when they are not what they were when their frame was verified
 */
export async function readEntries(fs: Pick<FileSystem, 'read'>, item: LoggedItem): Promise<Uint8Array> {
  const { logPath: path, entriesInLogBytes: atBytes, entriesBytes, entriesCrc32 } = item
  const entries = await fs.read(path, atBytes, entriesBytes)
  if (entries.byteLength < entriesBytes || crc32(entries) !== entriesCrc32) {
    throw new StorageError('ERR_CORRUPT', `${path}: group ${item.sequence} has changed`, { path, atBytes })
  }
  return entries
}
