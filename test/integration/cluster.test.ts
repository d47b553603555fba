// Goal: what becomes of partitions and their leaders loses, doubles and skips nothing, and what a cluster itself has lost
// is told. Method: sinks on one cluster of three real brokers, which are killed, started, and made to lose records.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import kafkajs, {
  type Admin,
  type Assigner,
  type Consumer,
  type PartitionAssigner,
  type Producer,
} from 'kafkajs'
import { startCluster } from '../../dev/kafka/cluster.mjs'
import type { KafkajsSource } from '../../src/kafka/kafkajs/kafkajs-source.ts'
import { Sink } from '../../src/sink/sink.ts'
import type { StartPolicy } from '../../src/sink/start-plan.ts'
import { testSource } from '../support/kafka/test-source.ts'
import { requireTool } from '../support/needs.ts'
import { realClock } from '../support/real-clock.ts'
import { RecordingHandler } from '../support/recording-handler.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { FakeStorage } from '../support/sink/fake-storage.ts'
import { plainMapper, storedOffsets } from '../support/sink/sink-bench.ts'

const describeWithKafka = requireTool('java') ? describe : describe.skip
jest.setTimeout(180_000)

const LIMIT_MS = 90_000

interface Running {
  readonly sink: Sink
  readonly storage: FakeStorage
  readonly stop: () => Promise<void>
}

describeWithKafka('a sink on three brokers', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>
  let producer: Producer
  let admin: Admin
  const running: Running[] = []
  let count = 0

  beforeAll(async () => {
    cluster = await startCluster()
  }, 240_000)

  // These clients fail for every topic that they know of as soon as one of them has no leader.
  beforeEach(async () => {
    const brokers = cluster.nodes.map(({ bootstrap }) => bootstrap)
    const retry = { initialRetryTime: 100, maxRetryTime: 500, retries: 100 }
    const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING, retry })
    producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    admin = kafka.admin()
    await Promise.all([producer.connect(), admin.connect()])
  })

  afterEach(async () => {
    await Promise.all([producer.disconnect(), admin.disconnect()])
    await Promise.all(running.splice(0).map((one) => one.stop()))
    for (const node of cluster.nodes) await node.start()
  })

  afterAll(async () => {
    await cluster?.stop()
  })

  const until = async (what: string, isSo: () => boolean | Promise<boolean>): Promise<void> => {
    const endMs = performance.now() + LIMIT_MS
    while (!(await isSo())) {
      if (performance.now() > endMs) throw new Error(`it did not come to ${what}`)
      await realClock.sleep(50)
    }
  }
  const newTopic = async (
    replicas: readonly number[],
    config: Record<string, string> = {},
    topic = `topic-${++count}`,
  ): Promise<string> => {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
    const replicaAssignment = [{ partition: 0, replicas: [...replicas] }]
    await admin.createTopics({ topics: [{ topic, replicaAssignment, configEntries }], waitForLeaders: false })
    await until('a leader', async () => (await leaderOf(topic)) > 0)
    return topic
  }
  const partitionOf = async (topic: string): Promise<{ leader: number; isr: number[] }> => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => ({ topics: [] }))
    return topics[0]?.partitions[0] ?? { leader: -1, isr: [] }
  }
  const coordinatorOf = async (groupId: string): Promise<(typeof cluster.nodes)[0]> => {
    const { topics } = await admin.fetchTopicMetadata({ topics: ['__consumer_offsets'] })
    const { partitions } = topics[0]!
    const hash = [...groupId].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) | 0, 0)
    const place = partitions.find(
      ({ partitionId }) => partitionId === (hash & 0x7fff_ffff) % partitions.length,
    )
    return cluster.nodes.find(({ id }) => id === place?.leader)!
  }
  const leaderOf = async (topic: string): Promise<number> => (await partitionOf(topic)).leader
  const produce = async (topic: string, messages: number, partition = 0): Promise<void> => {
    for (let number = 0; number < messages; number++)
      await producer.send({ topic, messages: [{ partition, value: `${number}` }] })
  }
  /** Where the log of a partition ends: a message that was sent again is there twice. */
  const endOf = async (topic: string, partition = 0): Promise<number> => {
    const offsets = await admin.fetchTopicOffsets(topic)
    return Number(offsets.find((one) => one.partition === partition)?.high ?? 0)
  }
  const startSink = async (
    topic: string | RegExp,
    {
      storage = new FakeStorage({ isInstant: true }),
      start = { kind: 'earliest' },
    }: { storage?: FakeStorage; start?: StartPolicy } = {},
  ): Promise<Running> => {
    const groupId = `group-${++count}`
    const source = testSource({
      brokers: cluster.nodes.map(({ bootstrap }) => bootstrap),
      groupId,
      topics: [topic],
      metadataMaxAgeMs: 1_000,
    })
    const clock = realClock
    const sink = new Sink({
      source,
      storage,
      ledger: storage.ledger,
      clock,
      mapper: plainMapper,
      groupId,
      start,
    })
    await sink.start()
    const stop = async (): Promise<void> => {
      await sink.drain(5_000)
      await sink.stop(5_000)
    }
    const one = { sink, storage, stop }
    running.push(one)
    await until('an assignment', () => sink.status().isAssigned)
    return one
  }
  const upTo = (next: number): number[] => Array.from({ length: next }, (_, i) => i)
  /** Everything Kafka holds of it is stored, in order and once, and there is no gap. */
  const expectWhole = async ({ storage, sink }: Running, topic: string, partition = 0): Promise<void> => {
    const place = { topic, partition }
    const end = await endOf(topic, partition)
    await until(`offset ${end} of ${topic}`, () => storedOffsets(storage, place).length >= end)
    expect(storedOffsets(storage, place)).toEqual(upTo(end))
    expect(storage.ledger.positions().flatMap(({ gaps }) => gaps)).toEqual([])
    expect(sink.status().failure).toBeUndefined()
  }

  test('reads on where a partition moves to other brokers', async () => {
    const topic = await newTopic([1])
    const one = await startSink(topic)
    await produce(topic, 20)
    for (const replicas of [[2], [3], [1]]) {
      const partitionAssignment = [{ partition: 0, replicas }]
      await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] })
      await until(`broker ${replicas[0]} to lead`, async () => {
        await produce(topic, 1)
        return (await leaderOf(topic)) === replicas[0]
      })
      await produce(topic, 20)
    }
    await expectWhole(one, topic)
  })

  test('reads on when the broker of its partitions, and then that of its group, is killed and comes back', async () => {
    const topic = await newTopic([1, 2, 3])
    const one = await startSink(topic)
    for (const node of cluster.nodes) {
      await produce(topic, 20)
      await node.kill()
      await produce(topic, 20)
      await node.start()
      await until('all replicas', async () => (await partitionOf(topic)).isr.length === 3)
    }
    await expectWhole(one, topic)
  })

  test('joins again where the broker of its group dies between the two answers to its join', async () => {
    const topic = await newTopic([1, 2, 3])
    const groupId = `group-${++count}`
    const brokers = cluster.nodes.map(({ bootstrap }) => bootstrap)
    let isOver = false
    const restartOnFailure = (): Promise<boolean> => Promise.resolve(!isOver)
    const retry = { initialRetryTime: 100, maxRetryTime: 300, restartOnFailure }
    const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING, retry })
    // Who leads the group lets the others wait for the answer to SyncGroup.
    let isSlow = false
    let waiting = 0
    const slowly: PartitionAssigner = (config) => {
      const assigner = kafkajs.PartitionAssigners.roundRobin(config)
      const assign: Assigner['assign'] = async (group) => {
        if (isSlow) waiting = group.members.length
        while (isSlow) await realClock.sleep(20)
        return assigner.assign(group)
      }
      return { ...assigner, assign, protocol: (given) => assigner.protocol(given) }
    }
    const timing = { sessionTimeout: 6_000, heartbeatInterval: 200, maxWaitTimeInMs: 100 }
    const leader = kafka.consumer({ groupId, partitionAssigners: [slowly], ...timing })
    const third = kafka.consumer({ groupId, ...timing })
    const consume = async (consumer: Consumer): Promise<void> => {
      await consumer.subscribe({ topics: [topic] })
      await consumer.run({ eachMessage: () => Promise.resolve() })
    }
    const logger = new RecordingLogger()
    const newSource = (): KafkajsSource =>
      testSource({
        brokers,
        groupId,
        topics: [topic],
        groupInstanceId: 'one',
        sessionTimeoutMs: 30_000,
        startTimeoutMs: LIMIT_MS,
        logger,
      })
    const source = newSource()
    try {
      await Promise.all([leader.connect(), third.connect()])
      await consume(leader)
      const groupState = async (): Promise<string> =>
        (await admin.describeGroups([groupId])).groups[0]?.state ?? ''
      await until('a group', async () => (await groupState()) === 'Stable')
      const first = newSource()
      await first.start(new RecordingHandler())
      await first.stop()

      isSlow = true
      const thirdStarted = consume(third)
      await until('a rebalance', async () => (await groupState()) === 'PreparingRebalance')
      const handler = new RecordingHandler()
      const started = source.start(handler)
      await until('the first answer for all three', () => waiting === 3)
      await (await coordinatorOf(groupId)).kill()
      isSlow = false
      await Promise.all([started, thirdStarted])
      await until('an assignment', () => handler.assignments.length > 0)
      expect(logger.lines.filter(({ message }) => message.startsWith('fenced'))).toHaveLength(1)
      expect(handler.failures).toEqual([])
    } finally {
      isOver = true
      isSlow = false
      // A static member does not leave: the others would wait for it.
      await third.disconnect()
      await leader.disconnect()
      await source.stop()
    }
  })

  test('reads partitions that are added from their first record on, also where it begins with the latest', async () => {
    const topic = await newTopic([1, 2, 3])
    const one = await startSink(topic, { start: { kind: 'latest' } })
    await produce(topic, 5)
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
    await until('the partitions', async () => (await endOf(topic, 2)) === 0 && (await leaderOf(topic)) > 0)
    await Promise.all([produce(topic, 5, 1), produce(topic, 5, 2)])
    for (const partition of upTo(3)) await expectWhole(one, topic, partition)
  })

  test('reads a topic that an expression comes to mean from its first record on, also where it begins with the latest', async () => {
    const name = `fleet-${++count}`
    await newTopic([1, 2, 3], {}, `${name}-a`)
    const one = await startSink(new RegExp(`^${name}-`), { start: { kind: 'latest' } })
    await produce(`${name}-a`, 5)
    await newTopic([2, 3, 1], {}, `${name}-b`)
    await produce(`${name}-b`, 50)
    await expectWhole(one, `${name}-b`)
    await expectWhole(one, `${name}-a`)
  })

  test('holds a partition that lost records in an unclean election, and reads the others on', async () => {
    const config = { 'unclean.leader.election.enable': 'true', 'min.insync.replicas': '1' }
    const topic = await newTopic([1, 2], config)
    const other = await newTopic([3])
    const storage = new FakeStorage({ isInstant: true })
    const one = await startSink(new RegExp(`^(${topic}|${other})$`), { storage })
    const [first, second] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]]
    const place = { topic, partition: 0 }
    const stored = (): number => storedOffsets(storage, place).length
    await produce(topic, 10)
    await until('a leader of both', async () => (await partitionOf(topic)).isr.length === 2)
    await second.kill()
    await until('broker 2 to be missed', async () => (await partitionOf(topic)).isr.length === 1)
    await produce(topic, 10)
    const end = await endOf(topic)
    await until('all records', () => stored() === end)

    await first.kill()
    await second.start()
    await until('broker 2 to lead', async () => (await leaderOf(topic)) === 2)
    await produce(topic, 30)
    const holdOf = (): string | undefined =>
      one.sink.status().partitions.find((partition) => partition.topic === topic)?.hold?.reason
    await until('a hold', () => holdOf() !== undefined)
    expect(holdOf()).toBe('log-truncated')
    expect(storedOffsets(storage, place)).toEqual(upTo(end))
    await produce(other, 10)
    await expectWhole(one, other)
  })
})
