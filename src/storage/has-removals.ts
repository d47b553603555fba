import type { FileSystem } from '../fs/file-system.ts'
import { readBucketSettings } from './bucket-settings.ts'
import { storePaths } from './paths.ts'

/**
 * Whether a record that is missing may have been removed or evicted: `.sediment/removals` is there, or a bucket lets blocks
 * go. ReductStore evicts without a trace.
 */
export async function hasRemovals(
  fs: FileSystem,
  dataPath: string,
  buckets: readonly string[],
): Promise<boolean> {
  if ((await fs.fileBytes(storePaths(dataPath).removals)) !== undefined) return true
  for (const bucket of buckets) {
    const { settings, damage } = await readBucketSettings(fs, dataPath, bucket)
    // Damaged ones may have said so.
    if (damage !== undefined || settings.quota.kind === 'fifo') return true
  }
  return false
}
