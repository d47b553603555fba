import { describe, expect, it } from '@jest/globals'
import { LagMarks } from '../../src/sink/lag-marks.ts'

describe('LagMarks', () => {
  it('tell since when the oldest record that is not durable has been known', () => {
    const marks = new LagMarks()
    marks.seen(100, 1000)
    marks.seen(200, 2000)

    expect(marks.ageMs(0, 5000)).toBe(4000)
    expect(marks.ageMs(100, 5000)).toBe(3000)
    expect(marks.ageMs(200, 5000)).toBe(0)
  })

  it('do not get younger when the same watermark is seen again', () => {
    const marks = new LagMarks()
    marks.seen(100, 1000)
    marks.reached(100)
    marks.seen(100, 9000)
    expect(marks.ageMs(100, 9000)).toBe(0)

    marks.seen(101, 9500)

    expect(marks.ageMs(100, 10_000)).toBe(500)
  })

  it.each([10, 300, 3000, 36_000])(
    'err to the young side by less than a fifth at a lag of %i steps',
    (lag) => {
      const marks = new LagMarks()
      const shares: number[] = []
      for (let step = 1; step <= 3 * lag + 1000; step++) {
        const durable = Math.max(0, step - lag)
        marks.seen(step, step)
        marks.reached(durable)
        if (durable > lag / 2) shares.push(marks.ageMs(durable, step) / (lag - 1))
      }

      expect(Math.min(...shares)).toBeGreaterThan(0.8)
      expect(Math.max(...shares)).toBeLessThanOrEqual(1)
    },
  )

  it('keep the age of what has been waiting longest exactly', () => {
    const marks = new LagMarks()
    for (let step = 1; step <= 100_000; step++) marks.seen(step, step)

    expect(marks.ageMs(0, 100_000)).toBe(99_999)
  })
})
