import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import kafkajs, { type Producer } from 'kafkajs'
import { startBroker } from '../../dev/kafka/broker.mjs'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import type { AbsentOffsets } from '../../src/kafka/source.ts'
import { testSource } from '../support/kafka/test-source.ts'
import { requireTool } from '../support/needs.ts'
import { realClock } from '../support/real-clock.ts'
import { RecordingHandler } from '../support/recording-handler.ts'

const describeWithKafka = requireTool('java') ? describe : describe.skip
jest.setTimeout(60_000)

describeWithKafka('a log that Kafka compacts', () => {
  let broker: Awaited<ReturnType<typeof startBroker>>
  let producer: Producer

  beforeAll(async () => {
    broker = await startBroker({ properties: { 'log.cleaner.backoff.ms': '100' } })
    const kafka = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
  }, 240_000)

  afterAll(async () => {
    await producer?.disconnect()
    await broker?.stop()
  })

  const readAll = async (topic: string, groupId: string, end: number): Promise<Map<number, string>> => {
    const handler = new RecordingHandler()
    const source = testSource({
      brokers: [broker.bootstrap],
      groupId,
      topics: [topic],
    })
    await source.start(handler)
    await handler.until('the end', () => handler.batches.at(-1)?.batch.nextOffset === end)
    await source.stop()
    const told = new Map<number, string>(handler.offsets(topic).map((offset) => [offset, 'record']))
    const absent = handler.batches.flatMap(({ batch }): readonly AbsentOffsets[] => batch.absent ?? [])
    for (const { why, fromOffset, nextOffset } of absent)
      for (let offset = fromOffset; offset < nextOffset; offset++) told.set(offset, why)
    return told
  }

  test('has a reason for every offset that is gone', async () => {
    const config = { 'cleanup.policy': 'compact', 'segment.ms': '50', 'min.cleanable.dirty.ratio': '0.001' }
    await createTopics(broker.bootstrap, [{ name: 'compacted', partitions: 1, config }])
    let end = 0
    let told = new Map<number, string>()
    for (let round = 0; ![...told.values()].includes('compacted'); round++) {
      const messages = ['a', 'b', 'a', 'c', 'b'].map((key) => ({ key, value: `${key} of round ${round}` }))
      await producer.send({ topic: 'compacted', messages })
      end += messages.length
      await realClock.sleep(200)
      told = await readAll('compacted', `group-${round}`, end)
    }
    expect([...told.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: end }, (_, index) => index))
    expect(new Set(told.values())).toEqual(new Set(['record', 'compacted']))
  })
})
