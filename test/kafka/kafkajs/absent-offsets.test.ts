import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { absentOffsets } from '../../../src/kafka/kafkajs/absent-offsets.ts'
import type { AbsentOffsets } from '../../../src/kafka/source.ts'
import { record } from '../../support/sink/fake-source.ts'

const whys = ['record', 'control', 'aborted', 'missing'] as const

test('every offset of the range has either a record or one reason', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...whys), { maxLength: 40 }),
      fc.nat(5),
      fc.nat(5),
      (offsets, before, after) => {
        const at = (index: number): number => 100 - before + index
        const end = 100 - before + offsets.length
        const fromOffset = Math.min(100, end)
        const nextOffset = Math.max(fromOffset, end - after)
        const skipped = offsets.flatMap((why, index): AbsentOffsets[] =>
          why === 'control' || why === 'aborted'
            ? [{ why, fromOffset: at(index), nextOffset: at(index) + 1 }]
            : [],
        )
        const wanted = (offset: number): boolean => offset >= fromOffset && offset < nextOffset
        const records = offsets.flatMap((why, index) =>
          why === 'record' && wanted(at(index)) ? [record(at(index))] : [],
        )

        const absent = absentOffsets({ fromOffset, nextOffset, records, skipped })

        const told = new Map(records.map(({ offset }) => [offset, 'record']))
        for (const range of absent) {
          for (let offset = range.fromOffset; offset < range.nextOffset; offset++) {
            expect(told.has(offset)).toBe(false)
            told.set(offset, range.why)
          }
        }
        const all = offsets.flatMap((why, index) => (wanted(at(index)) ? [[at(index), why] as const] : []))
        expect(told).toEqual(new Map(all))
        for (const [index, range] of absent.entries()) {
          const next = absent[index + 1]
          expect(next?.fromOffset === range.nextOffset && next.why === range.why).toBe(false)
        }
      },
    ),
  )
})
