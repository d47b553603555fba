import { assert } from '../base/assert.ts'

interface Waiter {
  readonly bytes: number
  readonly decide: (isGranted: boolean) => void
}

/**
 * The bytes that fetched but not yet durable batches may hold, for the whole process. Waiting here is the
 * back-pressure. First come, first served: a large request is not overtaken by small ones.
 *
 * Invariant: `usedBytes` <= `bytesMax`, except while a single request larger than that is held alone.
 */
export class MemoryBudget {
  readonly bytesMax: number
  #usedBytes = 0
  #waiters: Waiter[] = []

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get waiting(): number {
    return this.#waiters.length
  }

  /** Resolves to whether the bytes are held now: false when `signal` or `cancelWaiting` ended the wait. */
  async acquire(bytes: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false
    if (this.#waiters.length === 0 && this.#fits(bytes)) {
      this.#usedBytes += bytes
      return true
    }
    return new Promise((resolve) => {
      const giveUp = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter)
        waiter.decide(false)
        this.#serve()
      }
      const waiter: Waiter = {
        bytes,
        decide: (isGranted) => {
          signal.removeEventListener('abort', giveUp)
          resolve(isGranted)
        },
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiters.push(waiter)
    })
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes
    assert(this.#usedBytes >= 0, 'more memory was given back than was taken')
    this.#serve()
  }

  /** Ends every wait that is under way. */
  cancelWaiting(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.decide(false)
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.bytesMax
  }

  #serve(): void {
    for (;;) {
      const first = this.#waiters[0]
      if (first === undefined || !this.#fits(first.bytes)) return
      this.#waiters.shift()
      this.#usedBytes += first.bytes
      first.decide(true)
    }
  }
}
