import type { Clock } from '../base/clock.ts'

const TIMER_MS_MAX = 2_147_483_647

/** The machine's clock; `nowUs` has the resolution of a millisecond and follows steps of the wall clock. */
export const systemClock: Clock = {
  nowUs: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
  sleep: (durationMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve()
        return
      }
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, Math.min(Math.max(0, durationMs), TIMER_MS_MAX))
      signal?.addEventListener('abort', done, { once: true })
    }),
}
