// Goal: holes and common parts of runs are those of the sets they stand for. Method: sets of small numbers, one by one.
import { expect, it } from '@jest/globals'
import fc from 'fast-check'
import { IntervalSet } from '../../src/base/interval-set.ts'
import { common, holes, runLength } from '../../src/base/runs.ts'

const END = 24
const someNumbers = fc.uniqueArray(fc.nat({ max: END - 1 }))

function runsOf(numbers: Iterable<number>): IntervalSet {
  const set = new IntervalSet()
  for (const number of numbers) set.add(number)
  return set
}

it('holes are what is not in the set, up to the end', () => {
  fc.assert(
    fc.property(someNumbers, fc.nat({ max: END }), (numbers, end) => {
      const expected = Array.from({ length: end }, (_, number) => number).filter((n) => !numbers.includes(n))
      expect([...holes(runsOf(numbers).runs(), end)]).toEqual([...runsOf(expected).runs()])
    }),
  )
})

it('common is what is in both', () => {
  fc.assert(
    fc.property(someNumbers, someNumbers, (some, others) => {
      const both = some.filter((number) => others.includes(number))
      const found = [...common(runsOf(some).runs(), runsOf(others).runs())]
      expect(found).toEqual([...runsOf(both).runs()])
      expect(runLength(found)).toBe(both.length)
    }),
  )
})
