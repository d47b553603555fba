// Goal: the prefix is exactly what a list of done offsets says. Method: a naive model beside random completions.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { ContiguousOffsets } from '../../src/ledger/contiguous-offsets.ts'

describe('ContiguousOffsets', () => {
  it('advances to the end of what is complete without a hole, in whatever order ranges complete', () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 0, max: 8 })), { maxLength: 60 }),
        (base, ranges) => {
          const offsets = new ContiguousOffsets(base)
          const done = new Set<number>()
          let expected = base
          for (const [from, length] of ranges) {
            for (let i = 0; i < length; i++) done.add(base + from + i)
            while (done.has(expected)) expected += 1
            expect(offsets.complete(base + from, base + from + length)).toBe(expected)
            expect(offsets.next).toBe(expected)
          }
        },
      ),
    )
  })
})
