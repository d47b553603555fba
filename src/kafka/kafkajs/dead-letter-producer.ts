import type { Clock } from '../../base/clock.ts'
import type { DeadLetter, DeadLetterTopic } from '../dead-letters.ts'
import { SourceError } from '../source.ts'
import { createClient, type ClientOptions } from './client.ts'
import { encodeBatch } from './encode-batch.ts'
import { refusalOf } from './group-errors.ts'
import { harden, tolerateMissingTopics } from './hardening.ts'
import { brokerError, errorText, send, type Cluster } from './internals.ts'
import { produceRequest } from './produce-protocol.ts'

const REQUEST_TIMEOUT_MS = 30_000
/** Brokers take batches of a megabyte by default; a larger message is a batch of its own. */
const BATCH_BYTES_MAX = 512 * 1024
const INVALID_TIMESTAMP = 32

export interface DeadLetterProducerOptions extends ClientOptions {
  readonly topic: string
  readonly clock: Clock
}

/** Produces to one topic over connections of its own. kafkajs' own producer cannot keep the order of headers. */
export class DeadLetterProducer implements DeadLetterTopic {
  readonly topic: string
  private readonly clock: Clock
  private readonly cluster: Cluster
  private readonly connection: { connect(): Promise<void>; disconnect(): Promise<void> }
  private isConnected = false
  /** By partition; empty when they are to be asked for. */
  private leaders = new Map<number, number>()

  constructor(options: DeadLetterProducerOptions) {
    harden()
    this.topic = options.topic
    this.clock = options.clock
    let cluster: Cluster | undefined
    // A consumer that never joins is how kafkajs gives us a cluster.
    this.connection = createClient(options, REQUEST_TIMEOUT_MS).consumer({
      groupId: options.clientId,
      partitionAssigners: [
        (config) => {
          cluster = config.cluster as unknown as Cluster
          return { name: 'none', version: 0, assign: () => Promise.resolve([]), protocol: () => NO_PROTOCOL }
        },
      ],
    })
    if (cluster === undefined) throw new Error('kafkajs did not give its cluster')
    this.cluster = cluster
    tolerateMissingTopics(cluster)
    cluster.targetTopics.add(options.topic)
  }

  async probe(): Promise<void> {
    try {
      await this.findLeaders()
    } catch (error) {
      if (error instanceof SourceError) throw error
      throw refusalOf(error) ?? brokerTrouble(this.topic, error)
    }
  }

  async produce(letters: readonly DeadLetter[]): Promise<void> {
    try {
      if (this.leaders.size === 0) await this.findLeaders()
      for (const [partition, own] of byPartition(letters, this.leaders.size)) {
        for (const batch of batches(own)) await this.append(partition, batch)
      }
    } catch (error) {
      this.leaders = new Map()
      throw brokerTrouble(this.topic, error)
    }
  }

  async stop(): Promise<void> {
    await this.connection.disconnect().catch(() => {})
  }

  private async append(partition: number, letters: readonly DeadLetter[]): Promise<void> {
    const leader = this.leaders.get(partition) ?? -1
    if (leader < 0) throw new Error(`partition ${partition} has no leader`)
    const broker = await this.cluster.findBroker({ nodeId: leader })
    const sent = async (own: readonly DeadLetter[]): Promise<number> => {
      const request = produceRequest(this.topic, partition, encodeBatch(own), REQUEST_TIMEOUT_MS)
      return (await send(broker, request)).errorCode
    }
    let errorCode = await sent(letters)
    if (errorCode === INVALID_TIMESTAMP) {
      // Their own times are in their headers, too.
      const timestampMs = Math.floor(this.clock.nowUs() / 1000)
      errorCode = await sent(letters.map((letter) => ({ ...letter, timestampMs })))
    }
    if (errorCode !== 0) throw brokerError(errorCode)
  }

  private async findLeaders(): Promise<void> {
    if (!this.isConnected) await this.connection.connect()
    this.isConnected = true
    await this.cluster.refreshMetadata()
    const known = this.cluster.brokerPool.metadata?.topicMetadata.find(({ topic }) => topic === this.topic)
    if (known === undefined)
      throw new SourceError(
        'ERR_TOPIC',
        `the dead-letter topic ${this.topic} does not exist, or we may not see it`,
      )
    this.leaders = new Map(known.partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader]))
  }
}

const NO_PROTOCOL = { name: 'none', metadata: Buffer.alloc(0) }

/** The messages of one source partition go to one partition, in order. */
function byPartition(letters: readonly DeadLetter[], partitionCount: number): Map<number, DeadLetter[]> {
  const found = new Map<number, DeadLetter[]>()
  for (const letter of letters) {
    const partition = letter.partition % partitionCount
    const own = found.get(partition)
    if (own === undefined) found.set(partition, [letter])
    else own.push(letter)
  }
  return found
}

function* batches(letters: readonly DeadLetter[]): Generator<DeadLetter[]> {
  let batch: DeadLetter[] = []
  let bytes = 0
  for (const letter of letters) {
    const size = bytesOf(letter)
    if (batch.length > 0 && bytes + size > BATCH_BYTES_MAX) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(letter)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

function bytesOf({ key, value, headers }: DeadLetter): number {
  const heads = headers.reduce((sum, { name, value: own }) => sum + name.length + (own?.length ?? 0) + 8, 0)
  return heads + (key?.length ?? 0) + (value?.length ?? 0) + 32
}

function brokerTrouble(topic: string, error: unknown): SourceError {
  return new SourceError(
    'ERR_BROKER',
    `the dead-letter topic ${topic} does not take it: ${errorText(error)}`,
    error,
  )
}
