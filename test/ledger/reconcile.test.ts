// Goal: what records prove is told from what the ledger only says, offset by offset, and a rebuilt ledger claims nothing
// more. Method: a naive model with one word an offset for the ledger, and a set of offsets whose records are there.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { IntervalSet } from '../../src/base/interval-set.ts'
import type { Run } from '../../src/base/runs.ts'
import type { Gap, GapClass } from '../../src/ledger/gap.ts'
import { loadGaps, NO_GAPS, type RowGaps } from '../../src/ledger/gap-files.ts'
import { decodeSnapshot, encodeDelta, encodeSnapshot, type LedgerRow } from '../../src/ledger/ledger-codec.ts'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'
import { compareWithRecords, rebuildRow } from '../../src/ledger/reconcile.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'

const key = { clusterId: 'cluster', topic: 'orders', partition: 0 }

type Word = GapClass | 'stored'
const words: readonly Word[] = ['stored', 'stored', 'stored', 'control', 'compacted', 'deleted', 'unknown']

function rowOf(story: readonly Word[]): LedgerRow | undefined {
  const gaps: Gap[] = story.flatMap((word, offset) =>
    word === 'stored' ? [] : [{ class: word, fromOffset: offset, nextOffset: offset + 1 }],
  )
  const ledger = new OffsetLedger()
  const step = { topic: 'orders', partition: 0, fromOffset: 0, nextOffset: story.length }
  if (story.length > 0)
    ledger.apply(encodeDelta('cluster', [{ ...step, records: story.length - gaps.length, gaps }]))
  return ledger.position(key)
}

/** As releases wrote it that had no file for the oldest ranges. */
function rowOfOldRelease(story: readonly Word[]): LedgerRow {
  const { spilled, ...row } = rowOf(story) as LedgerRow
  return { ...row, gapRangesForgotten: spilled?.ranges ?? 0 }
}

/** The gaps of a row whose pages are not written yet. */
async function loaded(row: LedgerRow): Promise<RowGaps> {
  const disk = { fs: new SimulatedDisk().fs, directory: '/gaps' }
  return (await loadGaps(row, disk, 1e9)) as RowGaps
}

/** The gaps of a row without pages. */
function listed(row: LedgerRow | undefined): RowGaps {
  return { ...NO_GAPS, all: () => row?.gaps ?? [] }
}

function setOf(offsets: Iterable<number>): IntervalSet {
  const set = new IntervalSet()
  for (const offset of offsets) set.add(offset)
  return set
}

function offsetsOf(runs: Iterable<Run>): number[] {
  return [...runs].flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, index) => start + index),
  )
}

function wordAt(row: LedgerRow, offset: number): Word {
  return row.gaps.find((gap) => gap.fromOffset <= offset && offset < gap.nextOffset)?.class ?? 'stored'
}

const stories = fc.array(fc.constantFrom(...words), { maxLength: 20 })
const storedOffsets = fc.uniqueArray(fc.nat({ max: 24 }))

describe('a row held against records', () => {
  it('tells what is missing, what is there against its gaps, and what is behind its end', () => {
    fc.assert(
      fc.property(stories, storedOffsets, (story, stored) => {
        const row = rowOf(story)
        fc.pre(row !== undefined)
        const seen = compareWithRecords(row, listed(row), setOf(stored))
        const is = (offset: number): boolean => stored.includes(offset)
        const all = [...story.keys()]
        const missing = all.filter((offset) => story[offset] === 'stored' && !is(offset))
        expect(offsetsOf(seen.missing.runs())).toEqual(missing)
        expect(seen.missingOffsets).toBe(missing.length)
        expect(seen.unlistedOffsets).toBe(0)
        expect(offsetsOf(seen.inUnknownGaps.runs())).toEqual(
          all.filter((offset) => story[offset] === 'unknown' && is(offset)),
        )
        expect(offsetsOf(seen.inGaps.runs())).toEqual(
          all.filter((offset) => story[offset] !== 'stored' && story[offset] !== 'unknown' && is(offset)),
        )
        expect(offsetsOf(seen.beyond.runs())).toEqual(
          stored.filter((offset) => offset >= story.length).sort((a, b) => a - b),
        )
      }),
    )
  })

  it('knows how many of the missing ones are gaps that are only counted any more', () => {
    const story: Word[] = Array.from({ length: 1200 }, (_, offset) =>
      offset % 2 === 0 ? 'stored' : 'control',
    )
    const row = rowOfOldRelease(story)
    const { gapRangesForgotten } = row
    expect(gapRangesForgotten).toBeGreaterThan(300)
    const stored = setOf([...story.keys()].filter((offset) => offset % 2 === 0 && offset !== 100))
    expect(compareWithRecords(row, listed(row), stored)).toMatchObject({
      missingOffsets: gapRangesForgotten + 1,
      unlistedOffsets: gapRangesForgotten,
    })
  })
})

describe('a rebuilt row', () => {
  it('has as stored what is stored and nothing else, keeps reasons, and calls the rest unknown', () => {
    fc.assert(
      fc.property(stories, storedOffsets, (story, stored) => {
        const row = rowOf(story)
        const after = rebuildRow(key, row, listed(row), setOf(stored))
        const end = Math.max(story.length, ...stored.map((offset) => offset + 1))
        expect(after?.nextOffset ?? 0).toBe(end)
        for (let offset = 0; offset < end; offset++) {
          const before = story[offset]
          const unproved = before === undefined || before === 'stored' ? 'unknown' : before
          expect(wordAt(after as LedgerRow, offset)).toBe(stored.includes(offset) ? 'stored' : unproved)
        }
        if (after === undefined) return
        // It adds up, and a ledger takes it.
        expect(decodeSnapshot(encodeSnapshot([after]))[0]).toMatchObject({ records: stored.length })
        const again = compareWithRecords(after, listed(after), setOf(stored))
        expect([again.missingOffsets, ...again.beyond.runs(), ...again.inGaps.runs()]).toEqual([0])
        expect(rebuildRow(key, after, listed(after), setOf(stored))).toEqual(after)
      }),
    )
  })

  it('keeps gaps that are only counted where exactly so many offsets are missing, and gives them up otherwise', () => {
    const story: Word[] = Array.from({ length: 1200 }, (_, offset) =>
      offset % 2 === 0 ? 'stored' : 'control',
    )
    const row = rowOfOldRelease(story)
    const evens = [...story.keys()].filter((offset) => offset % 2 === 0)
    expect(rebuildRow(key, row, listed(row), setOf(evens))).toEqual({ ...row })
    const after = rebuildRow(
      key,
      row,
      listed(row),
      setOf(evens.filter((offset) => offset !== 100)),
    ) as LedgerRow
    expect(after).toMatchObject({ records: 599, gapRangesForgotten: 0, nextOffset: 1200 })
    expect(Object.fromEntries(after.gapOffsets)).toEqual({
      control: 600 - row.gapRangesForgotten,
      unknown: row.gapRangesForgotten + 1,
    })
  })

  it('has its oldest gaps in another file where records contradict the one it has, and in the same one otherwise', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...words), { minLength: 600, maxLength: 2000 }),
        fc.array(fc.nat({ max: 1999 }), { maxLength: 30 }),
        fc.boolean(),
        async (story, odd, isTrue) => {
          const row = rowOf(story) as LedgerRow
          const isOdd = (offset: number): boolean => !isTrue && odd.includes(offset)
          const stored = setOf(
            [...story.keys()].filter((offset) => (story[offset] === 'stored') !== isOdd(offset)),
          )
          const after = rebuildRow(key, row, await loaded(row), stored) as LedgerRow
          const listed = [...(await loaded(after)).all()]
          const said: Word[] = story.map(() => 'stored')
          for (const gap of listed) said.fill(gap.class, gap.fromOffset, gap.nextOffset)
          const proved = story.map((word, offset) =>
            isOdd(offset) ? (word === 'stored' ? 'unknown' : 'stored') : word,
          )
          expect(said).toEqual(proved)
          expect(after.records).toBe(proved.filter((word) => word === 'stored').length)
          for (const [gapClass, offsets] of after.gapOffsets)
            expect(offsets).toBe(proved.filter((word) => word === gapClass).length)
          const isSpilledTouched = [...(await loaded(row)).spilled()].some(({ fromOffset, nextOffset }) =>
            story.slice(fromOffset, nextOffset).some((_, index) => stored.has(fromOffset + index)),
          )
          if (row.spilled === undefined) return
          expect(after.spilled?.edition).toBe(isSpilledTouched ? 1 : 0)
          expect(decodeSnapshot(encodeSnapshot([after]))).toHaveLength(1)
        },
      ),
      // Shrinking such a story takes hours.
      { numRuns: 50, endOnFailure: true },
    )
  })

  it('lists the newest unknown ranges only, and counts all', () => {
    const after = rebuildRow(
      key,
      undefined,
      NO_GAPS,
      setOf(Array.from({ length: 3000 }, (_, index) => index * 2 + 1)),
    ) as LedgerRow
    expect(after).toMatchObject({ nextOffset: 6000, records: 3000, gapRangesForgotten: 3000 - 1024 })
    expect(after.gaps).toHaveLength(1024)
    expect(after.gaps.at(-1)).toEqual({ class: 'unknown', fromOffset: 5998, nextOffset: 5999 })
    expect(decodeSnapshot(encodeSnapshot([after]))).toHaveLength(1)
  })
})
