// Goal: a page gives back the ranges that went in, and never others. Method: properties, and every bit flipped.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Gap } from '../../src/ledger/gap.ts'
import { decodePage, encodePage, PAGE_BYTES } from '../../src/ledger/gap-page.ts'

const place = { owner: 'cluster/orders/0-0-0', pageNumber: 7 }

/** Ascending ranges of a word each: how far behind the one before, how long, which class. */
const ranges = fc
  .array(
    fc.tuple(
      fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 2 ** 40 })),
      fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 40 })),
      fc.constantFrom('control' as const, 'aborted' as const, 'compacted' as const, 'filtered' as const),
    ),
    { minLength: 1, maxLength: 300 },
  )
  .map((steps) => {
    let position = 0
    return steps.map(([distance, length, gapClass]): Gap => {
      const fromOffset = position + distance
      position = fromOffset + length
      return { class: gapClass, fromOffset, nextOffset: position }
    })
  })

describe('a page of gaps', () => {
  it('holds the first of its ranges, exactly', () => {
    fc.assert(
      fc.property(ranges, (all) => {
        const page = encodePage(place, all)
        expect(page.bytes).toHaveLength(PAGE_BYTES)
        expect(page.ranges).toBeGreaterThan(0)
        expect(decodePage(place, page.bytes)).toEqual(all.slice(0, page.ranges))
      }),
    )
  })

  it('holds 244 short ranges near each other, and any range alone', () => {
    const markers = Array.from({ length: 300 }, (_, index): Gap => {
      return { class: 'control', fromOffset: index * 10, nextOffset: index * 10 + 1 }
    })
    expect(encodePage(place, markers).ranges).toBe(244)
    const far: Gap[] = [
      { class: 'filtered', fromOffset: 0, nextOffset: 2 ** 51 },
      { class: 'filtered', fromOffset: Number.MAX_SAFE_INTEGER - 1, nextOffset: Number.MAX_SAFE_INTEGER },
    ]
    const page = encodePage(place, far)
    expect(decodePage(place, page.bytes)).toEqual(far.slice(0, page.ranges))
    expect(decodePage(place, encodePage(place, far.slice(1)).bytes)).toEqual(far.slice(1))
  })

  it('is none with any bit flipped, cut, at another place or of another file', () => {
    const { bytes } = encodePage(place, [{ class: 'aborted', fromOffset: 5, nextOffset: 900 }])
    for (let bit = 0; bit < PAGE_BYTES * 8; bit++) {
      const damaged = bytes.slice()
      damaged[bit >>> 3]! ^= 1 << (bit & 7)
      expect(decodePage(place, damaged)).toBeUndefined()
    }
    expect(decodePage(place, bytes.subarray(0, PAGE_BYTES - 1))).toBeUndefined()
    expect(decodePage({ ...place, pageNumber: 8 }, bytes)).toBeUndefined()
    expect(decodePage({ ...place, owner: 'cluster/orders/1-0-0' }, bytes)).toBeUndefined()
    expect(decodePage(place, new Uint8Array(PAGE_BYTES))).toBeUndefined()
  })
})
