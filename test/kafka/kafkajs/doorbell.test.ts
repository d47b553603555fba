import { expect, it } from '@jest/globals'
import { getMaxListeners } from 'node:events'
import { Doorbell } from '../../../src/kafka/kafkajs/doorbell.ts'
import { ManualClock } from '../../support/manual-clock.ts'

it('is waited for by any number of loops, before and after it rang', async () => {
  const limits: number[] = []
  const clock = new ManualClock()
  const bell = new Doorbell({
    nowUs: () => clock.nowUs(),
    monotonicMs: () => clock.monotonicMs(),
    sleep: (durationMs, signal) => {
      limits.push(getMaxListeners(signal!))
      return clock.sleep(durationMs, signal)
    },
  })
  const waits = [bell.wait(1_000)]
  bell.ring()
  waits.push(bell.wait(1_000))
  await clock.advance(1_000)
  await Promise.all(waits)
  expect(limits).toEqual([Infinity, Infinity])
})
