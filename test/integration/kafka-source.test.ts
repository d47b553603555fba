import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import kafkajs, { type Admin, type Message, type Producer } from 'kafkajs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startBroker } from '../../dev/kafka/broker.mjs'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import { silentLogger } from '../../src/base/logger.ts'
import { KafkajsSource, type KafkajsSourceOptions } from '../../src/kafka/kafkajs/kafkajs-source.ts'
import { SourceError } from '../../src/kafka/source.ts'
import { testSource } from '../support/kafka/test-source.ts'
import { requireTool } from '../support/needs.ts'
import { realClock } from '../support/real-clock.ts'
import { RecordingHandler } from '../support/recording-handler.ts'

const describeWithKafka = requireTool('java') ? describe : describe.skip
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
jest.setTimeout(60_000)

describeWithKafka('a source on a real broker', () => {
  let broker: Awaited<ReturnType<typeof startBroker>>
  let producer: Producer
  let admin: Admin
  const started: KafkajsSource[] = []
  let count = 0

  beforeAll(async () => {
    broker = await startBroker({
      extraListeners: { SASL: 'SASL_PLAINTEXT' },
      properties: {
        'sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.sasl.plain.sasl.jaas.config':
          'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-pw";',
      },
    })
    const kafka = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    admin = kafka.admin()
    await Promise.all([producer.connect(), admin.connect()])
  }, 240_000)

  afterEach(async () => {
    await Promise.all(started.splice(0).map((source) => source.stop()))
  })

  afterAll(async () => {
    await Promise.all([producer?.disconnect(), admin?.disconnect()])
    await broker?.stop()
  })

  const newTopic = async (partitions = 1, config: Record<string, string> = {}): Promise<string> => {
    const name = `topic-${++count}`
    await createTopics(broker.bootstrap, [{ name, partitions, config }])
    return name
  }
  const produce = (topic: string, messages: Message[], acks = -1) => producer.send({ topic, messages, acks })
  const numbered = (total: number, partition = 0): Message[] =>
    Array.from({ length: total }, (_, index) => ({ partition, value: `${index}` }))
  const upTo = (total: number): number[] => Array.from({ length: total }, (_, index) => index)

  const newSource = (
    topics: (string | RegExp)[],
    options: Partial<KafkajsSourceOptions> = {},
  ): KafkajsSource => {
    const source = testSource({
      brokers: [broker.bootstrap],
      groupId: `group-${++count}`,
      topics,
      ...options,
    })
    started.push(source)
    return source
  }

  test('delivers every record once and exactly', async () => {
    const topic = await newTopic()
    await produce(topic, [
      { value: 'v', key: 'k', timestamp: '1700000000123', headers: { a: ['1', '2'], b: 'x' } },
      { value: null, key: null },
      { value: '' },
      { value: Buffer.alloc(1_000_000, 7) },
    ])
    const handler = new RecordingHandler()
    const source = newSource([topic])
    await source.start(handler)
    expect(source.clusterId).not.toBe('')
    await handler.until('all records', () => handler.offsets(topic).length === 4)
    const records = handler.batches.flatMap(({ batch }) => batch.records)
    expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2, 3])
    expect(records[0]!.timestampMs).toBe(1_700_000_000_123)
    expect(records[0]!.headers.map(({ name, value }) => `${text(name)}=${text(value!)}`)).toEqual([
      'a=1',
      'a=2',
      'b=x',
    ])
    expect(records.map(({ value }) => value?.length ?? null)).toEqual([1, null, 0, 1_000_000])
    expect(records.map(({ key }) => key?.length ?? null)).toEqual([1, null, null, null])
  })

  test('undoes what the broker itself compresses, in all codecs', async () => {
    const codecs = ['gzip', 'snappy', 'lz4', 'zstd']
    const topics = await Promise.all(codecs.map((codec) => newTopic(1, { 'compression.type': codec })))
    for (const topic of topics) await produce(topic, numbered(3000))
    const handler = new RecordingHandler()
    await newSource(topics).start(handler)
    for (const topic of topics) {
      await handler.until(`records of ${topic}`, () => handler.offsets(topic).length >= 3000)
      const values = handler.batches
        .filter(({ batch }) => batch.topic === topic)
        .flatMap(({ batch }) => batch.records.map(({ value }) => Number(Buffer.from(value!))))
      expect(values).toEqual(upTo(3000))
    }
  })

  test('begins where the handler says, whatever is committed, and holds what it says to hold', async () => {
    const topic = await newTopic(3)
    for (const partition of upTo(3)) await produce(topic, numbered(10, partition))
    const groupId = `group-${++count}`
    const before = newSource([topic], { groupId })
    await before.start(new RecordingHandler())
    await before.commit([{ topic, partition: 0, offset: 2, metadata: 'm' }], 1)
    await before.stop()
    const handler = new RecordingHandler()
    handler.start = ({ partition }) =>
      partition === 1 ? { kind: 'hold', reason: 'a test' } : { kind: 'start', offset: 4 + partition }
    await newSource([topic], { groupId }).start(handler)
    await handler.until(
      'records',
      () => handler.offsets(topic, 0).length + handler.offsets(topic, 2).length === 10,
    )
    expect(handler.offsets(topic, 0)).toEqual([4, 5, 6, 7, 8, 9])
    expect(handler.offsets(topic, 2)).toEqual([6, 7, 8, 9])
    await produce(topic, numbered(1, 1))
    await produce(topic, numbered(1, 0))
    await handler.until('the next record', () => handler.offsets(topic, 0).includes(10))
    expect(handler.offsets(topic, 1)).toEqual([])
    const { partitions, epoch } = handler.assignments[0]!
    expect(epoch).toBe(1)
    const topicId = expect.stringMatching(/^[A-Za-z0-9_-]{22}$/)
    expect([...partitions].sort((a, b) => a.partition - b.partition)).toEqual([
      {
        topic,
        partition: 0,
        committedOffset: 2,
        committedMetadata: 'm',
        lowWatermark: 0,
        highWatermark: 10,
        topicId,
      },
      {
        topic,
        partition: 1,
        committedOffset: undefined,
        committedMetadata: '',
        lowWatermark: 0,
        highWatermark: 10,
        topicId,
      },
      {
        topic,
        partition: 2,
        committedOffset: undefined,
        committedMetadata: '',
        lowWatermark: 0,
        highWatermark: 10,
        topicId,
      },
    ])
  })

  test('commits offsets with metadata; those of a past epoch are refused', async () => {
    const topic = await newTopic()
    await produce(topic, numbered(5))
    const groupId = `group-${++count}`
    const handler = new RecordingHandler()
    const source = newSource([topic], { groupId })
    await source.start(handler)
    await handler.until('records', () => handler.offsets(topic).length === 5)
    const metadata = '{"storeId":"s"}'
    await source.commit([{ topic, partition: 0, offset: 5, metadata }], 1)
    expect(await admin.fetchOffsets({ groupId, topics: [topic] })).toEqual([
      { topic, partitions: [{ partition: 0, offset: '5', metadata }] },
    ])
    const stale = source.commit([{ topic, partition: 0, offset: 3, metadata }], 0)
    await expect(stale).rejects.toMatchObject({ code: 'ERR_STALE_EPOCH' })
    await source.stop()
    const late = source.commit([{ topic, partition: 0, offset: 4, metadata }], 1)
    await expect(late).rejects.toMatchObject({ code: 'ERR_STALE_EPOCH' })
    const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] })
    expect(committed!.partitions[0]!.offset).toBe('5')
  })

  test('commits the others where a topic is gone, and says which offsets the broker does not take', async () => {
    const [gone, topic] = [await newTopic(), await newTopic()]
    const groupId = `group-${++count}`
    const handler = new RecordingHandler()
    const source = newSource([gone, topic], { groupId })
    await source.start(handler)
    await handler.until('both', () => handler.assignments.at(-1)?.partitions.length === 2)
    await admin.deleteTopics({ topics: [gone] })
    const place = { partition: 0, offset: 5, metadata: '' }
    const offsets = [gone, topic].map((one) => ({ ...place, topic: one }))
    const refused = await source.commit(offsets, handler.assignments.at(-1)!.epoch)
    expect(refused).toMatchObject([{ topic: gone, partition: 0 }])
    expect(refused[0]!.reason).toMatch('does not host this topic-partition')
    expect(await admin.fetchOffsets({ groupId, topics: [topic] })).toMatchObject([
      { topic, partitions: [{ offset: '5' }] },
    ])
  })

  test('asks before a position out of range is left, and commits nothing by itself', async () => {
    const topic = await newTopic(2)
    for (const partition of [0, 1]) await produce(topic, numbered(20, partition))
    await admin.fetchTopicOffsets(topic) // kafkajs learns of the topic by this
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '10' }] })
    const groupId = `group-${++count}`
    const handler = new RecordingHandler()
    handler.start = ({ partition }) => ({ kind: 'start', offset: partition === 0 ? 3 : 1000 })
    handler.answerOutOfRange = ({ wanted, low }) =>
      wanted < low ? { kind: 'start', offset: low } : { kind: 'hold', reason: 'above the end' }
    await newSource([topic], { groupId }).start(handler)
    await handler.until('both questions', () => handler.outOfRanges.length === 2)
    await handler.until('what is left', () => handler.offsets(topic, 0).length === 10)
    expect([...handler.outOfRanges].sort((a, b) => a.partition - b.partition)).toEqual([
      { topic, partition: 0, wanted: 3, low: 10, high: 20 },
      { topic, partition: 1, wanted: 1000, low: 0, high: 20 },
    ])
    expect(handler.offsets(topic, 0)[0]).toBe(10)
    expect(handler.offsets(topic, 1)).toEqual([])
    const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] })
    expect(committed!.partitions.map(({ offset }) => offset)).toEqual(['-1', '-1'])
  })

  test('keeps partitions flowing while one is paused and another one waits for its handler', async () => {
    const topic = await newTopic(3)
    for (const partition of upTo(3)) await produce(topic, numbered(5, partition))
    const handler = new RecordingHandler()
    let release = (): void => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    handler.accept = ({ partition }) => (partition === 1 ? released : Promise.resolve())
    const source = newSource([topic])
    await source.start(handler)
    await handler.until('first records', () => handler.offsets(topic, 0).length === 5)
    source.pause([{ topic, partition: 0 }])
    await produce(topic, numbered(5, 0))
    await produce(topic, numbered(5, 2))
    await handler.until('the free partition', () => handler.offsets(topic, 2).length === 10)
    expect(handler.offsets(topic, 0)).toEqual(upTo(5))
    expect(handler.offsets(topic, 1)).toEqual([])
    source.resume([{ topic, partition: 0 }])
    release()
    await handler.until(
      'the others',
      () => handler.offsets(topic, 0).length + handler.offsets(topic, 1).length === 15,
    )
    expect(handler.offsets(topic, 0)).toEqual(upTo(10))
    expect(handler.offsets(topic, 1)).toEqual(upTo(5))
  })

  test('keeps its membership while a handler waits for longer than a session', async () => {
    const topic = await newTopic()
    await produce(topic, numbered(3))
    const handler = new RecordingHandler()
    handler.accept = (_, __, signal) => realClock.sleep(4_000, signal)
    const source = newSource([topic], { sessionTimeoutMs: 1_500 })
    await source.start(handler)
    await handler.until('the slow batch', () => handler.offsets(topic).length === 3)
    await source.commit([{ topic, partition: 0, offset: 3, metadata: '' }], 1)
    expect(handler.assignments.length).toBe(1)
  })

  test('drains before it joins anew; what the old epoch commits in time counts, later it is refused', async () => {
    const topic = await newTopic(2)
    for (const partition of [0, 1]) await produce(topic, numbered(5, partition))
    const groupId = `group-${++count}`
    const first = new RecordingHandler()
    const source = newSource([topic], { groupId })
    first.drain = async (epoch) => {
      await source.commit([{ topic, partition: 0, offset: 4, metadata: `epoch ${epoch}` }], epoch)
    }
    await source.start(first)
    await first.until('records', () => first.offsets(topic, 0).length + first.offsets(topic, 1).length === 10)
    const second = new RecordingHandler()
    await newSource([topic], { groupId }).start(second)
    await first.until('a second epoch', () => first.assignments.length === 2)
    expect(first.revocations).toEqual([1])
    expect(first.assignments[1]).toMatchObject({ epoch: 2 })
    expect(first.assignments[1]!.partitions.length).toBe(1)
    const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] })
    expect(committed!.partitions.find(({ partition }) => partition === 0)).toMatchObject({
      offset: '4',
      metadata: 'epoch 1',
    })
    const stale = source.commit([{ topic, partition: 0, offset: 5, metadata: '' }], 1)
    await expect(stale).rejects.toMatchObject({ code: 'ERR_STALE_EPOCH' })
    expect(first.batches.every(({ epoch, batch }) => epoch === 1 || batch.records.length > 0)).toBe(true)
  })

  test('as a static member comes back at once, and nobody else is rebalanced', async () => {
    const topic = await newTopic(4)
    for (const partition of upTo(4)) await produce(topic, numbered(3, partition))
    const groupId = `group-${++count}`
    const other = new RecordingHandler()
    await newSource([topic], { groupId, groupInstanceId: 'other' }).start(other)
    const first = new RecordingHandler()
    const source = newSource([topic], { groupId, groupInstanceId: 'one' })
    await source.start(first)
    await other.until('the shared assignment', () => other.assignments.length === 2)
    const mine = first.assignments.at(-1)!.partitions.map(({ partition }) => partition)
    await source.stop()
    const again = new RecordingHandler()
    const beganMs = realClock.monotonicMs()
    await newSource([topic], { groupId, groupInstanceId: 'one' }).start(again)
    expect(realClock.monotonicMs() - beganMs).toBeLessThan(5_000)
    await again.until('its records', () => again.batches.length > 0)
    expect(again.assignments[0]!.partitions.map(({ partition }) => partition)).toEqual(mine)
    expect(other.assignments.length).toBe(2)
  })

  test('gives every partition back to the store that has it, whoever joins first', async () => {
    const topic = await newTopic(4)
    const groupId = `group-${++count}`
    const claimed = { one: [1, 2], other: [0, 3] }
    const storeOf = (store: keyof typeof claimed): RecordingHandler => {
      const handler = new RecordingHandler()
      handler.store = store
      handler.claimed = claimed[store].map((partition) => ({ topic, partition, nextOffset: 7 }))
      return handler
    }
    const one = storeOf('one')
    const other = storeOf('other')
    await newSource([topic], { groupId }).start(other)
    await other.until('all partitions', () => other.assignments.at(-1)?.partitions.length === 4)
    await newSource([topic], { groupId }).start(one)
    const numbers = (handler: RecordingHandler): number[] =>
      handler.assignments
        .at(-1)!
        .partitions.map(({ partition }) => partition)
        .sort()
    await other.until('the shared assignment', () => other.assignments.at(-1)?.partitions.length === 2)
    await one.until('its share', () => one.assignments.length > 0)
    expect([numbers(one), numbers(other)]).toEqual([claimed.one, claimed.other])
  })

  test('finds new partitions and new topics that match, without a restart', async () => {
    const prefix = `grow${++count}`
    const name = `${prefix}-a`
    await createTopics(broker.bootstrap, [{ name, partitions: 1 }])
    await produce(name, numbered(2))
    const handler = new RecordingHandler()
    await newSource([new RegExp(`^${prefix}-`)], { metadataMaxAgeMs: 300 }).start(handler)
    await handler.until('the first topic', () => handler.offsets(name).length === 2)
    await admin.createPartitions({ topicPartitions: [{ topic: name, count: 2 }] })
    await createTopics(broker.bootstrap, [{ name: `${prefix}-b`, partitions: 1 }])
    await producer.send({ topic: `${prefix}-b`, messages: numbered(3) })
    await handler.until('the new topic', () => handler.offsets(`${prefix}-b`).length >= 3)
    await handler.until('the new partition', () => handler.assignments.at(-1)!.partitions.length === 3)
    await producer.send({ topic: name, messages: numbered(4, 1) })
    await handler.until('its records', () => handler.offsets(name, 1).length === 4)
  })

  test('counts control records and leaves out aborted ones', async () => {
    const topic = await newTopic()
    const kafka = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    const transactional = kafka.producer({
      transactionalId: `tx-${++count}`,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
    await transactional.connect()
    for (const outcome of ['commit', 'abort', 'commit'] as const) {
      const transaction = await transactional.transaction()
      await transaction.send({ topic, messages: numbered(2) })
      await transaction[outcome]()
    }
    await transactional.disconnect()
    const handler = new RecordingHandler()
    const source = newSource([topic])
    await source.start(handler)
    await handler.until('the end', () => handler.batches.at(-1)?.batch.nextOffset === 9)
    expect(handler.offsets(topic)).toEqual([0, 1, 6, 7])
    expect(handler.batches.flatMap(({ batch }) => batch.absent ?? [])).toEqual([
      { why: 'control', fromOffset: 2, nextOffset: 3 },
      { why: 'aborted', fromOffset: 3, nextOffset: 5 },
      { why: 'control', fromOffset: 5, nextOffset: 6 },
      { why: 'control', fromOffset: 8, nextOffset: 9 },
    ])
    expect(await source.watermarks()).toEqual([{ topic, partition: 0, low: 0, high: 9 }])
  })

  test('sees brokers and topics before it joins the group, and finds the offset of a time', async () => {
    const topic = await newTopic()
    const messages = numbered(10).map((message, index) => ({
      ...message,
      timestamp: `${1000 + 100 * index}`,
    }))
    await produce(topic, messages)
    const source = newSource([topic])
    await source.probe()
    expect(source.clusterId).not.toBe('')
    expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).not.toContain(`group-${count}`)
    const handler = Object.assign(new RecordingHandler(), { startTimeMs: () => 1301 })
    await source.start(handler)
    await handler.until('a batch', () => handler.batches.length > 0)
    expect(handler.assignments[0]!.partitions).toMatchObject([{ topic, offsetAtTime: 4 }])
    const place = { topic, partition: 0 }
    expect(await source.offsetAtTime(place, 0)).toBe(0)
    expect(await source.offsetAtTime(place, 1301)).toBe(4)
    expect(await source.offsetAtTime(place, 5000)).toBeUndefined()
    await expect(newSource([`${topic}-missing`], { startTimeoutMs: 1500 }).probe()).rejects.toMatchObject({
      code: 'ERR_TOPIC',
    })
  })

  test('a topic that does not exist is named in time', async () => {
    const topic = await newTopic()
    const source = newSource([topic, 'nowhere'], { startTimeoutMs: 1_500 })
    const beganMs = realClock.monotonicMs()
    const start = source.start(new RecordingHandler())
    await expect(start).rejects.toBeInstanceOf(SourceError)
    await expect(start).rejects.toMatchObject({
      code: 'ERR_TOPIC',
      message: expect.stringContaining('nowhere'),
    })
    expect(realClock.monotonicMs() - beganMs).toBeLessThan(8_000)
  })

  test('a refused password is told at once', async () => {
    const topic = await newTopic()
    await produce(topic, numbered(1))
    const login = (password: string) => ({
      mechanism: 'plain' as const,
      credentials: () => ({ username: 'alice', password }),
    })
    const brokers = [broker.listeners['SASL']!]
    const handler = new RecordingHandler()
    await newSource([topic], { brokers, login: login('alice-pw') }).start(handler)
    await handler.until('the record', () => handler.offsets(topic).length === 1)
    const beganMs = realClock.monotonicMs()
    const refused = newSource([topic], { brokers, login: login('wrong') }).start(new RecordingHandler())
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_REFUSED',
      message: expect.stringContaining('refuses our login'),
    })
    expect(realClock.monotonicMs() - beganMs).toBeLessThan(5_000)
  })

  test('a topic that appears while it starts is waited for', async () => {
    const topic = `late-${++count}`
    const handler = new RecordingHandler()
    const start = newSource([topic]).start(handler)
    await createTopics(broker.bootstrap, [{ name: topic, partitions: 1 }])
    await start
    await produce(topic, numbered(1))
    await handler.until('the record', () => handler.offsets(topic).length === 1)
  })

  test('survives a broker that goes away and comes back', async () => {
    const dataPath = await mkdtemp(path.join(tmpdir(), 'sediment-bounce-'))
    const own = await startBroker({ dataPath })
    const kafka = new kafkajs.Kafka({ brokers: [own.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    const ownProducer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await createTopics(own.bootstrap, [{ name: 'bounce', partitions: 2 }])
    await ownProducer.connect()
    await ownProducer.send({ topic: 'bounce', messages: numbered(3) })
    const handler = new RecordingHandler()
    const source = newSource(['bounce'], { brokers: [own.bootstrap], maxWaitMs: 100 })
    await source.start(handler)
    await handler.until('records', () => handler.offsets('bounce').length === 3)
    await own.stop()
    const back = await startBroker({ dataPath, port: own.port, controllerPort: own.controllerPort })
    try {
      await ownProducer.send({ topic: 'bounce', messages: numbered(3) })
      // Each assignment begins at the low watermark: with a second one the first records come again.
      const seen = (): Set<number> => new Set(handler.offsets('bounce'))
      await handler.until('the later records', () => seen().size >= 6, 40_000)
      expect([...seen()]).toEqual(upTo(6))
      expect(handler.failures).toEqual([])
      await ownProducer.disconnect()
      await source.stop()
    } finally {
      await back.stop()
      await rm(dataPath, { recursive: true })
    }
  })
})

describeWithKafka('a source on two real brokers', () => {
  const freePort = async (): Promise<number> => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as net.AddressInfo
    await new Promise((resolve) => server.close(resolve))
    return port
  }
  const metaOf = (dataPath: string): string => path.join(dataPath, 'log', 'meta.properties')

  test('reads what has a leader while the other broker is down, and the rest when it is back', async () => {
    const [firstPath, secondPath] = [
      await mkdtemp(path.join(tmpdir(), 'sediment-first-')),
      await mkdtemp(path.join(tmpdir(), 'sediment-second-')),
    ]
    const heap = '384m'
    const first = await startBroker({ dataPath: firstPath, heap })
    const port = await freePort()
    // A broker of the cluster that the first one has made, and no controller.
    const [clusterId] = /cluster\.id=.*/.exec(await readFile(metaOf(firstPath), 'utf8'))!
    await mkdir(path.dirname(metaOf(secondPath)))
    await writeFile(metaOf(secondPath), `version=1\n${clusterId}\nnode.id=2\n`)
    const startSecond = () =>
      startBroker({
        dataPath: secondPath,
        heap,
        port,
        controllerPort: first.controllerPort,
        properties: {
          'node.id': '2',
          'process.roles': 'broker',
          listeners: `PLAINTEXT://127.0.0.1:${port}`,
        },
      })
    let second = await startSecond()
    const kafka = new kafkajs.Kafka({ brokers: [first.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    const admin = kafka.admin()
    const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    const handler = new RecordingHandler()
    let source: KafkajsSource | undefined
    try {
      const topic = 'two'
      await Promise.all([admin.connect(), producer.connect()])
      await admin.createTopics({
        topics: [
          {
            topic,
            replicaAssignment: [
              { partition: 0, replicas: [1] },
              { partition: 1, replicas: [2] },
            ],
          },
        ],
      })
      for (const partition of [0, 1]) {
        const messages = [0, 1, 2].map((index) => ({ partition, value: `${index}` }))
        await producer.send({ topic, messages })
      }
      await second.stop()
      source = testSource({
        brokers: [first.bootstrap],
        groupId: 'two',
        topics: [topic],
      })
      await source.start(handler)
      await handler.until('what has a leader', () => handler.offsets(topic, 0).length === 3)
      expect(source.unreadable).toMatchObject([{ topic, partition: 1 }])
      expect(await source.watermarks()).toEqual([{ topic, partition: 0, low: 0, high: 3 }])
      handler.start = ({ partition }) => ({ kind: 'start', offset: partition === 0 ? 3 : 0 })
      second = await startSecond()
      await handler.until('the rest', () => handler.offsets(topic, 1).length === 3, 40_000)
      expect(source.unreadable).toEqual([])
      expect(handler.offsets(topic, 0)).toEqual([0, 1, 2])
      expect(handler.revocations).toEqual([1])
      expect(handler.failures).toEqual([])
    } finally {
      await Promise.all([source?.stop(), admin.disconnect(), producer.disconnect()])
      await Promise.all([second.kill(), first.kill()])
      await Promise.all([firstPath, secondPath].map((dataPath) => rm(dataPath, { recursive: true })))
    }
  }, 180_000)
})

describe('a source without a broker', () => {
  test('says so within its start timeout', async () => {
    const probe = net.createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => probe.once('listening', resolve))
    const { port } = probe.address() as net.AddressInfo
    await new Promise((resolve) => probe.close(resolve))
    const source = new KafkajsSource({
      brokers: [`127.0.0.1:${port}`],
      clientId: 'test',
      groupId: 'group',
      topics: ['topic'],
      startTimeoutMs: 1_000,
      sessionTimeoutMs: 10_000,
      maxBytes: 1 << 20,
      maxBytesPerPartition: 1 << 20,
      decompressedBytesMax: 1 << 20,
      maxWaitMs: 100,
      logger: silentLogger,
      clock: realClock,
    })
    const beganMs = realClock.monotonicMs()
    await expect(source.start(new RecordingHandler())).rejects.toMatchObject({ code: 'ERR_BROKER' })
    expect(realClock.monotonicMs() - beganMs).toBeLessThan(8_000)
  })
})
