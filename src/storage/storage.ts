import { loadCrc64 } from '../base/crc64.ts'
import type { Clock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import type { DirectoryLock, FileSystem } from '../fs/file-system.ts'
import type { OpenBlock } from './block/block.ts'
import { BlockManager } from './block/block-manager.ts'
import { foldBlock } from './block/fold.ts'
import { loadColdBlock } from './block/load-block.ts'
import { Catalogue, checkEntryName } from './catalogue.ts'
import { changeSettings, createBucket, listBuckets, requireBucket } from './mutation/bucket-settings.ts'
import { DiscardedTrees } from './mutation/discarded-trees.ts'
import { removeEmptyDirectories } from './mutation/moving.ts'
import { BlockChanger } from './commitlog/block-changer.ts'
import { Checkpointer } from './commitlog/checkpointer.ts'
import type { CommitLog } from './commitlog/commit-log.ts'
import { GroupCommit } from './commitlog/group-commit.ts'
import type { Submission } from './commitlog/group.ts'
import { Projector } from './commitlog/projector.ts'
import type { DamagedPlace } from './damage.ts'
import { DirtySet } from './dirty-set.ts'
import { StorageError } from './errors.ts'
import { silentStorageObserver, type StorageObserver } from './observer.ts'
import { defaultBucketSettings, defaultLimits, type StorageLimits, type StorageOptions } from './options.ts'
import { adoptOpenBlocks, clearStaged, finishRecovery, keepWaiting, makeDirectories } from './opening.ts'
import { storePaths, type StorePaths } from './paths.ts'
import { QuotaKeeper } from './quota/quota-keeper.ts'
import { RemovalMark } from './removal-mark.ts'
import { entryInfo } from './query/entry-info.ts'
import type { Entry } from './entry.ts'
import { LiveBlocks } from './query/live-blocks.ts'
import type { MutationContext, RecordResult } from './mutation/mutations.ts'
import {
  removeBucket,
  removeEntry,
  renameBucket,
  renameEntry,
  type RelocationContext,
} from './mutation/relocate.ts'
import { removeRange, removeRecords, type RemoveRangeOptions } from './mutation/remove-records.ts'
import { rewriteBlock } from './mutation/rewrite-block.ts'
import { updateLabels, type LabelUpdate } from './mutation/update-labels.ts'
import { getRecord, readRecords } from './query/read-records.ts'
import type {
  BucketInfo,
  BucketSettings,
  EntryInfo,
  EntryName,
  ListOptions,
  RecordBegin,
  RecordReader,
  RecordWrite,
  RecordWriter,
  StoredRecord,
  ReadOptions,
} from './record.ts'
import { readCheckpoint, recover, type Recovery } from './recovery/recover.ts'
import { adoptEntries } from './recovery/adopt/adopt-entries.ts'
import { Quarantine } from './recovery/adopt/quarantine.ts'
import type { OwedRecord } from './recovery/owed-content.ts'
import {
  initializeStore,
  lockStore,
  openingError,
  readFormat,
  readGeneration,
  writeFormat,
  writeOwner,
  type StoreFormat,
} from './store-files.ts'
import { Maintenance } from './maintenance.ts'
import { OwedRecords } from './upload/owed-records.ts'
import { Uploads } from './upload/uploads.ts'
import { checkLabels } from './label-rules.ts'
import { WriteGate } from './write-gate.ts'

export interface StoreIdentity {
  /** UUID of this data directory, made once. */
  readonly storeId: string
  /** Kafka cluster and group this store belongs to, once `claim` has set them. */
  readonly clusterId: string | undefined
  readonly groupId: string | undefined
}

/**
 * An open data directory: one commit log, everything else a projection of it.
 *
 *     open ──close──▶ closed
 *      ╰──a write or sync failed──▶ poisoned ──close──▶ closed
 */
export class Storage implements RecordReader {
  readonly #fs: FileSystem
  readonly #gate: WriteGate
  readonly #paths: StorePaths
  readonly #clock: Clock
  readonly #lock: DirectoryLock
  readonly #catalogue: Catalogue
  readonly #manager: BlockManager
  readonly #projector: Projector
  readonly #changer: BlockChanger
  readonly #mutation: MutationContext
  readonly #trees: DiscardedTrees
  readonly #relocation: RelocationContext
  readonly #checkpointer: Checkpointer
  readonly #quotas: QuotaKeeper
  readonly #commit: GroupCommit
  readonly #maintenance: Maintenance
  readonly #live: LiveBlocks
  readonly #uploads: Uploads
  readonly #owed: OwedRecords
  readonly #limits: StorageLimits
  readonly #log: CommitLog
  readonly #settingsOfNew: (bucket: string) => BucketSettings
  readonly #onPoisoned: ((cause: unknown) => void) | undefined
  readonly #checkedNames = new WeakSet<EntryName>()
  #format: StoreFormat
  #poison: { cause: unknown } | undefined
  #closing: Promise<void> | undefined

  private constructor(parts: StorageParts) {
    const { options, paths, recovery, catalogue, manager, dirty, observer, limits } = parts
    this.#fs = options.fs
    this.#gate = parts.gate
    this.#gate.onFailure = (cause) => this.#fail(cause)
    this.#paths = paths
    this.#clock = options.clock
    this.#lock = parts.lock
    this.#catalogue = catalogue
    this.#manager = manager
    this.#format = parts.format
    this.#limits = limits
    this.#onPoisoned = options.onPoisoned
    this.#settingsOfNew = options.bucketSettings ?? (() => defaultBucketSettings)
    const { fs, clock, companion } = options
    const { log } = recovery
    this.#log = log
    const poison = (cause: unknown): void => this.#fail(cause)
    this.#changer = new BlockChanger({
      fs,
      paths,
      dirty,
      manager,
      poison,
      inTurn: (job) => this.#projector.run(job),
    })
    const changer = this.#changer
    this.#projector = new Projector(fs, dirty, (change, sequence) => changer.apply(change, sequence))
    const projector = this.#projector
    this.#checkpointer = new Checkpointer({
      fs,
      clock,
      observer,
      limits,
      paths,
      log,
      manager,
      projector,
      dirty,
      companion,
      poison,
    })
    const checkpointer = this.#checkpointer
    const removals = new RemovalMark(fs, paths, clock)
    const markRemoval = (): Promise<void> => removals.set()
    const quotas = new QuotaKeeper({
      fs,
      clock,
      observer,
      catalogue,
      logger: options.logger ?? silentLogger,
      close: (block) => this.#maintenance.close(block),
      markRemoval,
    })
    this.#quotas = quotas
    this.#commit = new GroupCommit({
      fs,
      clock,
      observer,
      limits,
      log,
      manager,
      projector,
      companion,
      poison,
      quotas,
      findEntry: (name) => catalogue.find(name),
      makeEntries: (names) => catalogue.make(names),
      damageOf: (name) => catalogue.damageOf(name),
      beginCheckpoint: () => checkpointer.begin(),
      isCheckpointDue: (idleMs) => checkpointer.isDue(idleMs),
      logRoom: () => checkpointer.logRoom(),
    })
    const fold = (block: OpenBlock): Promise<boolean> =>
      foldBlock(block, { fs, manager, projector, dirty, lastFrame: () => log.position.sequence })
    this.#maintenance = new Maintenance({
      clock,
      observer,
      limits,
      manager,
      fold,
      rewrite: (entry, blockId) => rewriteBlock(this.#mutation, entry, BigInt(blockId)),
      poison,
      keepQuotas: () => this.#keepQuotas(),
    })
    this.#live = new LiveBlocks({ fs, observer, bytesMax: limits.readCacheBytesMax })
    this.#uploads = new Uploads({
      fs,
      clock,
      idleMsMax: limits.uploadIdleMs,
      manager,
      exclusive: (job) => this.#commit.exclusive(job),
      source: (entry) => this.#live.source(entry),
      makeEntry: (name) => catalogue.require(name),
      quotas,
      spareBytes: () => this.spareBytes(),
    })
    this.#owed = new OwedRecords({ fs, paths, begin: (begin) => this.beginRecord(begin) })
    let staged = 0
    this.#mutation = {
      fs,
      paths,
      holesBytesMin: limits.holesBytesMin,
      manager,
      lastFrame: () => log.position.sequence,
      newStagedName: () => `${log.generation}-${++staged}`,
      isKnown: (entry) => catalogue.find(entry.name) === entry,
      requireSpace: async (bytes) => {
        if ((await this.spareBytes()) >= bytes) return
        throw new StorageError('ERR_NO_SPACE', `${paths.root} has no room for a copy of ${bytes} bytes`)
      },
      markRemoval,
      rewriteLater: (entry, blockId) => this.#maintenance.rewriteLater(entry, blockId),
      exclusive: (job) => this.#commit.exclusive(job),
      source: (entry) => this.#live.source(entry, false),
      close: (block) => this.#maintenance.close(block),
      syncWalDirectory: (entry) => fs.syncDirectories([entry.paths.walDirectory]),
      reopen: (entry, cold) => manager.reopen(entry, cold),
    }
    this.#trees = new DiscardedTrees(fs, poison)
    this.#relocation = {
      ...this.#mutation,
      catalogue,
      trees: this.#trees,
      checkpoint: () => this.#checkpointAlone(),
      dropLingering: (entry) => changer.dropLingering(entry),
    }
  }

  /**
   * Locks, recovers and opens the directory; makes it when missing. When this resolves, everything acknowledged is
   * durable and visible, and a checkpoint covers it.
   * @throws {StorageError} `ERR_NOT_A_STORE`, `ERR_LOCKED`, `ERR_READ_ONLY`, `ERR_NO_SPACE`, `ERR_FORMAT` (nothing
   *   was written); `ERR_CORRUPT` (nothing but the lock was written)
   */
  static async open(given: StorageOptions): Promise<Storage> {
    const gate = new WriteGate(given.fs)
    const options = { ...given, fs: gate }
    const { fs, clock } = options
    await loadCrc64()
    const paths = storePaths(options.dataPath)
    let lock: DirectoryLock | undefined
    try {
      await makeDirectories(given.fs, paths)
      lock = await lockStore(fs, paths)
      await removeEmptyDirectories(fs, paths)
      const observer = options.observer ?? silentStorageObserver
      const limits = { ...defaultLimits, ...options.limits }
      const logger = options.logger ?? silentLogger
      const known = await readFormat(fs, paths)
      const aside = { fs, logger, root: paths.root, directory: paths.quarantine }
      const foreign = new Quarantine({ ...aside, generation: 0 })
      // Before there is a store: an interrupted adoption is begun anew.
      if (known === undefined) await adoptEntries({ fs, paths, logger, quarantine: foreign })
      const format = known ?? (await initializeStore(fs, paths, options.randomUuid()))
      const generation =
        Math.max(await readGeneration(fs, paths), (await readCheckpoint(fs, paths)).generation) + 1
      const recovery = await recover(fs, paths, generation, options.companion, clock)
      await writeOwner(fs, paths, generation, clock.nowUs())
      const visit = new Quarantine({ ...aside, generation })
      if (known !== undefined) await adoptEntries({ fs, paths, logger, quarantine: visit, known: recovery })
      const catalogue = new Catalogue({
        fs,
        paths,
        logger,
        settingsOfNew: options.bucketSettings ?? (() => defaultBucketSettings),
        damage: recovery.damage,
      })
      await catalogue.load()
      const manager = new BlockManager({
        clock,
        observer,
        load: (entry, cold) => loadColdBlock(fs, entry, cold),
      })
      const dirty = new DirtySet()
      await adoptOpenBlocks(fs, recovery, catalogue, manager)
      await keepWaiting(recovery)
      await clearStaged(fs, paths, recovery.log)
      await finishRecovery(fs, paths, recovery.log, manager, options)
      const storage = new Storage({
        options,
        gate,
        paths,
        lock,
        format,
        recovery,
        catalogue,
        manager,
        dirty,
        observer,
        limits,
      })
      await storage.#owed.open(storage, recovery.owed)
      observer.recovered({ ...recovery.event, quarantined: foreign.count + visit.count })
      storage.#maintenance.start()
      return storage
    } catch (error) {
      await lock?.release()
      throw openingError(error, options.dataPath)
    }
  }

  get identity(): StoreIdentity {
    const { storeId, clusterId, groupId } = this.#format
    return { storeId, clusterId, groupId }
  }

  /** Binds the store to a cluster and group, durably. @throws {StorageError} `ERR_FORMAT` when bound to another. */
  async claim(clusterId: string, groupId: string): Promise<void> {
    const { clusterId: boundCluster, groupId: boundGroup } = this.#format
    if (boundCluster === clusterId && boundGroup === groupId) return
    if (boundCluster !== undefined) {
      throw new StorageError(
        'ERR_FORMAT',
        `${this.#paths.root} belongs to group '${boundGroup}' of cluster ${boundCluster}, not to group '${groupId}' of cluster ${clusterId}: use another data directory`,
        { path: this.#paths.format },
      )
    }
    const format = { ...this.#format, clusterId, groupId }
    await writeFormat(this.#fs, this.#paths, format)
    this.#format = format
  }

  /**
   * Stores `writes` and `delta` as one atom. Resolves when they are durable and visible to readers.
   * Submissions become durable in the order of the calls. Back-pressure is the caller's: what is submitted is
   * held in memory until it resolves.
   * @throws {StorageError} `ERR_INVALID`, `ERR_CORRUPT` (it needs a block, entry or bucket that is damaged), `ERR_QUOTA`, either also for a
   *   stream that has such a hole: nothing of it was stored, others go on; `ERR_POISONED`, `ERR_CLOSED`
   */
  async submit(submission: Submission): Promise<void> {
    for (const write of submission.writes) this.#check(write)
    return this.#commit.submit(submission)
  }

  /**
   * Begins a record whose content comes in pieces, of any length. Its range is durable, as a record that has failed, when
   * this resolves. A failed record of equal length is written again in its place, with these labels and this type.
   * @throws {StorageError} `ERR_EXISTS` when the time is taken, `ERR_NO_SPACE`, `ERR_QUOTA`, `ERR_INVALID`, `ERR_CORRUPT`
   *   (what it belongs into is damaged), `ERR_POISONED`, `ERR_CLOSED`
   */
  async beginRecord(begin: RecordBegin): Promise<RecordWriter> {
    this.#check(begin)
    if (!Number.isSafeInteger(begin.contentBytes) || begin.contentBytes < 0) {
      const why = `${begin.contentBytes} is no length of content`
      throw new StorageError('ERR_INVALID', why, begin.target)
    }
    return this.#uploads.begin(begin)
  }

  /**
   * Records of durable frames whose content ReductStore has cut off between a kill and a start; each stands in its place,
   * as one that has failed, until `payOwed`, also over restarts.
   */
  get owed(): readonly OwedRecord[] {
    return this.#owed.records
  }

  /**
   * Writes the content of an owed record into its place; the record is finished, durable and visible, when it resolves.
   * @throws {StorageError} `ERR_INVALID` when it is not its content, and as `beginRecord`: `ERR_EXISTS` when somebody has
   *   written or removed the record since
   */
  payOwed(record: OwedRecord, content: Uint8Array): Promise<void> {
    return this.#owed.pay(record, content)
  }

  /** Owed records that nobody can bring any more: they stay failed. Durable when it resolves. */
  forgetOwed(records: readonly OwedRecord[]): Promise<void> {
    return this.#owed.forget(records)
  }

  /**
   * Changes labels of records; durable and visible when it resolves, all of them as one atom.
   * @throws {StorageError} `ERR_NOT_FOUND` without such an entry, `ERR_CORRUPT` where it or its bucket is damaged,
   *   `ERR_POISONED`, `ERR_CLOSED`; what concerns one record
   *   only is in its result
   */
  async updateLabels(name: EntryName, updates: readonly LabelUpdate[]): Promise<RecordResult[]> {
    return updateLabels(this.#mutation, this.#requireEntry(name), updates)
  }

  /** Removes records, all of them as one atom. @throws {StorageError} as `updateLabels` */
  async removeRecords(name: EntryName, timestampsUs: readonly bigint[]): Promise<RecordResult[]> {
    return removeRecords(this.#mutation, this.#requireEntry(name), timestampsUs)
  }

  /**
   * Removes the records of a range, some blocks at a time. @returns how many
   * @throws {StorageError} as `updateLabels`, and at the first block that stands in the way
   */
  async removeRange(name: EntryName, options?: RemoveRangeOptions): Promise<number> {
    return removeRange(this.#mutation, this.#requireEntry(name), options)
  }

  /** Sorted by name; those with damaged settings are left out. */
  buckets(): BucketInfo[] {
    return listBuckets(this.#catalogue)
  }

  /** Whether the quota of the bucket leaves room for a submission that was refused for `bytes`. */
  hasRoom(bucket: string, bytes: number): boolean {
    return this.#quotas.hasRoom(bucket, bytes)
  }

  /** @throws {StorageError} `ERR_NOT_FOUND`, `ERR_CORRUPT` */
  bucketSettings(name: string): BucketSettings {
    this.#catalogue.requireSound({ bucket: name })
    return requireBucket(this.#catalogue, name).settings
  }

  /**
   * Makes a bucket, durably, with the settings of new ones where `settings` does not say otherwise.
   * @throws {StorageError} `ERR_EXISTS`, `ERR_INVALID`, `ERR_NOT_A_STORE`
   */
  createBucket(name: string, settings: Partial<BucketSettings> = {}): Promise<void> {
    return createBucket(this.#relocation, name, { ...this.#settingsOfNew(name), ...settings })
  }

  /** In force for all entries when it resolves, durably. @throws {StorageError} `ERR_NOT_FOUND`, `ERR_INVALID` */
  changeBucketSettings(name: string, changes: Partial<BucketSettings>): Promise<BucketSettings> {
    return changeSettings(this.#relocation, name, changes)
  }

  /**
   * Removes a bucket with everything in it; durable when it resolves. Records that are submitted for it afterwards make it
   * anew. @throws {StorageError} `ERR_NOT_FOUND`, `ERR_RECORD_STATE` while content is being uploaded into it
   */
  removeBucket(name: string): Promise<void> {
    return removeBucket(this.#relocation, name)
  }

  /** @throws {StorageError} as `removeBucket`; `ERR_EXISTS`, `ERR_INVALID` */
  renameBucket(from: string, to: string): Promise<void> {
    return renameBucket(this.#relocation, from, to)
  }

  /** Removes an entry and all below it. @throws {StorageError} as `removeBucket` */
  removeEntry(name: EntryName): Promise<void> {
    return removeEntry(this.#relocation, name)
  }

  /** Moves an entry and all below it to another path in its bucket. @throws {StorageError} as `renameBucket` */
  renameEntry(name: EntryName, to: string): Promise<void> {
    return renameEntry(this.#relocation, name, to)
  }

  /** Free bytes beyond what the log may still grow by and what open uploads will still write. Negative: consumption must pause. */
  async spareBytes(): Promise<number> {
    const { bytes, inodes } = await this.#fs.freeSpace(this.#paths.root)
    if (inodes < INODES_RESERVED) return -1
    const logGrowthBytes = Math.max(0, this.#limits.logBytesMax - this.#log.bytes)
    return bytes - logGrowthBytes - this.#uploads.remainingBytes
  }

  /** Changes of the disk so far. It rises while the store works, however long that takes, and not while it hangs. */
  get changes(): number {
    return this.#gate.changes
  }

  /** Blocks that still have a write-ahead log. */
  get openBlocks(): number {
    return this.#manager.openBlocks.size
  }

  /** Folds every open block and checkpoints: afterwards stock ReductStore finds no WAL. */
  async settle(progress?: (done: number, total: number) => void): Promise<void> {
    await this.#maintenance.foldAll({ progress })
    await this.#maintenance.rewriteDue()
    await this.checkpoint()
  }

  /** Makes everything acknowledged so far durable in ReductStore's own files and drops the log. */
  async checkpoint(): Promise<void> {
    await this.#checkpointer.settled()
    await this.#commit.between(() => this.#checkpointer.begin())
    await this.#checkpointer.settled()
    this.#requireHealthy()
  }

  async #keepQuotas(): Promise<void> {
    for (const block of this.#quotas.openVictims()) await this.#maintenance.fold(block)
    if (!this.#quotas.isOver) return
    await this.#commit.exclusive(async (commit) => {
      const changes = await this.#quotas.evictions()
      if (changes.length > 0) await commit({ changes })
    })
  }

  /** In an exclusive job, where no group is built meanwhile. */
  async #checkpointAlone(): Promise<void> {
    await this.#checkpointer.settled()
    await this.#checkpointer.begin()
    await this.#checkpointer.settled()
    this.#requireHealthy()
  }

  /** Folds one block if nothing is being written to it; for tools and tests. @returns whether it is cold now */
  async fold(name: EntryName, blockId: number): Promise<boolean> {
    const block = this.#catalogue.find(name)?.open.get(blockId)
    return block !== undefined && (await this.#maintenance.fold(block))
  }

  /**
   * Drains, folds what fits `deadlineMs`, checkpoints, unlocks. Idempotent. After a failed write nothing is written.
   * What stays WAL-backed at the deadline is durable all the same.
   */
  close(options: { deadlineMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.deadlineMs ?? Infinity)
    return this.#closing
  }

  async #close(deadlineMs: number): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + deadlineMs
    try {
      await this.#uploads.close()
      await this.#maintenance.stop()
      await this.#commit.close()
      if (this.#poison === undefined) {
        await this.#maintenance.foldAll({ untilMs })
        await this.#checkpointer.settled()
        await this.#checkpointer.begin()
        await this.#checkpointer.settled()
        await this.#owed.close()
      }
    } catch (cause) {
      this.#fail(cause)
    } finally {
      // Whoever opens next must not meet a write of ours.
      await this.#checkpointer.settled()
      this.#changer.stop()
      await this.#trees.stop()
      await this.#lock.release()
    }
    this.#requireHealthy()
  }

  entries({ attachments = false, onDamaged }: ListOptions = {}): Promise<EntryInfo[]> {
    for (const place of this.#catalogue.damagedPlaces) onDamaged?.(place)
    const listed = [...this.#catalogue.entries].filter((entry) => attachments || !entry.isAttachment)
    const infos = listed.map((entry) => entryInfo(this.#live.source(entry)))
    infos.sort((a, b) => (a.bucket < b.bucket || (a.bucket === b.bucket && a.entry < b.entry) ? -1 : 1))
    return Promise.resolve(infos)
  }

  /** Buckets and entries that take nothing until the next open, because they are damaged or cannot be read. */
  damaged(): readonly DamagedPlace[] {
    return this.#catalogue.damagedPlaces
  }

  async get(name: EntryName, timestampUs: bigint): Promise<StoredRecord | undefined> {
    const entry = this.#readable(name)
    return entry && getRecord(this.#fs, this.#live.source(entry), timestampUs)
  }

  async *records(name: EntryName, range?: ReadOptions): AsyncGenerator<StoredRecord> {
    const entry = this.#readable(name)
    if (entry !== undefined) yield* readRecords(this.#fs, this.#live.source(entry), range)
  }

  /** @throws {StorageError} `ERR_CORRUPT` where it cannot be read */
  #readable(name: EntryName): Entry | undefined {
    const damage = this.#catalogue.unreadable(name)
    if (damage !== undefined) throw damage
    return this.#catalogue.find(name)
  }

  #requireEntry(name: EntryName): Entry {
    this.#catalogue.requireSound(name)
    const entry = this.#catalogue.find(name)
    if (entry !== undefined) return entry
    throw new StorageError('ERR_NOT_FOUND', `there is no entry ${name.bucket}/${name.entry}`, name)
  }

  #check(write: Omit<RecordWrite, 'content'>): void {
    const { target, timestampUs } = write
    if (!this.#checkedNames.has(target)) {
      checkEntryName(target)
      this.#checkedNames.add(target)
    }
    if (!Number.isSafeInteger(timestampUs) || timestampUs < 0) {
      throw new StorageError(
        'ERR_INVALID',
        `time ${timestampUs} is not a whole number of microseconds below 2^53`,
        target,
      )
    }
    checkLabels(write)
  }

  #requireHealthy(): void {
    if (this.#poison === undefined) return
    const { cause } = this.#poison
    if (cause instanceof StorageError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new StorageError('ERR_POISONED', `the store stopped after a failure: ${why}`, {}, cause)
  }

  #fail(cause: unknown): void {
    if (this.#poison !== undefined) return
    this.#poison = { cause }
    this.#gate.stop(cause)
    this.#commit.fail(cause)
    void this.#maintenance.stop()
    this.#onPoisoned?.(cause)
  }
}

interface StorageParts {
  readonly options: StorageOptions
  readonly gate: WriteGate
  readonly paths: StorePaths
  readonly lock: DirectoryLock
  readonly format: StoreFormat
  readonly recovery: Recovery
  readonly catalogue: Catalogue
  readonly manager: BlockManager
  readonly dirty: DirtySet
  readonly observer: StorageObserver
  readonly limits: StorageLimits
}

/** Each open block needs two files and its entry's directories; recovery needs a few more names. */
const INODES_RESERVED = 1_000
