// Goal: whether a partition still is what it was is asked of a real broker, and known in time. Method: a source on a
// broker that is restarted, whose log files are cut while it is down, and whose topics are deleted and made again.
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import kafkajs, { type Admin, type Producer } from 'kafkajs'
import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startBroker } from '../../dev/kafka/broker.mjs'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import type { KafkajsSource } from '../../src/kafka/kafkajs/kafkajs-source.ts'
import type { LogPlace, SourceHandler } from '../../src/kafka/source.ts'
import { acceptHold } from '../../src/ledger/acceptance.ts'
import { encodeDelta } from '../../src/ledger/ledger-codec.ts'
import { Sink } from '../../src/sink/sink.ts'
import type { DeletedPolicy } from '../../src/sink/start-plan.ts'
import type { PartitionStatus } from '../../src/sink/status.ts'
import { testSource } from '../support/kafka/test-source.ts'
import { requireTool } from '../support/needs.ts'
import { realClock } from '../support/real-clock.ts'
import { RecordingHandler } from '../support/recording-handler.ts'
import { FakeStorage } from '../support/sink/fake-storage.ts'
import { plainMapper, storedOffsets } from '../support/sink/sink-bench.ts'

/** A fetch that was under way before a pause has come back by then. */
const FETCH_OVER_MS = 400

const describeWithKafka = requireTool('java') ? describe : describe.skip
jest.setTimeout(120_000)

describeWithKafka('a partition on a real broker', () => {
  let folder: string
  let broker: Awaited<ReturnType<typeof startBroker>>
  let producer: Producer
  let admin: Admin
  const sources: KafkajsSource[] = []
  let count = 0

  const connect = async (): Promise<void> => {
    const kafka = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    admin = kafka.admin()
    await Promise.all([producer.connect(), admin.connect()])
  }
  const disconnect = (): Promise<unknown> => Promise.all([producer?.disconnect(), admin?.disconnect()])

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sediment-identity-'))
    broker = await startBroker({ dataPath: folder })
    await connect()
  }, 240_000)

  afterEach(async () => {
    await Promise.all(sources.splice(0).map((source) => source.stop()))
  })

  afterAll(async () => {
    await disconnect()
    await broker?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  /** Stops it and starts it again on the same files: its leaders begin a new epoch, which Kafka 3.9 spares after a kill. */
  const restartBroker = async (whileDown: () => Promise<void> = () => Promise.resolve()): Promise<void> => {
    await disconnect()
    const { port, controllerPort } = broker
    await broker.stop()
    await whileDown()
    broker = await startBroker({ dataPath: folder, port, controllerPort })
    await connect()
  }
  /** Leaves so many batches of equal size; the broker must be down. */
  const cutLog = async (topic: string, batches: number): Promise<void> => {
    const log = path.join(folder, 'log', `${topic}-0`, '00000000000000000000.log')
    const bytes = await readFile(log)
    await truncate(log, (12 + bytes.readInt32BE(8)) * batches)
    // What is left is looked at then.
    await rm(path.join(folder, 'log', '.kafka_cleanshutdown'), { force: true })
  }
  const newTopic = async (name = `topic-${++count}`): Promise<string> => {
    await createTopics(broker.bootstrap, [{ name, partitions: 1 }])
    return name
  }
  /** A batch of its own for each message. */
  const produce = async (topic: string, from: number, to: number): Promise<void> => {
    for (let number = from; number < to; number++)
      await producer.send({ topic, messages: [{ partition: 0, value: `${number}` }] })
  }
  const newSource = (
    topic: string,
    groupId = `group-${++count}`,
    metadataMaxAgeMs = 2_000,
  ): KafkajsSource => {
    const source = testSource({
      brokers: [broker.bootstrap],
      groupId,
      topics: [topic],
      metadataMaxAgeMs,
    })
    sources.push(source)
    return source
  }
  const read = (topic: string, handler: SourceHandler): Promise<void> => newSource(topic).start(handler)
  /** A sink on these files, from its start until `until` holds of its only partition; then it drains and stops. */
  const sinkUntil = async (
    topic: string,
    groupId: string,
    storage: FakeStorage,
    until: (partition: PartitionStatus) => boolean,
    onDeleted: DeletedPolicy = 'continue',
  ): Promise<PartitionStatus> => {
    const source = newSource(topic, groupId)
    const { ledger } = storage
    const clock = realClock
    const start = { kind: 'earliest' } as const
    const sink = new Sink({ source, storage, ledger, clock, mapper: plainMapper, groupId, start, onDeleted })
    await sink.start()
    const deadlineMs = clock.monotonicMs() + 30_000
    let seen: PartitionStatus | undefined
    while (seen === undefined || !until(seen)) {
      if (clock.monotonicMs() > deadlineMs) throw new Error(`it is ${JSON.stringify(seen)}`)
      await clock.sleep(20)
      seen = sink.status().partitions[0]
    }
    await sink.drain(5_000)
    await sink.stop(5_000)
    return seen
  }
  const isHeld = ({ hold }: PartitionStatus): boolean => hold !== undefined
  const isStored =
    (next: number) =>
    ({ durableOffset }: PartitionStatus): boolean =>
      durableOffset === next
  const accept = (storage: FakeStorage, topic: string): void => {
    const place = { topic, partition: 0 }
    const [row] = storage.ledger.positions()
    const plan = acceptHold('offsets', place, row)
    if (typeof plan === 'string') throw new Error(plan)
    storage.ledger.apply(encodeDelta(row!.clusterId, [plan.advance]))
  }
  const upTo = (next: number, from = 0): number[] => Array.from({ length: next - from }, (_, i) => from + i)
  const checkedPlaces = async (topic: string, place: LogPlace): Promise<number | undefined> => {
    const handler = new RecordingHandler()
    handler.lastRead = () => place
    handler.start = () => ({ kind: 'hold', reason: 'only asked' })
    await read(topic, handler)
    await handler.until('an assignment', () => handler.assignments.length > 0)
    return handler.assignments[0]!.partitions[0]!.checked?.endOffset
  }
  const end = (handler: RecordingHandler): number => handler.batches.at(-1)?.batch.nextOffset ?? 0

  test('is read over a change of its leader, and says which leader took which records', async () => {
    const topic = await newTopic()
    await produce(topic, 0, 5)
    await restartBroker()
    await produce(topic, 5, 8)
    const handler = new RecordingHandler()
    await read(topic, handler)
    await handler.until('all records', () => end(handler) === 8)
    const epochs = new Map(handler.batches.map(({ batch }) => [batch.nextOffset, batch.leaderEpoch!]))
    const [first, second] = [epochs.get(5)!, epochs.get(8)!]
    expect(second).toBeGreaterThan(first)
    expect(handler.truncations).toEqual([])

    expect(await checkedPlaces(topic, { offset: 5, leaderEpoch: first })).toBe(5)
    expect(await checkedPlaces(topic, { offset: 7, leaderEpoch: first })).toBe(5)
    expect(await checkedPlaces(topic, { offset: 8, leaderEpoch: second })).toBe(8)
    expect(await checkedPlaces(topic, { offset: 8, leaderEpoch: second + 50 })).toBe(-1)
  })

  test('that was cut and has grown again is not read on from the old position', async () => {
    const topic = await newTopic()
    await produce(topic, 0, 5)
    const handler = new RecordingHandler()
    await read(topic, handler)
    await handler.until('all records', () => end(handler) === 5)
    handler.answerOutOfRange = () => ({ kind: 'hold', reason: 'out of range' })

    await restartBroker(() => cutLog(topic, 3))
    await produce(topic, 100, 110)
    const isTold = (): boolean => handler.truncations.length + handler.outOfRanges.length > 0
    await handler.until('the source to tell', isTold, 60_000)
    expect(handler.offsets(topic)).toEqual([0, 1, 2, 3, 4])
    const [cut] = handler.truncations
    // Else it asked before there was anything new.
    if (cut !== undefined) expect(cut).toMatchObject({ offset: 5, endOffset: 3 })
    const { leaderEpoch } = handler.batches[0]!.batch
    expect(await checkedPlaces(topic, { offset: 5, leaderEpoch: leaderEpoch! })).toBe(3)
  })

  test('of a topic that was deleted and made again has another topic id, and nothing of it is read before that is told', async () => {
    const topic = await newTopic()
    await produce(topic, 0, 5)
    const handler = new RecordingHandler()
    let firstId: string | undefined
    handler.start = ({ topicId, lowWatermark }) => {
      firstId ??= topicId
      return topicId === firstId
        ? { kind: 'start', offset: lowWatermark }
        : { kind: 'hold', reason: 'another topic' }
    }
    await read(topic, handler)
    await handler.until('all records', () => end(handler) === 5)

    await admin.deleteTopics({ topics: [topic] })
    await newTopic(topic)
    await produce(topic, 0, 20)
    const ids = (): (string | undefined)[] =>
      handler.assignments.flatMap(({ partitions }) => partitions.map(({ topicId }) => topicId))
    await handler.until('the other topic', () => new Set(ids()).size === 2, 40_000)
    expect(handler.offsets(topic)).toEqual([0, 1, 2, 3, 4])
  })

  test('whose topic is made again between two fetches is held by the next one, and nothing of the new topic is stored', async () => {
    const [topic, groupId] = [await newTopic(), `group-${++count}`]
    await produce(topic, 0, 5)
    // Nothing but a fetch can tell: metadata is not looked at again.
    const source = newSource(topic, groupId, 600_000)
    const storage = new FakeStorage({ isInstant: true })
    const { ledger } = storage
    const clock = realClock
    const sink = new Sink({
      source,
      storage,
      ledger,
      clock,
      mapper: plainMapper,
      groupId,
      start: { kind: 'earliest' },
    })
    await sink.start()
    const until = async (done: (partition: PartitionStatus) => boolean): Promise<void> => {
      const deadlineMs = clock.monotonicMs() + 30_000
      for (;;) {
        const [seen] = sink.status().partitions
        if (seen !== undefined && done(seen)) return
        if (clock.monotonicMs() > deadlineMs) throw new Error(`it is ${JSON.stringify(seen)}`)
        await clock.sleep(20)
      }
    }
    await until(isStored(5))
    const partition = { topic, partition: 0 }
    source.pause([partition])
    await clock.sleep(FETCH_OVER_MS)
    await admin.deleteTopics({ topics: [topic] })
    await newTopic(topic)
    await produce(topic, 0, 12)
    source.resume([partition])

    await until(isHeld)
    expect(sink.status().partitions[0]!.hold).toMatchObject({ reason: 'topic-recreated' })
    await sink.drain(5_000)
    await sink.stop(5_000)
    expect(storedOffsets(storage, partition)).toEqual(upTo(5))
  })

  test('whose topic was made again is held over restarts, and read whole once that is accepted', async () => {
    const [topic, groupId] = [await newTopic(), `group-${++count}`]
    await produce(topic, 0, 5)
    let storage = new FakeStorage({ isInstant: true })
    await sinkUntil(topic, groupId, storage, isStored(5))
    await admin.deleteTopics({ topics: [topic] })
    await newTopic(topic)
    await produce(topic, 0, 8)
    for (let restart = 0; restart < 2; restart++) {
      storage = storage.restarted()
      const { hold } = await sinkUntil(topic, groupId, storage, isHeld)
      expect(hold).toMatchObject({ reason: 'topic-recreated' })
    }
    accept(storage, topic)
    storage = storage.restarted()
    await sinkUntil(topic, groupId, storage, isStored(8))
    expect(storedOffsets(storage, { topic, partition: 0 })).toEqual([...upTo(5), ...upTo(8)])
  })

  test('that was cut is held, and read from the cut once that is accepted', async () => {
    const [topic, groupId] = [await newTopic(), `group-${++count}`]
    await produce(topic, 0, 5)
    let storage = new FakeStorage({ isInstant: true })
    await sinkUntil(topic, groupId, storage, isStored(5))
    await restartBroker(() => cutLog(topic, 3))
    await produce(topic, 100, 110)
    storage = storage.restarted()
    const { hold } = await sinkUntil(topic, groupId, storage, isHeld)
    expect(hold).toMatchObject({ reason: 'log-truncated' })
    expect(hold?.detail).toMatch('cut at 3, but 5 was reached: 2 offsets')
    accept(storage, topic)
    storage = storage.restarted()
    await sinkUntil(topic, groupId, storage, isStored(13))
    expect(storedOffsets(storage, { topic, partition: 0 })).toEqual([...upTo(5), ...upTo(13, 3)])
  })

  test('of which unread records were deleted is held by choice, and has a gap otherwise', async () => {
    const [topic, groupId] = [await newTopic(), `group-${++count}`]
    await produce(topic, 0, 5)
    let storage = new FakeStorage({ isInstant: true })
    await sinkUntil(topic, groupId, storage, isStored(5))
    await produce(topic, 5, 15)
    // Else kafkajs does not know the topic.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '12' }] })
    storage = storage.restarted()
    const { hold } = await sinkUntil(topic, groupId, storage, isHeld, 'hold')
    expect(hold).toMatchObject({ reason: 'deleted' })
    expect(hold?.detail).toMatch('7 offsets')
    storage = storage.restarted()
    await sinkUntil(topic, groupId, storage, isStored(15))
    expect(storedOffsets(storage, { topic, partition: 0 })).toEqual([...upTo(5), 12, 13, 14])
    expect(storage.ledger.positions()[0]).toMatchObject({
      gaps: [{ class: 'deleted', fromOffset: 5, nextOffset: 12 }],
      hold: undefined,
    })
  })

  test('whose offsets were reset, by hand or by another tool, goes on where the ledger is', async () => {
    const [topic, groupId] = [await newTopic(), `group-${++count}`]
    await produce(topic, 0, 5)
    let storage = new FakeStorage({ isInstant: true })
    await sinkUntil(topic, groupId, storage, isStored(5))
    for (const [index, offset] of ['1', '7'].entries()) {
      const next = 8 + index
      await produce(topic, index === 0 ? 5 : 8, next)
      await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset }] })
      storage = storage.restarted()
      await sinkUntil(topic, groupId, storage, isStored(next))
    }
    await admin.deleteGroups([groupId])
    await produce(topic, 9, 10)
    storage = storage.restarted()
    await sinkUntil(topic, groupId, storage, isStored(10))
    expect(storedOffsets(storage, { topic, partition: 0 })).toEqual(upTo(10))
  })
})
