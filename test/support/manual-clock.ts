import type { Clock } from '../../src/base/clock.ts'

interface Sleeper {
  readonly wakesAtMs: number
  readonly wake: () => void
}

/** Time that stands still until a test moves it. */
export class ManualClock implements Clock {
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

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const sleeper = { wakesAtMs: this.#nowMs + durationMs, wake }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', wake, { once: true })
    })
  }

  /** Lets time pass, wakes who is due in order, and lets what they start come to rest. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs
    await settled()
    for (;;) {
      const next = this.#sleepers
        .filter((sleeper) => sleeper.wakesAtMs <= endMs)
        .reduce<Sleeper | undefined>(
          (first, sleeper) => (first && first.wakesAtMs <= sleeper.wakesAtMs ? first : sleeper),
          undefined,
        )
      if (next === undefined) break
      this.#nowMs = Math.max(this.#nowMs, next.wakesAtMs)
      next.wake()
      await settled()
    }
    this.#nowMs = endMs
    await settled()
  }
}

/** Resolves when all promise reactions that are due have run. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}
