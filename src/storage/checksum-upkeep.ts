import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Entry } from './entry.ts'
import { StorageError, type StorageErrorCode } from './errors.ts'
import { isExtensible } from './block/placement.ts'
import type { AddedChecksums } from './mutation/add-checksums.ts'
import type { StorageObserver } from './observer.ts'

/** What came while the store was closed is caught up with first. */
const BEGIN_MS = 10_000
const TICK_MS = 1_000
/** A wait is looked at again after this long: somebody may be waiting for all of it. */
const WAIT_MS_MAX = 100
/** What a block counts for at least: its frame and syncs disturb others, however small it is. */
const BLOCK_BYTES_MIN = 1024 * 1024

/** The block stays as it is, and its readers are told why. */
const PASSED_OVER: ReadonlySet<StorageErrorCode> = new Set(['ERR_CORRUPT', 'ERR_NOT_FOUND'])

export interface ChecksumUpkeepOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly observer: StorageObserver
  /** Content that is read a second, at most. */
  readonly bytesPerSecond: number
  readonly entries: () => Iterable<Entry>
  readonly add: (
    entry: Entry,
    blockId: bigint,
    pace: (bytes: number) => Promise<void>,
  ) => Promise<AddedChecksums>
  /** Writes the index of an entry as it is known by now, durably. */
  readonly listAnew: (entry: Entry) => Promise<void>
  readonly poison: (cause: unknown) => void
}

/**
 * Gives records their CRC-32s back that ReductStore has dropped or never known, in the background: block by block, at a
 * bounded speed. Which blocks lack some is known from their index entries, so that a start without a visit reads nothing.
 */
export class ChecksumUpkeep {
  readonly #options: ChecksumUpkeepOptions
  readonly #stop = new AbortController()
  /** By path of the data file; blocks of an entry behind each other. */
  readonly #due = new Map<string, { readonly entry: Entry; readonly blockId: bigint }>()
  #running: Promise<void> = Promise.resolve()
  #turn: Promise<void> = Promise.resolve()
  /** Somebody waits: no pace is kept. */
  #hurried = 0
  #waitMs = 0
  #done = { blocks: 0, records: 0, contentBytes: 0, unreadable: 0 }

  constructor(options: ChecksumUpkeepOptions) {
    this.#options = options
  }

  /** Finds what is due, and works on it until `stop`. */
  start(): void {
    for (const entry of this.#options.entries())
      for (const block of entry.index.blocks)
        if (block.hasChecksums !== true && block.crc64 !== undefined && isExtensible(block))
          this.later(entry, block.id)
    const { logger } = this.#options
    if (this.#due.size > 0)
      logger.info({ blocks: this.#due.size }, 'blocks may have records without CRC-32: they get them')
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.#turn
  }

  /** The block may have records without CRC-32s. */
  later(entry: Entry, blockId: bigint): void {
    this.#due.set(entry.paths.data(blockId), { entry, blockId })
  }

  /** Everything that is due, at full speed. @throws {StorageError} `ERR_POISONED`, `ERR_CLOSED` */
  async finish(): Promise<void> {
    this.#hurried += 1
    try {
      await this.#workInTurn()
    } finally {
      this.#hurried -= 1
    }
  }

  async #run(): Promise<void> {
    const { clock, poison } = this.#options
    try {
      for (let waitMs = BEGIN_MS; ; waitMs = TICK_MS) {
        await clock.sleep(waitMs, this.#stop.signal)
        if (this.#stop.signal.aborted) return
        await this.#workInTurn()
      }
    } catch (cause) {
      poison(cause)
    }
  }

  #workInTurn(): Promise<void> {
    const turn = this.#turn.then(() => this.#work())
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #work(): Promise<void> {
    if (this.#due.size === 0) return
    let relisted: Entry | undefined
    for (const [key, { entry, blockId }] of this.#due) {
      if (this.#stop.signal.aborted) return
      if (relisted !== undefined && relisted !== entry) {
        await this.#options.listAnew(relisted)
        relisted = undefined
      }
      this.#due.delete(key)
      const added = await this.#addTo(entry, blockId)
      // What changed no file is to be remembered.
      if (added.records === 0 && entry.index.get(blockId)?.hasChecksums === true) relisted = entry
    }
    if (relisted !== undefined) await this.#options.listAnew(relisted)
    const { logger } = this.#options
    const { unreadable } = this.#done
    if (unreadable > 0)
      logger.warn(this.#done, 'records have their CRC-32s, but for those that cannot be read')
    else logger.info(this.#done, 'records have their CRC-32s')
    this.#done = { blocks: 0, records: 0, contentBytes: 0, unreadable: 0 }
  }

  async #addTo(entry: Entry, blockId: bigint): Promise<AddedChecksums> {
    let pacedBytes = 0
    const pace = (bytes: number): Promise<void> => {
      pacedBytes += bytes
      return this.#pace(bytes)
    }
    let added: AddedChecksums = { records: 0, contentBytes: 0, unreadable: 0 }
    try {
      added = await this.#options.add(entry, blockId, pace)
    } catch (error) {
      if (!(error instanceof StorageError) || !PASSED_OVER.has(error.code)) throw error
    }
    this.#done.blocks += 1
    this.#done.records += added.records
    this.#done.contentBytes += added.contentBytes
    this.#done.unreadable += added.unreadable
    if (added.records > 0) this.#options.observer.checksumsAdded(added.records)
    await this.#pace(Math.max(0, BLOCK_BYTES_MIN - pacedBytes))
    return added
  }

  async #pace(bytes: number): Promise<void> {
    this.#waitMs += (bytes / this.#options.bytesPerSecond) * 1000
    while (this.#waitMs >= 1 && this.#hurried === 0 && !this.#stop.signal.aborted) {
      const stepMs = Math.min(this.#waitMs, WAIT_MS_MAX)
      await this.#options.clock.sleep(stepMs, this.#stop.signal)
      this.#waitMs -= stepMs
    }
    if (this.#hurried > 0) this.#waitMs = 0
  }
}
