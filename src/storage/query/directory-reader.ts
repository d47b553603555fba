import type { Clock } from '../../base/clock.ts'
import { loadCrc64 } from '../../base/crc64.ts'
import { isReadFailure, type FileSystem } from '../../fs/file-system.ts'
import { readBucketSettings } from '../bucket-settings.ts'
import { Damage, unreadable } from '../damage.ts'
import { StorageError } from '../errors.ts'
import { isAttachment, storePaths } from '../paths.ts'
import type {
  BatchOptions,
  EntryInfo,
  EntryName,
  ListOptions,
  RecordReader,
  StoredRecord,
  ReadOptions,
} from '../record.ts'
import { readFormat, requireStore } from '../store-files.ts'
import { discover } from './discover.ts'
import { entryInfo } from './entry-info.ts'
import { Follower, type DirectorySource, type FollowerOptions } from './follower.ts'
import { getRecord } from './get-record.ts'
import { readBatches } from './read-batches.ts'

/**
 * Opens a directory for reading without lock or write: what ReductStore's own files show, WALs included. Also of a
 * directory that a writer is changing, Sediment or ReductStore: each call looks anew, and none shows less than one before
 * it, but for what was removed.
 * @param clock for pauses where a writer is in the middle of something; without it the next look follows at once
 * @throws {StorageError} `ERR_NOT_A_STORE` when there is no such directory, or nothing of a store in it, `ERR_FORMAT` when a newer release wrote it
 */
export async function openDirectory(
  fs: FileSystem,
  dataPath: string,
  clock?: Pick<Clock, 'sleep'>,
): Promise<RecordReader> {
  await loadCrc64()
  await requireStore(fs, dataPath)
  const format = await readFormat(fs, storePaths(dataPath)).catch((error: unknown) => {
    // What is damaged is verify's to tell: buckets can be read without it.
    if (error instanceof StorageError && error.code === 'ERR_FORMAT') throw error
    return 'damaged' as const
  })
  return new DirectoryReader(
    fs,
    dataPath,
    new Follower({ fs, dataPath, isForeign: format === undefined, clock }),
  )
}

class DirectoryReader implements RecordReader {
  readonly #fs: FileSystem
  readonly #dataPath: string
  readonly #follower: Follower

  constructor(fs: FileSystem, dataPath: string, follower: Follower) {
    this.#fs = fs
    this.#dataPath = dataPath
    this.#follower = follower
  }

  async entries({ attachments = false, onDamaged }: ListOptions = {}): Promise<EntryInfo[]> {
    const { buckets, entries, unreadable } = await discover(this.#fs, this.#dataPath)
    const listed = entries.filter((name) => attachments || !isAttachment(name))
    const infos: EntryInfo[] = []
    const damage = new Damage(this.#dataPath)
    for (const { error, ...place } of unreadable) damage.note(place, error)
    for (const name of listed) {
      const source = await damage.contain(name, () => this.#follower.source(name))
      if (source?.isThere === true) infos.push(entryInfo(source))
    }
    if (onDamaged === undefined) return infos
    for (const bucket of buckets) {
      const { damage: error } = await readBucketSettings(this.#fs, this.#dataPath, bucket)
      if (error !== undefined) onDamaged({ bucket, error })
    }
    for (const place of damage.places) onDamaged(place)
    return infos
  }

  async get(name: EntryName, timestampUs: bigint): Promise<StoredRecord | undefined> {
    return getRecord(this.#fs, await this.#source(name), timestampUs)
  }

  async *records(name: EntryName, options?: ReadOptions): AsyncGenerator<StoredRecord> {
    for await (const batch of this.batches(name, options)) yield* batch
  }

  async *batches(name: EntryName, options?: BatchOptions): AsyncGenerator<readonly StoredRecord[]> {
    yield* readBatches(this.#fs, await this.#source(name), options)
  }

  /** @throws {StorageError} `ERR_CORRUPT` where the entry cannot be read */
  async #source(name: EntryName): Promise<DirectorySource> {
    try {
      return await this.#follower.source(name)
    } catch (error) {
      throw isReadFailure(error) ? unreadable(name, error) : error
    }
  }
}

/**
 * The blocks of an entry by its files alone: index or descriptors, and a WAL for each block that has one.
 * @param options as a follower takes them
 */
export function directorySource(
  fs: FileSystem,
  dataPath: string,
  name: EntryName,
  options: Pick<FollowerOptions, 'isForeign' | 'isAlone' | 'clock'>,
): Promise<DirectorySource> {
  return new Follower({ fs, dataPath, ...options }).source(name)
}
