import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import kafkajs from 'kafkajs'
import type { Admin, CompressionTypes as CompressionType } from 'kafkajs'
import { startBroker } from '../../dev/kafka/broker.mjs'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import { projectRoot, run, runSediment } from '../deployment/programs.ts'
import {
  freePorts,
  startSediment,
  until,
  untilReady,
  type SedimentProcess,
} from '../deployment/sediment-process.ts'
import { checkSettled } from '../support/independent/settled-check.ts'
import { nodeFiles } from '../support/independent/files.ts'
import { readAsStock, type StockRecord } from '../support/independent/stock-reader.ts'
import { FedMessages, identity, type FedMessage } from '../support/kafka/fed-messages.ts'
import { produceBatch } from '../support/kafka/raw-produce.ts'
import { requireTool } from '../support/needs.ts'
import { Random } from '../support/random.ts'
import { encodeBatch } from '../support/record-batches.ts'

const { CompressionTypes } = kafkajs
const GROUP = 'end-to-end'
const GZIP = 1
const GATEWAY_MESSAGES_MIN = 2_000

const topics = [
  { name: 'readings', partitions: 3 },
  { name: 'site.log-v1', partitions: 2 },
  { name: 'edges', partitions: 1 },
  { name: 'equal', partitions: 1 },
  { name: 'falling', partitions: 1 },
  { name: 'timeless', partitions: 1 },
  { name: 'codecs', partitions: 4, config: { 'compression.type': 'producer' } },
]
const partitions = topics.flatMap(({ name, partitions }) =>
  Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
)

const describeWithKafka = requireTool('java') && requireTool('kcat') ? describe : describe.skip

describeWithKafka('messages on their way from a real Kafka through `sediment run`', () => {
  const random = new Random(20_260_301)
  const fed = new FedMessages()
  let folder: string
  let dataPath: string
  let broker: Awaited<ReturnType<typeof startBroker>>
  let admin: Admin
  let port: number
  let settings: readonly string[]
  let sediment: SedimentProcess | undefined

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sediment-end-to-end-'))
    dataPath = join(folder, 'data')
    broker = await startBroker()
    await createTopics(broker.bootstrap, topics)
    admin = client().admin()
    await admin.connect()
    port = (await freePorts(1))[0]!
    settings = [
      `dataPath=${dataPath}`,
      `kafka.brokers=${broker.bootstrap}`,
      `kafka.topics=${topics.map(({ name }) => name).join(',')}`,
      `kafka.groupId=${GROUP}`,
      'kafka.groupInstanceId=one',
      'kafka.fetchWaitMs=100ms',
      'storage.bucket.blockRecordsMax=512',
      'storage.bucket.blockBytesMax=1MiB',
      'storage.groupBytesMax=1MiB',
      'storage.logBytesCheckpoint=2MiB',
      'storage.sealIdleMs=200ms',
      `http.port=${port}`,
    ].flatMap((setting) => ['--set', setting])
  }, 120_000)

  afterAll(async () => {
    sediment?.kill()
    await sediment?.ended
    await admin?.disconnect()
    await broker?.stop()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }, 60_000)

  function client() {
    return new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
  }

  async function start(): Promise<SedimentProcess> {
    sediment = startSediment(['run', ...settings], port)
    await untilReady(sediment)
    return sediment
  }

  async function durableRecords(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const counts = [...text.matchAll(/^sediment_durable_records_total\{.*\} (\d+)$/gm)]
    return counts.reduce((sum, [, count]) => sum + Number(count), 0)
  }

  /** By partition: what the group has committed, 0 for nothing. */
  async function committedOffsets(): Promise<Map<string, number>> {
    const committed = await admin.fetchOffsets({
      groupId: GROUP,
      topics: topics.map(({ name }) => name),
    })
    return new Map(
      committed.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => [`${topic}/${partition}`, Math.max(0, Number(offset))]),
      ),
    )
  }

  /**
   * One sensor gateway: messages are stamped when they are made and sent `delayMs` later, one in ten up to a second
   * later still, so that times of a partition are out of order. It runs for four seconds, and on a slow machine until it
   * has made enough.
   */
  async function runGateway(seed: number, delayMs: number, compression: CompressionType): Promise<void> {
    const own = new Random(seed)
    const producer = client().producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
    const waiting: { dueMs: number; topic: string; partition: number; message: FedMessage }[] = []
    const endMs = performance.now() + 4_000
    let made = 0
    const isMaking = (): boolean => performance.now() < endMs || made < GATEWAY_MESSAGES_MIN
    while (isMaking() || waiting.length > 0) {
      const nowMs = performance.now()
      for (let count = isMaking() ? own.between(1, 60) : 0; count > 0; count--) {
        made += 1
        const { topic, partition } = own.pick(partitions.slice(0, 5))
        const lateMs = own.chance(0.1) ? own.between(1, 1000) : 0
        waiting.push({ dueMs: nowMs + delayMs + lateMs, topic, partition, message: reading(own) })
      }
      const due = waiting.filter(({ dueMs }) => dueMs <= nowMs)
      waiting.splice(0, waiting.length, ...waiting.filter(({ dueMs }) => dueMs > nowMs))
      await Promise.all(
        partitions.slice(0, 5).map(async ({ topic, partition }) => {
          const messages = due
            .filter((one) => one.topic === topic && one.partition === partition)
            .map(({ message }) => message)
          if (messages.length === 0) return
          const [sent] = await producer.send({
            topic,
            acks: -1,
            compression,
            messages: messages.map(({ timestampMs, key, value, headers }) => ({
              partition,
              timestamp: String(timestampMs),
              key,
              value,
              headers: Object.fromEntries(headers.map(([name, value]) => [name, value!])),
            })),
          })
          fed.add(topic, partition, Number(sent!.baseOffset), messages)
        }),
      )
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await producer.disconnect()
  }

  function reading(own: Random): FedMessage {
    return {
      timestampMs: Date.now(),
      key: own.chance(0.2) ? null : Buffer.from(`sensor-${own.below(20)}`),
      value: Buffer.from(own.bytes(own.pick([0, 9, 60, 60, 300, 3000]))),
      headers: own.chance(0.5)
        ? [
            ['trace.id', Buffer.from(own.bytes(4)).toString('hex')],
            ['sequence', String(own.below(1e6))],
          ].map(([name, value]) => [name!, Buffer.from(value!)] as const)
        : [],
    }
  }

  /** One batch of a topic's only partition, byte for byte as given. */
  async function feedRaw(topic: string, messages: readonly FedMessage[], codec = 0): Promise<void> {
    const baseMs = messages[0]!.timestampMs
    const batch = encodeBatch({
      baseOffset: 0n,
      baseTimestamp: BigInt(baseMs),
      maxTimestamp: BigInt(Math.max(...messages.map(({ timestampMs }) => timestampMs))),
      codec,
      ...(codec === GZIP ? { compress: (records: Buffer) => gzipSync(records) } : {}),
      records: messages.map(({ timestampMs, key, value, headers }, offsetDelta) => ({
        offsetDelta,
        timestampDelta: BigInt(timestampMs - baseMs),
        key,
        value,
        headers: headers.map(([name, value]) => [Buffer.from(name), value] as const),
      })),
    })
    fed.add(topic, 0, await produceBatch(broker.bootstrap, topic, 0, batch), messages)
  }

  function edgeMessages(): FedMessage[] {
    const timestampMs = Date.now()
    const plain: FedMessage = { timestampMs, key: Buffer.from('k'), value: Buffer.from('v'), headers: [] }
    const all256 = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const repeated: FedMessage['headers'] = [
      ['b', Buffer.from('1')],
      ['a', Buffer.from('2')],
      ['b', null],
      ['b', Buffer.from('')],
      ['a', Buffer.from('3')],
      ['größe', all256],
      ['', Buffer.from('no name')],
      ['offset', Buffer.from('not ours')],
      ['h_offset', Buffer.from('nor this')],
    ]
    return [
      { ...plain, key: null },
      { ...plain, key: Buffer.alloc(0) },
      { ...plain, key: all256 },
      { ...plain, value: Buffer.alloc(0) },
      { ...plain, value: null },
      { ...plain, key: null, value: null },
      { ...plain, value: all256 },
      { ...plain, headers: repeated },
      { ...plain, headers: [...repeated].reverse(), value: null },
      { ...plain, headers: [['only', null]] },
      { ...plain, value: Buffer.from(random.bytes(1_000_000)) },
      { ...plain, timestampMs: 1 },
      { ...plain, timestampMs: 0 },
    ]
  }

  const numbered = (count: number, timeOf: (index: number) => number): FedMessage[] =>
    Array.from({ length: count }, (_, index) => ({
      timestampMs: timeOf(index),
      key: Buffer.from(`k${index}`),
      value: Buffer.from(`number ${index}`),
      headers: [],
    }))

  /** One partition a codec, written by librdkafka, a line a message. */
  async function feedByKcat(): Promise<void> {
    for (const [partition, codec] of ['gzip', 'snappy', 'lz4', 'zstd'].entries()) {
      const lines = Array.from({ length: 300 }, (_, index) =>
        `${codec} ${index} `.padEnd(120, 'again and again '),
      )
      const path = join(folder, `lines-${codec}`)
      await writeFile(path, lines.map((line) => `${line}\n`).join(''))
      const args = ['-P', '-b', broker.bootstrap, '-t', 'codecs', '-p', String(partition), '-z', codec]
      expect(await run('kcat', [...args, '-l', path])).toEqual({ code: 0, stdout: '', stderr: '' })
      const messages = lines.map((line) => ({
        timestampMs: NaN, // kcat's clock
        key: null,
        value: Buffer.from(line),
        headers: [],
      }))
      fed.add('codecs', partition, 0, messages)
    }
  }

  /** What a second process reads: every line of `sediment query`, by identity. */
  async function queryAll(): Promise<{ code: number | null; lines: Map<string, string[]> }> {
    const args = ['bin/sediment.cjs', 'query', 'kafka', '--json', '--payload', '--data', dataPath]
    const child = spawn(process.execPath, args, { cwd: projectRoot, stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    const lines = new Map<string, string[]>()
    for await (const line of createInterface({ input: child.stdout })) {
      const { kafka } = JSON.parse(line) as QueryLine
      const id = identity(kafka.topic, kafka.partition, kafka.offset)
      lines.set(id, [...(lines.get(id) ?? []), line])
    }
    return { code: await ended, lines }
  }

  it('stops by SIGTERM under load with what it committed, no more and no less, stored', async () => {
    const first = await start()
    const load = Promise.all([
      runGateway(1, 0, CompressionTypes.None),
      runGateway(2, 2, CompressionTypes.GZIP),
      runGateway(3, 5, CompressionTypes.None),
      runGateway(4, 40, CompressionTypes.None),
    ])
    await until(durableRecords, (count) => count > 1_000, 30_000)
    expect(await first.stop()).toBe(0)
    const committed = await committedOffsets()
    const stored = offsetsByPartition(readAsStock(nodeFiles(dataPath)).records)
    for (const { topic, partition } of partitions) {
      const name = `${topic}/${partition}`
      const offsets = stored.get(name) ?? []
      expect([name, offsets]).toEqual([name, offsets.map((_, index) => index)])
      expect([name, committed.get(name)]).toEqual([name, offsets.length])
    }
    await load
    const all = [...stored.values()].reduce((sum, offsets) => sum + offsets.length, 0)
    expect(all).toBeGreaterThan(1_000)
    expect(all).toBeLessThan(fed.size)
  }, 90_000)

  it('takes up the rest and every odd message, and stops with committed = durable', async () => {
    const second = await start()
    await feedByKcat()
    const nowMs = Date.now()
    for (const message of edgeMessages()) await feedRaw('edges', [message])
    await feedRaw('edges', edgeMessages(), GZIP)
    await feedRaw(
      'equal',
      numbered(2_000, () => nowMs),
    )
    await feedRaw(
      'falling',
      numbered(2_000, (index) => nowMs - index),
    )
    await feedRaw(
      'timeless',
      numbered(10, () => -1),
    )

    const ends = new Map<string, number>()
    for (const { name } of topics) {
      for (const { partition, high } of await admin.fetchTopicOffsets(name)) {
        ends.set(`${name}/${partition}`, Number(high))
      }
    }
    // What was fed is all that there is: no retry has made a message twice.
    expect([...ends.values()].reduce((sum, end) => sum + end, 0)).toBe(fed.size)
    await until(committedOffsets, (seen) => [...ends].every(([name, end]) => seen.get(name) === end), 60_000)
    expect(await second.stop()).toBe(0)
    expect(await committedOffsets()).toEqual(ends)
  }, 90_000)

  it('a second process reads every message back, byte for byte and once', async () => {
    const { code, lines } = await queryAll()
    expect(code).toBe(0)
    expect([...lines].filter(([, copies]) => copies.length > 1)).toEqual([])
    expect([...lines.keys()].sort()).toEqual(fed.ids().sort())
    for (const id of fed.ids()) {
      const expected = fed.get(id)!
      const line = JSON.parse(lines.get(id)![0]!) as QueryLine
      const { timestampMs, ...read } = messageOf(line)
      expect([id, read]).toEqual([id, comparable(expected)])
      if (!Number.isNaN(expected.timestampMs)) expect([id, timestampMs]).toEqual([id, expected.timestampMs])
      expect(line.labels['ts_source']).toBe(expected.timestampMs === -1 ? 'arrival' : undefined)
    }
  }, 60_000)

  it('a reader by the rules of ReductStore finds the same contents, and nothing to complain of', () => {
    const { records, problems } = readAsStock(nodeFiles(dataPath))
    expect(problems).toEqual([])
    expect(records.length).toBe(fed.size)
    expect(fed.size).toBeGreaterThan(8_000)
    const seen = new Set<string>()
    for (const record of records) {
      const { topic, partition, offset } = identityOf(record)
      const id = identity(topic, partition, offset)
      expect([id, seen.has(id), record.state]).toEqual([id, false, FINISHED])
      seen.add(id)
      const expected = fed.get(id)?.value ?? Buffer.alloc(0)
      expect([id, expected.equals(record.content!)]).toEqual([id, true])
    }
    expect(seen.size).toBe(fed.size)
  }, 60_000)

  it('verify finds nothing, and settling leaves what ReductStore would have written', async () => {
    const verified = await runSediment(['verify', '--json', '--data', dataPath])
    expect(verified).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(verified.stdout)).toMatchObject({ findings: [], records: fed.size })
    expect((await runSediment(['settle', '--data', dataPath])).code).toBe(0)
    expect(checkSettled(nodeFiles(dataPath))).toEqual([])
    expect(readAsStock(nodeFiles(dataPath)).records.length).toBe(fed.size)
  }, 60_000)
})

/** The state of a complete record, in ReductStore's numbers. */
const FINISHED = 1

interface QueryLine {
  readonly labels: Readonly<Record<string, string>>
  readonly payload: string
  readonly kafka: {
    readonly topic: string
    readonly partition: number
    readonly offset: number
    readonly timestampMs: number
    readonly key?: string | null
    readonly keyBase64?: string
    readonly headers: readonly {
      readonly name?: string
      readonly nameBase64?: string
      readonly value?: string | null
      readonly valueBase64?: string
    }[]
    readonly tombstone?: boolean
  }
}

/** Bytes as base64: comparing text is quick, and the difference is shown. */
interface ComparableMessage {
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [name: string, value: string | null])[]
}

function messageOf({ kafka, payload }: QueryLine): ComparableMessage & { timestampMs: number } {
  return {
    timestampMs: kafka.timestampMs,
    key: base64Of(kafka.key, kafka.keyBase64),
    value: kafka.tombstone === true ? null : payload,
    headers: kafka.headers.map(({ name, nameBase64, value, valueBase64 }) => [
      base64Of(name, nameBase64) ?? '?',
      base64Of(value, valueBase64),
    ]),
  }
}

function comparable({ key, value, headers }: FedMessage): ComparableMessage {
  const base64 = (bytes: Buffer | null): string | null => (bytes === null ? null : bytes.toString('base64'))
  return {
    key: base64(key),
    value: base64(value),
    headers: headers.map(([name, value]) => [Buffer.from(name).toString('base64'), base64(value)]),
  }
}

function base64Of(text: string | null | undefined, base64: string | undefined): string | null {
  if (base64 !== undefined) return base64
  return text === null || text === undefined ? null : Buffer.from(text).toString('base64')
}

/** From entry and labels alone, by the rule of the default mapping. */
function identityOf({ entry, labels }: StockRecord): { topic: string; partition: number; offset: number } {
  const all = new Map(labels)
  const [, path = '', last = ''] = /^(.*)\/(\d+)$/.exec(entry) ?? []
  return {
    topic: all.get('topic') ?? path,
    partition: Number(all.get('partition') ?? last),
    offset: Number(all.get('offset')),
  }
}

function offsetsByPartition(records: readonly StockRecord[]): Map<string, number[]> {
  const found = new Map<string, number[]>()
  for (const record of records) {
    const { topic, partition, offset } = identityOf(record)
    const name = `${topic}/${partition}`
    found.set(name, [...(found.get(name) ?? []), offset])
  }
  for (const offsets of found.values()) offsets.sort((one, other) => one - other)
  return found
}
