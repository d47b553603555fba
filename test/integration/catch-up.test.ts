import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
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
    broker = await startBroker()
    await createTopics(broker.bootstrap, [
      { name: 'orders', partitions: 3, config: {} },
      { name: 'strange', partitions: 1, config: {} },
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
})
