import { expect, test } from '@jest/globals'
import { addStartOffsets } from '../../../src/kafka/kafkajs/start-offsets.ts'
import { ManualClock, settled } from '../../support/manual-clock.ts'
import { FakeCluster } from './fake-cluster.ts'

const ANSWER_MS = 1000
const partitions = [0, 1, 2].map((partition) => ({
  ...{ topic: 't', partition, committedOffset: undefined, committedMetadata: '' },
  ...{ lowWatermark: 5, highWatermark: 10 },
}))

test('a leader that hangs keeps its partition back and no other, and is not asked where no time decides', async () => {
  const fake = new FakeCluster()
  for (const { partition } of partitions) fake.leaders.set(`t/${partition}`, partition + 1)
  fake.silent.add(2)
  fake.silent.add(3)
  const clock = new ManualClock()
  const asking = addStartOffsets(fake.cluster, partitions, {
    leaderOf: fake.leaderOf,
    startTimeMs: ({ partition }) => (partition === 2 ? undefined : 1_700_000_000_000),
    answerMs: ANSWER_MS,
    clock,
  })
  await settled()
  await clock.advance(ANSWER_MS)
  const { known, unreadable } = await asking
  expect(known.map(({ partition, offsetAtTime }) => [partition, offsetAtTime])).toEqual([
    [0, 10],
    [2, undefined],
  ])
  expect(unreadable).toEqual([
    { topic: 't', partition: 1, reason: expect.stringMatching('no answer within 1000') },
  ])
})
