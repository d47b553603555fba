// Goal: whatever is delivered, the pieces of a batch account for every offset from the accepted one on, once.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { AbsentOffsets, SourceBatch, SourceRecord } from '../../src/kafka/source.ts'
import { gapOffsets } from '../../src/ledger/gap.ts'
import { cutBatch } from '../../src/sink/cut-batch.ts'
import type { RecordWrite } from '../../src/storage/index.ts'
import { record } from '../support/sink/fake-source.ts'

const target = { bucket: 'b', entry: 'e' }
const toWrite = ({ offset, value }: SourceRecord): RecordWrite => ({
  target,
  timestampUs: offset,
  labels: ['offset', String(offset)],
  contentType: '',
  content: value!,
})
const batchOf = (
  fromOffset: number,
  nextOffset: number,
  offsets: number[],
  absent?: AbsentOffsets[],
): SourceBatch => ({
  ...(absent === undefined ? {} : { absent }),
  topic: 't',
  partition: 0,
  fromOffset,
  nextOffset,
  records: offsets.map((offset) => record(offset)),
  bytes: 1,
  highWatermark: nextOffset,
})

describe('cutBatch', () => {
  it('accounts for every offset once, in pieces that follow each other', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }),
        fc.nat(60),
        fc.integer({ min: 1, max: 2000 }),
        (delivered, skip, pieceBytesMax) => {
          const from = 1000
          const next = from + delivered.length
          const accepted = Math.min(from + skip, next)
          const offsets = delivered.flatMap((isThere, index) => (isThere ? [from + index] : []))

          const cut = cutBatch(batchOf(from, next, offsets), accepted, toWrite, pieceBytesMax)

          let position = accepted
          for (const piece of cut.pieces) {
            expect(piece.fromOffset).toBe(position)
            expect(piece.writes.length + gapOffsets(piece.gaps)).toBe(piece.nextOffset - piece.fromOffset)
            expect(piece.nextOffset).toBeGreaterThan(piece.fromOffset)
            position = piece.nextOffset
          }
          expect(position).toBe(next)
          const written = cut.pieces.flatMap((piece) => piece.writes.map((write) => write.timestampUs))
          expect(written).toEqual(offsets.filter((offset) => offset >= accepted))
          expect(cut.duplicates).toBe(offsets.length - written.length)
        },
      ),
    )
  })

  it('gives every hole the class that the source names, and calls the rest unknown', () => {
    const absent: AbsentOffsets[] = [
      { why: 'aborted', fromOffset: 1, nextOffset: 3 },
      { why: 'control', fromOffset: 3, nextOffset: 4 },
      { why: 'compacted', fromOffset: 6, nextOffset: 8 },
    ]
    const { pieces } = cutBatch(batchOf(0, 10, [0, 4, 5, 8], absent), 2, toWrite, 1e6)

    expect(pieces).toHaveLength(1)
    expect(pieces[0]!.gaps).toEqual([
      { class: 'aborted', fromOffset: 2, nextOffset: 3 },
      { class: 'control', fromOffset: 3, nextOffset: 4 },
      { class: 'compacted', fromOffset: 6, nextOffset: 8 },
      { class: 'unknown', fromOffset: 9, nextOffset: 10 },
    ])
  })

  it('makes a step without writes of a batch without records', () => {
    const { pieces } = cutBatch(batchOf(5, 8, []), 5, toWrite, 1e6)

    expect(pieces).toMatchObject([{ fromOffset: 5, nextOffset: 8, writes: [] }])
  })

  it.each([
    ['begins after what is accepted', batchOf(6, 8, [6, 7])],
    ['has an offset twice', batchOf(5, 8, [5, 6, 6])],
    ['goes back', batchOf(5, 8, [6, 5])],
    ['has an offset beyond its end', batchOf(5, 8, [8])],
  ])('refuses a batch that %s', (_, batch) => {
    expect(() => cutBatch(batch, 5, toWrite, 1e6)).toThrow(expect.objectContaining({ code: 'ERR_INTEGRITY' }))
  })
})
