import { missingSettings } from '../catalogue.ts'
import { isFolderOf } from '../codec/folder-codec.ts'
import { decodeBucketSettings } from '../codec/settings-codec.ts'
import { BucketPaths, storePaths } from '../paths.ts'
import type { Discovery } from '../query/discover.ts'
import type { Found } from './report.ts'
import { messageOf, type Subject } from './subject.ts'

/** Buckets with their settings, directories that are none, and the lists of names. */
export async function verifyNames(subject: Subject, there: Discovery, found: Found): Promise<void> {
  const { fs, dataPath, isLive } = subject
  const { buckets, entries, strays, headless } = there
  for (const bucket of headless) {
    const path = new BucketPaths(dataPath, bucket).settings
    found('damaged', path, missingSettings(path).message)
  }
  for (const stray of strays.filter((name) => !headless.includes(name))) {
    found(
      'recoverable',
      `${dataPath}/${stray}`,
      'directory without bucket.settings: ReductStore does not start',
    )
  }
  for (const bucket of buckets) {
    const path = new BucketPaths(dataPath, bucket).settings
    try {
      decodeBucketSettings((await fs.readFile(path)) ?? new Uint8Array(0))
    } catch (error) {
      found('damaged', path, messageOf(error))
    }
  }
  if (isLive) return
  await verifyFolder(subject, storePaths(dataPath).folder, buckets, found)
  for (const bucket of buckets) {
    const names = entries.filter((name) => name.bucket === bucket).map(({ entry }) => entry)
    await verifyFolder(subject, new BucketPaths(dataPath, bucket).folder, names, found)
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
