import { assert } from '../base/assert.ts'
import { inParallel } from '../base/in-parallel.ts'
import type { Logger } from '../base/logger.ts'
import { atomicWrite } from '../fs/atomic-write.ts'
import type { FileSystem, WriteOp } from '../fs/file-system.ts'
import { writeAll } from '../fs/write-all.ts'
import { BlockIndex } from './block/block-index.ts'
import { IndexFile } from './block/index-file.ts'
import { decodeIndex } from './codec/index-codec.ts'
import { encodeFolder, isFolderOf } from './codec/folder-codec.ts'
import { decodeBucketSettings, encodeCheckedBucketSettings } from './codec/settings-codec.ts'
import { Bucket } from './bucket.ts'
import { Entry } from './entry.ts'
import { StorageError } from './errors.ts'
import {
  BucketPaths,
  EntryPaths,
  directoriesUpTo,
  isBucketName,
  isRemovedName,
  isEntryName,
  type StorePaths,
} from './paths.ts'
import { discover } from './query/discover.ts'
import { listBlocks } from './query/list-blocks.ts'
import type { BucketSettings, EntryName } from './record.ts'

/** Entries that are made or read at once. */
const PARALLEL = 16
/** Directories synced by one call, so that a slow disk is seen to get on. */
const SYNCED_AT_ONCE = 512

/** Buckets and entries of an open store: found at the start, made on demand. */
export class Catalogue {
  readonly #fs: FileSystem
  readonly #paths: StorePaths
  readonly #logger: Logger
  readonly #settingsOfNew: (bucket: string) => BucketSettings
  readonly #buckets = new Map<string, Bucket>()
  readonly #entries = new Map<string, Entry>()
  /** By the identity of the caller's name object; the fast way. */
  #byIdentity = new WeakMap<EntryName, Entry>()

  constructor(options: {
    fs: FileSystem
    paths: StorePaths
    logger: Logger
    settingsOfNew: (bucket: string) => BucketSettings
  }) {
    this.#fs = options.fs
    this.#paths = options.paths
    this.#logger = options.logger
    this.#settingsOfNew = options.settingsOfNew
  }

  /**
   * Reads settings and indexes; an index that is missing or damaged is rebuilt from the descriptors.
   * @throws {StorageError} `ERR_CORRUPT` where settings are damaged, or missing above entries
   */
  async load(): Promise<void> {
    await this.#removeLeftovers()
    const { buckets, entries, strays, headless } = await discover(this.#fs, this.#paths.root)
    for (const bucket of headless) throw missingSettings(new BucketPaths(this.#paths.root, bucket).settings)
    for (const stray of strays) {
      this.#logger.warn(
        { directory: stray },
        'directory without bucket.settings ignored: ReductStore does not start with it',
      )
    }
    for (const bucket of buckets) {
      await this.#loadBucket(bucket)
    }
    await inParallel(PARALLEL, entries, (name) => this.#loadEntry(name))
    await this.#mendFolders()
  }

  async #loadBucket(name: string): Promise<void> {
    const path = new BucketPaths(this.#paths.root, name).settings
    const settings = readSettings(path, (await this.#fs.readFile(path)) ?? new Uint8Array(0))
    this.#buckets.set(name, new Bucket(name, settings))
  }

  /** A crash may come between a name and the list of names. */
  async #mendFolders(): Promise<void> {
    const mend = async (path: string, names: string[]): Promise<void> => {
      const bytes = await this.#fs.readFile(path)
      if (bytes === undefined || isFolderOf(bytes, names)) return
      await atomicWrite(this.#fs, path, 'descriptor', encodeFolder(names.sort()))
    }
    await mend(this.#paths.folder, [...this.#buckets.keys()])
    for (const bucket of this.#buckets.keys())
      await mend(new BucketPaths(this.#paths.root, bucket).folder, this.#entriesOf(bucket))
  }

  /** What was interrupted: buckets that have not appeared, folder lists, what was removed. */
  async #removeLeftovers(): Promise<void> {
    await this.#fs.unlink(`${this.#paths.folder}.tmp`)
    for (const item of (await this.#fs.list(this.#paths.sediment)) ?? []) {
      if (item.isDirectory && (item.name.startsWith('new-') || isRemovedName(item.name)))
        await this.#fs.removeTree(`${this.#paths.sediment}/${item.name}`)
    }
    for (const item of (await this.#fs.list(this.#paths.root)) ?? []) {
      if (!item.isDirectory || item.name.startsWith('.')) continue
      const bucket = new BucketPaths(this.#paths.root, item.name)
      await this.#fs.unlink(`${bucket.folder}.tmp`)
      await this.#fs.unlink(`${bucket.settings}.tmp`)
    }
  }

  get entries(): Iterable<Entry> {
    return this.#entries.values()
  }

  get buckets(): Iterable<Bucket> {
    return this.#buckets.values()
  }

  bucket(name: string): Bucket | undefined {
    return this.#buckets.get(name)
  }

  /** The entry of this path and all below it; without path all of the bucket. */
  entriesBelow(bucket: string, path?: string): Entry[] {
    return [...this.#entries.values()].filter(
      ({ name }) =>
        name.bucket === bucket &&
        (path === undefined || name.entry === path || name.entry.startsWith(`${path}/`)),
    )
  }

  /** Takes entries out of memory that have left their place; nothing of them is open. */
  forget(entries: readonly Entry[]): void {
    for (const entry of entries) {
      entry.leave()
      this.#entries.delete(keyOf(entry.name))
    }
    this.#byIdentity = new WeakMap()
  }

  forgetBucket(name: string): void {
    this.forget(this.entriesBelow(name))
    this.#buckets.delete(name)
  }

  /** Reads a bucket that has come to its place as a whole. */
  async loadMoved(bucket: string, entries: readonly string[]): Promise<void> {
    if (!this.#buckets.has(bucket)) await this.#loadBucket(bucket)
    await inParallel(PARALLEL, entries, (entry) => this.#loadEntry({ bucket, entry }))
  }

  /** Durable when it resolves, and in force for every entry. */
  async changeSettings(bucket: Bucket, settings: BucketSettings): Promise<void> {
    const { settings: path } = new BucketPaths(this.#paths.root, bucket.name)
    await atomicWrite(this.#fs, path, 'descriptor', encodeCheckedBucketSettings(settings))
    bucket.settings = settings
  }

  /** The list of buckets, durably. */
  async writeFolder(): Promise<void> {
    const folder = encodeFolder([...this.#buckets.keys()].sort())
    await atomicWrite(this.#fs, this.#paths.folder, 'descriptor', folder)
  }

  /** The list of a bucket's entries, durably. */
  async writeBucketFolder(bucket: string): Promise<void> {
    const path = new BucketPaths(this.#paths.root, bucket).folder
    await atomicWrite(this.#fs, path, 'descriptor', encodeFolder(this.#entriesOf(bucket).sort()))
  }

  find(name: EntryName): Entry | undefined {
    const known = this.#byIdentity.get(name)
    if (known !== undefined) return known
    const entry = this.#entries.get(keyOf(name))
    if (entry !== undefined) this.#byIdentity.set(name, entry)
    return entry
  }

  /**
   * Makes what is missing, and all of it durable: a frame never names an entry that a power cut could take away.
   * @throws {StorageError} `ERR_INVALID` for a name that ReductStore could not open
   */
  async make(names: readonly EntryName[]): Promise<void> {
    const missing = new Map<string, EntryName>()
    for (const name of names) if (this.find(name) === undefined) missing.set(keyOf(name), name)
    const buckets = new Set(Array.from(missing.values(), (name) => name.bucket))
    for (const bucket of buckets)
      if (!this.#buckets.has(bucket)) await this.makeBucket(bucket, this.#settingsOfNew(bucket))

    for (const name of missing.values()) checkEntryName(name)
    const found = await this.#directoriesOf([...missing.values()])
    await this.#makeEntryFiles(found)
    const { root } = this.#paths
    const directories = names.flatMap((name) => directoriesUpTo(root, new EntryPaths(root, name).directory))
    const distinct = [...new Set(directories)]
    for (let from = 0; from < distinct.length; from += SYNCED_AT_ONCE)
      await this.#fs.syncDirectories(distinct.slice(from, from + SYNCED_AT_ONCE))
    await inParallel(PARALLEL, found, async ({ name, isNew }) => {
      if (isNew) this.#addEntry(name)
      else await this.#loadEntry(name)
    })
    for (const name of names) {
      const entry = this.find(name)
      if (entry !== undefined) entry.isNameDurable = true
    }
    for (const bucket of buckets) await this.writeBucketFolder(bucket)
  }

  /** The entry of a name, durable; made when it is missing. @throws {StorageError} `ERR_INVALID` */
  async require(name: EntryName): Promise<Entry> {
    const known = this.find(name)
    if (known?.isNameDurable === true) return known
    await this.make([name])
    return this.find(name) as Entry
  }

  /** Durable when it resolves. @throws {StorageError} `ERR_INVALID`, `ERR_NOT_A_STORE` when something else has the name */
  async makeBucket(bucket: string, settings: BucketSettings): Promise<void> {
    checkBucketName(bucket)
    const final = new BucketPaths(this.#paths.root, bucket)
    if ((await this.#fs.list(final.directory)) !== undefined) {
      throw new StorageError(
        'ERR_NOT_A_STORE',
        `${final.directory} is in the way of bucket '${bucket}': it has no bucket.settings; move it elsewhere`,
        { path: final.directory, bucket },
      )
    }
    // ReductStore does not start with a bucket directory that lacks its settings, so it appears whole.
    const staging = new BucketPaths(this.#paths.sediment, `new-${bucket}`)
    await this.#fs.removeTree(staging.directory)
    await this.#fs.makeDirectory(staging.directory)
    await atomicWrite(this.#fs, staging.settings, 'descriptor', encodeCheckedBucketSettings(settings))
    await this.#fs.rename(staging.directory, final.directory)
    await this.#fs.syncDirectories([this.#paths.root, this.#paths.sediment])
    this.#buckets.set(bucket, new Bucket(bucket, settings))
    await this.writeFolder()
  }

  /** Which of them have no directory yet; asked before any is made, because one entry's may lie in another's. */
  async #directoriesOf(names: readonly EntryName[]): Promise<{ name: EntryName; isNew: boolean }[]> {
    const found: { name: EntryName; isNew: boolean }[] = []
    await inParallel(PARALLEL, names, async (name) => {
      const { directory } = new EntryPaths(this.#paths.root, name)
      found.push({ name, isNew: (await this.#fs.list(directory)) === undefined })
    })
    return found
  }

  async #makeEntryFiles(found: readonly { name: EntryName; isNew: boolean }[]): Promise<void> {
    const indexes: WriteOp[] = []
    await inParallel(PARALLEL, found, async ({ name, isNew }) => {
      const paths = new EntryPaths(this.#paths.root, name)
      const bucketDirectory = new BucketPaths(this.#paths.root, name.bucket).directory
      const chain = directoriesUpTo(bucketDirectory, paths.directory).reverse()
      for (const path of chain.slice(1)) await this.#fs.makeDirectory(path)
      await this.#fs.makeDirectory(paths.walDirectory)
      if (isNew || (await this.#fs.fileBytes(paths.index)) === undefined) {
        indexes.push({
          file: { path: paths.index, kind: 'index' },
          atBytes: 0,
          bytes: new Uint8Array(0),
        })
      }
    })
    await writeAll(this.#fs, 'projection', indexes)
  }

  async #loadEntry(name: EntryName): Promise<void> {
    const paths = new EntryPaths(this.#paths.root, name)
    const listing = await listBlocks(this.#fs, paths)
    const index = new BlockIndex()
    const sorted = [...listing.entries.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
    for (const entry of sorted) index.set(entry)
    const indexFile = new IndexFile(paths.index)
    for (const path of listing.undecodable) {
      this.#logger.error({ path }, 'descriptor cannot be decoded: its block is not shown, its files are kept')
    }
    if (listing.source === 'index') {
      const bytes = (await this.#fs.readFile(paths.index)) ?? new Uint8Array(0)
      indexFile.loaded(bytes.byteLength, decodeIndex(bytes))
    } else {
      this.#logger.warn({ path: paths.index, blocks: index.size }, 'block index rebuilt from descriptors')
      await indexFile.rewrite(this.#fs, index.blocks)
    }
    await this.#fs.makeDirectory(paths.walDirectory)
    this.#addEntry(name, index, indexFile)
  }

  #addEntry(name: EntryName, index?: BlockIndex, indexFile?: IndexFile): void {
    const paths = new EntryPaths(this.#paths.root, name)
    const bucket = this.#buckets.get(name.bucket)
    assert(bucket !== undefined, `bucket ${name.bucket} is not there`)
    const file = indexFile ?? new IndexFile(paths.index)
    this.#entries.set(keyOf(name), new Entry(name, paths, bucket, index ?? new BlockIndex(), file))
  }

  #entriesOf(bucket: string): string[] {
    return this.entriesBelow(bucket).map(({ name }) => name.entry)
  }
}

function readSettings(path: string, bytes: Uint8Array): BucketSettings {
  try {
    return decodeBucketSettings(bytes)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new StorageError('ERR_CORRUPT', `${path}: ${why}; ${SETTINGS_ADVICE}`, { path }, cause)
  }
}

/** Blocks without their bucket: to make a new one over them would hide what was acknowledged. */
export function missingSettings(path: string): StorageError {
  return new StorageError('ERR_CORRUPT', `${path} is missing above stored entries; ${SETTINGS_ADVICE}`, {
    path,
  })
}

const SETTINGS_ADVICE =
  'put it back from a backup, or copy bucket.settings of a bucket with the same limits and quota there'

/** @throws {StorageError} `ERR_INVALID` */
export function checkEntryName(name: EntryName): void {
  checkBucketName(name.bucket)
  if (!isEntryName(name.entry)) {
    throw new StorageError(
      'ERR_INVALID',
      `entry name '${name.entry}' is not allowed: segments of A-Z a-z 0-9 _ -, separated by '/', none of them 'wal'`,
      { bucket: name.bucket, entry: name.entry },
    )
  }
}

/** @throws {StorageError} `ERR_INVALID` */
export function checkBucketName(bucket: string): void {
  if (isBucketName(bucket)) return
  throw new StorageError('ERR_INVALID', `bucket name '${bucket}' is not allowed: A-Z a-z 0-9 _ -`, { bucket })
}

function keyOf(name: EntryName): string {
  return `${name.bucket}/${name.entry}`
}
