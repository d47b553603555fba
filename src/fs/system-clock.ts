import { setTimeout as sleepFor } from 'node:timers/promises'
import type { Clock } from '../base/clock.ts'

const TIMER_MS_MAX = 2_147_483_647

/** The machine's clock; `nowUs` has the resolution of a millisecond and follows steps of the wall clock. */
export const systemClock: Clock = {
  nowUs: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
  async sleep(durationMs, signal) {
    const options = signal === undefined ? {} : { signal }
    try {
      await sleepFor(Math.min(Math.max(0, durationMs), TIMER_MS_MAX), undefined, options)
    } catch (error) {
      if ((error as Partial<Error>).name !== 'AbortError') throw error
    }
  },
}
