import { describe, expect, it } from '@jest/globals'
import { systemClock } from '../../src/fs/system-clock.ts'

describe('systemClock', () => {
  it('tells microseconds that are safe integers, near the wall clock', () => {
    const before = Date.now() * 1000
    const nowUs = systemClock.nowUs()

    expect(Number.isSafeInteger(nowUs)).toBe(true)
    expect(nowUs).toBeGreaterThanOrEqual(before)
    expect(nowUs).toBeLessThanOrEqual(Date.now() * 1000)
  })

  it('sleeps at least as long as asked', async () => {
    const startMs = systemClock.monotonicMs()
    await systemClock.sleep(5)

    expect(systemClock.monotonicMs() - startMs).toBeGreaterThanOrEqual(4)
  })

  it('wakes at once when the signal is aborted, before or during the sleep', async () => {
    const controller = new AbortController()
    const sleeping = systemClock.sleep(60_000, controller.signal)
    controller.abort()
    await sleeping
    await systemClock.sleep(60_000, controller.signal)

    expect(controller.signal.aborted).toBe(true)
  })
})
