// Goal: what a partition is, and whether its log still leads to where we have read, is asked of who knows it; and what
// nobody says now is not taken for an answer. Method: brokers that answer in the bytes of the wire.
import { expect, test } from '@jest/globals'
import { silentLogger } from '../../../src/base/logger.ts'
import { Identity, type KnownPartitions } from '../../../src/kafka/kafkajs/identity.ts'
import type { AssignedPartition, LogPlace } from '../../../src/kafka/source.ts'
import { ManualClock, settled } from '../../support/manual-clock.ts'
import { FakeCluster } from './fake-cluster.ts'

const ANSWER_MS = 1000
const ID = '0102030405060708090a0b0c0d0e0f10'

const assigned = (partition: number): AssignedPartition => ({
  topic: 't',
  partition,
  committedOffset: undefined,
  committedMetadata: '',
  lowWatermark: 5,
  highWatermark: 10,
})

/** Two partitions with a broker each; the logs have epoch 2 from offset 0 and epoch 4 from 8. */
function twoBrokers(): FakeCluster {
  const fake = new FakeCluster()
  fake.topicIds.set('t', ID)
  for (const partition of [0, 1]) {
    fake.leaders.set(`t/${partition}`, partition + 1)
    fake.epochs.set(`t/${partition}`, [
      [2, 0],
      [4, 8],
    ])
  }
  return fake
}

function identityOf({ cluster, leaderOf }: FakeCluster, clock = new ManualClock()): Identity {
  return new Identity({ cluster, leaderOf, clock, logger: silentLogger })
}

async function add(fake: FakeCluster, read?: LogPlace): Promise<KnownPartitions> {
  const { known, unreadable } = await identityOf(fake).add([assigned(0), assigned(1)], () => read, ANSWER_MS)
  return { known: [...known].sort((a, b) => a.partition - b.partition), unreadable }
}

test('a partition that was never read is told its topic id and nothing else', async () => {
  const fake = twoBrokers()
  const { known } = await add(fake)
  expect(known[0]).toEqual({ ...assigned(0), topicId: 'AQIDBAUGBwgJCgsMDQ4PEA' })
  expect(fake.currentEpochs).toEqual([])
})

test.each<[string, LogPlace, number]>([
  ['in the present epoch leads to the end of the log', { offset: 9, leaderEpoch: 4 }, 10],
  ['in an earlier epoch leads to where the next began', { offset: 8, leaderEpoch: 2 }, 8],
  ['in an epoch that was lost leads to where the next began', { offset: 9, leaderEpoch: 3 }, 8],
  ['in an epoch that the log has not reached leads nowhere', { offset: 9, leaderEpoch: 7 }, -1],
])('a place %s', async (_, read, endOffset) => {
  const fake = twoBrokers()
  const { known, unreadable } = await add(fake, read)
  expect(known.map(({ checked }) => checked)).toEqual([
    { ...read, endOffset },
    { ...read, endOffset },
  ])
  expect(unreadable).toEqual([])
  expect(fake.currentEpochs).toEqual([4, 4])
})

test.each<[string, RegExp, (fake: FakeCluster) => unknown]>([
  ['has another leader than was asked', /fenced|epoch/i, (fake) => fake.errorCodes.set('t/1', 74)],
  ['is led by a broker that is down', /ECONNREFUSED/, (fake) => fake.down.add(2)],
  ['has no leader', /no leader/, (fake) => fake.leaders.set('t/1', -1)],
])('a partition that %s is not read until it can be asked; the other is', async (_, reason, prepare) => {
  const fake = twoBrokers()
  prepare(fake)
  const { known, unreadable } = await add(fake, { offset: 9, leaderEpoch: 4 })
  expect(known.map(({ partition }) => partition)).toEqual([0])
  expect(unreadable).toEqual([{ topic: 't', partition: 1, reason: expect.stringMatching(reason) }])
})

test('a topic that the cluster does not know is not read', async () => {
  const fake = twoBrokers()
  fake.topicIds.clear()
  const { known, unreadable } = await add(fake)
  expect(known).toEqual([])
  expect(unreadable.map(({ reason }) => reason)).toEqual(Array(2).fill('what topic this is: no answer'))
})

test('brokers too old for topic ids or leader epochs are read as they are', async () => {
  const fake = twoBrokers()
  fake.versions = {}
  const { known } = await add(fake, { offset: 9, leaderEpoch: 7 })
  expect(known).toEqual([assigned(0), assigned(1)])
})

test('an answer that says it has none is no reason to wait', async () => {
  const fake = twoBrokers()
  fake.errorCodes.set('t/1', 35)
  const { known } = await add(fake, { offset: 9, leaderEpoch: 4 })
  expect(known.map(({ checked }) => checked?.endOffset)).toEqual([10, undefined])
})

test('brokers that never answer are waited for so long, and no longer', async () => {
  const fake = twoBrokers()
  fake.silent.add(1)
  const clock = new ManualClock()
  let failure: Error | undefined
  const asked = identityOf(fake, clock).add([assigned(0)], () => undefined, ANSWER_MS)
  asked.catch((error: Error) => (failure = error))
  await clock.advance(ANSWER_MS - 1)
  expect(failure).toBeUndefined()
  await clock.advance(1)
  await settled()
  expect(failure?.message).toMatch('no answer within')
})
