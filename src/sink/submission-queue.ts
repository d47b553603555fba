import { type RecordWrite, StorageError } from '../storage/index.ts'

/** One atom for the store: records, and what the ledger learns with them. */
export interface StoreSubmission {
  readonly writes: readonly RecordWrite[]
  readonly delta: Uint8Array
  /** Behind a refused submission the store refuses all later ones of the same stream. */
  readonly stream?: object
}

export interface QueuedSubmission {
  readonly submission: StoreSubmission
  readonly bytes: number
  readonly records: number
  durable(): void
  /** It was not handed to the store, or the store failed. */
  discarded(): void
  /** The store did not take it (`ERR_CORRUPT`, `ERR_QUOTA`), and takes nothing more of its stream. It takes others. */
  refused(error: StorageError): void
}

export interface SubmissionQueueOptions {
  readonly submit: (submission: StoreSubmission) => Promise<void>
  /** Handed to the store and not durable; one larger submission is handed over alone. */
  readonly inFlightBytesMax: number
  /** Called once, when the store failed; nothing is handed over afterwards. */
  readonly onFailed: (error: unknown) => void
}

/**
 * What is accepted and not durable, in order: the head is in flight in the store and cannot be taken back, the rest
 * waits here and can.
 */
export class SubmissionQueue {
  readonly #options: SubmissionQueueOptions
  #queued: QueuedSubmission[] = []
  #inFlight = new Set<QueuedSubmission>()
  #inFlightBytes = 0
  #isFailed = false
  #idleWaiters: (() => void)[] = []

  constructor(options: SubmissionQueueOptions) {
    this.#options = options
  }

  get submissions(): number {
    return this.#queued.length + this.#inFlight.size
  }

  get bytes(): number {
    return this.#queued.reduce((sum, item) => sum + item.bytes, this.#inFlightBytes)
  }

  get records(): number {
    return [...this.#queued, ...this.#inFlight].reduce((sum, item) => sum + item.records, 0)
  }

  enqueue(item: QueuedSubmission): void {
    if (this.#isFailed) {
      item.discarded()
      return
    }
    this.#queued.push(item)
    this.#pump()
  }

  /** Takes back everything that is not in flight; returns how many records that is. */
  discardQueued(): number {
    const items = this.#queued
    this.#queued = []
    let records = 0
    for (const item of items) {
      records += item.records
      item.discarded()
    }
    this.#settleIdle()
    return records
  }

  /** Nothing is handed over any more. */
  stop(): void {
    this.#isFailed = true
    this.discardQueued()
  }

  /** Resolves when nothing is queued or in flight. */
  async idle(): Promise<void> {
    if (this.submissions === 0) return
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
  }

  #pump(): void {
    while (this.#queued.length > 0 && !this.#isFailed) {
      const item = this.#queued[0]!
      if (this.#inFlight.size > 0 && this.#inFlightBytes + item.bytes > this.#options.inFlightBytesMax) return
      this.#queued.shift()
      this.#inFlight.add(item)
      this.#inFlightBytes += item.bytes
      void this.#submit(item)
    }
  }

  async #submit(item: QueuedSubmission): Promise<void> {
    try {
      await this.#options.submit(item.submission)
      this.#land(item)
      item.durable()
    } catch (error) {
      const isLanded = this.#land(item)
      if (isLanded && isRefusal(error)) item.refused(error)
      else {
        const isFirst = !this.#isFailed
        if (isLanded) item.discarded()
        this.stop()
        if (isFirst) this.#options.onFailed(error)
      }
    }
    this.#pump()
    this.#settleIdle()
  }

  /** Whether it was in flight. */
  #land(item: QueuedSubmission): boolean {
    if (!this.#inFlight.delete(item)) return false
    this.#inFlightBytes -= item.bytes
    return true
  }

  #settleIdle(): void {
    if (this.submissions > 0) return
    const waiters = this.#idleWaiters
    this.#idleWaiters = []
    for (const resolve of waiters) resolve()
  }
}

/** A store that is damaged as a whole says `ERR_POISONED`. */
function isRefusal(error: unknown): error is StorageError {
  return error instanceof StorageError && (error.code === 'ERR_CORRUPT' || error.code === 'ERR_QUOTA')
}
