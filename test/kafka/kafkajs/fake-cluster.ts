import type { TopicPartition } from '../../../src/kafka/source.ts'
import { partitionName } from '../../../src/kafka/topic-partition.ts'
import { Api, type Broker, type Cluster, type ProtocolRequest } from '../../../src/kafka/kafkajs/internals.ts'
import { int16, int32, int64 } from '../../support/bytes.ts'

interface Definition {
  protocol(options: { version: number }): (values: ListOffsetsValues) => ProtocolRequest
}
interface ListOffsetsValues {
  readonly topics: readonly {
    readonly topic: string
    readonly partitions: readonly { readonly partition: number; readonly timestamp: string }[]
  }[]
}

const LIST_OFFSETS_VERSION = 3
const EARLIEST = '-2'
const LOG_START = 5
const LOG_END = 10

/** A leader epoch and the offset of its first record. */
type EpochStart = readonly [epoch: number, offset: number]

/**
 * Brokers that answer ListOffsets, Metadata and OffsetForLeaderEpoch in the bytes of the wire; the first is decoded and
 * judged by kafkajs itself. Every log reaches from 5 to 10.
 */
export class FakeCluster {
  /** By partition name; -1: no leader. Partitions that are not here are not known. */
  readonly leaders = new Map<string, number>()
  /** What the leader answers in place of offsets, by partition name. */
  readonly errorCodes = new Map<string, number>()
  /** Brokers that cannot be connected to. */
  readonly down = new Set<number>()
  /** Brokers that take requests and never answer. */
  readonly silent = new Set<number>()
  /** Ids of topics in hex, by name. Topics that are not here do not exist. */
  readonly topicIds = new Map<string, string>()
  /** Leader epochs of a log, ascending; by partition name. */
  readonly epochs = new Map<string, readonly EpochStart[]>()
  versions: Record<number, { minVersion: number; maxVersion: number }> = {
    [Api.Metadata]: { minVersion: 0, maxVersion: 13 },
    [Api.OffsetForLeaderEpoch]: { minVersion: 2, maxVersion: 4 },
  }
  /** Epochs that leaders were told to be of, in the order of the questions. */
  readonly currentEpochs: number[] = []
  asked = 0

  readonly leaderOf = (partition: TopicPartition): number | undefined =>
    this.leaders.get(partitionName(partition))

  get cluster(): Cluster {
    return {
      findBroker: ({ nodeId }: { nodeId: number }) => this.connect(nodeId),
      brokerPool: { findConnectedBroker: () => this.connect(1) },
    } as unknown as Cluster
  }

  private connect(nodeId: number): Promise<Broker> {
    this.asked++
    if (this.down.has(nodeId)) return Promise.reject(new Error(`connect ECONNREFUSED broker ${nodeId}`))
    const broker = {
      versions: this.versions,
      lookupRequest: (_apiKey: number, definition: Definition) => (values: ListOffsetsValues) => ({
        ...definition.protocol({ version: LIST_OFFSETS_VERSION })(values),
        values,
      }),
      connectionPool: {
        send: async (request: ProtocolRequest & { values: ListOffsetsValues }) => {
          if (this.silent.has(nodeId)) return new Promise(() => {})
          return request.response.parse(await request.response.decode(await this.answer(request)))
        },
      },
    }
    return Promise.resolve(broker as unknown as Broker)
  }

  private async answer(request: ProtocolRequest & { values: ListOffsetsValues }): Promise<Buffer> {
    const { apiKey } = request.request
    if (apiKey === Api.ListOffsets) return this.offsets(request.values)
    const { buffer } = (await request.request.encode()) as { buffer: Buffer }
    return apiKey === Api.Metadata ? this.metadata() : this.lineEnds(buffer)
  }

  /** Every topic that exists, asked for or not. Lengths below 127 are one byte. */
  private metadata(): Buffer {
    const none = Buffer.from([0])
    const parts = [none, int32(0), Buffer.from([1]), none, int32(1), Buffer.from([this.topicIds.size + 1])]
    for (const [topic, id] of this.topicIds) {
      const partitions = [...this.leaders.keys()].filter((name) => name.startsWith(`${topic}/`))
      parts.push(int16(0), Buffer.from([topic.length + 1]), Buffer.from(topic), Buffer.from(id, 'hex'), none)
      parts.push(Buffer.from([partitions.length + 1]))
      for (const name of partitions) {
        const epoch = this.epochs.get(name)?.at(-1)?.[0] ?? 0
        parts.push(int16(0), int32(Number(name.split('/')[1])), int32(this.leaders.get(name)!), int32(epoch))
        parts.push(Buffer.from([2]), int32(1), Buffer.from([2]), int32(1), Buffer.from([1]), none)
      }
      parts.push(int32(0), none)
    }
    return Buffer.concat([...parts, int32(0), none])
  }

  /** One partition of one topic a question. */
  private lineEnds(request: Buffer): Buffer {
    const parts = [int32(0)]
    let at = 4
    const topics = request.readInt32BE(at)
    parts.push(int32(topics))
    at += 4
    for (let topic = 0; topic < topics; topic++) {
      const nameBytes = request.readInt16BE(at)
      const name = request.subarray(at + 2, at + 2 + nameBytes)
      at += 2 + nameBytes
      const partitions = request.readInt32BE(at)
      at += 4
      parts.push(int16(nameBytes), name, int32(partitions))
      for (let index = 0; index < partitions; index++, at += 12) {
        const partition = request.readInt32BE(at)
        const key = partitionName({ topic: name.toString(), partition })
        this.currentEpochs.push(request.readInt32BE(at + 4))
        const [epoch, end] = this.endOf(key, request.readInt32BE(at + 8))
        const errorCode = this.errorCodes.get(key) ?? 0
        parts.push(int16(errorCode), int32(partition), int32(epoch), int64(BigInt(end)))
      }
    }
    return Buffer.concat(parts)
  }

  /** As Kafka's leader epoch cache has it. */
  private endOf(name: string, asked: number): EpochStart {
    const epochs = this.epochs.get(name) ?? []
    if (epochs.at(-1)?.[0] === asked) return [asked, LOG_END]
    const next = epochs.find(([epoch]) => epoch > asked)
    if (next === undefined) return [-1, -1]
    const floor = epochs.filter(([epoch]) => epoch <= asked).at(-1)
    return [floor?.[0] ?? asked, next[1]]
  }

  private offsets({ topics }: ListOffsetsValues): Buffer {
    const parts = [int32(0), int32(topics.length)]
    for (const { topic, partitions } of topics) {
      parts.push(int16(topic.length), Buffer.from(topic), int32(partitions.length))
      for (const { partition, timestamp } of partitions) {
        const errorCode = this.errorCodes.get(partitionName({ topic, partition })) ?? 0
        const offset = errorCode === 0 ? BigInt(timestamp === EARLIEST ? LOG_START : LOG_END) : -1n
        parts.push(int32(partition), int16(errorCode), int64(-1n), int64(offset))
      }
    }
    return Buffer.concat(parts)
  }
}
