import { isReadFailure, type FileSystem } from '../fs/file-system.ts'
import { decodeBucketSettings } from './codec/settings-codec.ts'
import { unreadable } from './damage.ts'
import { StorageError } from './errors.ts'
import { defaultBucketSettings } from './options.ts'
import { BucketPaths } from './paths.ts'
import type { BucketSettings } from './record.ts'

/**
 * The settings of a bucket as its file says; with `damage` that says nothing, and they are those of new buckets, without a
 * quota: nothing is evicted by settings that are not known.
 */
export async function readBucketSettings(
  fs: FileSystem,
  dataPath: string,
  bucket: string,
): Promise<{ readonly settings: BucketSettings; readonly damage?: StorageError }> {
  const path = new BucketPaths(dataPath, bucket).settings
  const damaged = (why: string, cause?: unknown): StorageError =>
    new StorageError('ERR_CORRUPT', `${path} ${why}; ${ADVICE}`, { bucket, path }, cause)
  try {
    const bytes = await fs.readFile(path)
    if (bytes !== undefined) return { settings: decodeBucketSettings(bytes) }
    // To make new ones above entries would hide that something is gone.
    return { settings: defaultBucketSettings, damage: damaged('is missing above stored entries') }
  } catch (error) {
    if (isReadFailure(error))
      return { settings: defaultBucketSettings, damage: unreadable({ bucket }, error) }
    if (!(error instanceof StorageError)) throw error
    return { settings: defaultBucketSettings, damage: damaged(`is damaged: ${error.message}`, error) }
  }
}

const ADVICE =
  'put it back from a backup, copy bucket.settings of a bucket with the same limits and quota there, or make it anew with: sediment repair'
