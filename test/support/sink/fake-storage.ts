import { OffsetLedger } from '../../../src/ledger/offset-ledger.ts'
import type { SinkStorage } from '../../../src/sink/options.ts'
import type { StoreSubmission } from '../../../src/sink/submission-queue.ts'
import { type RecordWrite, StorageError } from '../../../src/storage/index.ts'

interface Pending {
  readonly submission: StoreSubmission
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** A store whose durability is in the hands of the test. The ledger is its companion, as in the engine. */
export class FakeStorage implements SinkStorage {
  readonly identity: { readonly storeId: string }
  /** What a restart finds. */
  readonly stored: RecordWrite[] = []
  readonly claims: string[] = []
  ledger = new OffsetLedger()
  spare = 1 << 30
  changes = 0
  /** This fake loses no content; the real store is asked in `owed.test.ts`. */
  readonly owed = []
  /** An entry that takes nothing. */
  damagedEntry: string | undefined
  /** Makes everything durable at once. */
  isInstant: boolean
  #inFlight: Pending[] = []
  #durable: Pending[] = []
  readonly #broken = new WeakSet<object>()

  constructor({ storeId = 'store-a', isInstant = false } = {}) {
    this.identity = { storeId }
    this.isInstant = isInstant
    this.ledger.restore(undefined)
  }

  get inFlight(): readonly StoreSubmission[] {
    return this.#inFlight.map(({ submission }) => submission)
  }

  claim(clusterId: string, groupId: string): Promise<void> {
    this.claims.push(`${clusterId}/${groupId}`)
    return Promise.resolve()
  }

  submit(submission: StoreSubmission): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#inFlight.push({ submission, resolve, reject })
      if (this.isInstant) this.makeDurable()
    })
  }

  spareBytes(): Promise<number> {
    return Promise.resolve(this.spare)
  }

  hasRoom(): boolean {
    return false
  }

  payOwed(): Promise<void> {
    return Promise.reject(new Error('nothing is owed'))
  }

  forgetOwed(): Promise<void> {
    return Promise.reject(new Error('nothing is owed'))
  }

  /** The oldest `count` submissions reach the disk, in order, and are acknowledged. */
  makeDurable(count = Infinity): void {
    this.writeFrames(count)
    for (const { resolve } of this.#durable.splice(0)) resolve()
  }

  /** On disk and in the ledger, but not acknowledged yet. */
  writeFrames(count = Infinity): void {
    for (const pending of this.#inFlight.splice(0, count)) {
      if (this.#isRefused(pending.submission)) {
        pending.reject(new StorageError('ERR_CORRUPT', 'descriptor d.meta is missing'))
        continue
      }
      this.ledger.apply(pending.submission.delta)
      this.stored.push(...pending.submission.writes)
      this.#durable.push(pending)
    }
  }

  /** Acknowledges what `writeFrames` wrote: one function each, the newest first. */
  acknowledgeOneByOneBackwards(): (() => void)[] {
    return this.#durable
      .splice(0)
      .reverse()
      .map(({ resolve }) => resolve)
  }

  poison(error: Error): void {
    for (const { reject } of this.#inFlight.splice(0)) reject(error)
  }

  #isRefused({ writes, stream }: StoreSubmission): boolean {
    const isBroken = stream !== undefined && this.#broken.has(stream)
    if (!isBroken && !writes.some(({ target }) => target.entry === this.damagedEntry)) return false
    if (stream !== undefined) this.#broken.add(stream)
    return true
  }

  /** The process dies: what was not durable is gone, and the ledger is read from its snapshot. */
  restarted(): FakeStorage {
    const next = new FakeStorage({ storeId: this.identity.storeId, isInstant: this.isInstant })
    next.ledger.restore(this.ledger.snapshot())
    next.stored.push(...this.stored)
    return next
  }
}
