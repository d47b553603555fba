export interface SpaceGateOptions {
  /** Free disk beyond what must stay free, asked now. */
  readonly spareBytes: () => Promise<number>
  /** Accepted and not durable: it may or may not be on the disk already, and counts either way. */
  readonly underwayBytes: () => number
  /** Once closed it opens again with so many bytes spare. */
  readonly resumeBytes: number
  /** Called at every change. */
  readonly onChange: (isClosed: boolean) => void
}

/**
 * Closed while the disk is too full for more. It looks at the disk from time to time, and counts what is accepted
 * between two looks, so that it closes without waiting for the next one.
 */
export class SpaceGate {
  readonly #options: SpaceGateOptions
  readonly #waiters = new Set<() => void>()
  #isClosed = false
  /** Bytes that may still be accepted, by the last look at the disk and what was accepted since. */
  #roomBytes = Infinity
  /** Accepted since the last look began. */
  #takenBytes = 0

  constructor(options: SpaceGateOptions) {
    this.#options = options
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Spare bytes by the last look, less what has been accepted and may not be on the disk yet. */
  get roomBytes(): number {
    return this.#roomBytes
  }

  async look(): Promise<void> {
    const { spareBytes, underwayBytes, resumeBytes } = this.#options
    const bytesBefore = underwayBytes()
    this.#takenBytes = 0
    this.#roomBytes = (await spareBytes()) - bytesBefore - this.#takenBytes
    this.#set(this.#roomBytes < (this.#isClosed ? resumeBytes : 0))
  }

  /** Never refused: what is in hand is taken, and the next waits. */
  take(bytes: number): void {
    this.#takenBytes += bytes
    this.#roomBytes -= bytes
    if (this.#roomBytes < 0) this.#set(true)
  }

  /** Resolves when it is open, or as soon as `signal` or `cancelWaiting` ends the wait. */
  async opened(signal: AbortSignal): Promise<void> {
    if (!this.#isClosed || signal.aborted) return
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiters.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      signal.addEventListener('abort', wake, { once: true })
      this.#waiters.add(wake)
    })
  }

  /** Ends every wait that is under way. */
  cancelWaiting(): void {
    for (const wake of [...this.#waiters]) wake()
  }

  #set(isClosed: boolean): void {
    if (isClosed === this.#isClosed) return
    this.#isClosed = isClosed
    this.#options.onChange(isClosed)
    if (!isClosed) this.cancelWaiting()
  }
}
