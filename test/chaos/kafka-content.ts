import { crc32 } from 'node:zlib'
import kafkajs, { type Admin } from 'kafkajs'
import type { FedTopic } from './producer.ts'

/** What one partition holds: by offset, the CRC-32 of the value and the key. */
export interface PartitionContent {
  readonly crcs: number[]
  readonly keys: string[]
}

const LIMIT_MS = 300_000

/** The log ends of all partitions, by `topic/partition`. */
export async function logEnds(admin: Admin, topics: readonly FedTopic[]): Promise<Map<string, number>> {
  const ends = new Map<string, number>()
  for (const { name } of topics) {
    for (const { partition, high } of await admin.fetchTopicOffsets(name))
      ends.set(`${name}/${partition}`, Number(high))
  }
  return ends
}

/**
 * All that Kafka holds up to `ends`, read by kafkajs' own consumer, which knows nothing of Sediment.
 * @throws {Error} for an offset that is not there: nothing is deleted or compacted here
 */
export async function readKafka(
  brokers: readonly string[],
  topics: readonly FedTopic[],
  ends: ReadonlyMap<string, number>,
): Promise<Map<string, PartitionContent>> {
  const contents = new Map<string, PartitionContent>()
  for (const name of ends.keys()) contents.set(name, { crcs: [], keys: [] })
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: `reader-${Date.now()}`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('Kafka was not read to its end')), LIMIT_MS)
      const isWhole = (): boolean => [...ends].every(([name, end]) => contents.get(name)!.crcs.length >= end)
      const settle = (error?: Error): void => {
        clearTimeout(late)
        if (error === undefined) resolve()
        else reject(error)
      }
      if (isWhole()) return settle()
      const run = async (): Promise<void> => {
        await consumer.subscribe({ topics: topics.map(({ name }) => name), fromBeginning: true })
        await consumer.run({
          autoCommit: false,
          eachBatch: ({ batch }) => {
            const name = `${batch.topic}/${batch.partition}`
            const { crcs, keys } = contents.get(name)!
            for (const { offset, key, value } of batch.messages) {
              if (Number(offset) < crcs.length || crcs.length >= ends.get(name)!) continue
              if (Number(offset) !== crcs.length) settle(new Error(`${name} has no offset ${crcs.length}`))
              crcs.push(crc32(value ?? Buffer.alloc(0)))
              keys.push(String(key))
            }
            if (isWhole()) settle()
            return Promise.resolve()
          },
        })
      }
      run().catch(settle)
    })
  } finally {
    await consumer.disconnect()
  }
  return contents
}
