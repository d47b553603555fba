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

  it('stay bounded, and err by little', () => {
    const marks = new LagMarks()
    for (let i = 1; i <= 100_000; i++) marks.seen(i, i)

    // 64 marks at most: the oldest one kept is never more than a few thousand steps late.
    expect(marks.ageMs(0, 100_000)).toBe(99_999)
    expect(marks.ageMs(50_000, 100_000)).toBeLessThanOrEqual(50_000)
    expect(marks.ageMs(50_000, 100_000)).toBeGreaterThan(0)
  })
})
