import {
  READ_COMMITTED,
  type FetchedPartition,
  type FetchLimits,
  type FetchPosition,
  type FetchResponse,
} from './fetch-protocol.ts'
import { Api, encoded, type ProtocolRequest } from './internals.ts'
import { ResponseReader } from './response-reader.ts'
import type { AbortedTransaction } from './transactions.ts'

/**
 * The first version that names topics by their ids: Kafka 3.1 and later. A topic that was deleted and made again is another
 * one to it: nothing of it comes under the old id. Strings, arrays and tagged fields are those of flexible versions, see
 * `identity-protocol.ts`.
 */
export const FETCH_BY_ID_VERSION = 13

const TOPIC_ID_BYTES = 16
const HEAD_BYTES = 1 + 4 + 4 + 4 + 4 + 1 + 4 + 4
const PARTITION_BYTES = 4 + 4 + 8 + 4 + 8 + 4 + 1
const TAIL_BYTES = 1 + 1 + 1
const VARINT_BYTES_MAX = 5

export interface FetchPositionById extends FetchPosition {
  /** As Kafka's tools print it. */
  readonly topicId: string
}

/** As `fetchRequest`, by topic ids. */
export function fetchByIdRequest(
  positions: readonly FetchPositionById[],
  limits: FetchLimits,
): ProtocolRequest<FetchResponse> {
  return {
    request: {
      apiKey: Api.Fetch,
      apiVersion: FETCH_BY_ID_VERSION,
      apiName: 'Fetch',
      encode: () => Promise.resolve(encoded(encodeFetchById(positions, limits))),
    },
    response: {
      decode: (raw) => Promise.resolve(decodeFetchById(raw, positions)),
      parse: (decoded) => Promise.resolve(decoded),
    },
    requestTimeout: limits.maxWaitMs + 100,
  }
}

/** The end of the request header, then the body. Consecutive partitions of one topic share its id. */
export function encodeFetchById(positions: readonly FetchPositionById[], limits: FetchLimits): Buffer {
  const topics: FetchPositionById[][] = []
  let previous: string | undefined
  for (const position of positions) {
    if (position.topicId !== previous) topics.push([])
    previous = position.topicId
    topics.at(-1)!.push(position)
  }
  const topicBytes = TOPIC_ID_BYTES + VARINT_BYTES_MAX + 1
  const bytesMax =
    HEAD_BYTES +
    VARINT_BYTES_MAX +
    topics.length * topicBytes +
    positions.length * PARTITION_BYTES +
    TAIL_BYTES
  const body = Buffer.allocUnsafe(bytesMax)
  let at = body.writeInt8(0, 0) // no tagged fields in the header
  at = body.writeInt32BE(-1, at) // a consumer, not a replica
  at = body.writeInt32BE(limits.maxWaitMs, at)
  at = body.writeInt32BE(1, at) // answer as soon as there is anything
  at = body.writeInt32BE(limits.maxBytes, at)
  at = body.writeInt8(READ_COMMITTED, at)
  at = body.writeInt32BE(0, at) // no session
  at = body.writeInt32BE(-1, at)
  at = writeUnsignedVarint(body, topics.length + 1, at)
  for (const topic of topics) {
    at += Buffer.from(topic[0]!.topicId, 'base64url').copy(body, at)
    at = writeUnsignedVarint(body, topic.length + 1, at)
    for (const { partition, position } of topic) {
      at = body.writeInt32BE(partition, at)
      at = body.writeInt32BE(-1, at) // present leader epoch unknown
      at = body.writeBigInt64BE(BigInt(position), at)
      at = body.writeInt32BE(-1, at) // epoch of the record before not told
      at = body.writeBigInt64BE(-1n, at) // log start offset: replicas only
      at = body.writeInt32BE(limits.maxBytesPerPartition, at)
      at = body.writeInt8(0, at)
    }
    at = body.writeInt8(0, at)
  }
  at = body.writeInt8(1, at) // no forgotten topics
  at = body.writeInt8(1, at) // no rack
  at = body.writeInt8(0, at)
  return body.subarray(0, at)
}

/**
 * @param asked names of the ids; partitions of others are left out
 * @throws {RangeError} when the response is shorter than it says, or an offset is beyond 2^53
 */
export function decodeFetchById(raw: Buffer, asked: readonly FetchPositionById[]): FetchResponse {
  const names = new Map(asked.map(({ topic, topicId }) => [topicId, topic]))
  const reader = new ResponseReader(raw)
  reader.skipTags()
  const clientSideThrottleTime = reader.int32()
  const errorCode = reader.int16()
  reader.skip(4) // session
  const partitions: FetchedPartition[] = []
  for (let topics = reader.count(); topics > 0; topics--) {
    const topic = names.get(reader.bytes(TOPIC_ID_BYTES).toString('base64url'))
    for (let left = reader.count(); left > 0; left--) {
      const partition = reader.int32()
      const partitionErrorCode = reader.int16()
      const highWatermark = reader.int64()
      const lastStableOffset = reader.int64()
      reader.skip(8) // log start offset
      const aborted: AbortedTransaction[] = []
      for (let transactions = reader.count(); transactions > 0; transactions--) {
        aborted.push({ producerId: reader.bigint64(), firstOffset: reader.int64() })
        reader.skipTags()
      }
      reader.skip(4) // preferred replica
      const recordSet = reader.bytes(reader.count())
      reader.skipTags()
      if (topic === undefined) continue
      const facts = { topic, partition, errorCode: partitionErrorCode, highWatermark, lastStableOffset }
      partitions.push({ ...facts, aborted, recordSet })
    }
    reader.skipTags()
  }
  reader.skipTags()
  return { memory: raw.buffer, clientSideThrottleTime, errorCode, partitions }
}

function writeUnsignedVarint(target: Buffer, value: number, at: number): number {
  let rest = value
  let next = at
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) next = target.writeUInt8((rest % 0x80) | 0x80, next)
  return target.writeUInt8(rest, next)
}
