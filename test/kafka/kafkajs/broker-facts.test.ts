import { expect, test } from '@jest/globals'
import { watermarksOf, type KnownEdges } from '../../../src/kafka/kafkajs/broker-facts.ts'
import { ManualClock, settled } from '../../support/manual-clock.ts'
import { FakeCluster } from './fake-cluster.ts'

const ANSWER_MS = 1000
const partitions = [0, 1, 2].map((partition) => ({ topic: 't', partition }))

/** Three partitions, each led by a broker of its own. */
function threeBrokers(): FakeCluster {
  const fake = new FakeCluster()
  for (const { partition } of partitions) fake.leaders.set(`t/${partition}`, partition + 1)
  return fake
}

function ask({ cluster, leaderOf }: FakeCluster, clock = new ManualClock()): Promise<KnownEdges> {
  return watermarksOf(cluster, { leaderOf, partitions, high: 'readable', answerMs: ANSWER_MS, clock })
}

const numbersOf = (list: readonly { partition: number }[]): number[] =>
  list.map(({ partition }) => partition).sort()

test('every partition has its watermarks', async () => {
  const { known, unreadable } = await ask(threeBrokers())
  expect(numbersOf(known)).toEqual([0, 1, 2])
  expect(known[0]).toEqual({ topic: 't', partition: known[0]!.partition, low: 5, high: 10 })
  expect(unreadable).toEqual([])
})

test.each<[string, RegExp, (fake: FakeCluster) => unknown]>([
  ['has no leader', /^no leader$/, (fake) => fake.leaders.set('t/1', -1)],
  ['is not known', /do not know/, (fake) => fake.leaders.delete('t/1')],
  ['is led by a broker that is down', /^broker 2: .*ECONNREFUSED/, (fake) => fake.down.add(2)],
  ['is refused by its broker', /^broker 2: .*not the leader/, (fake) => fake.errorCodes.set('t/1', 6)],
])('a partition that %s is told apart, and the others are known', async (_what, reason, prepare) => {
  const fake = threeBrokers()
  prepare(fake)
  const { known, unreadable } = await ask(fake)
  expect(numbersOf(known)).toEqual([0, 2])
  expect(unreadable).toEqual([{ topic: 't', partition: 1, reason: expect.stringMatching(reason) }])
})

test('one partition that a broker refuses leaves the others of the same broker known', async () => {
  const fake = threeBrokers()
  for (const name of fake.leaders.keys()) fake.leaders.set(name, 1)
  fake.errorCodes.set('t/0', 5)
  const { known, unreadable } = await ask(fake)
  expect(numbersOf(known)).toEqual([1, 2])
  expect(numbersOf(unreadable)).toEqual([0])
})

test('a broker that never answers is waited for so long, and no longer', async () => {
  const fake = threeBrokers()
  fake.silent.add(3)
  const clock = new ManualClock()
  let answer: KnownEdges | undefined
  void ask(fake, clock).then((edges) => (answer = edges))
  await clock.advance(ANSWER_MS - 1)
  expect(answer).toBeUndefined()
  await clock.advance(1)
  await settled()
  expect(numbersOf(answer!.known)).toEqual([0, 1])
  expect(answer!.unreadable).toEqual([
    { topic: 't', partition: 2, reason: `broker 3: no answer within ${ANSWER_MS} ms` },
  ])
})
