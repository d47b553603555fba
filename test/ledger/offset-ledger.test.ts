// Goal: the ledger says exactly which offsets are stored, after any mix of deltas, snapshots and restores, and refuses
// what does not continue it. Method: a naive model that keeps one word per offset; damaged bytes.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type Gap, type GapClass } from '../../src/ledger/gap.ts'
import { type Advance, decodeDelta, encodeDelta } from '../../src/ledger/ledger-codec.ts'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'

const cluster = 'kafka-cluster-1'
const key = (
  partition: number,
  topic = 'orders',
): { clusterId: string; topic: string; partition: number } => ({
  clusterId: cluster,
  topic,
  partition,
})
const stored = (partition: number, fromOffset: number, nextOffset: number): Advance => ({
  topic: 'orders',
  partition,
  fromOffset,
  nextOffset,
  records: nextOffset - fromOffset,
  gaps: [],
})

type Word = GapClass | 'stored'
const words: Word[] = [
  'stored',
  'stored',
  'before-start',
  'elsewhere',
  'compacted',
  'control',
  'deleted',
  'unknown',
]

/** A step that gives each offset from `from` on one of `story`'s words. */
function stepOf(partition: number, from: number, story: readonly Word[]): Advance {
  const gaps: Gap[] = []
  story.forEach((word, i) => {
    if (word === 'stored') return
    const gap = { class: word, fromOffset: from + i, nextOffset: from + i + 1 }
    gaps.push(word === 'elsewhere' ? { ...gap, storeId: 'store-b' } : gap)
  })
  return {
    topic: 'orders',
    partition,
    fromOffset: from,
    nextOffset: from + story.length,
    records: story.filter((word) => word === 'stored').length,
    gaps,
  }
}

function expectLikeModel(ledger: OffsetLedger, model: readonly Word[][]): void {
  model.forEach((story, partition) => {
    const row = ledger.position(key(partition))
    expect(row?.nextOffset ?? 0).toBe(story.length)
    if (row === undefined) return
    expect(row.records).toBe(story.filter((word) => word === 'stored').length)
    const listed: Word[] = Array.from({ length: story.length }, () => 'stored')
    for (const gap of row.gaps) listed.fill(gap.class, gap.fromOffset, gap.nextOffset)
    expect(listed).toEqual(story)
    for (const [gapClass, offsets] of row.gapOffsets) {
      expect(offsets).toBe(story.filter((word) => word === gapClass).length)
    }
  })
}

describe('OffsetLedger', () => {
  it('tells each offset stored or missing with its class, over any deltas and restarts', () => {
    const story = fc.array(fc.constantFrom(...words), { maxLength: 12 })
    const deltas = fc.array(
      fc.record({ first: fc.option(story), second: fc.option(story), restarts: fc.boolean() }),
      { maxLength: 20 },
    )
    fc.assert(
      fc.property(deltas, (all) => {
        let ledger = new OffsetLedger()
        ledger.restore(undefined)
        const model: Word[][] = [[], []]
        for (const { first, second, restarts } of all) {
          const advances: Advance[] = []
          for (const [partition, part] of [first, second].entries()) {
            if (part === null) continue
            advances.push(stepOf(partition, model[partition]!.length, part))
            model[partition]!.push(...part)
          }
          ledger.apply(encodeDelta(cluster, advances))
          if (restarts) {
            const snapshot = ledger.snapshot()
            ledger = new OffsetLedger()
            ledger.restore(snapshot)
            expect(ledger.snapshot()).toEqual(snapshot)
          }
        }
        expectLikeModel(ledger, model)
      }),
    )
  })

  it('knows a partition that began at 0 without a record', () => {
    const ledger = new OffsetLedger()

    ledger.apply(encodeDelta(cluster, [stored(3, 0, 0)]))

    expect(ledger.position(key(3))?.nextOffset).toBe(0)
    expect(ledger.position(key(4))).toBeUndefined()
  })

  it.each([
    { why: 'leaves offsets out', from: 12, next: 15 },
    { why: 'comes a second time', from: 0, next: 10 },
    { why: 'overlaps what is durable', from: 9, next: 15 },
  ])('refuses a step that $why, and with it the whole delta', ({ from, next }) => {
    const ledger = new OffsetLedger()
    ledger.apply(encodeDelta(cluster, [stored(0, 0, 10)]))

    const delta = encodeDelta(cluster, [stored(1, 0, 5), stored(0, from, next)])

    expect(() => ledger.apply(delta)).toThrow(expect.objectContaining({ code: 'ERR_LEDGER_CONTIGUITY' }))
    expect(ledger.position(key(0))?.nextOffset).toBe(10)
    expect(ledger.position(key(1))).toBeUndefined()
  })

  it('remembers what a partition is, and why it is held, until a step says otherwise', () => {
    const ledger = new OffsetLedger()
    ledger.restore(undefined)
    const apply = (advance: Advance): object | undefined => {
      ledger.apply(encodeDelta(cluster, [advance]))
      const restored = new OffsetLedger()
      restored.restore(ledger.snapshot())
      const { topicId, leaderEpoch, hold } = restored.position(key(0))!
      return { topicId, leaderEpoch, hold }
    }
    const hold = { reason: 'log-truncated', offset: 3 } as const
    expect(apply({ ...stored(0, 0, 5), topicId: 'T', leaderEpoch: 4 })).toEqual({
      topicId: 'T',
      leaderEpoch: 4,
    })
    expect(apply({ ...stored(0, 5, 5), hold })).toEqual({ topicId: 'T', leaderEpoch: 4, hold })
    expect(apply(stored(0, 5, 5))).toEqual({ topicId: 'T', leaderEpoch: 4 })
    expect(apply(stored(0, 5, 8))).toEqual({ topicId: 'T' })
  })

  it('reads what was written before there were topic ids, and refuses what is newer than itself', () => {
    // 'D', version 1, cluster c, one partition: t/0, no flags, incarnation 0, from 0 by 2, 2 records, no gaps.
    const delta = Uint8Array.from([0x44, 1, 1, 0x63, 1, 1, 0x74, 0, 0, 0, 0, 2, 2, 0])
    const ledger = new OffsetLedger()
    ledger.restore(undefined)
    ledger.apply(delta)
    expect(ledger.position({ clusterId: 'c', topic: 't', partition: 0 })).toMatchObject({ nextOffset: 2 })
    delta[8] = 32
    expect(() => decodeDelta(delta)).toThrow('flags 32 are not known here')
  })

  it('keeps clusters apart', () => {
    const ledger = new OffsetLedger()

    ledger.apply(encodeDelta(cluster, [stored(0, 0, 10)]))
    ledger.apply(encodeDelta('another', [stored(0, 0, 3)]))

    expect(ledger.positions().map((row) => [row.clusterId, row.nextOffset])).toEqual([
      ['another', 3],
      [cluster, 10],
    ])
  })

  it('begins at 0 again in a new incarnation, and never goes back to an old one', () => {
    const ledger = new OffsetLedger()
    ledger.apply(encodeDelta(cluster, [stored(0, 0, 10)]))

    ledger.apply(encodeDelta(cluster, [{ ...stored(0, 0, 4), incarnation: 1 }]))

    expect(ledger.position(key(0))).toMatchObject({ nextOffset: 4, incarnation: 1 })
    const late = encodeDelta(cluster, [{ ...stored(0, 4, 5), incarnation: 0 }])
    expect(() => ledger.apply(late)).toThrow(expect.objectContaining({ code: 'ERR_LEDGER_CONTIGUITY' }))
  })

  it('has every gap that is a loss in memory, but only the newest benign ones, and counts them all', () => {
    const ledger = new OffsetLedger()
    ledger.apply(encodeDelta(cluster, [stepOf(0, 0, ['deleted', 'stored'])]))

    for (let i = 1; i <= 1000; i++)
      ledger.apply(encodeDelta(cluster, [stepOf(0, 2 * i, ['control', 'stored'])]))

    const row = ledger.position(key(0))!
    expect(row.gaps[0]).toEqual({ class: 'deleted', fromOffset: 0, nextOffset: 1 })
    expect(row.gaps.at(-1)).toMatchObject({ fromOffset: 2000 })
    expect(row.gaps.length).toBeLessThanOrEqual(257)
    expect(row.spilled).toMatchObject({ ranges: 1001 - row.gaps.length, edition: 0 })
    expect(row.gapRangesForgotten).toBe(0)
    expect(row.gapOffsets.get('control')).toBe(1000)
  })
})

describe('ledger bytes', () => {
  const delta = encodeDelta(cluster, [stepOf(7, 2 ** 52, ['stored', 'elsewhere', 'control'])])

  it('hold offsets beyond 32 bits exactly', () => {
    expect(decodeDelta(delta).advances[0]).toMatchObject({
      partition: 7,
      fromOffset: 2 ** 52,
      nextOffset: 2 ** 52 + 3,
      records: 1,
      gaps: [
        { class: 'elsewhere', storeId: 'store-b', fromOffset: 2 ** 52 + 1, nextOffset: 2 ** 52 + 2 },
        { class: 'control', fromOffset: 2 ** 52 + 2, nextOffset: 2 ** 52 + 3 },
      ],
    })
  })

  it('are refused when cut anywhere', () => {
    for (let length = 0; length < delta.length; length++) {
      expect(() => decodeDelta(delta.subarray(0, length))).toThrow(/ledger bytes cannot be read/)
    }
  })

  it.each([
    { why: 'of a newer version', at: 1, value: 2 },
    { why: 'of another kind', at: 0, value: 0x53 },
    { why: 'with flags of a newer release', at: delta.indexOf(7) + 1, value: 32 },
  ])('are refused when $why', ({ at, value }) => {
    const damaged = delta.slice()
    damaged[at] = value

    expect(() => decodeDelta(damaged)).toThrow(expect.objectContaining({ code: 'ERR_LEDGER_FORMAT' }))
  })

  it('are refused with bytes behind the end', () => {
    expect(() => decodeDelta(Uint8Array.of(...delta, 0))).toThrow(/beyond its end/)
  })

  it.each<{ why: string; step: Partial<Advance> }>([
    { why: 'has fewer records than offsets', step: { records: 4 } },
    { why: 'goes back', step: { nextOffset: 2 } },
    {
      why: 'has a gap outside',
      step: { records: 4, gaps: [{ class: 'control', fromOffset: 9, nextOffset: 10 }] },
    },
    {
      why: 'has overlapping gaps',
      step: {
        records: 2,
        gaps: [
          { class: 'control', fromOffset: 4, nextOffset: 6 },
          { class: 'control', fromOffset: 5, nextOffset: 6 },
        ],
      },
    },
  ])('are not made of a step that $why', ({ step }) => {
    expect(() => encodeDelta(cluster, [{ ...stored(0, 3, 8), ...step }])).toThrow(
      expect.objectContaining({ code: 'ERR_LEDGER_CONTIGUITY' }),
    )
  })
})

describe('a revision', () => {
  const revision = (fromOffset: number, nextOffset: number): Advance => ({
    topic: 'orders',
    partition: 0,
    fromOffset,
    nextOffset,
    records: 0,
    gaps: [{ class: 'deleted', fromOffset, nextOffset }],
    isRevision: true,
  })
  const ledgerOf = (...advances: Advance[]): OffsetLedger => {
    const ledger = new OffsetLedger()
    for (const advance of advances) ledger.apply(encodeDelta(cluster, [advance]))
    return ledger
  }

  it('makes stored offsets a gap, in its place among the others, and survives a snapshot', () => {
    const later: Advance = {
      ...stored(0, 10, 14),
      records: 3,
      gaps: [{ class: 'control', fromOffset: 12, nextOffset: 13 }],
    }
    const ledger = ledgerOf(stored(0, 0, 10), later, revision(4, 6))
    const again = new OffsetLedger()
    again.restore(ledger.snapshot())
    for (const one of [ledger, again]) {
      const row = one.position(key(0))!
      expect(row).toMatchObject({ nextOffset: 14, records: 11 })
      expect(row.gaps.map((gap) => [gap.class, gap.fromOffset, gap.nextOffset])).toEqual([
        ['deleted', 4, 6],
        ['control', 12, 13],
      ])
      expect(Object.fromEntries(row.gapOffsets)).toEqual({ control: 1, deleted: 2 })
    }
  })

  it('changes nothing when it is made again', () => {
    const once = ledgerOf(stored(0, 0, 10), revision(4, 6)).position(key(0))
    const twice = ledgerOf(stored(0, 0, 10), revision(4, 6), revision(4, 6)).position(key(0))
    expect(twice).toEqual(once)
  })

  it('is refused of offsets that do not count as stored', () => {
    const ledger = ledgerOf(stored(0, 0, 10), revision(4, 6))
    for (const wrong of [revision(5, 7), revision(9, 11), { ...revision(0, 1), incarnation: 1 }])
      expect(() => ledger.apply(encodeDelta(cluster, [wrong]))).toThrow(
        expect.objectContaining({ code: 'ERR_LEDGER_CONTIGUITY' }),
      )
    expect(() => ledgerOf(revision(0, 1))).toThrow(expect.objectContaining({ code: 'ERR_LEDGER_CONTIGUITY' }))
    expect(ledger.position(key(0))).toMatchObject({ nextOffset: 10, records: 8 })
  })
})
