import { assert } from '../base/assert.ts'
import { inParallel } from '../base/in-parallel.ts'
import type { Logger } from '../base/logger.ts'
import { atomicWrite } from '../fs/atomic-write.ts'
import type { FileSystem, WriteOp } from '../fs/file-system.ts'
import { isOtherVolume } from '../fs/move-file.ts'
import { writeAll } from '../fs/write-all.ts'
import { BlockIndex } from './block/block-index.ts'
import { IndexFile } from './block/index-file.ts'
import { encodeFolder, isFolderOf } from './codec/folder-codec.ts'
import { encodeCheckedBucketSettings } from './codec/settings-codec.ts'
import { Bucket } from './bucket.ts'
import { readBucketSettings } from './bucket-settings.ts'
import { Damage, type DamagedPlace, type Place } from './damage.ts'
import { Entry } from './entry.ts'
import { StorageError } from './errors.ts'
import {
  BucketPaths,
  EntryPaths,
  VOLUME_DIRECTORY,
  directoriesUpTo,
  entryBytesMax,
  isBucketName,
  isRemovedName,
  isEntryName,
  segmentBytesMax,
  type StorePaths,
} from './paths.ts'
import { discover, strayMessage } from './query/discover.ts'
import { entryFault } from './query/entry-fault.ts'
import { listBlocks, seenKey, type BlockListing, type SeenEntries } from './query/list-blocks.ts'
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
  readonly #damage: Damage
  /** What is in the way of entries that are to be made, as of the last try. */
  #obstacles: Damage
  readonly #buckets = new Map<string, Bucket>()
  /** By this process; a name for each while it is made. */
  #bucketsMade = 0
  readonly #entries = new Map<string, Entry>()
  /** By the identity of the caller's name object; the fast way. */
  #byIdentity = new WeakMap<EntryName, Entry>()

  constructor(options: {
    fs: FileSystem
    paths: StorePaths
    logger: Logger
    settingsOfNew: (bucket: string) => BucketSettings
    /** Found by recovery; what is found later is added. */
    damage: Damage
  }) {
    this.#fs = options.fs
    this.#paths = options.paths
    this.#logger = options.logger
    this.#settingsOfNew = options.settingsOfNew
    this.#damage = options.damage
    this.#obstacles = new Damage(options.paths.root)
  }

  /**
   * Reads settings and indexes; an index that is missing or damaged is rebuilt from the descriptors. What cannot be read is
   * noted as damaged, and so is a bucket whose settings are damaged, or missing above entries.
   * @param seen as of now
   */
  async load(seen?: SeenEntries): Promise<void> {
    await this.#removeLeftovers()
    const {
      buckets,
      entries,
      strays,
      unreadable: found,
    } = seen?.discovery ?? (await discover(this.#fs, this.#paths.root))
    for (const { error, ...place } of found) this.#damage.note(place, error)
    for (const stray of strays) {
      this.#logger.warn({ directory: stray }, `${strayMessage(stray)}; ignored`)
    }
    for (const { bucket, entry } of entries) {
      if (!isBucketName(bucket) || !isEntryName(entry))
        this.#logger.warn(
          { bucket, entry },
          'a name that is not allowed: the entry is read, and takes nothing',
        )
    }
    for (const bucket of buckets) {
      await this.#loadBucket(bucket)
    }
    await inParallel(PARALLEL, entries, async (name) => {
      if (this.#damage.of(name) === undefined)
        await this.#damage.contain(name, () => this.#loadEntry(name, seen?.listings.get(seenKey(name))))
    })
    this.forgetDamaged()
    await this.#mendFolders()
    for (const { error, ...place } of this.damagedPlaces)
      this.#logger.error({ ...place, why: error.message }, 'damaged: it takes nothing, and all others go on')
  }

  async #loadBucket(name: string): Promise<void> {
    const { settings, damage } = await readBucketSettings(this.#fs, this.#paths.root, name)
    this.#buckets.set(name, new Bucket(name, settings, damage))
  }

  /** A crash may come between a name and the list of names. Where not all names are known the list stays. */
  async #mendFolders(): Promise<void> {
    const mend = async (path: string, place: Place | undefined, names: string[]): Promise<void> => {
      const isKnown = place === undefined ? this.#damage.places.length === 0 : !this.#damage.within(place)
      if (!isKnown) return
      const bytes = await this.#fs.readFile(path)
      if (bytes === undefined || isFolderOf(bytes, names)) return
      await atomicWrite(this.#fs, path, 'descriptor', encodeFolder(names.sort()))
    }
    await mend(this.#paths.folder, undefined, [...this.#buckets.keys()])
    for (const bucket of this.#buckets.keys()) {
      const path = new BucketPaths(this.#paths.root, bucket).folder
      await this.#damage.contain({ bucket }, () => mend(path, { bucket }, this.#entriesOf(bucket)))
    }
  }

  async #removeLeftover(path: string): Promise<void> {
    try {
      await this.#fs.removeTree(path)
    } catch (error) {
      if (!isOtherVolume(error)) throw error
      this.#logger.warn(
        { path, error },
        'a volume is mounted in what was removed: unmount it; the next start goes on',
      )
    }
  }

  /** What was interrupted: buckets that have not appeared, folder lists, what was removed. */
  async #removeLeftovers(): Promise<void> {
    await this.#fs.unlink(`${this.#paths.folder}.tmp`)
    for (const item of (await this.#fs.list(this.#paths.sediment)) ?? []) {
      if (item.isDirectory && (item.name.startsWith('new-') || isRemovedName(item.name)))
        await this.#removeLeftover(`${this.#paths.sediment}/${item.name}`)
    }
    for (const item of (await this.#fs.list(this.#paths.root)) ?? []) {
      if (!item.isDirectory || item.name.startsWith('.')) continue
      const { directory, folder, settings } = new BucketPaths(this.#paths.root, item.name)
      if (item.name === VOLUME_DIRECTORY) continue
      await this.#damage.contain({ bucket: item.name }, async () => {
        const names = new Set(
          ((await this.#fs.list(directory)) ?? []).map(({ name }) => `${directory}/${name}`),
        )
        for (const path of [`${folder}.tmp`, `${settings}.tmp`])
          if (names.has(path)) await this.#fs.unlink(path)
      })
    }
  }

  /** Why nothing can be read there. */
  unreadable(place: Place): StorageError | undefined {
    return this.#damage.of(place)
  }

  /** Why nothing can be stored or changed there. */
  damageOf(place: Place): StorageError | undefined {
    return this.#damage.of(place) ?? this.#buckets.get(place.bucket)?.damage ?? this.#obstacles.of(place)
  }

  /** Why this place cannot be moved: something at or below it is damaged. */
  damageWithin(place: Place): StorageError | undefined {
    return this.#damage.within(place) ?? this.damageOf(place)
  }

  get damagedPlaces(): DamagedPlace[] {
    const places = this.#damage.places
    for (const { name, damage } of this.#buckets.values())
      if (damage !== undefined) places.push({ bucket: name, error: damage })
    return places
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

  /** What lies in a damaged entry is as unknown as that. Nothing of it is open. */
  forgetDamaged(): void {
    if (this.#damage.places.length === 0) return
    this.forget([...this.#entries.values()].filter(({ name }) => this.#damage.of(name) !== undefined))
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
    const names = new Set(this.#buckets.keys())
    for (const { bucket, entry } of this.#damage.places) if (entry === undefined) names.add(bucket)
    await atomicWrite(this.#fs, this.#paths.folder, 'descriptor', encodeFolder([...names].sort()))
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
   * Makes what is missing, and all of it durable: a frame never names an entry that a power cut could take away. What
   * cannot be made because something is in its way is not there afterwards, and `damageOf` says why.
   * @throws {StorageError} `ERR_INVALID` for a name that ReductStore could not open
   */
  async make(wanted: readonly EntryName[]): Promise<void> {
    this.#obstacles = new Damage(this.#paths.root)
    const missing = new Map<string, EntryName>()
    for (const name of wanted)
      if (this.find(name) === undefined && this.damageOf(name) === undefined) missing.set(keyOf(name), name)
    for (const name of missing.values()) checkEntryName(name)
    const buckets = new Set(Array.from(missing.values(), (name) => name.bucket))
    for (const bucket of buckets) if (!this.#buckets.has(bucket)) await this.#makeBucketOfEntries(bucket)

    const found = await this.#directoriesOf([...missing.values()])
    const names = wanted.filter((name) => this.damageOf(name) === undefined)
    await this.#makeEntryFiles(found)
    const { root } = this.#paths
    const directories = names.flatMap((name) => directoriesUpTo(root, new EntryPaths(root, name).directory))
    const distinct = [...new Set(directories)]
    for (let from = 0; from < distinct.length; from += SYNCED_AT_ONCE)
      await this.#fs.syncDirectories(distinct.slice(from, from + SYNCED_AT_ONCE))
    await inParallel(PARALLEL, found, async ({ name, isNew }) => {
      if (isNew) this.#addEntry(name)
      else await this.#damage.contain(name, () => this.#loadEntry(name))
    })
    for (const name of names) {
      const entry = this.find(name)
      if (entry !== undefined) entry.isNameDurable = true
    }
    const made = found.filter(({ name }) => this.find(name) !== undefined)
    for (const bucket of new Set(made.map(({ name }) => name.bucket))) await this.writeBucketFolder(bucket)
  }

  /** The entry of a name, durable; made when it is missing. @throws {StorageError} `ERR_INVALID`, `ERR_CORRUPT` */
  async require(name: EntryName): Promise<Entry> {
    this.requireSound(name)
    const known = this.find(name)
    if (known?.isNameDurable === true) return known
    await this.make([name])
    this.requireSound(name)
    return this.find(name) as Entry
  }

  /** @throws {StorageError} `ERR_CORRUPT` where nothing can be stored or changed */
  requireSound(place: Place): void {
    const damage = this.damageOf(place)
    if (damage !== undefined) throw damage
  }

  /** Something else in its place harms this bucket only. */
  async #makeBucketOfEntries(bucket: string): Promise<void> {
    try {
      await this.makeBucket(bucket, this.#settingsOfNew(bucket))
    } catch (error) {
      const isObstacle = error instanceof StorageError && error.code === 'ERR_NOT_A_STORE'
      if (!isObstacle) throw error
      this.#obstacles.note({ bucket }, new StorageError('ERR_CORRUPT', error.message, error.facts))
    }
  }

  /** Durable when it resolves. @throws {StorageError} `ERR_INVALID`, `ERR_NOT_A_STORE` when something else has the name */
  async makeBucket(bucket: string, settings: BucketSettings): Promise<void> {
    checkBucketName(bucket)
    const final = new BucketPaths(this.#paths.root, bucket)
    const isDirectory = (await this.#fs.list(final.directory)) !== undefined
    if (isDirectory || (await this.#fs.fileBytes(final.directory)) !== undefined) {
      const what = isDirectory ? 'it has no bucket.settings' : 'it is not a directory'
      throw new StorageError(
        'ERR_NOT_A_STORE',
        `${final.directory} is in the way of bucket '${bucket}': ${what}; move it elsewhere`,
        { path: final.directory, bucket },
      )
    }
    // ReductStore does not start with a bucket directory that lacks its settings, so it appears whole.
    const staging = new BucketPaths(this.#paths.sediment, `new-${++this.#bucketsMade}`)
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
      if (this.damageOf(name) !== undefined) return
      await this.#obstacles.contain(name, async () => {
        const fault = await entryFault(this.#fs, this.#paths.root, name)
        if (fault !== undefined) return this.#obstacles.note(name, fault)
        const { directory } = new EntryPaths(this.#paths.root, name)
        found.push({ name, isNew: (await this.#fs.list(directory)) === undefined })
      })
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

  async #loadEntry(name: EntryName, seen?: BlockListing): Promise<void> {
    const paths = new EntryPaths(this.#paths.root, name)
    const listing = seen ?? (await listBlocks(this.#fs, paths))
    const index = new BlockIndex()
    const sorted = [...listing.entries.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
    for (const entry of sorted) index.set(entry)
    const indexFile = new IndexFile(paths.index)
    for (const path of listing.undecodable) {
      this.#logger.error(
        { path },
        'descriptor cannot be decoded: its records are not shown, its files are kept',
      )
    }
    if (listing.index !== undefined) indexFile.loaded(listing.index.bytes, listing.index.decoded)
    else {
      this.#logger.warn({ path: paths.index, blocks: index.size }, 'block index rebuilt from descriptors')
      await indexFile.rewrite(this.#fs, index.blocks)
    }
    if (seen === undefined) await this.#fs.makeDirectory(paths.walDirectory)
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
    const names = new Set(this.entriesBelow(bucket).map(({ name }) => name.entry))
    for (const { bucket: of, entry } of this.#damage.places)
      if (of === bucket && entry !== undefined) names.add(entry)
    return [...names]
  }
}

/** @throws {StorageError} `ERR_INVALID` */
export function checkEntryName(name: EntryName): void {
  checkBucketName(name.bucket)
  if (!isEntryName(name.entry)) {
    throw new StorageError(
      'ERR_INVALID',
      `entry name '${name.entry}' is not allowed: segments of A-Z a-z 0-9 _ -, separated by '/', none of them 'wal' or longer than ${segmentBytesMax}, ${entryBytesMax} in all`,
      { bucket: name.bucket, entry: name.entry },
    )
  }
}

/** @throws {StorageError} `ERR_INVALID` */
export function checkBucketName(bucket: string): void {
  if (isBucketName(bucket)) return
  throw new StorageError(
    'ERR_INVALID',
    `bucket name '${bucket}' is not allowed: 1 to ${segmentBytesMax} of A-Z a-z 0-9 _ -`,
    { bucket },
  )
}

function keyOf(name: EntryName): string {
  return `${name.bucket}/${name.entry}`
}
