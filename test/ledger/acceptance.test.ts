import { describe, expect, it } from '@jest/globals'
import { acceptHold, type Acceptance } from '../../src/ledger/acceptance.ts'
import { encodeDelta } from '../../src/ledger/ledger-codec.ts'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'
import type { HoldMark } from '../../src/ledger/partition-facts.ts'

const place = { topic: 'orders', partition: 0 }
const key = { ...place, clusterId: 'c' }

/** 100 offsets of topic T, read from leaders of epoch 4, held for something. */
function heldLedger(hold: HoldMark | undefined): OffsetLedger {
  const ledger = new OffsetLedger()
  ledger.restore(undefined)
  const step = {
    ...place,
    fromOffset: 0,
    nextOffset: 100,
    records: 100,
    gaps: [],
    topicId: 'T',
    leaderEpoch: 4,
  }
  ledger.apply(encodeDelta('c', [{ ...step, hold }]))
  return ledger
}

function accepted(kind: 'offsets' | 'gap', hold: HoldMark): { plan: Acceptance; ledger: OffsetLedger } {
  const ledger = heldLedger(hold)
  const plan = acceptHold(kind, place, ledger.position(key))
  if (typeof plan === 'string') throw new Error(plan)
  ledger.apply(encodeDelta('c', [plan.advance]))
  return { plan, ledger }
}

describe('what is accepted', () => {
  it.each<['offsets' | 'gap', HoldMark, object]>([
    [
      'offsets',
      { reason: 'topic-recreated', offset: 0 },
      { incarnation: 1, nextOffset: 0, topicId: undefined },
    ],
    [
      'offsets',
      { reason: 'log-truncated', offset: 70 },
      { incarnation: 1, nextOffset: 70, topicId: 'T', leaderEpoch: undefined },
    ],
    ['offsets', { reason: 'log-truncated', offset: 0 }, { incarnation: 1, nextOffset: 0, topicId: 'T' }],
    [
      'offsets',
      { reason: 'ledger-behind', offset: 130 },
      { incarnation: 1, nextOffset: 100, topicId: 'T', leaderEpoch: 4 },
    ],
    [
      'gap',
      { reason: 'deleted', offset: 130 },
      { incarnation: 0, nextOffset: 130, topicId: 'T', records: 100 },
    ],
    [
      'gap',
      { reason: 'undecodable', offset: 104 },
      { incarnation: 0, nextOffset: 104, records: 100, gapOffsets: new Map([['quarantined', 4]]) },
    ],
    [
      'gap',
      { reason: 'batch-too-large', offset: 104 },
      { incarnation: 0, nextOffset: 104, records: 100, gapOffsets: new Map([['quarantined', 4]]) },
    ],
  ])('by %s accept of %j is durable and held no more', (kind, hold, expected) => {
    const { plan, ledger } = accepted(kind, hold)
    const restored = new OffsetLedger()
    restored.restore(ledger.snapshot())
    expect(restored.position(key)).toMatchObject({ ...expected, hold: undefined })
    expect(restored.position(key)?.nextOffset).toBe(plan.nextOffset)
  })

  it('is refused where nothing is held, or for something else', () => {
    const row = (hold?: HoldMark) => heldLedger(hold).position(key)
    expect(acceptHold('offsets', place, row())).toMatch('not held')
    expect(acceptHold('gap', place, row({ reason: 'log-truncated', offset: 70 }))).toMatch('offsets accept')
    expect(acceptHold('offsets', place, row({ reason: 'deleted', offset: 130 }))).toMatch('gap accept')
    expect(acceptHold('gap', place, undefined)).toMatch('not in the ledger')
  })
})
