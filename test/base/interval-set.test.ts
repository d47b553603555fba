// Goal: runs behave like a plain set of numbers, and stay fast where Kafka timestamps are equal.
// Method: random operations beside a naive Set, shrunk by fast-check (which prints its seed).
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { IntervalSet } from '../../src/base/interval-set.ts'

type Step =
  | { kind: 'range'; start: number; length: number }
  | { kind: 'first-free'; from: number }
  | { kind: 'remove-below'; limit: number }
  | { kind: 'remove'; value: number }

const steps = (spread: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant('range' as const),
          start: fc.nat(spread),
          length: fc.integer({ min: 0, max: 12 }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('first-free' as const), from: fc.nat(spread) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('remove-below' as const), limit: fc.nat(spread >> 2) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('remove' as const), value: fc.nat(spread) }),
      },
    ),
    { maxLength: 200 },
  )

const firstFreeOf = (model: Set<number>, from: number): number => {
  let value = from
  while (model.has(value)) value += 1
  return value
}

const numbersOf = (set: IntervalSet): number[] => {
  const numbers: number[] = []
  let previousEnd = -Infinity
  let runs = 0
  for (const { start, end } of set.runs()) {
    // A matcher costs more than all the rest, thousands of times.
    if (!(start > previousEnd && end > start)) throw new Error(`run ${start} to ${end} after ${previousEnd}`)
    for (let value = start; value < end; value++) numbers.push(value)
    previousEnd = end
    runs += 1
  }
  expect(set.runCount).toBe(runs)
  return numbers
}

const expectLikeModel = (all: readonly Step[]): void => {
  const set = new IntervalSet()
  const model = new Set<number>()
  for (const step of all) {
    if (step.kind === 'range') {
      set.addRange(step.start, step.start + step.length)
      for (let i = 0; i < step.length; i++) model.add(step.start + i)
    } else if (step.kind === 'first-free') {
      const expected = firstFreeOf(model, step.from)
      expect(set.firstFree(step.from)).toBe(expected)
      set.add(expected)
      model.add(expected)
    } else if (step.kind === 'remove') {
      set.remove(step.value)
      model.delete(step.value)
    } else {
      set.removeBelow(step.limit)
      for (const value of [...model]) if (value < step.limit) model.delete(value)
    }
    expect(set.last).toBe(model.size === 0 ? undefined : Math.max(...model))
  }
  expect(numbersOf(set).join()).toBe([...model].sort((a, b) => a - b).join())
}

describe('IntervalSet', () => {
  it('is a set of numbers, whatever the order of additions', () => {
    fc.assert(fc.property(steps(300), expectLikeModel), { numRuns: 200 })
  })

  it('stays one over many chunks, also when a range swallows hundreds of runs', () => {
    const swallow = fc.array(fc.tuple(fc.nat(9000), fc.nat(4000)), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0x7fffffff }), swallow, (seed, ranges) => {
        const set = new IntervalSet()
        const model = new Set<number>()
        let state = seed
        for (let i = 0; i < 3000; i++) {
          state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
          const value = (state >>> 4) % 9000
          set.add(value)
          model.add(value)
        }
        for (const [start, length] of ranges) {
          set.addRange(start, start + length)
          for (let i = 0; i < length; i++) model.add(start + i)
        }
        expect(numbersOf(set).join()).toBe([...model].sort((a, b) => a - b).join())
        const asked = Array.from({ length: 244 }, (_, index) => index * 37)
        expect(asked.map((value) => set.firstFree(value))).toEqual(
          asked.map((value) => firstFreeOf(model, value)),
        )
        for (let value = 0; value < 9000; value += 3) {
          set.remove(value)
          model.delete(value)
        }
        expect(numbersOf(set).join()).toBe([...model].sort((a, b) => a - b).join())
      }),
      { numRuns: 8 },
    )
  })

  it('gives a million records of one millisecond a million slots in one run', () => {
    const base = 1_700_000_000_000_000
    const set = new IntervalSet()

    for (let i = 0; i < 1_000_000; i++) set.add(set.firstFree(base))

    expect(set.runCount).toBe(1)
    expect(set.firstFree(base)).toBe(base + 1_000_000)
  })

  it('holds numbers up to the largest safe integer exactly', () => {
    const set = new IntervalSet()
    set.add(Number.MAX_SAFE_INTEGER - 1)

    expect(numbersOf(set)).toEqual([Number.MAX_SAFE_INTEGER - 1])
    expect(set.firstFree(Number.MAX_SAFE_INTEGER - 2)).toBe(Number.MAX_SAFE_INTEGER - 2)
  })
})
