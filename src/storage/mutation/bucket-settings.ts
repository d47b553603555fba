import type { Bucket } from '../bucket.ts'
import { checkBucketName, type Catalogue } from '../catalogue.ts'
import { StorageError } from '../errors.ts'
import type { BucketInfo, BucketSettings } from '../record.ts'
import type { RelocationContext } from './relocate.ts'

type Context = Pick<RelocationContext, 'exclusive' | 'catalogue'>

/** @throws {StorageError} `ERR_EXISTS`, `ERR_INVALID`, `ERR_NOT_A_STORE` when something else has the name */
export async function createBucket(
  { exclusive, catalogue }: Context,
  name: string,
  settings: BucketSettings,
): Promise<void> {
  checkBucketName(name)
  checkSettings(settings)
  await exclusive(async () => {
    const damage = catalogue.unreadable({ bucket: name })
    if (damage !== undefined) throw damage
    if (catalogue.bucket(name) !== undefined)
      throw new StorageError('ERR_EXISTS', `there is a bucket ${name} already`, { bucket: name })
    await catalogue.makeBucket(name, settings)
  })
}

/** @returns the settings as they are now @throws {StorageError} `ERR_NOT_FOUND`, `ERR_INVALID` */
export function changeSettings(
  { exclusive, catalogue }: Context,
  name: string,
  changes: Partial<BucketSettings>,
): Promise<BucketSettings> {
  return exclusive(async () => {
    catalogue.requireSound({ bucket: name })
    const bucket = requireBucket(catalogue, name)
    const settings = { ...bucket.settings, ...changes }
    checkSettings(settings)
    await catalogue.changeSettings(bucket, settings)
    return settings
  })
}

/** Sorted by name; those without settings of their own, because these are damaged, are left out. */
export function listBuckets(catalogue: Catalogue): BucketInfo[] {
  const oldest = new Map<string, bigint>()
  for (const entry of catalogue.entries) {
    const first = entry.isAttachment ? undefined : entry.index.at(0)?.id
    const known = oldest.get(entry.name.bucket)
    if (first !== undefined && (known === undefined || first < known)) oldest.set(entry.name.bucket, first)
  }
  return [...catalogue.buckets]
    .filter(({ damage }) => damage === undefined)
    .map(({ name, settings, usedBytes }) => ({ name, settings, usedBytes, oldestUs: oldest.get(name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** @throws {StorageError} `ERR_NOT_FOUND` */
export function requireBucket(catalogue: Catalogue, name: string): Bucket {
  const bucket = catalogue.bucket(name)
  if (bucket !== undefined) return bucket
  throw new StorageError('ERR_NOT_FOUND', `there is no bucket ${name}`, { bucket: name })
}

function checkSettings({ blockBytesMax, blockRecordsMax, quota }: BucketSettings): void {
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1
  if (!isCount(blockBytesMax)) throw invalid(`block size ${blockBytesMax}`)
  if (!isCount(blockRecordsMax)) throw invalid(`limit of ${blockRecordsMax} records a block`)
  if (quota.kind !== 'none' && !isCount(quota.bytes)) throw invalid(`quota of ${quota.bytes} bytes`)
}

function invalid(what: string): StorageError {
  return new StorageError('ERR_INVALID', `a ${what} is not a whole number from 1 on`)
}
