import type { ReadOnlyFiles } from './files.ts'

/** Buckets that ReductStore finds: every directory without a dot in front. */
export function findBuckets(files: ReadOnlyFiles): string[] {
  return subdirectories(files, '')
}

/**
 * Entries that ReductStore finds below a bucket, as paths relative to it: directories that hold an index or no
 * directory. A `wal` directory beside no `.wal` is a log folder of versions before 1.19.
 */
export function findEntries(files: ReadOnlyFiles, bucket: string): string[] {
  const found: string[] = []
  const walk = (path: string): void => {
    const names = files.list(path)
    const hasWalDirectory = names.includes('.wal/')
    const below = subdirectories(files, path).filter((name) => name !== 'wal' || hasWalDirectory)
    if (path !== bucket && (names.includes('blocks.idx') || below.length === 0))
      found.push(path.slice(bucket.length + 1))
    for (const name of below) walk(`${path}/${name}`)
  }
  walk(bucket)
  return found.sort()
}

function subdirectories(files: ReadOnlyFiles, path: string): string[] {
  return files
    .list(path)
    .filter((name) => name.endsWith('/') && !name.startsWith('.'))
    .map((name) => name.slice(0, -1))
}
