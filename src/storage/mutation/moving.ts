import { dirname } from 'node:path'
import { atomicWrite } from '../../fs/atomic-write.ts'
import { isReadFailure, type FileSystem } from '../../fs/file-system.ts'
import type { StorePaths } from '../paths.ts'

/**
 * `.sediment/moving`, JSON: directories, relative to the root, that a rename or removal makes or may leave empty. ReductStore
 * takes an empty directory for an entry. Written before the first of them is touched; what it names goes where it is
 * empty, and nothing else.
 */
export async function noteDirectories(
  fs: FileSystem,
  paths: StorePaths,
  directories: readonly string[],
): Promise<void> {
  const relative = directories.map((path) => path.slice(paths.root.length + 1))
  const text = JSON.stringify({ directories: relative })
  await atomicWrite(fs, paths.moving, 'log', Buffer.from(`${text}\n`))
}

/** Removes what `moving` names and is empty, deepest first, and then the note. */
export async function removeEmptyDirectories(fs: FileSystem, paths: StorePaths): Promise<void> {
  await fs.unlink(`${paths.moving}.tmp`)
  const bytes = await fs.readFile(paths.moving)
  if (bytes === undefined) return
  const directories = parse(bytes).map((relative) => `${paths.root}/${relative}`)
  directories.sort((a, b) => b.length - a.length)
  for (const path of directories) {
    if (!(await isEmpty(fs, path))) continue
    // What has left it must be durable where it is now, before the place that it came from goes.
    await fs.syncDirectories([path])
    await fs.removeTree(path)
    await fs.syncDirectories([dirname(path)])
  }
  await fs.unlink(paths.moving)
}

/** What cannot be read stays where it is. */
async function isEmpty(fs: FileSystem, path: string): Promise<boolean> {
  try {
    return (await fs.list(path))?.length === 0
  } catch (error) {
    if (!isReadFailure(error)) throw error
    return false
  }
}

/** Nothing for a note that is damaged: an empty directory harms nobody. */
function parse(bytes: Uint8Array): string[] {
  try {
    const { directories } = JSON.parse(Buffer.from(bytes).toString()) as { directories?: unknown }
    if (!Array.isArray(directories)) return []
    return directories.filter(
      (path): path is string =>
        typeof path === 'string' && path.split('/').every((segment) => /^[A-Za-z0-9_$-]+$/.test(segment)),
    )
  } catch {
    return []
  }
}
