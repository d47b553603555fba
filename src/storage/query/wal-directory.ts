import type { DirectoryItem, FileSystem } from '../../fs/file-system.ts'
import { indexName, legacyWalDirectoryName, parseBlockFileName, walDirectoryName } from '../paths.ts'

/**
 * Where the WALs of the entry in `directory` are: `.wal`, or `wal` as versions of ReductStore before 1.19 called it.
 * `undefined` where there is neither. A `wal` that is an entry (W29) is none: that holds more than WALs.
 * @param items what is in `directory`
 */
export async function findWalDirectory(
  fs: FileSystem,
  directory: string,
  items: readonly DirectoryItem[],
): Promise<string | undefined> {
  const has = (wanted: string): boolean =>
    items.some(({ name, isDirectory }) => isDirectory && name === wanted)
  if (has(walDirectoryName)) return `${directory}/${walDirectoryName}`
  const isEntry = items.some(({ name }) => name === indexName || parseBlockFileName(name) !== undefined)
  if (!has(legacyWalDirectoryName) || !isEntry) return undefined
  const path = `${directory}/${legacyWalDirectoryName}`
  const within = (await fs.list(path)) ?? []
  return within.every(({ name, isDirectory }) => !isDirectory && name.endsWith('.wal')) ? path : undefined
}
