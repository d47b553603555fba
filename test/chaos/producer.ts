import { crc32 } from 'node:zlib'
import kafkajs, { type Producer as KafkaProducer } from 'kafkajs'
import { Random } from '../support/random.ts'

export interface FedTopic {
  readonly name: string
  readonly partitions: number
}

const HEADER_BYTES = 12
const RETRY_MS = 200

/**
 * Produces without end (`acks=all`), each message with a number of its own. What a broker did not acknowledge is sent
 * again, so that a message may be in Kafka twice, at two offsets; what is to be stored is what Kafka holds in the end.
 */
export class Producer {
  readonly #client: KafkaProducer
  readonly #topics: readonly FedTopic[]
  readonly #acknowledged = new Set<string>()
  #number = 0
  #resent = 0
  #isStopping = false
  #loops: Promise<void>[] = []

  constructor(brokers: readonly string[], topics: readonly FedTopic[]) {
    const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING })
    this.#client = kafka.producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 5 },
    })
    this.#topics = topics
  }

  /** Keys that Kafka has acknowledged. */
  get acknowledged(): ReadonlySet<string> {
    return this.#acknowledged
  }

  /** Sends that failed and were made again. */
  get resent(): number {
    return this.#resent
  }

  async start(seed: number): Promise<void> {
    await this.#client.connect()
    const random = new Random(seed)
    this.#loops = this.#topics.flatMap(({ name, partitions }) =>
      Array.from({ length: partitions }, (_, partition) =>
        this.#feed(name, partition, new Random(random.seed())),
      ),
    )
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#loops)
    await this.#client.disconnect()
  }

  async #feed(topic: string, partition: number, random: Random): Promise<void> {
    while (!this.#isStopping) {
      const messages = Array.from({ length: random.between(1, 20) }, () => this.#message(random))
      await this.#send(topic, partition, messages)
      await sleep(random.between(20, 250))
    }
  }

  async #send(topic: string, partition: number, messages: { key: string; value: Buffer }[]): Promise<void> {
    for (;;) {
      try {
        await this.#client.send({
          topic,
          acks: -1,
          timeout: 5_000,
          messages: messages.map((message) => ({ ...message, partition })),
        })
        for (const { key } of messages) this.#acknowledged.add(key)
        return
      } catch {
        this.#resent++
        await sleep(RETRY_MS)
      }
    }
  }

  #message(random: Random): { key: string; value: Buffer } {
    const number = this.#number++
    const value = Buffer.alloc(HEADER_BYTES + random.between(0, random.chance(0.02) ? 20_000 : 400))
    value.writeUInt32BE(number, 0)
    for (let at = HEADER_BYTES; at + 4 <= value.length; at += 4) value.writeUInt32BE(random.nextUint32(), at)
    value.writeUInt32BE(crc32(value.subarray(HEADER_BYTES)), 4)
    return { key: `n${number}`, value }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
