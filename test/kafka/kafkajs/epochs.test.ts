import { expect, test } from '@jest/globals'
import { silentLogger } from '../../../src/base/logger.ts'
import { watermarksOf } from '../../../src/kafka/kafkajs/broker-facts.ts'
import { Epochs } from '../../../src/kafka/kafkajs/epochs.ts'
import type { ConsumerGroup } from '../../../src/kafka/kafkajs/internals.ts'
import type { StartDecision, TopicPartition } from '../../../src/kafka/source.ts'
import { ManualClock, settled } from '../../support/manual-clock.ts'
import { RecordingHandler } from '../../support/recording-handler.ts'
import { FakeCluster } from './fake-cluster.ts'

const DRAIN_MS = 20_000
/** Longer than every pause between two attempts. */
const RETRIED_MS = 6_000

interface Rig {
  readonly fake: FakeCluster
  readonly clock: ManualClock
  readonly handler: RecordingHandler
  readonly epochs: Epochs
  /** What happened, in order: `open 1: 0 1`, `assigned 1: 0`, `begin 1: 0`, `revoking 1`. */
  readonly events: string[]
  readonly failures: unknown[]
  readonly join: (join?: () => Promise<void>) => Promise<void>
}

/** As many partitions as brokers, each led by its own: partition 0 by broker 1. */
function rig(partitionCount: number): Rig {
  const fake = new FakeCluster()
  const clock = new ManualClock()
  const handler = new RecordingHandler()
  const events: string[] = []
  const failures: unknown[] = []
  const all = Array.from({ length: partitionCount }, (_, partition) => partition)
  for (const partition of all) fake.leaders.set(`t/${partition}`, partition + 1)
  const list = (partitions: readonly TopicPartition[]): string =>
    partitions
      .map(({ partition }) => partition)
      .sort()
      .join(' ')
  const assigned = handler.assigned.bind(handler)
  handler.assigned = (partitions, epoch) => {
    events.push(`assigned ${epoch}: ${list(partitions)}`)
    return assigned(partitions, epoch)
  }
  const { drain } = handler
  handler.drain = (epoch) => {
    events.push(`revoking ${epoch}`)
    return drain(epoch)
  }
  const loop = {
    open: (epoch: number, partitions: readonly TopicPartition[]) =>
      void events.push(`open ${epoch}: ${list(partitions)}`),
    begin: (epoch: number, partitions: readonly TopicPartition[], decisions: readonly StartDecision[]) => {
      expect(decisions.length).toBe(partitions.length)
      events.push(`begin ${epoch}: ${list(partitions)}`)
    },
    close: () => Promise.resolve(),
    interrupt: () => void events.push('interrupt'),
  }
  const epochs = new Epochs({
    handler,
    loop,
    clock,
    logger: silentLogger,
    drainMs: DRAIN_MS,
    look: async (_, partitions, answerMs) => {
      const { cluster, leaderOf } = fake
      const edges = await watermarksOf(cluster, { leaderOf, partitions, high: 'readable', answerMs, clock })
      const known = edges.known.map(({ low, high, ...partition }) => ({
        ...partition,
        committedOffset: undefined,
        committedMetadata: '',
        lowWatermark: low,
        highWatermark: high,
      }))
      return { ...edges, known }
    },
    refreshMetadata: () => {},
    failed: (error) => failures.push(error),
  })
  const group = {
    generationId: 7,
    memberId: 'member',
    assigned: () => [{ topic: 't', partitions: all }],
  } as unknown as ConsumerGroup
  const join = (work = () => Promise.resolve()) => epochs.join(group, work)
  return { fake, clock, handler, epochs, events, failures, join }
}

test('a partition without a leader keeps no other from being read, and is known by name', async () => {
  const { fake, events, epochs, join } = rig(3)
  fake.leaders.set('t/1', -1)
  await join()
  await settled()
  expect(events).toEqual(['open 1: 0 1 2', 'assigned 1: 0 2', 'begin 1: 0 2'])
  expect(epochs.unreadable).toEqual([{ topic: 't', partition: 1, reason: 'no leader' }])
  await epochs.close()
})

test('a partition that gets a leader comes in with the next epoch, once the one before is drained', async () => {
  const { fake, clock, handler, events, epochs, join } = rig(3)
  fake.leaders.set('t/1', -1)
  await join()
  await clock.advance(60_000)
  expect(handler.assignments.length).toBe(1)
  events.length = 0
  fake.leaders.set('t/1', 3)
  await clock.advance(RETRIED_MS)
  expect(events).toEqual(['revoking 1', 'open 2: 0 1 2', 'assigned 2: 0 1 2', 'begin 2: 0 1 2'])
  expect(epochs.unreadable).toEqual([])
  expect(epochs.present).toMatchObject({ epoch: 2, generationId: 7, memberId: 'member' })
  await epochs.close()
})

test('commits of an epoch are possible until it is drained, and not after', async () => {
  const { fake, clock, handler, epochs, join } = rig(2)
  fake.leaders.set('t/1', -1)
  const during: (number | undefined)[] = []
  handler.drain = () => {
    during.push(epochs.present?.epoch)
    return Promise.resolve()
  }
  await join()
  await settled()
  fake.leaders.set('t/1', 1)
  await clock.advance(RETRIED_MS)
  expect(during).toEqual([1])
  expect(epochs.present?.epoch).toBe(2)
  await epochs.close()
})

test('a broker that never answers keeps its own partitions only', async () => {
  const { fake, clock, events, epochs, join } = rig(2)
  fake.silent.add(2)
  await join()
  await clock.advance(3_000)
  expect(events).toEqual(['open 1: 0 1', 'assigned 1: 0', 'begin 1: 0'])
  fake.silent.clear()
  await clock.advance(20_000)
  expect(events.slice(3)).toEqual(['revoking 1', 'open 2: 0 1', 'assigned 2: 0 1', 'begin 2: 0 1'])
  await epochs.close()
})

test('with nothing to be read the handler hears nothing, and all begins with what comes first', async () => {
  const { fake, clock, events, epochs, join } = rig(2)
  fake.down.add(1).add(2)
  await join()
  await clock.advance(10_000)
  expect(events).toEqual(['open 1: 0 1'])
  expect(epochs.unreadable.length).toBe(2)
  fake.down.delete(2)
  await clock.advance(RETRIED_MS)
  expect(events).toEqual(['open 1: 0 1', 'assigned 1: 1', 'begin 1: 1'])
  await epochs.close()
})

test('a member without partitions is told so at once', async () => {
  const { events, epochs, join } = rig(0)
  await join()
  await settled()
  expect(events).toEqual(['open 1: ', 'assigned 1: ', 'begin 1: '])
  await epochs.close()
})

test('brokers are asked ever more rarely, and not after the end', async () => {
  const { fake, clock, epochs, join } = rig(2)
  fake.down.add(2)
  await join()
  await clock.advance(60_000)
  const asked = fake.asked
  await clock.advance(60_000)
  expect(fake.asked - asked).toBe(12)
  await epochs.close()
  await clock.advance(60_000)
  expect(fake.asked - asked).toBe(12)
})

test('a join during the drain takes the place of the epoch that was to come', async () => {
  const { fake, clock, handler, events, epochs, join } = rig(2)
  fake.leaders.set('t/1', -1)
  let drained = (): void => {}
  handler.drain = () => new Promise((resolve) => (drained = resolve))
  await join()
  await settled()
  fake.leaders.set('t/1', 2)
  await clock.advance(RETRIED_MS)
  expect(handler.revocations).toEqual([1])
  const joined = join(() => Promise.resolve(void events.push('join')))
  await settled()
  drained()
  await joined
  await settled()
  expect(events).toEqual([
    'open 1: 0 1',
    'assigned 1: 0',
    'begin 1: 0',
    'join',
    'open 2: 0 1',
    'assigned 2: 0 1',
    'begin 2: 0 1',
  ])
  expect(handler.revocations).toEqual([1])
  await epochs.close()
})

test('a join before the leader is back leaves nothing of the old epoch asking', async () => {
  const { fake, clock, handler, epochs, join } = rig(2)
  fake.leaders.set('t/1', -1)
  await join()
  await join()
  fake.leaders.set('t/1', 2)
  await clock.advance(RETRIED_MS)
  expect(handler.assignments.map(({ epoch, partitions }) => [epoch, partitions.length])).toEqual([
    [2, 1],
    [3, 2],
  ])
  await epochs.close()
})

test('a handler that rejects an assignment is fatal', async () => {
  const { handler, failures, epochs, join } = rig(1)
  const trouble = new Error('the disk is gone')
  handler.assigned = () => Promise.reject(trouble)
  await join()
  await settled()
  expect(failures).toEqual([trouble])
  await epochs.close()
})

test('an epoch whose facts may be wrong is read no more, and another one of the same membership begins', async () => {
  const { events, epochs, join } = rig(1)
  await join()
  await settled()
  events.length = 0
  epochs.again()
  epochs.again()
  await settled()
  expect(events).toEqual(['interrupt', 'interrupt', 'revoking 1', 'open 2: 0', 'assigned 2: 0', 'begin 2: 0'])
  await epochs.close()
})
