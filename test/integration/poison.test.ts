import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import kafkajs, { type Admin, type KafkaMessage, type Producer } from 'kafkajs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBroker } from '../../dev/kafka/broker.mjs'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import { freePorts, startSediment, until, type SedimentProcess } from '../deployment/sediment-process.ts'
import { requireTool } from '../support/needs.ts'

const describeWithKafka = requireTool('java') ? describe : describe.skip
jest.setTimeout(120_000)

/** What becomes of messages that cannot be stored, with a real broker and the built program: `npm run build` first. */
describeWithKafka('messages that cannot be stored', () => {
  let folder: string
  let broker: Awaited<ReturnType<typeof startBroker>>
  let producer: Producer
  let admin: Admin
  let kafka: kafkajs.Kafka

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sediment-poison-'))
    broker = await startBroker()
    await createTopics(broker.bootstrap, [
      { name: 'orders', partitions: 2 },
      { name: 'dead', partitions: 3, config: { 'max.message.bytes': '100' } },
    ])
    kafka = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    admin = kafka.admin()
    await Promise.all([producer.connect(), admin.connect()])
  }, 240_000)

  afterAll(async () => {
    await producer?.disconnect()
    await admin?.disconnect()
    await broker?.stop()
    await rm(folder, { recursive: true })
  })

  const start = async (name: string, ...more: string[]): Promise<SedimentProcess> => {
    const [port = 0] = await freePorts(1)
    const settings = [
      `kafka.brokers=${broker.bootstrap}`,
      `kafka.groupId=${name}`,
      `http.port=${port}`,
      `dataPath=${join(folder, name)}`,
    ]
    return startSediment([...more, ...settings.flatMap((setting) => ['--set', setting])], port)
  }
  const command = async (name: string, ...args: string[]): Promise<{ code: number | null; out: string }> => {
    const ran = startSediment([...args, '--data', join(folder, name)], 0)
    const code = await ran.ended
    return { code, out: ran.log() }
  }
  const allOf = async (topic: string, count: number): Promise<(KafkaMessage & { partition: number })[]> => {
    const consumer = kafka.consumer({ groupId: `reads-${topic}-${count}` })
    const found: (KafkaMessage & { partition: number })[] = []
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      eachMessage: ({ message, partition }) => Promise.resolve(void found.push({ ...message, partition })),
    })
    await until(
      () => Promise.resolve(found.length),
      (length) => length >= count,
      20_000,
    )
    await consumer.disconnect()
    return found
  }

  it('are in the dead-letter topic before their offsets count, and wait until it takes them', async () => {
    const sink = await start(
      'letters',
      'run',
      '--set',
      'kafka.topics=orders',
      '--set',
      'kafka.deadLetterTopic=dead',
      '--set',
      'mapping.rules=[{ topics: [orders], contentBytesMax: 5 }]',
    )
    const ready = async (): Promise<string> => (await fetch(`${sink.address}/readyz`)).text()
    try {
      await until(ready, (text) => text.includes('ready'), 30_000)
      await producer.send({
        topic: 'orders',
        messages: ['good', 'too large', 'fine'].map((value, index) => ({
          partition: 1,
          key: `k${index}`,
          value,
          headers: { trace: [`t${index}`, 'again'] },
        })),
      })
      const waiting = await until(ready, (text) => text.includes('dead-letters'), 30_000)
      expect(waiting).toContain('the dead-letter topic dead does not take it')
      const committed = await admin.fetchOffsets({ groupId: 'letters', topics: ['orders'] })
      expect(committed[0]?.partitions.find(({ partition }) => partition === 1)?.offset).not.toBe('3')

      await admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: kafkajs.ConfigResourceTypes.TOPIC,
            name: 'dead',
            configEntries: [{ name: 'max.message.bytes', value: '1000000' }],
          },
        ],
      })
      await until(ready, (text) => text.includes('ready'), 60_000)
      const metrics = await (await fetch(`${sink.address}/metrics`)).text()
      expect(metrics).toMatch(/^sediment_dead_letters_total\{topic="orders"\} 1$/m)
      expect(metrics).toMatch(/^sediment_dead_letter_failures_total\{topic="orders"\} [1-9]/m)
    } finally {
      expect(await sink.stop()).toBe(0)
    }
    const [letter] = await allOf('dead', 1)
    expect(letter).toMatchObject({ partition: 1, key: Buffer.from('k1'), value: Buffer.from('too large') })
    const headers = Object.fromEntries(
      Object.entries(letter!.headers ?? {}).map(([name, value]) => [name, String(value)]),
    )
    expect(headers).toMatchObject({
      trace: 't1,again',
      'sediment.error.topic': 'orders',
      'sediment.error.partition': '1',
      'sediment.error.offset': '1',
      'sediment.error.cause': 'content-too-large',
      'sediment.error.rule': 'mapping.rules[0]',
      'sediment.error.group': 'letters',
    })
    expect((await command('letters', 'quarantine', 'show', 'orders', '1', '1', '--payload')).out).toBe(
      'too large',
    )
  })

  it('that lie in a damaged record batch hold their partition until the gap is accepted; the batch is kept', async () => {
    await createTopics(broker.bootstrap, [{ name: 'rotten' }])
    for (const values of [['a', 'b'], ['c', 'd', 'e'], ['f']])
      await producer.send({ topic: 'rotten', messages: values.map((value) => ({ value })) })
    const segment = join(broker.dataPath, 'log', 'rotten-0', '00000000000000000000.log')
    const log = await readFile(segment)
    const secondAt = 12 + log.readInt32BE(8)
    const damagedBytes = log.subarray(secondAt, secondAt + 12 + log.readInt32BE(secondAt + 8))
    damagedBytes[66]! ^= 1
    await writeFile(segment, log)

    const settings = ['run', '--until-caught-up', '--set', 'kafka.topics=rotten']
    const held = await start('rot', ...settings)
    expect(await held.ended).toBe(8)
    expect((await command('rot', 'gaps')).out).toMatch('held: rotten/0: undecodable at 5, next is 2')
    const again = await start('rot', ...settings)
    expect(await again.ended).toBe(8)
    const listed = await command('rot', 'quarantine', 'ls', '--json')
    expect(listed.out.trim().split('\n')).toHaveLength(1)
    expect(JSON.parse(listed.out)).toMatchObject({ cause: 'undecodable', offset: 2, nextOffset: 5 })
    const kept = await command('rot', 'quarantine', 'show', 'rotten', '0', '2')
    expect(kept.out).toMatch(`offsets 2 to 4\n`)
    expect(kept.out).toMatch(`${damagedBytes.length} B as the broker sent them`)

    const accepted = await command('rot', 'gap', 'accept', 'rotten', '0', '--apply')
    expect(accepted.out).toMatch('3 offsets from 2 on are of a record batch that cannot be decoded')
    const rest = await start('rot', ...settings)
    expect(await rest.ended).toBe(0)
    expect((await command('rot', 'gaps', '--ranges')).out).toMatch(/rotten\/0 +2 +5 +3 +quarantined/)
    expect((await command('rot', 'query', 'kafka/rotten', '--payload')).out).toBe('abf')
    expect((await command('rot', 'verify')).code).toBe(0)
  })

  it('that are too large once decompressed hold their partition by name until there is memory for them', async () => {
    await createTopics(broker.bootstrap, [{ name: 'huge' }])
    await producer.send({ topic: 'huge', messages: [{ value: 'before' }] })
    const value = Buffer.alloc(40_000_000, 'large ')
    await producer.send({
      topic: 'huge',
      messages: [{ value }, { value: 'beside' }],
      compression: kafkajs.CompressionTypes.GZIP,
    })
    await producer.send({ topic: 'huge', messages: [{ value: 'behind' }] })

    const small = ['--set', 'kafka.topics=huge', '--set', 'kafka.fetchBytesMax=4MiB']
    const sink = await start('huge', 'run', ...small, '--set', 'memory.budgetBytes=16MiB')
    const ready = async (): Promise<string> => (await fetch(`${sink.address}/readyz`)).text()
    try {
      const why = /held \(batch-too-large\): huge\/0: .*set memory.budgetBytes to 39MiB or more and restart/
      expect(await until(ready, (text) => text.includes('held'), 30_000)).toMatch(why)
      expect(sink.log()).toMatch(
        /"error".*batch-too-large.*set memory.budgetBytes to 39MiB or more and restart.*partition held/,
      )
      expect(sink.log()).not.toMatch('is damaged')
      const metrics = await (await fetch(`${sink.address}/metrics`)).text()
      expect(metrics).toMatch(/^sediment_held_partitions\{reason="batch-too-large"\} 1$/m)
    } finally {
      expect(await sink.stop()).toBe(0)
    }
    expect((await command('huge', 'gaps')).out).toMatch('held: huge/0: batch-too-large at 3, next is 1')
    const meaning = (await command('huge', 'gap', 'accept', 'huge', '0')).out
    expect(meaning).toMatch('larger than memory.budgetBytes')
    expect(meaning).toMatch('nothing was changed')

    const settings = ['--until-caught-up', ...small, '--set', 'memory.budgetBytes=39MiB']
    expect(await (await start('huge', 'run', ...settings)).ended).toBe(0)
    expect((await command('huge', 'gaps')).out).toBe('no gaps\n')
    const stored = await command('huge', 'query', 'kafka/huge', '--json')
    expect(stored.out.trim().split('\n')).toHaveLength(4)
    expect((await command('huge', 'verify')).code).toBe(0)
  })

  it('that were lost are found by reading the topic again, and stored once', async () => {
    await createTopics(broker.bootstrap, [{ name: 'proof', partitions: 2 }])
    const messages = Array.from({ length: 200 }, (_, index) => ({
      partition: index % 2,
      key: index % 3 === 0 ? null : `k${index}`,
      value: index % 5 === 0 ? null : `value ${index}`,
      headers: { a: [`${index}`, 'again'] },
    }))
    await producer.send({ topic: 'proof', messages, compression: kafkajs.CompressionTypes.GZIP })
    const settings = ['--set', 'kafka.topics=proof']
    expect(await (await start('proof', 'run', '--until-caught-up', ...settings)).ended).toBe(0)
    const replay = async (...args: string[]): Promise<{ code: number | null; reports: unknown[] }> => {
      const ran = await start('proof', 'replay', 'proof', ...args, '--json')
      const code = await ran.ended
      const lines = ran.log().trim().split('\n')
      return { code, reports: lines.map((line) => JSON.parse(line) as unknown) }
    }
    const all = { equal: 100, different: 0, missing: 0, onlyInStore: 0, duplicates: 0 }
    expect(await replay()).toMatchObject({ code: 0, reports: [all, all] })

    for (const offset of [0, 41])
      await command('proof', 'record', 'rm', 'kafka/proof/1', '--label', `offset=${offset}`, '--yes')
    expect(await replay('1', '40..50')).toMatchObject({
      code: 1,
      reports: [{ equal: 9, missingOffsets: [41] }],
    })
    expect(await replay('--store-missing', '--removed-too')).toMatchObject({
      code: 0,
      reports: [{ equal: 100 }, { equal: 98, missing: 2, stored: { stored: 2 } }],
    })
    expect(await replay()).toMatchObject({ code: 0, reports: [all, all] })
    expect((await command('proof', 'verify')).code).toBe(0)
  })

  it('need a dead-letter topic that exists and is not consumed', async () => {
    const missing = await start(
      'missing',
      'run',
      '--set',
      'kafka.topics=orders',
      '--set',
      'kafka.deadLetterTopic=gone',
    )
    expect(await missing.ended).toBe(4)
    expect(missing.log()).toContain('the dead-letter topic gone does not exist')
    const own = await start('own', 'run', '--set', 'kafka.topics=/.*/', '--set', 'kafka.deadLetterTopic=dead')
    expect(await own.ended).toBe(2)
  })
})
