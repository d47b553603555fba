import { crc32 } from 'node:zlib'
import kafkajs from 'kafkajs'
import type { Producer } from 'kafkajs'
import { Random } from '../../support/random.ts'

export interface FedPartition {
  readonly topic: string
  readonly partition: number
}

/** What Kafka acknowledged of one partition, by offset. */
export interface FedLog {
  /** CRC-32 of each value. */
  readonly crcs: number[]
  readonly keys: string[]
}

const LOOPS = 4
const NUMBER_BYTES = 4

/**
 * Produces numbered records (`acks=all`) in bursts with short pauses until it is told to stop. Its own log of what
 * was acknowledged is the oracle. The producers are idempotent, and an offset that does not follow the last one
 * ends the run.
 *
 * A value is number u32, random bytes, CRC-32 of both u32.
 */
export class Feeder {
  /** Rejects when a send failed. */
  readonly failed: Promise<never>
  readonly #producers: Producer[]
  readonly #partitions: readonly FedPartition[]
  readonly #logs = new Map<string, FedLog>()
  #number = 0
  #acknowledged = 0
  #isStopping = false
  #waiting: (() => void)[] = []
  #loops: Promise<void>[] = []
  #fail: (error: unknown) => void = () => {}

  constructor(bootstrap: string, partitions: readonly FedPartition[]) {
    const kafka = new kafkajs.Kafka({
      brokers: [bootstrap],
      logLevel: kafkajs.logLevel.NOTHING,
    })
    this.#producers = Array.from({ length: LOOPS }, () =>
      kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      }),
    )
    this.#partitions = partitions
    for (const { topic, partition } of partitions)
      this.#logs.set(`${topic}/${partition}`, { crcs: [], keys: [] })
    this.failed = new Promise((_, reject) => (this.#fail = reject))
    this.failed.catch(() => {})
  }

  /** Records that Kafka has acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** By `topic/partition`. */
  get logs(): ReadonlyMap<string, FedLog> {
    return this.#logs
  }

  /** Resolves in the moment when Kafka acknowledges more, or the feeding ends. */
  nextAcknowledgement(): Promise<void> {
    return this.#isStopping ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve))
  }

  async start(seed: number): Promise<void> {
    await Promise.all(this.#producers.map((producer) => producer.connect()))
    const seeds = new Random(seed)
    this.#loops = this.#producers.map((producer, index) => {
      // Two loops never share a partition: the log of one is written in the order of its offsets.
      const own = this.#partitions.filter((_, position) => position % LOOPS === index)
      return this.#feed(producer, own, new Random(seeds.seed())).catch((error: unknown) => this.#fail(error))
    })
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#loops)
    this.#wake()
    await Promise.all(this.#producers.map((producer) => producer.disconnect()))
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  async #feed(producer: Producer, partitions: readonly FedPartition[], random: Random): Promise<void> {
    while (!this.#isStopping) {
      const burstEndMs = performance.now() + random.between(300, 1500)
      while (performance.now() < burstEndMs && !this.#isStopping) {
        await this.#send(producer, random.pick(partitions), random)
        await sleep(random.between(1, 25))
      }
      // Long enough for an idle checkpoint.
      await sleep(random.between(50, 300))
    }
  }

  async #send(producer: Producer, { topic, partition }: FedPartition, random: Random): Promise<void> {
    const messages = Array.from({ length: random.between(1, 6) }, () => {
      const lateMs = random.chance(0.1) ? random.between(1, 1000) : 0
      const number = this.#number++
      return { key: `n${number}`, value: numberedValue(number, random), timestampMs: Date.now() - lateMs }
    })
    const [sent] = await producer.send({
      topic,
      acks: -1,
      compression: random.chance(0.2) ? kafkajs.CompressionTypes.GZIP : kafkajs.CompressionTypes.None,
      messages: messages.map(({ key, value, timestampMs }) => ({
        partition,
        key,
        value,
        timestamp: String(timestampMs),
      })),
    })
    const log = this.#logs.get(`${topic}/${partition}`) as FedLog
    if (Number(sent?.baseOffset) !== log.crcs.length) {
      throw new Error(`${topic}/${partition}: offset ${sent?.baseOffset} instead of ${log.crcs.length}`)
    }
    for (const { key, value } of messages) {
      log.crcs.push(crc32(value))
      log.keys.push(key)
    }
    this.#acknowledged += messages.length
    this.#wake()
  }
}

/** Mostly small, some large enough to go straight into a block's data file. */
function numberedValue(number: number, random: Random): Buffer {
  const draw = random.next()
  const length =
    draw < 0.9
      ? random.between(0, 300)
      : draw < 0.995
        ? random.between(300, 6_000)
        : random.between(40_000, 100_000)
  const value = Buffer.alloc(NUMBER_BYTES + length + 4, random.nextUint32() & 0xff)
  value.writeUInt32BE(number, 0)
  for (let at = NUMBER_BYTES; at + 4 < NUMBER_BYTES + length; at += 4)
    value.writeUInt32BE(random.nextUint32(), at)
  value.writeUInt32BE(crc32(value.subarray(0, -4)), NUMBER_BYTES + length)
  return value
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
