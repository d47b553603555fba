import type { Clock } from '../base/clock.ts'

/** Whether `work` resolved within `durationMs`. A rejection of `work` is passed on if it comes in time. */
export async function isDoneWithin(
  work: Promise<unknown>,
  durationMs: number,
  clock: Clock,
): Promise<boolean> {
  const timer = new AbortController()
  try {
    return await Promise.race([
      work.then(() => true),
      clock.sleep(Math.max(0, durationMs), timer.signal).then(() => false),
    ])
  } finally {
    timer.abort()
  }
}
