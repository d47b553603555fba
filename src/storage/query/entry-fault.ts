import type { FileSystem } from '../../fs/file-system.ts'
import type { StorageError } from '../errors.ts'
import { unreadable } from '../damage.ts'
import { EntryPaths, directoriesUpTo } from '../paths.ts'
import type { EntryName } from '../record.ts'

/**
 * What is in the place of the entry's directories though it is none; a directory that is not there is no fault.
 * @throws {FileSystemError} where one cannot be read
 */
export async function entryFault(
  fs: FileSystem,
  dataPath: string,
  name: EntryName,
): Promise<StorageError | undefined> {
  const { walDirectory } = new EntryPaths(dataPath, name)
  for (const path of directoriesUpTo(dataPath, walDirectory).slice(0, -1)) {
    if ((await fs.list(path)) !== undefined) return undefined
    if ((await fs.fileBytes(path)) !== undefined)
      return unreadable(name, { path, message: `${path} is not a directory` })
  }
  return undefined
}
