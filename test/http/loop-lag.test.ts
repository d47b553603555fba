import { expect, it } from '@jest/globals'
import type { Clock } from '../../src/base/clock.ts'
import { LoopLag } from '../../src/http/loop-lag.ts'

it('reports the longest delay of the last ten seconds, also one that still lasts', () => {
  let nowMs = 1000
  const clock: Clock = { nowUs: () => nowMs * 1000, monotonicMs: () => nowMs, sleep: () => Promise.resolve() }
  const lag = new LoopLag(clock)
  try {
    nowMs += 500
    lag.tick()
    expect(lag.lagMsMax).toBe(0)
    nowMs += 2500
    expect(lag.lagMsMax).toBe(2000)
    lag.tick()
    expect(lag.lagMsMax).toBe(2000)
    for (let tick = 0; tick < 20; tick++) {
      nowMs += 500
      lag.tick()
    }
    expect(lag.lagMsMax).toBe(0)
  } finally {
    lag.stop()
  }
})
