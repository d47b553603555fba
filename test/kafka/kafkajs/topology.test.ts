import { expect, test } from '@jest/globals'
import { silentLogger } from '../../../src/base/logger.ts'
import type { Cluster, Metadata } from '../../../src/kafka/kafkajs/internals.ts'
import { Topology } from '../../../src/kafka/kafkajs/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const MAX_AGE_MS = 60_000
const MINUTES = 10

interface Rig {
  readonly topology: Topology
  /** What the brokers have. */
  readonly there: Set<string>
  readonly targetTopics: Set<string>
  readonly cameBack: () => number
  /** How often the brokers were asked in so many minutes. */
  readonly refreshesIn: (minutes: number) => Promise<number>
}

function rig(patterns: readonly (string | RegExp)[], ...topics: string[]): Rig {
  const there = new Set(topics)
  const targetTopics = new Set(topics)
  const clock = new ManualClock()
  let refreshes = 0
  let back = 0
  const metadata = (): Metadata => ({
    clusterId: 'c',
    topicMetadata: [...there].map((topic) => ({
      ...{ topicErrorCode: 0, topic, isInternal: false },
      partitionMetadata: [{ partitionId: 0, leader: 1 }],
    })),
  })
  const brokerPool = {
    metadata: metadata(),
    findConnectedBroker: () => Promise.resolve({ metadata: () => Promise.resolve(metadata()) }),
  }
  const refreshMetadata = (): Promise<void> => {
    refreshes++
    brokerPool.metadata = metadata()
    return Promise.resolve()
  }
  const topology = new Topology({
    cluster: { brokerPool, targetTopics, refreshMetadata } as unknown as Cluster,
    patterns,
    maxAgeMs: MAX_AGE_MS,
    clock,
    logger: silentLogger,
    cameBack: () => back++,
    refreshed: () => {},
  })
  for (const topic of topics) topology.topics.add(topic)
  const refreshesIn = async (minutes: number): Promise<number> => {
    const before = refreshes
    for (let seconds = 0; seconds < minutes * 60; seconds++) {
      topology.refreshIfDue()
      await clock.advance(1000)
    }
    return refreshes - before
  }
  return { topology, there, targetTopics, cameBack: () => back, refreshesIn }
}

test('a topic that only a pattern means and that is gone is looked for a while, then as seldom as any', async () => {
  const { there, refreshesIn } = rig([/^o/], 'orders', 'other')
  expect(await refreshesIn(MINUTES)).toBeLessThanOrEqual(MINUTES)
  there.delete('orders')
  expect(await refreshesIn(MINUTES)).toBeGreaterThan(MINUTES + 5)
  expect(await refreshesIn(MINUTES)).toBeLessThanOrEqual(MINUTES)
})

test('a topic that is named is looked for until it is back', async () => {
  const { topology, there, cameBack, refreshesIn } = rig(['orders'], 'orders')
  await refreshesIn(MINUTES)
  there.delete('orders')
  await refreshesIn(MINUTES)
  expect(await refreshesIn(MINUTES)).toBeGreaterThan(10 * MINUTES)
  topology.forgetGone()
  expect([...topology.topics]).toEqual(['orders'])
  there.add('orders')
  await refreshesIn(1)
  expect(cameBack()).toBe(1)
})

test('what only a pattern means is forgotten by the next join once it is gone, and is a new topic when it comes back', async () => {
  const { topology, there, targetTopics, cameBack, refreshesIn } = rig([/^o/], 'orders', 'other')
  await refreshesIn(1)
  there.delete('orders')
  // It may be back soon.
  await refreshesIn(0.25)
  topology.forgetGone()
  expect([...topology.topics]).toEqual(['orders', 'other'])

  await refreshesIn(MINUTES)
  topology.forgetGone()
  expect([...topology.topics]).toEqual(['other'])
  expect([...targetTopics]).toEqual(['other'])
  there.add('orders')
  await refreshesIn(1)
  expect([...topology.topics]).toEqual(['other', 'orders'])
  expect(cameBack()).toBe(0)
})
