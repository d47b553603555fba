import { checkEntryName } from './catalogue.ts'
import type { Submission } from './commitlog/group.ts'
import type { DamagedPlace } from './damage.ts'
import type { Entry } from './entry.ts'
import { StorageError } from './errors.ts'
import { checkLabels } from './label-rules.ts'
import { checkAttachment } from './mutation/attachments.ts'
import { changeSettings, createBucket, listBuckets, requireBucket } from './mutation/bucket-settings.ts'
import type { RecordResult } from './mutation/mutations.ts'
import { removeBucket, removeEntry, renameBucket, renameEntry } from './mutation/relocate.ts'
import { removeRange, removeRecords, type RemoveRangeOptions } from './mutation/remove-records.ts'
import { updateLabels, type LabelUpdate } from './mutation/update-labels.ts'
import { openStore, type OpenedStore } from './open-store.ts'
import type { StorageOptions } from './options.ts'
import { connectParts, type StorageParts } from './parts.ts'
import { isAttachment } from './paths.ts'
import { entryInfo } from './query/entry-info.ts'
import { getRecord } from './query/get-record.ts'
import { readBatches } from './query/read-batches.ts'
import type {
  BatchOptions,
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
import type { OwedRecord } from './recovery/owed-content.ts'
import { writeFormat, type StoreFormat } from './store-files.ts'

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
  readonly #store: OpenedStore
  readonly #parts: StorageParts
  readonly #checkedNames = new WeakSet<EntryName>()
  #format: StoreFormat
  #closing: Promise<void> | undefined

  private constructor(opened: OpenedStore) {
    this.#store = opened
    this.#format = opened.format
    this.#parts = connectParts(opened, (begin) => this.beginRecord(begin))
  }

  /**
   * Locks, recovers and opens the directory; makes it when missing. When this resolves, everything acknowledged is
   * durable and visible, and a checkpoint covers it.
   * @throws {StorageError} `ERR_NOT_A_STORE`, `ERR_LOCKED`, `ERR_READ_ONLY`, `ERR_NO_SPACE`, `ERR_FORMAT` (nothing
   *   was written); `ERR_CORRUPT` (nothing but the lock was written)
   */
  static open(options: StorageOptions): Promise<Storage> {
    return openStore(options, async (opened, findings) => {
      const storage = new Storage(opened)
      const { owed, maintenance, upkeep } = storage.#parts
      await owed.open(storage, findings.owed)
      opened.options.observer.recovered(findings.event)
      maintenance.start()
      upkeep.start()
      return storage
    })
  }

  get identity(): StoreIdentity {
    const { storeId, clusterId, groupId } = this.#format
    return { storeId, clusterId, groupId }
  }

  /** Binds the store to a cluster and group, durably. @throws {StorageError} `ERR_FORMAT` when bound to another. */
  async claim(clusterId: string, groupId: string): Promise<void> {
    const { options, paths } = this.#store
    const { clusterId: boundCluster, groupId: boundGroup } = this.#format
    if (boundCluster === clusterId && boundGroup === groupId) return
    if (boundCluster !== undefined) {
      throw new StorageError(
        'ERR_FORMAT',
        `${paths.root} belongs to group '${boundGroup}' of cluster ${boundCluster}, not to group '${groupId}' of cluster ${clusterId}: use another data directory`,
        { path: paths.format },
      )
    }
    const format = { ...this.#format, clusterId, groupId }
    await writeFormat(options.fs, paths, format)
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
    return this.#parts.commit.submit(submission)
  }

  /**
   * Begins a record whose content comes in pieces, of any length. Its range is durable, as a record that has failed, when
   * this resolves. A failed record of equal length is written again in its place, with these labels and this type.
   * An attachment (`$meta`) needs a label `key`; the frame that finishes it labels all others of its key `remove=true`, and
   * they are removed before `finish` resolves, but for those in a block that content is uploaded into.
   * @throws {StorageError} `ERR_EXISTS` when the time is taken, `ERR_NO_SPACE`, `ERR_QUOTA`, `ERR_INVALID`, `ERR_CORRUPT`
   *   (what it belongs into is damaged), `ERR_POISONED`, `ERR_CLOSED`
   */
  async beginRecord(begin: RecordBegin): Promise<RecordWriter> {
    this.#check(begin)
    if (!Number.isSafeInteger(begin.contentBytes) || begin.contentBytes < 0) {
      const why = `${begin.contentBytes} is no length of content`
      throw new StorageError('ERR_INVALID', why, begin.target)
    }
    if (isAttachment(begin.target)) checkAttachment(begin)
    return this.#parts.uploads.begin(begin)
  }

  /**
   * Records of durable frames whose content ReductStore has cut off between a kill and a start; each stands in its place,
   * as one that has failed, until `payOwed`, also over restarts.
   */
  get owed(): readonly OwedRecord[] {
    return this.#parts.owed.records
  }

  /**
   * Writes the content of an owed record into its place; the record is finished, durable and visible, when it resolves.
   * @throws {StorageError} `ERR_INVALID` when it is not its content, and as `beginRecord`: `ERR_EXISTS` when somebody has
   *   written or removed the record since
   */
  payOwed(record: OwedRecord, content: Uint8Array): Promise<void> {
    return this.#parts.owed.pay(record, content)
  }

  /** Owed records that nobody can bring any more: they stay failed. A crash before `close` may name them again. */
  forgetOwed(records: readonly OwedRecord[]): Promise<void> {
    return this.#parts.owed.forget(records)
  }

  /**
   * Changes labels of records; durable and visible when it resolves, all of them as one atom.
   * @throws {StorageError} `ERR_NOT_FOUND` without such an entry, `ERR_CORRUPT` where it or its bucket is damaged,
   *   `ERR_POISONED`, `ERR_CLOSED`; what concerns one record
   *   only is in its result
   */
  async updateLabels(name: EntryName, updates: readonly LabelUpdate[]): Promise<RecordResult[]> {
    return updateLabels(this.#parts.mutation, this.#requireEntry(name), updates)
  }

  /** Removes records, all of them as one atom. @throws {StorageError} as `updateLabels` */
  async removeRecords(name: EntryName, timestampsUs: readonly bigint[]): Promise<RecordResult[]> {
    return removeRecords(this.#parts.mutation, this.#requireEntry(name), timestampsUs)
  }

  /**
   * Removes the records of a range, some blocks at a time. @returns how many
   * @throws {StorageError} as `updateLabels`, and at the first block that stands in the way
   */
  async removeRange(name: EntryName, options?: RemoveRangeOptions): Promise<number> {
    return removeRange(this.#parts.mutation, this.#requireEntry(name), options)
  }

  /** Sorted by name; those with damaged settings are left out. */
  buckets(): BucketInfo[] {
    return listBuckets(this.#store.catalogue)
  }

  /** Whether the quota of the bucket leaves room for a submission that was refused for `bytes`. */
  hasRoom(bucket: string, bytes: number): boolean {
    return this.#parts.quotas.hasRoom(bucket, bytes)
  }

  /** @throws {StorageError} `ERR_NOT_FOUND`, `ERR_CORRUPT` */
  bucketSettings(name: string): BucketSettings {
    this.#store.catalogue.requireSound({ bucket: name })
    return requireBucket(this.#store.catalogue, name).settings
  }

  /**
   * Makes a bucket, durably, with the settings of new ones where `settings` does not say otherwise.
   * @throws {StorageError} `ERR_EXISTS`, `ERR_INVALID`, `ERR_NOT_A_STORE`
   */
  createBucket(name: string, settings: Partial<BucketSettings> = {}): Promise<void> {
    return createBucket(this.#parts.relocation, name, {
      ...this.#store.options.bucketSettings(name),
      ...settings,
    })
  }

  /** In force for all entries when it resolves, durably. @throws {StorageError} `ERR_NOT_FOUND`, `ERR_INVALID` */
  changeBucketSettings(name: string, changes: Partial<BucketSettings>): Promise<BucketSettings> {
    return changeSettings(this.#parts.relocation, name, changes)
  }

  /**
   * Removes a bucket with everything in it; durable when it resolves. Records that are submitted for it afterwards make it
   * anew. @throws {StorageError} `ERR_NOT_FOUND`, `ERR_RECORD_STATE` while content is being uploaded into it
   */
  removeBucket(name: string): Promise<void> {
    return removeBucket(this.#parts.relocation, name)
  }

  /** @throws {StorageError} as `removeBucket`; `ERR_EXISTS`, `ERR_INVALID` */
  renameBucket(from: string, to: string): Promise<void> {
    return renameBucket(this.#parts.relocation, from, to)
  }

  /** Removes an entry and all below it. @throws {StorageError} as `removeBucket` */
  removeEntry(name: EntryName): Promise<void> {
    return removeEntry(this.#parts.relocation, name)
  }

  /** Moves an entry and all below it to another path in its bucket. @throws {StorageError} as `renameBucket` */
  renameEntry(name: EntryName, to: string): Promise<void> {
    return renameEntry(this.#parts.relocation, name, to)
  }

  /** Free bytes beyond what the log may still grow by and what open uploads will still write. Negative: consumption must pause. */
  spareBytes(): Promise<number> {
    return this.#parts.spareBytes()
  }

  /** Changes of the disk so far. It rises while the store works, however long that takes, and not while it hangs. */
  get changes(): number {
    return this.#store.options.fs.changes
  }

  /** Blocks that still have a write-ahead log. */
  get openBlocks(): number {
    return this.#store.manager.openBlocks.size
  }

  /** Folds every open block and checkpoints: afterwards stock ReductStore finds no WAL. */
  async settle(progress?: (done: number, total: number) => void): Promise<void> {
    await this.#parts.maintenance.foldAll({ progress })
    await this.#parts.maintenance.rewriteDue()
    await this.checkpoint()
  }

  /**
   * Gives all records in folded blocks the CRC-32s that ReductStore has dropped or never known, as it is done anyway in the
   * background, but at full speed. @throws {StorageError} `ERR_POISONED`, `ERR_CLOSED`
   */
  addChecksums(): Promise<void> {
    return this.#parts.upkeep.finish()
  }

  /** Makes everything acknowledged so far durable in ReductStore's own files and drops the log. */
  async checkpoint(): Promise<void> {
    const { checkpointer, commit, health } = this.#parts
    await checkpointer.settled()
    await commit.between(() => checkpointer.begin())
    await checkpointer.settled()
    health.requireGood()
  }

  /** Folds one block if nothing is being written to it; for tools and tests. @returns whether it is cold now */
  async fold(name: EntryName, blockId: number): Promise<boolean> {
    const block = this.#store.catalogue.find(name)?.open.get(blockId)
    return block !== undefined && (await this.#parts.maintenance.fold(block))
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
    const { options, lock } = this.#store
    const { health, uploads, maintenance, upkeep, commit, checkpointer, owed, changer, trees } = this.#parts
    const untilMs = options.clock.monotonicMs() + deadlineMs
    try {
      await uploads.close()
      await maintenance.stop()
      await upkeep.stop()
      await commit.close()
      if (health.isGood) {
        await maintenance.foldAll({ untilMs })
        await checkpointer.complete()
        await owed.close()
      }
    } catch (cause) {
      health.fail(cause)
    } finally {
      // Whoever opens next must not meet a write of ours.
      await checkpointer.settled()
      changer.stop()
      await trees.stop()
      await lock.release()
    }
    health.requireGood()
  }

  entries({ attachments = false, onDamaged }: ListOptions = {}): Promise<EntryInfo[]> {
    for (const place of this.#store.catalogue.damagedPlaces) onDamaged?.(place)
    const listed = [...this.#store.catalogue.entries].filter((entry) => attachments || !entry.isAttachment)
    const infos = listed.map((entry) => entryInfo(this.#parts.live.source(entry)))
    infos.sort((a, b) => (a.bucket < b.bucket || (a.bucket === b.bucket && a.entry < b.entry) ? -1 : 1))
    return Promise.resolve(infos)
  }

  /** Buckets and entries that take nothing until the next open, because they are damaged or cannot be read. */
  damaged(): readonly DamagedPlace[] {
    return this.#store.catalogue.damagedPlaces
  }

  async get(name: EntryName, timestampUs: bigint): Promise<StoredRecord | undefined> {
    const entry = this.#readable(name)
    return entry && getRecord(this.#store.options.fs, this.#parts.live.source(entry), timestampUs)
  }

  async *records(name: EntryName, options?: ReadOptions): AsyncGenerator<StoredRecord> {
    for await (const batch of this.batches(name, options)) yield* batch
  }

  async *batches(name: EntryName, options?: BatchOptions): AsyncGenerator<readonly StoredRecord[]> {
    const entry = this.#readable(name)
    if (entry !== undefined)
      yield* readBatches(this.#store.options.fs, this.#parts.live.source(entry), options)
  }

  /** @throws {StorageError} `ERR_CORRUPT` where it cannot be read */
  #readable(name: EntryName): Entry | undefined {
    const damage = this.#store.catalogue.unreadable(name)
    if (damage !== undefined) throw damage
    return this.#store.catalogue.find(name)
  }

  #requireEntry(name: EntryName): Entry {
    this.#store.catalogue.requireSound(name)
    const entry = this.#store.catalogue.find(name)
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
}
