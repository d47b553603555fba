import type { TopicPartition } from '../../../src/kafka/source.ts'
import { partitionName } from '../../../src/kafka/topic-partition.ts'
import type { Broker, Cluster, ProtocolRequest } from '../../../src/kafka/kafkajs/internals.ts'
import { int16, int32 } from '../../support/bytes.ts'

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

/**
 * Brokers that answer ListOffsets in the bytes of the wire, decoded and judged by kafkajs itself. Every log reaches
 * from 5 to 10.
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
  asked = 0

  readonly leaderOf = (partition: TopicPartition): number | undefined =>
    this.leaders.get(partitionName(partition))

  get cluster(): Cluster {
    return { findBroker: ({ nodeId }: { nodeId: number }) => this.connect(nodeId) } as unknown as Cluster
  }

  private connect(nodeId: number): Promise<Broker> {
    this.asked++
    if (this.down.has(nodeId)) return Promise.reject(new Error(`connect ECONNREFUSED broker ${nodeId}`))
    const broker = {
      lookupRequest: (_apiKey: number, definition: Definition) => (values: ListOffsetsValues) => ({
        ...definition.protocol({ version: LIST_OFFSETS_VERSION })(values),
        values,
      }),
      connectionPool: {
        send: async (request: ProtocolRequest & { values: ListOffsetsValues }) => {
          if (this.silent.has(nodeId)) return new Promise(() => {})
          return request.response.parse(await request.response.decode(this.offsets(request.values)))
        },
      },
    }
    return Promise.resolve(broker as unknown as Broker)
  }

  private offsets({ topics }: ListOffsetsValues): Buffer {
    const parts = [int32(0), int32(topics.length)]
    for (const { topic, partitions } of topics) {
      parts.push(int16(topic.length), Buffer.from(topic), int32(partitions.length))
      for (const { partition, timestamp } of partitions) {
        const errorCode = this.errorCodes.get(partitionName({ topic, partition })) ?? 0
        const offset = errorCode === 0 ? (timestamp === EARLIEST ? 5n : 10n) : -1n
        parts.push(int32(partition), int16(errorCode), int64(-1n), int64(offset))
      }
    }
    return Buffer.concat(parts)
  }
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
