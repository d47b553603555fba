import type { FileSystem } from '../../fs/file-system.ts'
import { BucketPaths, indexName, walDirectoryName } from '../paths.ts'
import type { EntryName } from '../record.ts'
import { findWalDirectory } from './wal-directory.ts'

/** Buckets and entries as ReductStore finds them (format 1.2). */
export interface Discovery {
  readonly buckets: readonly string[]
  readonly entries: readonly EntryName[]
  /** Directories in the data root without settings: ReductStore does not start with one (W14). */
  readonly strays: readonly string[]
  /** Those of them that hold entries: buckets that have lost their settings. */
  readonly headless: readonly string[]
}

/**
 * A bucket is a directory with `bucket.settings`; an entry a directory with an index or a WAL folder, or a leaf.
 * Names are not checked: what is there is shown.
 */
export async function discover(fs: FileSystem, dataPath: string): Promise<Discovery> {
  const buckets: string[] = []
  const entries: EntryName[] = []
  const strays: string[] = []
  const headless: string[] = []
  for (const item of (await fs.list(dataPath)) ?? []) {
    if (!item.isDirectory || item.name.startsWith('.')) continue
    if ((await fs.fileBytes(new BucketPaths(dataPath, item.name).settings)) === undefined) {
      strays.push(item.name)
      if (await holdsEntries(fs, `${dataPath}/${item.name}`)) headless.push(item.name)
      continue
    }
    buckets.push(item.name)
    for (const child of await subdirectories(fs, `${dataPath}/${item.name}`)) {
      await walk(fs, `${dataPath}/${item.name}`, item.name, child, entries)
    }
  }
  entries.sort((a, b) => compare(a.bucket, b.bucket) || compare(a.entry, b.entry))
  return { buckets, entries, strays, headless }
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

async function walk(
  fs: FileSystem,
  bucketPath: string,
  bucket: string,
  entry: string,
  found: EntryName[],
): Promise<void> {
  const path = `${bucketPath}/${entry}`
  const items = (await fs.list(path)) ?? []
  const walDirectory = await findWalDirectory(fs, path, items)
  const children = items.filter(
    (item) => item.isDirectory && !item.name.startsWith('.') && `${path}/${item.name}` !== walDirectory,
  )
  const isEntry =
    children.length === 0 || items.some(({ name }) => name === indexName || name === walDirectoryName)
  if (isEntry) found.push({ bucket, entry })
  for (const child of children) await walk(fs, bucketPath, bucket, `${entry}/${child.name}`, found)
}

async function subdirectories(fs: FileSystem, path: string): Promise<string[]> {
  const items = (await fs.list(path)) ?? []
  return items.filter((item) => item.isDirectory && !item.name.startsWith('.')).map((item) => item.name)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
