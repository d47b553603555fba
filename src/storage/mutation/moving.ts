import { dirname } from 'node:path'
import { atomicWrite } from '../../fs/atomic-write.ts'
import { isReadFailure, type FileSystem } from '../../fs/file-system.ts'
import type { StorePaths } from '../paths.ts'

/**
 * `.sediment/moving`, JSON: directories, relative to the root, that a rename or removal takes a name from, gives one to,
 * makes, or may leave empty. ReductStore takes an empty directory for an entry. Written before the first of them is
 * touched; what it names goes where it is empty, and nothing else.
 */
export async function noteDirectories(
  fs: FileSystem,
  paths: StorePaths,
  directories: readonly string[],
): Promise<void> {
  const below = directories.filter((path) => path.startsWith(`${paths.root}/`) && path !== paths.sediment)
  const relative = Array.from(new Set(below), (path) => path.slice(paths.root.length + 1))
  const text = JSON.stringify({ directories: relative })
  await atomicWrite(fs, paths.moving, 'log', Buffer.from(`${text}\n`))
}

/**
 * Makes the move durable, as far as it has come, removes what `moving` names and is empty, durably, and then the note. The
 * work of a process that was killed may be in the page cache only, with nothing left here to do.
 */
export async function settleMove(fs: FileSystem, paths: StorePaths): Promise<void> {
  await fs.unlink(`${paths.moving}.tmp`)
  const bytes = await fs.readFile(paths.moving)
  if (bytes === undefined) return
  const directories = parse(bytes).map((relative) => `${paths.root}/${relative}`)
  directories.sort((a, b) => b.length - a.length)
  const touched = new Set([
    ...directories,
    ...directories.map((path) => dirname(path)),
    paths.root,
    paths.sediment,
  ])
  // What has left a directory must be durable where it is now, before the place that it came from goes.
  await syncThere(fs, touched)
  for (const path of directories) if ((await itemCount(fs, path)) === 0) await fs.removeTree(path)
  await syncThere(fs, touched)
  await fs.unlink(paths.moving)
}

async function syncThere(fs: FileSystem, directories: ReadonlySet<string>): Promise<void> {
  const isThere: string[] = []
  for (const path of directories) if ((await itemCount(fs, path)) !== undefined) isThere.push(path)
  await fs.syncDirectories(isThere)
}

/** `undefined` where there is no directory, or none that can be read: it stays as it is. */
async function itemCount(fs: FileSystem, path: string): Promise<number | undefined> {
  try {
    return (await fs.list(path))?.length
  } catch (error) {
    if (!isReadFailure(error)) throw error
    return undefined
  }
}

/** Nothing for a note that is damaged: an empty directory harms nobody. */
function parse(bytes: Uint8Array): string[] {
  try {
    const { directories } = JSON.parse(Buffer.from(bytes).toString()) as { directories?: unknown }
    if (!Array.isArray(directories)) return []
    return directories.filter(
      (path): path is string => typeof path === 'string' && path.split('/').every(isNameOfDirectory),
    )
  } catch {
    return []
  }
}

/** Names that ReductStore would not give are tolerated; none leads out of the data directory. */
function isNameOfDirectory(segment: string): boolean {
  return !['', '.', '..'].includes(segment) && !segment.includes('\0')
}
