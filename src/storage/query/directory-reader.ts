// CONTRACT ONLY for now.
import type { FileSystem } from '../../fs/file-system.ts'
import type { RecordReader } from '../record.ts'

/** Opens a directory for reading without lock or write: what ReductStore's own files show. @throws {StorageError} */
export function openDirectory(_fs: FileSystem, _dataPath: string): Promise<RecordReader> {
  throw new Error('not built')
}
