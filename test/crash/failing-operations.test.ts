import { describe, expect, test } from '@jest/globals'
import { Coverage } from './coverage.ts'
import { failAt, failingCalls } from './script.ts'

const script = 'ABDWFLCWAFDC'

describe.each(failingCalls)('a failing %s, wherever it happens,', (call) => {
  test.each([
    ['once', 1],
    ['from then on', Infinity],
  ])(
    '%s, stops the store, and the next start mends it',
    async (_name, times) => {
      const coverage = new Coverage()
      let nth = 1
      while (await failAt(script, call, nth, times, coverage)) nth++
      expect(coverage.of(`failed.${call}`)).toBe(nth - 1)
      expect(nth).toBeGreaterThan(4)
    },
    120_000,
  )
})
