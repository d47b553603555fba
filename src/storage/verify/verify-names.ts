import { readBucketSettings } from '../bucket-settings.ts'
import { isFolderOf } from '../codec/folder-codec.ts'
import { BucketPaths, storePaths } from '../paths.ts'
import type { Discovery } from '../query/discover.ts'
import type { Found } from './report.ts'
import type { Subject } from './subject.ts'

/** Buckets with their settings, and the lists of names. */
export async function verifyNames(subject: Subject, there: Discovery, found: Found): Promise<void> {
  const { fs, dataPath, isLive, damage } = subject
  const { buckets, entries, unreadable } = there
  for (const { error, ...place } of unreadable) damage.note(place, error)
  for (const bucket of buckets) {
    const { damage: error } = await readBucketSettings(fs, dataPath, bucket)
    if (error !== undefined) found('damaged', new BucketPaths(dataPath, bucket).settings, error.message)
  }
  if (isLive) return
  // Lists may name what cannot be read.
  if (unreadable.length === 0) await verifyFolder(subject, storePaths(dataPath).folder, buckets, found)
  for (const bucket of buckets) {
    if (damage.within({ bucket }) !== undefined) continue
    const names = entries.filter((name) => name.bucket === bucket).map(({ entry }) => entry)
    const path = new BucketPaths(dataPath, bucket).folder
    await damage.contain({ bucket }, () => verifyFolder(subject, path, names, found))
  }
}

/** The list of names beside what is there. One that is missing is no finding: ReductStore makes it anew. */
async function verifyFolder(
  { fs }: Subject,
  path: string,
  names: readonly string[],
  found: Found,
): Promise<void> {
  const bytes = await fs.readFile(path)
  if (bytes !== undefined && !isFolderOf(bytes, names))
    found('recoverable', path, 'does not list the directories beside it')
}
