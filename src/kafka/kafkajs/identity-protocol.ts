import { byTopic } from '../topic-partition.ts'
import type { LogPlace, TopicPartition } from '../source.ts'
import { Api, encoded, type Broker, type ProtocolRequest } from './internals.ts'
import { ResponseReader } from './response-reader.ts'

/*
 * Two requests that kafkajs does not have, or not in a version that helps: Metadata with topic ids, and
 * OffsetForLeaderEpoch. Integers are big-endian.
 *
 * From version 9 on Metadata is "flexible": strings and arrays begin with their length plus one as an unsigned
 * varint (0 is null), structures end with tagged fields (a count, then tag, size, bytes each; all varints), and so do
 * the headers of request and response.
 */

/** The first with topic ids: Kafka 2.8 and later. */
export const METADATA_VERSION = 10
/** The first that asks for no more rights than reading: Kafka 2.3 and later. */
export const LEADER_EPOCH_VERSION = 3

const TOPIC_ID_BYTES = 16
const NO_TOPIC_ID = Buffer.alloc(TOPIC_ID_BYTES)

/** What the cluster says a topic is. */
export interface TopicIdentity {
  readonly topic: string
  readonly errorCode: number
  /** As Kafka's tools print it; `undefined` where the cluster has not given it one. */
  readonly topicId: string | undefined
  /** Of the present leader, by partition. */
  readonly leaderEpochs: ReadonlyMap<number, number>
}

export interface TopicIdentities {
  readonly clientSideThrottleTime: number
  readonly topics: readonly TopicIdentity[]
}

/** Where a line of leader epochs is asked to end. */
export interface LineQuestion extends TopicPartition {
  readonly place: LogPlace
  /** As far as it is known; the broker refuses to answer under another. */
  readonly currentLeaderEpoch: number | undefined
}

/** Up to where a log holds records of a leader epoch and the ones before it. */
interface LineEnd extends TopicPartition {
  readonly errorCode: number
  /** -1: the log has no such epoch, only earlier ones. */
  readonly endOffset: number
}

export interface LineEnds {
  readonly clientSideThrottleTime: number
  readonly ends: readonly LineEnd[]
}

export function speaks(broker: Broker, apiKey: number, version: number): boolean {
  const range = broker.versions?.[apiKey]
  return range !== undefined && range.minVersion <= version && version <= range.maxVersion
}

/** Asks for topics by name; creates none. */
export function topicIdentitiesRequest(topics: readonly string[]): ProtocolRequest<TopicIdentities> {
  return {
    request: {
      apiKey: Api.Metadata,
      apiVersion: METADATA_VERSION,
      apiName: 'Metadata',
      encode: () => Promise.resolve(encoded(encodeTopics(topics))),
    },
    response: {
      decode: (raw) => Promise.resolve(decodeTopicIdentities(raw)),
      parse: (decoded) => Promise.resolve(decoded),
    },
  }
}

/** Goes to the leader of the partitions. */
export function lineEndsRequest(questions: readonly LineQuestion[]): ProtocolRequest<LineEnds> {
  return {
    request: {
      apiKey: Api.OffsetForLeaderEpoch,
      apiVersion: LEADER_EPOCH_VERSION,
      apiName: 'OffsetForLeaderEpoch',
      encode: () => Promise.resolve(encoded(encodeLineQuestions(questions))),
    },
    response: {
      decode: (raw) => Promise.resolve(decodeLineEnds(raw)),
      parse: (decoded) => Promise.resolve(decoded),
    },
  }
}

/** The end of the request header, then the body. */
export function encodeTopics(topics: readonly string[]): Buffer {
  const parts = [Buffer.from([0]), unsignedVarint(topics.length + 1)]
  for (const topic of topics) {
    const name = Buffer.from(topic)
    parts.push(NO_TOPIC_ID, unsignedVarint(name.length + 1), name, Buffer.from([0]))
  }
  // Neither create topics nor tell rights; no tagged fields.
  parts.push(Buffer.from([0, 0, 0, 0]))
  return Buffer.concat(parts)
}

/** @throws {RangeError} when the response is shorter than it says */
export function decodeTopicIdentities(raw: Buffer): TopicIdentities {
  const reader = new ResponseReader(raw)
  reader.skipTags()
  const clientSideThrottleTime = reader.int32()
  for (let left = reader.count(); left > 0; left--) {
    reader.skip(4)
    reader.compactText()
    reader.skip(4)
    reader.compactText()
    reader.skipTags()
  }
  reader.compactText()
  reader.skip(4)
  const topics: TopicIdentity[] = []
  for (let left = reader.count(); left > 0; left--) {
    const errorCode = reader.int16()
    const topic = reader.compactText()
    const id = reader.bytes(TOPIC_ID_BYTES)
    reader.skip(1)
    const leaderEpochs = new Map<number, number>()
    for (let partitions = reader.count(); partitions > 0; partitions--) {
      reader.skip(2)
      const partition = reader.int32()
      reader.skip(4)
      leaderEpochs.set(partition, reader.int32())
      for (let lists = 3; lists > 0; lists--) reader.skip(reader.count() * 4)
      reader.skipTags()
    }
    reader.skip(4)
    reader.skipTags()
    const topicId = id.equals(NO_TOPIC_ID) ? undefined : id.toString('base64url')
    topics.push({ topic: topic ?? '', errorCode, topicId, leaderEpochs })
  }
  return { clientSideThrottleTime, topics }
}

export function encodeLineQuestions(questions: readonly LineQuestion[]): Buffer {
  const topics = byTopic(questions)
  // A consumer, not a replica.
  const parts = [int32(-1), int32(topics.size)]
  for (const [topic, list] of topics) {
    const name = Buffer.from(topic)
    const head = Buffer.alloc(2)
    head.writeInt16BE(name.length)
    parts.push(head, name, int32(list.length))
    for (const { partition, place, currentLeaderEpoch } of list)
      parts.push(int32(partition), int32(currentLeaderEpoch ?? -1), int32(place.leaderEpoch))
  }
  return Buffer.concat(parts)
}

/** @throws {RangeError} when the response is shorter than it says, or an offset is beyond 2^53 */
export function decodeLineEnds(raw: Buffer): LineEnds {
  const reader = new ResponseReader(raw)
  const clientSideThrottleTime = reader.int32()
  const ends: LineEnd[] = []
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.text()
    for (let left = reader.int32(); left > 0; left--) {
      const errorCode = reader.int16()
      const partition = reader.int32()
      reader.skip(4)
      ends.push({ topic, partition, errorCode, endOffset: reader.int64() })
    }
  }
  return { clientSideThrottleTime, ends }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function unsignedVarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}
