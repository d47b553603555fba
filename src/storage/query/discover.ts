import { inParallel } from '../../base/in-parallel.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { Damage, type DamagedPlace } from '../damage.ts'
import { BucketPaths, VOLUME_DIRECTORY, indexName, walDirectoryName } from '../paths.ts'
import type { EntryName } from '../record.ts'
import { findWalDirectory } from './wal-directory.ts'

/** Directories that are looked at at once. */
const PARALLEL = 16

/** Buckets and entries as ReductStore finds them (format 1.2). */
export interface Discovery {
  /** `headless` ones too. */
  readonly buckets: readonly string[]
  readonly entries: readonly EntryName[]
  /** Directories in the data root without settings or entries: ReductStore does not start with one (W14). */
  readonly strays: readonly string[]
  /** Buckets that have lost their settings: they hold entries. ReductStore does not start with one either. */
  readonly headless: readonly string[]
  /** Neither in `buckets` nor in `entries`; what is below an entry of these is not known. */
  readonly unreadable: readonly DamagedPlace[]
}

/**
 * A bucket is a directory with `bucket.settings`, or with an entry of ours; an entry a directory with an index or a WAL
 * folder, or a leaf. Names are not checked: what is there is shown.
 */
export async function discover(fs: FileSystem, dataPath: string): Promise<Discovery> {
  const buckets: string[] = []
  const entries: EntryName[] = []
  const strays: string[] = []
  const headless: string[] = []
  const damage = new Damage(dataPath)
  for (const { name, isDirectory } of (await fs.list(dataPath)) ?? []) {
    if (!isDirectory || name.startsWith('.') || name === VOLUME_DIRECTORY) continue
    await damage.contain({ bucket: name }, async () => {
      const { directory, settings } = new BucketPaths(dataPath, name)
      const children = await subdirectories(fs, directory)
      if ((await fs.fileBytes(settings)) === undefined) {
        if (!(await holdsEntries(fs, directory))) {
          strays.push(name)
          return
        }
        headless.push(name)
      }
      buckets.push(name)
      await walk(fs, directory, name, children, entries, damage)
    })
  }
  entries.sort((a, b) => compare(a.bucket, b.bucket) || compare(a.entry, b.entry))
  return { buckets, entries, strays, headless, unreadable: damage.places }
}

/** Whether something below is surely an entry: one with an index and a WAL folder, as any entry of ours has them. */
async function holdsEntries(fs: FileSystem, path: string): Promise<boolean> {
  const items = (await fs.list(path)) ?? []
  const names = new Set(items.map(({ name }) => name))
  if (names.has(indexName) && names.has(walDirectoryName)) return true
  for (const { name, isDirectory } of items) {
    if (isDirectory && !name.startsWith('.') && (await holdsEntries(fs, `${path}/${name}`))) return true
  }
  return false
}

/** Level by level: as many directories as there are of one level are looked at side by side. */
async function walk(
  fs: FileSystem,
  bucketPath: string,
  bucket: string,
  children: readonly string[],
  found: EntryName[],
  damage: Damage,
): Promise<void> {
  let level = children
  while (level.length > 0) {
    const below: string[] = []
    await inParallel(PARALLEL, level, (entry) =>
      damage.contain({ bucket, entry }, async () => {
        const path = `${bucketPath}/${entry}`
        const items = (await fs.list(path)) ?? []
        const walDirectory = await findWalDirectory(fs, path, items)
        const inside = items.filter(
          (item) => item.isDirectory && !item.name.startsWith('.') && `${path}/${item.name}` !== walDirectory,
        )
        const isEntry =
          inside.length === 0 || items.some(({ name }) => name === indexName || name === walDirectoryName)
        if (isEntry) found.push({ bucket, entry })
        for (const { name } of inside) below.push(`${entry}/${name}`)
      }),
    )
    level = below
  }
}

async function subdirectories(fs: FileSystem, path: string): Promise<string[]> {
  const items = (await fs.list(path)) ?? []
  return items.filter((item) => item.isDirectory && !item.name.startsWith('.')).map((item) => item.name)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
