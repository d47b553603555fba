import type { Clock } from '../../base/clock.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { PAGE_BYTES } from '../../fs/page.ts'
import type { OpenBlock } from '../block/block.ts'
import type { BlockManager } from '../block/block-manager.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import type { StorageObserver } from '../observer.ts'
import type { LogCompanion, StorageLimits } from '../options.ts'
import type { StorePaths } from '../paths.ts'
import type { EntryName, RecordWrite } from '../record.ts'
import type { QuotaKeeper } from '../quota/quota-keeper.ts'
import { weighRecord } from '../record-weight.ts'
import type { CommitLog } from './commit-log.ts'
import { DirectContent } from './direct-content.ts'
import { FrameBuffers } from './frame-buffers.ts'
import { buildGroup, type FrameIdentity } from './group-builder.ts'
import type { BuiltGroup, Edits, EntryChange, PendingSubmission, Submission } from './group.ts'
import type { Projector } from './projector.ts'

/** An empty frame with the watermark follows the last group after this long: it proves that group durable. */
const WATERMARK_IDLE_MS = 50
/** Frames in memory: one being built, one being written, one being projected. */
const FRAME_BUFFERS = 3
/** With at least this share of a group waiting, the next frame is built while the last one is synced. */
const EARLY_BUILD_SHARE = 0.25

export interface GroupCommitOptions {
  readonly fs: FileSystem
  readonly paths: StorePaths
  readonly clock: Clock
  readonly observer: StorageObserver
  readonly limits: StorageLimits
  readonly log: CommitLog
  readonly manager: BlockManager
  readonly projector: Projector
  readonly companion: LogCompanion | undefined
  /** The entry of a name; `undefined` when it has to be made first. */
  readonly findEntry: (name: EntryName) => Entry | undefined
  /** Why nothing can be stored there; asked again behind `makeEntries`. */
  readonly damageOf: (name: EntryName) => StorageError | undefined
  /** Makes missing entries, and all of these durable. */
  readonly makeEntries: (names: readonly EntryName[]) => Promise<void>
  /** Between two frames, when a checkpoint is due: takes the snapshot and rolls the log (C1). */
  readonly beginCheckpoint: () => Promise<void>
  readonly isCheckpointDue: (idleMs: number) => boolean
  /** Resolves when the log may grow again. */
  readonly logRoom: () => Promise<void>
  readonly quotas: Pick<QuotaKeeper, 'refusal' | 'reserved' | 'laidOut' | 'evictions'>
  /** Asks for an exclusive job that folds and splits the block; told again while it is crowded. */
  readonly relieve: (block: OpenBlock) => void
  readonly poison: (cause: unknown) => void
}

interface Job {
  readonly run: () => Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Turns submissions into frames, in the order they came: whatever arrived while the last sync ran is the next group.
 * One frame in flight; the next one is built meanwhile, its large content is synced, and the one before it is projected.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #buffers: FrameBuffers
  readonly #directContent: DirectContent
  #queue: PendingSubmission[] = []
  #queuedBytes = 0
  #inFlight: Promise<void> = Promise.resolve()
  #isInFlight = false
  #wake: () => void = () => undefined
  #state: 'running' | 'closing' | 'closed' | { poisoned: unknown } = 'running'
  #isWatermarkOwed = false
  #lastFrameMs: number
  #jobs: Job[] = []
  /** Streams with a hole, and why. */
  readonly #broken = new WeakMap<object, StorageError>()
  readonly #projections = new Set<Promise<void>>()
  readonly #done: Promise<void>
  /** The frame being built stands on these, not on the log: the log is one frame behind. */
  #nextSequence: number
  #previousChain: bigint

  constructor(options: GroupCommitOptions) {
    this.#options = options
    const { groupBytesMax, directBlocksMax } = options.limits
    const bufferBytes = groupBytesMax * 2 + directBlocksMax * PAGE_BYTES
    this.#buffers = new FrameBuffers(options.fs, bufferBytes, FRAME_BUFFERS)
    this.#directContent = new DirectContent(options.fs, options.paths, groupBytesMax)
    this.#lastFrameMs = options.clock.monotonicMs()
    this.#nextSequence = options.log.position.sequence + 1
    this.#previousChain = options.log.position.chain
    this.#done = this.#run()
  }

  /**
   * Resolves when the submission is durable and projected.
   * @throws {StorageError} `ERR_CORRUPT` when it needs a block, entry or bucket that is damaged, `ERR_QUOTA` when its bucket is
   *   full: nothing of it was stored, others go on; `ERR_POISONED`, `ERR_CLOSED`
   */
  submit(submission: Submission): Promise<void> {
    if (this.#state !== 'running') return Promise.reject(this.#refusal())
    let bytes = submission.delta?.byteLength ?? 0
    for (const write of submission.writes) bytes += weighRecord(write)
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...submission, bytes, resolve, reject })
      this.#queuedBytes += bytes
      this.#wake()
    })
  }

  /** Runs `job` between two frames, with none in flight. @throws {StorageError} as `submit` */
  between(job: () => Promise<void>): Promise<void> {
    if (this.#state !== 'running') return Promise.reject(this.#refusal())
    return new Promise((resolve, reject) => {
      this.#jobs.push({ run: job, resolve, reject })
      this.#wake()
    })
  }

  /**
   * Runs `job` alone: everything before it is projected, nothing is built meanwhile, and frames are written only by its
   * `commit`, which resolves when they are durable and projected. Keep jobs short, ingestion waits.
   * @throws what `job` throws; a `StorageError` that is not `ERR_POISONED` leaves the store as it was. As `submit` too
   */
  exclusive<T>(job: (commit: (edits: Edits) => Promise<void>) => Promise<T>): Promise<T> {
    if (this.#state !== 'running') return Promise.reject(this.#refusal())
    return new Promise<T>((resolve, reject) => {
      const run = async (): Promise<void> => {
        await this.#projected()
        try {
          resolve(await job((edits) => this.#commitEdits(edits)))
        } catch (error) {
          if (!(error instanceof StorageError) || error.code === 'ERR_POISONED') throw error
          reject(error)
        }
      }
      this.#jobs.push({ run, resolve: () => undefined, reject })
      this.#wake()
    })
  }

  /** Takes no more submissions and resolves when everything accepted is projected. */
  async close(): Promise<void> {
    if (this.#state === 'running') this.#state = 'closing'
    this.#wake()
    await this.#done
    await Promise.allSettled(this.#projections)
  }

  /** Refuses everything from now on: waiting, in flight and later. */
  fail(cause: unknown): void {
    if (typeof this.#state === 'object') return
    this.#state = { poisoned: cause }
    const waiting = this.#queue
    this.#queue = []
    for (const submission of waiting) submission.reject(this.#refusal())
    for (const job of this.#jobs.splice(0)) job.reject(this.#refusal())
    this.#wake()
  }

  async #run(): Promise<void> {
    try {
      while (await this.#waitForWork()) await this.#step()
      await this.#inFlight
    } catch (cause) {
      this.#options.poison(cause)
    }
    if (this.#state === 'closing') this.#state = 'closed'
  }

  async #step(): Promise<void> {
    const { limits, isCheckpointDue, beginCheckpoint, logRoom, clock } = this.#options
    if (this.#queuedBytes < limits.groupBytesMax * EARLY_BUILD_SHARE) await this.#inFlight
    if (this.#jobs.length > 0) await this.#runJobs()
    if (isCheckpointDue(this.#isIdle() ? clock.monotonicMs() - this.#lastFrameMs : 0)) {
      await this.#inFlight
      await beginCheckpoint()
    }
    await logRoom()
    if (this.#queue.length === 0) {
      if (this.#isWatermarkOwed && clock.monotonicMs() - this.#lastFrameMs >= WATERMARK_IDLE_MS) {
        await this.#commit([])
        this.#isWatermarkOwed = false
      }
      return
    }
    await this.#commit(this.#takeGroup())
    this.#isWatermarkOwed = true
  }

  /** Builds a frame, waits for the one before it, and sets it going. After a failure `submissions` are refused. */
  async #commit(submissions: readonly PendingSubmission[]): Promise<void> {
    const refuse = (cause: unknown): never => {
      this.#refuse(submissions, cause)
      throw cause instanceof Error ? cause : new Error(String(cause))
    }
    const built = await this.#build(submissions).catch(refuse)
    const releaseAndRefuse = (cause: unknown): never => {
      built.release()
      return refuse(cause)
    }
    // What goes home before its frame needs no other frame: it is synced while the one before is.
    const direct = this.#directContent.write(built)
    direct.catch(() => undefined)
    await this.#inFlight.catch(async (cause: unknown) => {
      await direct.catch(() => undefined)
      releaseAndRefuse(cause)
    })
    this.#isInFlight = true
    this.#inFlight = this.#write(built, direct)
      .catch(releaseAndRefuse)
      .finally(() => {
        this.#isInFlight = false
        this.#wake()
      })
    // Rejections are seen by the next `await this.#inFlight`; none may go unhandled before that.
    this.#inFlight.catch(() => this.#wake())
  }

  async #commitEdits(edits: Edits): Promise<void> {
    const { limits, clock, logRoom } = this.#options
    await logRoom()
    const built = await buildGroup(
      [],
      [],
      this.#identity(),
      limits,
      this.#buffers,
      clock.monotonicMs(),
      edits,
    )
    this.#nextSequence += 1
    this.#previousChain = built.chain
    this.#isWatermarkOwed = true
    try {
      await this.#write(built, this.#directContent.write(built))
    } catch (cause) {
      built.release()
      throw cause
    }
    await this.#projected()
  }

  /** Ahead of their projection: what is built from now on neither finds these blocks nor takes their ids. */
  #retire(changes: readonly EntryChange[]): void {
    for (const { entry, change } of changes)
      if (change.kind === 'drop') this.#options.manager.retire(entry, change.blockId, this.#nextSequence)
  }

  /** Resolves when everything durable is projected. @throws {StorageError} `ERR_POISONED` */
  async #projected(): Promise<void> {
    await Promise.allSettled(this.#projections)
    if (typeof this.#state === 'object') throw this.#refusal()
  }

  #identity(): FrameIdentity {
    const { generation } = this.#options.log
    return { sequence: this.#nextSequence, generation, previousChain: this.#previousChain }
  }

  #refuse(submissions: readonly PendingSubmission[], cause: unknown): void {
    this.#options.poison(cause)
    for (const submission of submissions) submission.reject(this.#refusal())
  }

  async #build(submissions: readonly PendingSubmission[]): Promise<BuiltGroup> {
    const { manager, findEntry, makeEntries, limits, clock, quotas } = this.#options
    const accepted: PendingSubmission[] = []
    const missing = new Set<EntryName>()
    for (const { writes } of submissions) {
      for (const { target } of writes) if (findEntry(target)?.isNameDurable !== true) missing.add(target)
    }
    if (missing.size > 0) await makeEntries([...missing])
    for (const submission of submissions) {
      const refusal = await this.#reserve(submission)
      if (refusal === undefined) accepted.push(submission)
      else submission.reject(refusal)
    }
    const changes = await quotas.evictions()
    this.#retire(changes)
    const built = await buildGroup(
      manager.takeGroup(),
      accepted,
      this.#identity(),
      limits,
      this.#buffers,
      clock.monotonicMs(),
      { changes },
    )
    quotas.laidOut()
    this.#nextSequence += 1
    this.#previousChain = built.chain
    return built
  }

  /** Reserves for all records of a submission, or for none: then it says why. */
  async #reserve({ writes, stream }: PendingSubmission): Promise<StorageError | undefined> {
    const { manager, findEntry, quotas } = this.#options
    const broken = stream === undefined ? undefined : this.#broken.get(stream)
    if (broken !== undefined) return broken
    const refusal = this.#damageOf(writes) ?? quotas.refusal(writes)
    if (refusal !== undefined) {
      if (stream !== undefined) this.#broken.set(stream, refusal)
      return refusal
    }
    manager.beginUnit()
    try {
      for (const write of writes) {
        const entry = findEntry(write.target) as Entry
        if (!manager.tryReserve(entry, write)) await manager.reserve(entry, write)
      }
      quotas.reserved(writes)
      return undefined
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'ERR_CORRUPT') throw error
      manager.takeBackUnit()
      if (stream !== undefined) this.#broken.set(stream, error)
      return error
    }
  }

  #damageOf(writes: readonly RecordWrite[]): StorageError | undefined {
    const { findEntry, damageOf } = this.#options
    for (const { target } of writes) {
      const entry = findEntry(target)
      const damage = entry === undefined ? damageOf(target) : entry.bucket.damage
      if (damage !== undefined) return damage
    }
    return undefined
  }

  /** @param direct what of it goes home before its frame */
  async #write(built: BuiltGroup, direct: Promise<void>): Promise<void> {
    const { log, companion, projector, observer, clock, limits, relieve } = this.#options
    for (const { block } of built.blocks) if (block.isCrowded(limits.walBytesMax)) relieve(block)
    await direct
    await log.append(built.frame, { sequence: built.sequence, chain: built.chain })
    this.#lastFrameMs = clock.monotonicMs()
    for (const { delta } of built.submissions) if (delta !== undefined) companion?.apply(delta)
    observer.groupDurable({
      durationMs: clock.monotonicMs() - built.builtAtMs,
      records: built.recordCount,
    })
    const projection = projector.project(built).then(
      () => {
        built.release()
        // Durable as it is: after a failure nothing is acknowledged any more, the next start decides.
        if (typeof this.#state === 'object') {
          this.#refuse(built.submissions, this.#state.poisoned)
          return
        }
        for (const submission of built.submissions) submission.resolve()
        observer.groupCommitted({
          records: built.recordCount,
          bytes: built.contentBytes,
          durationMs: clock.monotonicMs() - built.builtAtMs,
          directBytes: built.directBytes,
        })
      },
      (cause: unknown) => {
        built.release()
        this.#refuse(built.submissions, cause)
      },
    )
    this.#projections.add(projection)
    void projection.finally(() => this.#projections.delete(projection))
  }

  #takeGroup(): PendingSubmission[] {
    const { groupBytesMax, groupRecordsMax } = this.#options.limits
    let count = 0
    let bytes = 0
    let records = 0
    for (const next of this.#queue) {
      const isFull = bytes + next.bytes > groupBytesMax || records + next.writes.length > groupRecordsMax
      if (count > 0 && isFull) break
      count += 1
      bytes += next.bytes
      records += next.writes.length
    }
    this.#queuedBytes -= bytes
    // Nothing that was taken stays in the queue: while the store is busy it never runs empty.
    return this.#queue.splice(0, count)
  }

  async #runJobs(): Promise<void> {
    await this.#inFlight
    // One by one: those behind a job that fails are refused like everything else.
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      try {
        await job.run()
        job.resolve()
      } catch (error) {
        this.#options.poison(error)
        job.reject(error)
        throw error
      }
    }
  }

  #isIdle(): boolean {
    return this.#queue.length === 0 && !this.#isInFlight
  }

  /** Resolves with false when there is nothing more to do, ever. */
  async #waitForWork(): Promise<boolean> {
    for (;;) {
      if (typeof this.#state === 'object') return false
      if (this.#queue.length > 0 || this.#jobs.length > 0) return true
      if (this.#state === 'closing') return false
      const idleMs = this.#options.clock.monotonicMs() - this.#lastFrameMs
      // A frame in flight wakes this loop when it is durable.
      const isIdle = this.#isIdle()
      if (isIdle) {
        if (this.#isWatermarkOwed && idleMs >= WATERMARK_IDLE_MS) return true
        if (this.#options.isCheckpointDue(idleMs)) return true
      }
      const stop = new AbortController()
      const woken = new Promise<void>((resolve) => {
        this.#wake = () => {
          resolve()
          stop.abort(WOKEN)
        }
      })
      const waitMs = isIdle && this.#isWatermarkOwed ? Math.max(1, WATERMARK_IDLE_MS - idleMs) : IDLE_CHECK_MS
      await Promise.race([woken, this.#options.clock.sleep(waitMs, stop.signal)])
      stop.abort(WOKEN)
    }
  }

  #refusal(): StorageError {
    if (typeof this.#state === 'object') {
      const { poisoned } = this.#state
      const why = poisoned instanceof Error ? poisoned.message : String(poisoned)
      return new StorageError('ERR_POISONED', `the store stopped after a failure: ${why}`, {}, poisoned)
    }
    return new StorageError('ERR_CLOSED', 'the store is closed')
  }
}

const IDLE_CHECK_MS = 1_000
/** A reason of its own: the default one is an error, made anew with its stack each time. */
const WOKEN = 'woken'
