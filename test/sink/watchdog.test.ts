import { describe, expect, it } from '@jest/globals'
import { isStuck, nextStall, type ProgressFacts, type Stall } from '../../src/sink/watchdog.ts'

const look = (changes: Partial<ProgressFacts>): ProgressFacts => ({
  nowMs: 0,
  acceptedOffset: 10,
  durableOffset: 10,
  highWatermark: 50,
  isExempt: false,
  ...changes,
})
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
    expect(isStuck(after(...looks), looks.at(-1)!.nowMs, 60)).toBe(expected)
  })
})
