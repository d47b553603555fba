import type { Clock } from '../../base/clock.ts'
import type { AssignedPartition, TopicPartition, UnreadablePartition } from '../source.ts'
import { SourceError } from '../source.ts'
import { byTopic, partitionName } from '../topic-partition.ts'
import { brokerError, errorText, sendUnjudged, type Broker, type Cluster } from './internals.ts'

const LATEST = '-1'
const EARLIEST = '-2'
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

export interface Edges extends TopicPartition {
  readonly low: number
  readonly high: number
}

/** What brokers said of partitions, and of which ones none did. Every partition asked for is in one of the two. */
export interface KnownEdges {
  readonly known: readonly Edges[]
  readonly unreadable: readonly UnreadablePartition[]
}

export interface WatermarkQuestion {
  /** `undefined`: not known to the cluster; below 0: there is none now. */
  readonly leaderOf: (partition: TopicPartition) => number | undefined
  readonly partitions: readonly TopicPartition[]
  /** `readable`: the high watermark is where open transactions begin; else it is the end of the log. */
  readonly high: 'readable' | 'log-end'
  /** A broker that says nothing for so long keeps its partitions, and no others. */
  readonly answerMs: number
  readonly clock: Clock
}

/** Low and high watermarks. Never rejects: what one broker or one partition lacks says nothing of the others. */
export async function watermarksOf(cluster: Cluster, question: WatermarkQuestion): Promise<KnownEdges> {
  const { leaderOf, partitions, answerMs, clock } = question
  const isolationLevel = question.high === 'readable' ? READ_COMMITTED : READ_UNCOMMITTED
  const byLeader = new Map<number, TopicPartition[]>()
  const known: Edges[] = []
  const unreadable: UnreadablePartition[] = []
  for (const { topic, partition } of partitions) {
    const leader = leaderOf({ topic, partition })
    if (leader === undefined) unreadable.push({ topic, partition, reason: 'the brokers do not know it' })
    else if (leader < 0) unreadable.push({ topic, partition, reason: 'no leader' })
    else {
      const led = byLeader.get(leader)
      if (led === undefined) byLeader.set(leader, [{ topic, partition }])
      else led.push({ topic, partition })
    }
  }
  await Promise.all(
    [...byLeader].map(async ([nodeId, led]) => {
      try {
        const asked = edgesAt(cluster, nodeId, led, isolationLevel)
        const answer = await within(asked, answerMs, clock)
        known.push(...answer.known)
        unreadable.push(...answer.unreadable)
      } catch (error) {
        const reason = `broker ${nodeId}: ${errorText(error)}`
        unreadable.push(...led.map((partition) => ({ ...partition, reason })))
      }
    }),
  )
  return { known, unreadable }
}

/**
 * The first readable offset with a record at or after `timestampMs`; `undefined` when there is none.
 * @throws {SourceError} `ERR_BROKER`
 */
export async function firstOffsetAt(
  cluster: Cluster,
  leader: number | undefined,
  partition: TopicPartition,
  timestampMs: number,
): Promise<number | undefined> {
  const name = partitionName(partition)
  if (leader === undefined || leader < 0) throw new SourceError('ERR_BROKER', `${name} has no leader`)
  try {
    const broker = await cluster.findBroker({ nodeId: leader })
    const offsets = await offsetsAt(broker, [partition], String(timestampMs), READ_COMMITTED)
    const offset = numberAt(offsets, name)
    return offset < 0 ? undefined : offset
  } catch (error) {
    const why = errorText(error)
    throw new SourceError('ERR_BROKER', `the offset of a time in ${name} could not be asked: ${why}`, error)
  }
}

/** What the group has committed, with the watermarks beside it. @throws {SourceError} `ERR_BROKER` */
export async function assignedFacts(
  coordinator: Broker,
  groupId: string,
  edges: readonly Edges[],
): Promise<AssignedPartition[]> {
  if (edges.length === 0) return []
  const topics = [...byTopic(edges)].map(([topic, list]) => ({
    topic,
    partitions: list.map(({ partition }) => ({ partition })),
  }))
  let answer: Awaited<ReturnType<Broker['offsetFetch']>>
  try {
    answer = await coordinator.offsetFetch({ groupId, topics })
  } catch (error) {
    throw new SourceError('ERR_BROKER', `committed offsets could not be asked: ${errorText(error)}`, error)
  }
  const committed = new Map(
    answer.responses.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset, metadata }) => [
        partitionName({ topic, partition }),
        { offset, metadata },
      ]),
    ),
  )
  return edges.map(({ topic, partition, low, high }) => {
    const found = committed.get(partitionName({ topic, partition }))
    const offset = found === undefined ? -1 : exactOffset(found.offset)
    return {
      topic,
      partition,
      committedOffset: offset < 0 ? undefined : offset,
      committedMetadata: found?.metadata ?? '',
      lowWatermark: low,
      highWatermark: high,
    }
  })
}

async function edgesAt(
  cluster: Cluster,
  nodeId: number,
  led: readonly TopicPartition[],
  isolationLevel: number,
): Promise<KnownEdges> {
  const broker = await cluster.findBroker({ nodeId })
  const [lows, highs] = await Promise.all([
    offsetsAt(broker, led, EARLIEST, isolationLevel),
    offsetsAt(broker, led, LATEST, isolationLevel),
  ])
  const known: Edges[] = []
  const unreadable: UnreadablePartition[] = []
  for (const partition of led) {
    const key = partitionName(partition)
    try {
      known.push({ ...partition, low: numberAt(lows, key), high: numberAt(highs, key) })
    } catch (error) {
      unreadable.push({ ...partition, reason: `broker ${nodeId}: ${errorText(error)}` })
    }
  }
  return { known, unreadable }
}

/** One offset of each partition, or why there is none. kafkajs' own parser rejects all when one partition fails. */
async function offsetsAt(
  broker: Broker,
  partitions: readonly TopicPartition[],
  timestamp: string,
  isolationLevel: number,
): Promise<Map<string, number | Error>> {
  const topics = [...byTopic(partitions)].map(([topic, list]) => ({
    topic,
    partitions: list.map(({ partition }) => ({ partition, timestamp })),
  }))
  const values = { isolationLevel, topics }
  const { responses } = await sendUnjudged<ListedOffsets>(broker, 'ListOffsets', values)
  return new Map(
    responses.flatMap(({ topic, partitions: list }) =>
      list.map(({ partition, errorCode, offset }) => [
        partitionName({ topic, partition }),
        errorCode === 0 ? Number(offset) : brokerError(errorCode),
      ]),
    ),
  )
}

interface ListedOffsets {
  readonly responses: readonly {
    readonly topic: string
    readonly partitions: readonly {
      readonly partition: number
      readonly errorCode: number
      readonly offset: string
    }[]
  }[]
}

function numberAt(offsets: ReadonlyMap<string, number | Error>, key: string): number {
  const offset = offsets.get(key)
  if (offset === undefined) throw new Error(`no answer for ${key}`)
  if (typeof offset !== 'number') throw offset
  return exact(offset)
}

function exactOffset(text: string): number {
  return exact(Number(text))
}

function exact(offset: number): number {
  if (!Number.isSafeInteger(offset)) throw new Error(`offset ${offset} is beyond 2^53`)
  return offset
}

/** @throws {Error} when `work` takes longer, or with what it rejects with */
export async function within<Value>(work: Promise<Value>, durationMs: number, clock: Clock): Promise<Value> {
  const given = new AbortController()
  const late = clock.sleep(durationMs, given.signal).then((): Value => {
    throw new Error(`no answer within ${durationMs} ms`)
  })
  late.catch(() => {})
  work.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    given.abort()
  }
}
