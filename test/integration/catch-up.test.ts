import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import kafkajs, { type Producer } from 'kafkajs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBroker } from '../../dev/kafka/broker.mjs'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import { freePorts, startSediment } from '../deployment/sediment-process.ts'
import { requireTool } from '../support/needs.ts'

const describeWithKafka = requireTool('java') ? describe : describe.skip
jest.setTimeout(60_000)

/** These run the built program: `npm run build` first. */
describeWithKafka('a run until caught up', () => {
  let folder: string
  let broker: Awaited<ReturnType<typeof startBroker>>
  let producer: Producer

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sediment-catch-up-'))
    broker = await startBroker({ properties: { 'log.cleaner.backoff.ms': '100' } })
    await createTopics(broker.bootstrap, [
      { name: 'orders', partitions: 3, config: {} },
      { name: 'strange', partitions: 1, config: {} },
      { name: 'transacted', partitions: 1, config: {} },
      {
        name: 'compacted',
        partitions: 1,
        config: { 'cleanup.policy': 'compact', 'segment.ms': '50', 'min.cleanable.dirty.ratio': '0.001' },
      },
    ])
    const kafka = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
  }, 240_000)

  afterAll(async () => {
    await producer?.disconnect()
    await broker?.stop()
    await rm(folder, { recursive: true })
  })

  const run = async (name: string, ...settings: string[]): Promise<{ code: number | null; log: string }> => {
    const [port = 0] = await freePorts(1)
    const all = [
      `kafka.brokers=${broker.bootstrap}`,
      `kafka.groupId=${name}`,
      `http.port=${port}`,
      `dataPath=${join(folder, name)}`,
      ...settings,
    ]
    const args = ['run', '--until-caught-up', ...all.flatMap((setting) => ['--set', setting])]
    const sediment = startSediment(args, port)
    const code = await sediment.ended
    return { code, log: sediment.log() }
  }
  const recordsOf = async (name: string): Promise<number> => {
    const listed = startSediment(['ls', '--json', '--data', join(folder, name)], 0)
    expect(await listed.ended).toBe(0)
    const lines = listed.log().trim().split('\n')
    return lines.reduce((sum, line) => sum + (JSON.parse(line) as { recordCount: number }).recordCount, 0)
  }
  const produce = (topic: string, count: number) =>
    producer.send({ topic, messages: Array.from({ length: count }, (_, index) => ({ value: `${index}` })) })

  it('stores what is there and ends with 0; the next one only what has come since', async () => {
    await produce('orders', 3000)
    expect(await run('a', 'kafka.topics=orders')).toMatchObject({ code: 0 })
    expect(await recordsOf('a')).toBe(3000)
    await produce('orders', 10)
    expect(await run('a', 'kafka.topics=orders')).toMatchObject({ code: 0 })
    expect(await recordsOf('a')).toBe(3010)
    expect((await run('a', 'kafka.topics=orders')).log).toContain('caught up')
  })

  it('ends with 8 and names what is held, with the rest stored', async () => {
    await producer.send({ topic: 'strange', messages: [{ value: 'x'.repeat(2000) }] })
    const rules = JSON.stringify([{ topics: ['strange'], bucket: 'small', limits: { quota: 'hard:1000' } }])
    const { code, log } = await run('b', 'kafka.topics=orders,strange', `mapping.rules=${rules}`)
    expect(log).toContain('held partitions: strange/0 (quota)')
    expect(code).toBe(8)
    expect(await recordsOf('b')).toBe(3010)
  })

  const command = async (name: string, ...args: string[]): Promise<{ code: number | null; out: string }> => {
    const ran = startSediment([...args, '--data', join(folder, name)], 0)
    return { code: await ran.ended, out: ran.log() }
  }
  /** What every offset that is not stored was, by `sediment gaps`. */
  const wordsOf = async (name: string): Promise<Map<number, string>> => {
    const { code, out } = await command(name, 'gaps', '--json')
    expect(code).toBe(0)
    const { gaps } = JSON.parse(out) as { gaps: { class: string; fromOffset: number; nextOffset: number }[] }
    const words = new Map<number, string>()
    for (const gap of gaps)
      for (let offset = gap.fromOffset; offset < gap.nextOffset; offset++) words.set(offset, gap.class)
    return words
  }
  const replay = async (name: string, ...args: string[]): Promise<Record<string, unknown>> => {
    const set = ['--set', `kafka.brokers=${broker.bootstrap}`, '--set', `kafka.groupId=${name}`]
    const { code, out } = await command(name, 'replay', ...args, '--json', ...set)
    expect({ code, out }).toEqual({ code: 0, out: expect.any(String) as unknown })
    return JSON.parse(out) as Record<string, unknown>
  }

  it('proves every offset of hundreds of transactions, whatever became of them', async () => {
    const kafka = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    const transactional = kafka.producer({
      transactionalId: 'many',
      idempotent: true,
      maxInFlightRequests: 1,
    })
    await transactional.connect()
    const expected = new Map<number, string>()
    for (let index = 0; index < 300; index++) {
      const isAborted = index % 4 === 3
      const transaction = await transactional.transaction()
      await transaction.send({ topic: 'transacted', messages: [{ value: `${index}` }] })
      await (isAborted ? transaction.abort() : transaction.commit())
      if (isAborted) expected.set(2 * index, 'aborted')
      expected.set(2 * index + 1, 'control')
    }
    await transactional.disconnect()
    expect(await run('t', 'kafka.topics=transacted')).toMatchObject({ code: 0 })
    expect(await wordsOf('t')).toEqual(expected)
    expect(await readdir(join(folder, 't', '.sediment', 'gaps'))).toHaveLength(1)
    const same = { equal: 225, different: 0, missing: 0, onlyInStore: 0, duplicates: 0, inGaps: {} }
    expect(await replay('t', 'transacted')).toMatchObject(same)
    expect(await replay('t', 'transacted', '--store-missing')).toMatchObject({
      ...same,
      stored: { stored: 0 },
    })
    expect(await command('t', 'verify')).toMatchObject({ code: 0 })
  })

  it('brings nothing back that was removed, unless that is asked for', async () => {
    expect(await run('rm', 'kafka.topics=orders')).toMatchObject({ code: 0 })
    const removed = await command('rm', 'record', 'rm', 'kafka/orders/0', '--all', '--yes')
    expect(removed).toMatchObject({ code: 0 })
    const again = (...args: string[]): Promise<{ code: number | null; out: string }> =>
      command('rm', 'replay', 'orders', ...args, '--set', `kafka.brokers=${broker.bootstrap}`)
    const looked = await again()
    expect(looked).toMatchObject({ code: 1 })
    expect(looked.out).toContain(' MISSING in the store, or removed or evicted: 0, 1, 2')
    expect(await again('--store-missing')).toMatchObject({
      code: 2,
      out: expect.stringContaining('they would come back'),
    })
    expect(await recordsOf('rm')).toBeLessThan(3010)
    expect(await again('--store-missing', '--removed-too')).toMatchObject({ code: 0 })
    expect(await recordsOf('rm')).toBe(3010)
  })

  it('tells what was compacted before it was read from what was compacted since', async () => {
    const perRound = ['a', 'b', 'a', 'c', 'b']
    let end = 0
    const produceRound = async (): Promise<void> => {
      await producer.send({
        topic: 'compacted',
        messages: perRound.map((key) => ({ key, value: `${key}${end}` })),
      })
      end += perRound.length
    }
    await produceRound()
    expect(await run('early', 'kafka.topics=compacted')).toMatchObject({ code: 0 })
    const readEarly = end
    let since: Record<string, unknown>
    do {
      await produceRound()
      since = await replay('early', 'compacted', '0', `..${readEarly}`)
    } while (since['onlyInStore'] === 0)
    expect(since).toMatchObject({ different: 0, missing: 0, duplicates: 0, inGaps: {} })
    expect((since['equal'] as number) + (since['onlyInStore'] as number)).toBe(await recordsOf('early'))
    expect(await run('late', 'kafka.topics=compacted')).toMatchObject({ code: 0 })
    const words = await wordsOf('late')
    expect(new Set(words.values())).toEqual(new Set(['compacted']))
    expect(words.size + (await recordsOf('late'))).toBe(end)
    expect(await replay('late', 'compacted')).toMatchObject({
      different: 0,
      missing: 0,
      duplicates: 0,
      inGaps: {},
    })
    expect(await command('late', 'verify')).toMatchObject({ code: 0 })
  })
})
