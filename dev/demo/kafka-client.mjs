/** The demo's own topics, and a producer for them. */
import kafkajs from 'kafkajs'
import { topics } from './factory.mjs'

const { CompressionTypes, Kafka, logLevel } = kafkajs

export class DemoClient {
  #kafka
  #admin
  #producer
  #made = []

  /** @param {import('./broker-choice.mjs').DemoKafka} kafka */
  constructor({ brokers, isMock }) {
    this.isMock = isMock
    this.#kafka = new Kafka({
      brokers,
      clientId: 'sediment-demo',
      logLevel: logLevel.NOTHING,
      retry: { retries: 8 },
    })
    this.#admin = this.#kafka.admin()
    // Without idempotence a retry could feed a message twice, and the book would not know.
    this.#producer = this.#kafka.producer({ idempotent: !isMock, maxInFlightRequests: 1 })
  }

  async connect() {
    await this.#admin.connect()
    await this.#producer.connect()
  }

  /**
   * @param {Record<string, string>} names topic by kind
   * @returns {Promise<Record<string, number>>} partitions by kind
   */
  async makeTopics(names) {
    const wanted = Object.entries(topics).map(([kind, { partitions }]) => ({
      topic: names[kind],
      numPartitions: partitions,
    }))
    // The mock makes topics when they are first asked for, with as many partitions as it likes.
    if (!this.isMock) {
      await this.#admin.createTopics({ topics: wanted, waitForLeaders: true })
      this.#made = Object.values(names)
    }
    const metadata = await this.#admin.fetchTopicMetadata({ topics: Object.values(names) })
    const counts = new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]))
    return Object.fromEntries(Object.entries(names).map(([kind, name]) => [kind, counts.get(name)]))
  }

  /** @returns the kafkajs producer's answers: first offsets by partition */
  send(topic, messages, isCompressed) {
    const compression = isCompressed ? CompressionTypes.GZIP : CompressionTypes.None
    return this.#producer.send({ topic, messages, acks: -1, compression })
  }

  /** @returns {Promise<Map<string, number>>} what the group has committed, by `topic/partition` */
  async committedOffsets(groupId, names) {
    const answer = await this.#admin.fetchOffsets({ groupId, topics: Object.values(names) })
    return new Map(
      answer.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => [`${topic}/${partition}`, Number(offset)]),
      ),
    )
  }

  /** Removes the topics made here, and the group. */
  async removeTopics(groupId) {
    if (this.#made.length > 0) await this.#admin.deleteTopics({ topics: this.#made })
    // A static member stays in its group until its session has run out.
    await this.#admin.deleteGroups([groupId]).catch(() => {})
  }

  async close() {
    await this.#producer.disconnect()
    await this.#admin.disconnect()
  }
}
