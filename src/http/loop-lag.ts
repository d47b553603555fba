import type { Clock } from '../base/clock.ts'

const TICK_MS = 500
const WINDOW_TICKS = 20

/**
 * How late timers fire: the longest delay within the last ten seconds. A thread that decodes or sorts for
 * seconds cannot send heartbeats, and the group loses its partitions.
 */
export class LoopLag {
  readonly #clock: Clock
  readonly #timer: NodeJS.Timeout
  readonly #lagsMs: number[] = []
  #expectedMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#expectedMs = clock.monotonicMs() + TICK_MS
    this.#timer = setInterval(() => this.tick(), TICK_MS).unref()
  }

  /** Called by the timer. */
  tick(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#lagsMs.push(Math.max(0, nowMs - this.#expectedMs))
    if (this.#lagsMs.length > WINDOW_TICKS) this.#lagsMs.shift()
    this.#expectedMs = nowMs + TICK_MS
  }

  get lagMsMax(): number {
    const pendingMs = Math.max(0, this.#clock.monotonicMs() - this.#expectedMs)
    return Math.max(pendingMs, 0, ...this.#lagsMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
