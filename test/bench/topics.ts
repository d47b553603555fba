import { randomBytes } from 'node:crypto'
import kafkajs from 'kafkajs'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import { produceLoad } from '../../dev/kafka/load.mjs'

export interface Topic {
  readonly name: string
  readonly partitions: number
  readonly records: number
  readonly recordBytes: number
}

/** `max.message.bytes` leaves room for batches of the largest records. */
const topicConfig = { 'max.message.bytes': '16777216' }

export function kafkaClient(bootstrap: string): kafkajs.Kafka {
  return new kafkajs.Kafka({
    clientId: 'sediment-bench',
    brokers: [bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
  })
}

export async function createTopic(
  bootstrap: string,
  { name, partitions }: Pick<Topic, 'name' | 'partitions'>,
): Promise<void> {
  await createTopics(bootstrap, [{ name, partitions, config: topicConfig }])
}

/** Random values without keys, from Kafka's own tool. @returns how many partitions got records */
export async function loadTopic(
  bootstrap: string,
  topic: Topic,
  properties: Record<string, string> = {},
): Promise<number> {
  await createTopic(bootstrap, topic)
  const { name, records, recordBytes } = topic
  await produceLoad({ bootstrap, topic: name, recordCount: records, recordBytes, properties })
  return await checkProduced(bootstrap, topic)
}

/** Values with `keyCount` different keys in turn, over all partitions in turn. Kafka's tool cannot give keys. */
export async function loadKeyedTopic(bootstrap: string, topic: Topic, keyCount: number): Promise<void> {
  await createTopic(bootstrap, topic)
  const pool = randomBytes(4 * 1024 * 1024)
  // Idempotent: a retry would otherwise write records twice.
  const producer = kafkaClient(bootstrap).producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  try {
    const perSend = 2000
    for (let from = 0; from < topic.records; from += perSend) {
      const count = Math.min(perSend, topic.records - from)
      const messages = Array.from({ length: count }, (_, index) => {
        const number = from + index
        const at = (number * 61) % (pool.byteLength - topic.recordBytes)
        return {
          key: keyName(number % keyCount),
          partition: number % topic.partitions,
          value: pool.subarray(at, at + topic.recordBytes),
        }
      })
      await producer.send({ topic: topic.name, acks: -1, messages })
    }
  } finally {
    await producer.disconnect()
  }
  await checkProduced(bootstrap, topic)
}

/**
 * @returns how many partitions have records
 * @throws when the topic does not hold exactly its records: no figure would mean anything
 */
async function checkProduced(bootstrap: string, { name, records }: Topic): Promise<number> {
  const admin = kafkaClient(bootstrap).admin()
  await admin.connect()
  try {
    const offsets = await admin.fetchTopicOffsets(name)
    const found = offsets.reduce((sum, { high }) => sum + Number(high), 0)
    if (found !== records) throw new Error(`${name} holds ${found} records instead of ${records}`)
    return offsets.filter(({ high }) => high !== '0').length
  } finally {
    await admin.disconnect()
  }
}

/** The entry that the template `{key}` makes of it. */
export function keyName(number: number): string {
  return `device-${String(number).padStart(4, '0')}`
}

export async function deleteTopics(bootstrap: string, names: readonly string[]): Promise<void> {
  const admin = kafkaClient(bootstrap).admin()
  await admin.connect()
  try {
    await admin.deleteTopics({ topics: [...names] })
  } finally {
    await admin.disconnect()
  }
}

/** Sum of the group's committed offsets over all partitions. */
export async function committedRecords(bootstrap: string, groupId: string, topic: string): Promise<number> {
  const admin = kafkaClient(bootstrap).admin()
  await admin.connect()
  try {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return (found?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)
  } finally {
    await admin.disconnect()
  }
}
