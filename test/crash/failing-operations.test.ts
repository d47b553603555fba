// Goal: whatever call of the disk fails, and whenever, nothing acknowledged is lost and nothing hangs. Method: the n-th
// call of a kind fails, for every n. Which error it is, and whether it lasts, goes by n here; `npm run crash:nth` plays
// all of them.
import { describe, expect, test } from '@jest/globals'
import { Coverage } from './coverage.ts'
import {
  changingCalls,
  errnos,
  failNth,
  lookingCalls,
  type NthCall,
  type NthOutcome,
} from './nth-operation.ts'

/** Calls of which there are hundreds: here only every so many. */
const strides: Partial<Record<NthCall, number>> = {
  write: 7,
  sync: 5,
  syncDirectory: 5,
  create: 3,
  rename: 2,
  read: 5,
  fileBytes: 3,
  shortWrite: 7,
}

/** Fails one call of this kind after the other, with another error each time. */
async function failEach(call: NthCall, times: number): Promise<Map<NthOutcome, number>> {
  const outcomes = new Map<NthOutcome, number>()
  const stride = strides[call] ?? 1
  // Those that fail once and those that fail from then on are not the same ones.
  for (let nth = times > 1 && stride > 1 ? 2 : 1; ; nth += stride) {
    const errno = errnos[nth % errnos.length] as (typeof errnos)[number]
    const outcome = await failNth(
      { call, nth, errno, times, end: nth % 2 === 0 ? 'kill' : 'power' },
      new Coverage(),
    )
    if (outcome === 'notReached') return outcomes
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
}

const lasting = [
  ['once', 1],
  ['from then on', Infinity],
] as const

describe.each(changingCalls)('a failing %s, wherever it happens,', (call) => {
  test.each(lasting)(
    '%s, stops the store, and the next start mends it',
    async (_name, times) => {
      const outcomes = await failEach(call, times)
      // Above the data directory names may lie that nobody may write: `failNth` lets only that pass.
      const wentOnMax = call === 'syncDirectory' ? 2 : 0
      expect(outcomes.get('wentOn') ?? 0).toBeLessThanOrEqual(wentOnMax)
      expect(outcomes.get('openRefused')).toBeGreaterThan(0)
    },
    180_000,
  )
})

describe.each([...lookingCalls, 'shortWrite'] as const)('a failing %s, wherever it happens,', (call) => {
  test.each(lasting)(
    '%s, loses nothing',
    async (_name, times) => {
      const outcomes = await failEach(call, times)
      expect([...outcomes.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(1)
    },
    180_000,
  )
})
