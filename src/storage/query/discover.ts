import { inParallel } from '../../base/in-parallel.ts'
import type { DirectoryItem, FileSystem } from '../../fs/file-system.ts'
import { Damage, type DamagedPlace } from '../damage.ts'
import { BucketPaths, VOLUME_DIRECTORY, indexName, parseBlockFileName, walDirectoryName } from '../paths.ts'
import { StorageError } from '../errors.ts'
import type { EntryName } from '../record.ts'
import { findWalDirectory } from './wal-directory.ts'

/** Directories that are looked at at once. */
const PARALLEL = 16
/** Of one entry; more are not kept. */
const KEPT_ITEMS_MAX = 32

/** Buckets and entries as ReductStore finds them (format 1.2). */
export interface Discovery {
  /** `headless` ones too. */
  readonly buckets: readonly string[]
  readonly entries: readonly EntryName[]
  /** What is in the directory of an entry, in the order of `entries`; `undefined` where that is much. */
  readonly items: readonly (readonly DirectoryItem[] | undefined)[]
  /**
   * Paths, below the root, of directories that are neither bucket nor entry: in the root without settings or entries,
   * where ReductStore does not start with one (W14); in a bucket with other things only, which it takes for an empty
   * entry. Nothing is written there.
   */
  readonly strays: readonly string[]
  /** Buckets that have lost their settings: they hold entries. ReductStore does not start with one either. */
  readonly headless: readonly string[]
  /** Neither in `buckets` nor in `entries`; what is below an entry of these is not known. */
  readonly unreadable: readonly DamagedPlace[]
}

/**
 * A bucket is a directory with `bucket.settings`, or with an entry of ours; an entry a directory with an index or a WAL
 * folder, or a leaf that is empty or has files of blocks. Names are not checked: what is there is shown.
 */
export async function discover(fs: FileSystem, dataPath: string): Promise<Discovery> {
  const buckets: string[] = []
  const entries: FoundEntry[] = []
  const strays: string[] = []
  const headless: string[] = []
  const damage = new Damage(dataPath)
  for (const item of (await fs.list(dataPath)) ?? []) {
    const { name, isDirectory } = item
    if (!isDirectory || name.startsWith('.') || name === VOLUME_DIRECTORY) continue
    await damage.contain({ bucket: name }, async () => {
      const { directory, settings } = new BucketPaths(dataPath, name)
      refuseLinkWithin(directory, 0, item)
      const children = await subdirectories(fs, directory)
      if ((await fs.fileBytes(settings)) === undefined) {
        if (!(await holdsEntries(fs, directory))) {
          strays.push(name)
          return
        }
        headless.push(name)
      }
      buckets.push(name)
      await walk(fs, directory, name, children, { entries, strays, damage })
    })
  }
  entries.sort(({ name: a }, { name: b }) => compare(a.bucket, b.bucket) || compare(a.entry, b.entry))
  const items = entries.map((entry) => entry.items)
  return {
    buckets,
    entries: entries.map(({ name }) => name),
    items,
    strays,
    headless,
    unreadable: damage.places,
  }
}

interface FoundEntry {
  readonly name: EntryName
  readonly items: readonly DirectoryItem[] | undefined
}

/** Whether something below is surely an entry: one with an index and a WAL folder, as any entry of ours has them. */
async function holdsEntries(fs: FileSystem, path: string): Promise<boolean> {
  const items = (await fs.list(path)) ?? []
  const names = new Set(items.map(({ name }) => name))
  if (names.has(indexName) && names.has(walDirectoryName)) return true
  for (const { name, isDirectory, link } of items) {
    if (link !== undefined) continue
    if (isDirectory && !name.startsWith('.') && (await holdsEntries(fs, `${path}/${name}`))) return true
  }
  return false
}

/**
 * A symbolic link out of the data directory stands for what is there; one to a place in it would show, and store, the same
 * files under two names, and one to a place above it would never end.
 * @param depth of the directory that `item` is listed in, below the root
 */
function refuseLinkWithin(path: string, depth: number, { link }: DirectoryItem): void {
  if (link?.to === undefined) return
  const way = link.to.split('/')
  const up = way.filter((step) => step === '..').length
  if (up > depth && up < way.length) return
  throw new StorageError('ERR_CORRUPT', `${path} is a symbolic link into the data directory, or above it`, {
    path,
  })
}

/** Level by level: as many directories as there are of one level are looked at side by side. */
async function walk(
  fs: FileSystem,
  bucketPath: string,
  bucket: string,
  children: readonly DirectoryItem[],
  found: { readonly entries: FoundEntry[]; readonly strays: string[]; readonly damage: Damage },
): Promise<void> {
  let level = children
  while (level.length > 0) {
    const below: DirectoryItem[] = []
    await inParallel(PARALLEL, level, (item) => {
      const { name: entry } = item
      return found.damage.contain({ bucket, entry }, async () => {
        const path = `${bucketPath}/${entry}`
        refuseLinkWithin(path, entry.split('/').length, item)
        const items = (await fs.list(path)) ?? []
        const walDirectory = await findWalDirectory(fs, path, items)
        const inside = items.filter(
          (item) => item.isDirectory && !item.name.startsWith('.') && `${path}/${item.name}` !== walDirectory,
        )
        const isMarked = items.some(({ name }) => name === indexName || name === walDirectoryName)
        const kept = items.length <= KEPT_ITEMS_MAX ? items : undefined
        if (isMarked || (inside.length === 0 && !isForeign(items)))
          found.entries.push({ name: { bucket, entry }, items: kept })
        else if (inside.length === 0) found.strays.push(`${bucket}/${entry}`)
        for (const child of inside) below.push({ ...child, name: `${entry}/${child.name}` })
      })
    })
    level = below
  }
}

/** What is wrong with a stray. */
export function strayMessage(stray: string): string {
  return stray.includes('/')
    ? 'directory of other things in a bucket: ReductStore takes it for an entry'
    : 'directory without bucket.settings: ReductStore does not start'
}

/** Whether a leaf without index and WALs holds other things only. One that a crash has left is empty. */
function isForeign(items: readonly DirectoryItem[]): boolean {
  const files = items.filter(({ name, isDirectory }) => !isDirectory && !name.startsWith('.'))
  const isOfBlock = (name: string): boolean =>
    parseBlockFileName(name.replace(/\.tmp$/, '')) !== undefined || name.startsWith(indexName)
  return files.length > 0 && !files.some(({ name }) => isOfBlock(name))
}

async function subdirectories(fs: FileSystem, path: string): Promise<DirectoryItem[]> {
  const items = (await fs.list(path)) ?? []
  return items.filter((item) => item.isDirectory && !item.name.startsWith('.'))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
