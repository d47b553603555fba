import { Api, encoded, type ProtocolRequest } from './internals.ts'
import type { AbortedTransaction } from './transactions.ts'

/** Version 11, spoken by every broker since Kafka 2.3. No fetch sessions, no rack, leader epochs unchecked. */
export const FETCH_VERSION = 11

/** Codes of a partition in a fetch response that we tell apart; others are waited out. */
export const FetchError = { none: 0, offsetOutOfRange: 1 } as const

/** Errors that new metadata may cure. */
const STALE_METADATA_CODES: ReadonlySet<number> = new Set([3, 5, 6, 9, 56, 74, 75, 76, 100, 103])

export function isStaleMetadata(errorCode: number): boolean {
  return STALE_METADATA_CODES.has(errorCode)
}

export interface FetchPosition {
  readonly topic: string
  readonly partition: number
  readonly position: number
}

export interface FetchLimits {
  readonly maxWaitMs: number
  readonly maxBytes: number
  readonly maxBytesPerPartition: number
}

/** Of reading as a whole. */
export interface ReadLimits extends FetchLimits {
  /** What one record batch may become: one that becomes more is taken for damaged, and held. */
  readonly decompressedBytesMax: number
}

export interface FetchedPartition {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** A view into the response. */
  readonly recordSet: Buffer
}

export interface FetchResponse {
  /** What the record sets are views into. */
  readonly memory: ArrayBufferLike
  readonly clientSideThrottleTime: number
  readonly errorCode: number
  readonly partitions: readonly FetchedPartition[]
}

export const READ_COMMITTED = 1
const HEAD_BYTES = 4 + 4 + 4 + 4 + 1 + 4 + 4 + 4
const PARTITION_BYTES = 4 + 4 + 8 + 8 + 4
const TAIL_BYTES = 4 + 2

/** Asks for the partitions in this order, which is the order in which a broker fills its answer. */
export function fetchRequest(
  positions: readonly FetchPosition[],
  limits: FetchLimits,
): ProtocolRequest<FetchResponse> {
  return {
    request: {
      apiKey: Api.Fetch,
      apiVersion: FETCH_VERSION,
      apiName: 'Fetch',
      encode: () => Promise.resolve(encoded(encodeFetch(positions, limits))),
    },
    response: {
      decode: (raw) => Promise.resolve(decodeFetch(raw)),
      parse: (decoded) => Promise.resolve(decoded),
    },
    requestTimeout: limits.maxWaitMs + 100,
  }
}

/** Consecutive partitions of one topic share its name. */
export function encodeFetch(positions: readonly FetchPosition[], limits: FetchLimits): Buffer {
  const topics: { name: Buffer; positions: FetchPosition[] }[] = []
  let previous: string | undefined
  for (const position of positions) {
    if (position.topic !== previous) topics.push({ name: Buffer.from(position.topic), positions: [] })
    previous = position.topic
    topics.at(-1)!.positions.push(position)
  }
  const namesBytes = topics.reduce((sum, topic) => sum + 2 + topic.name.length + 4, 0)
  const body = Buffer.allocUnsafe(HEAD_BYTES + namesBytes + positions.length * PARTITION_BYTES + TAIL_BYTES)
  let at = body.writeInt32BE(-1, 0) // a consumer, not a replica
  at = body.writeInt32BE(limits.maxWaitMs, at)
  at = body.writeInt32BE(1, at) // answer as soon as there is anything
  at = body.writeInt32BE(limits.maxBytes, at)
  at = body.writeInt8(READ_COMMITTED, at)
  at = body.writeInt32BE(0, at) // no session
  at = body.writeInt32BE(-1, at)
  at = body.writeInt32BE(topics.length, at)
  for (const topic of topics) {
    at = body.writeInt16BE(topic.name.length, at)
    at += topic.name.copy(body, at)
    at = body.writeInt32BE(topic.positions.length, at)
    for (const { partition, position } of topic.positions) {
      at = body.writeInt32BE(partition, at)
      at = body.writeInt32BE(-1, at) // leader epoch unknown
      at = body.writeBigInt64BE(BigInt(position), at)
      at = body.writeBigInt64BE(-1n, at) // log start offset: replicas only
      at = body.writeInt32BE(limits.maxBytesPerPartition, at)
    }
  }
  at = body.writeInt32BE(0, at) // no forgotten topics
  body.writeInt16BE(0, at) // no rack
  return body
}

/** @throws {RangeError} when the response is shorter than it says */
export function decodeFetch(raw: Buffer): FetchResponse {
  let at = 0
  const int16 = () => raw.readInt16BE((at += 2) - 2)
  const int32 = () => raw.readInt32BE((at += 4) - 4)
  const int64 = () => Number(raw.readBigInt64BE((at += 8) - 8))
  const clientSideThrottleTime = int32()
  const errorCode = int16()
  int32() // session
  const partitions: FetchedPartition[] = []
  for (let topics = int32(); topics > 0; topics--) {
    const nameBytes = int16()
    if (nameBytes < 0) throw new RangeError('a fetch response holds a topic without a name')
    const topic = raw.toString('utf8', at, (at += nameBytes))
    for (let count = int32(); count > 0; count--) {
      const partition = int32()
      const partitionErrorCode = int16()
      const highWatermark = int64()
      const lastStableOffset = int64()
      int64() // log start offset
      const aborted: AbortedTransaction[] = []
      for (let transactions = int32(); transactions > 0; transactions--) {
        const producerId = raw.readBigInt64BE(at)
        at += 8
        aborted.push({ producerId, firstOffset: int64() })
      }
      int32() // preferred replica
      const recordSetBytes = Math.max(0, int32())
      if (at + recordSetBytes > raw.length) throw new RangeError('a fetch response ends inside its records')
      const recordSet = raw.subarray(at, at + recordSetBytes)
      at += recordSetBytes
      partitions.push({
        topic,
        partition,
        errorCode: partitionErrorCode,
        highWatermark,
        lastStableOffset,
        aborted,
        recordSet,
      })
    }
  }
  return { memory: raw.buffer, clientSideThrottleTime, errorCode, partitions }
}
