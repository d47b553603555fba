import type { Clock } from '../../src/base/clock.ts'

interface Sleeper {
  readonly wakesAtMs: number
  readonly wake: () => void
}

/** Time of one simulated process: moves only when told to, and ends with the process. */
export class SimulatedClock implements Clock {
  readonly #startUs: number
  #nowMs = 0
  #sleepers: Sleeper[] = []

  constructor(startUs = 1_750_000_000_000_000) {
    this.#startUs = startUs
  }

  nowUs(): number {
    return this.#startUs + Math.round(this.#nowMs * 1000)
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    return new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const sleeper = { wakesAtMs: this.#nowMs + durationMs, wake }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', wake)
    })
  }

  /** Moves to when the first sleeper is due and wakes it. */
  wakeNext(): void {
    let first: Sleeper | undefined
    for (const sleeper of this.#sleepers) {
      if (first === undefined || sleeper.wakesAtMs < first.wakesAtMs) first = sleeper
    }
    if (first === undefined) return
    this.#nowMs = Math.max(this.#nowMs, first.wakesAtMs)
    first.wake()
  }

  /** Nobody who sleeps now wakes again: their process is dead. */
  stop(): void {
    this.#sleepers = []
  }
}
