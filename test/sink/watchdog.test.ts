import { describe, expect, it } from '@jest/globals'
import { isStuck, nextStall, type Movement, type ProgressFacts, type Stall } from '../../src/sink/watchdog.ts'

const look = (changes: Partial<ProgressFacts>): ProgressFacts => ({
  nowMs: 0,
  acceptedOffset: 10,
  durableOffset: 10,
  rereadOffset: 0,
  highWatermark: 50,
  isExempt: false,
  ...changes,
})
const still: Movement = { inStore: false, inPartitions: false }
const after = (...looks: ProgressFacts[]): Stall | undefined =>
  looks.reduce<Stall | undefined>((stall, facts) => nextStall(stall, facts), undefined)

describe('the watchdog', () => {
  it.each<[string, ProgressFacts[], boolean]>([
    ['bites when there is work and nothing moves', [look({}), look({ nowMs: 60 })], true],
    ['waits for the limit', [look({}), look({ nowMs: 59 })], false],
    ['is calmed by accepted offsets', [look({}), look({ nowMs: 40, acceptedOffset: 11 })], false],
    [
      'is calmed by durable offsets',
      [look({ durableOffset: 5 }), look({ nowMs: 40, durableOffset: 6 })],
      false,
    ],
    ['is calmed by what is read again', [look({}), look({ nowMs: 40, rereadOffset: 3 })], false],
    ['sleeps without work', [look({ highWatermark: 10 }), look({ nowMs: 60, highWatermark: 10 })], false],
    [
      'sleeps while paused or held',
      [look({}), look({ nowMs: 30, isExempt: true }), look({ nowMs: 60 })],
      false,
    ],
    [
      'forgets a lag while the brokers do not answer',
      [look({}), look({ nowMs: 30, highWatermark: undefined }), look({ nowMs: 60 })],
      false,
    ],
    [
      'bites without the brokers when the store does not finish what it has',
      [
        look({ durableOffset: 5, highWatermark: undefined }),
        look({ nowMs: 60, durableOffset: 5, highWatermark: undefined }),
      ],
      true,
    ],
  ])('%s', (_, looks, expected) => {
    expect(isStuck(after(...looks), looks.at(-1)!.nowMs, 60, still)).toBe(expected)
  })

  it.each<[string, Partial<ProgressFacts>, Partial<Movement>, boolean]>([
    [
      'is patient with a partition whose turn has not come while others move',
      {},
      { inPartitions: true },
      true,
    ],
    ['is not for a store that moves other things', {}, { inStore: true }, false],
    ['is patient with a store that works', { durableOffset: 5 }, { inStore: true }, true],
    [
      'is not for other partitions that move past the store',
      { durableOffset: 5 },
      { inPartitions: true },
      false,
    ],
  ])('%s', (_, facts, movement, isPatient) => {
    const stall = after(look(facts))
    const isStuckAt = (nowMs: number): boolean => isStuck(stall, nowMs, 60, { ...still, ...movement })
    expect([isStuckAt(60), isStuckAt(599), isStuckAt(600)]).toEqual([!isPatient, !isPatient, true])
  })
})
