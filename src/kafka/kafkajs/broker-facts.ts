import type { AssignedPartition, TopicPartition } from '../source.ts'
import { SourceError } from '../source.ts'
import { partitionName } from '../topic-partition.ts'
import { errorText, type Broker, type Cluster } from './internals.ts'

const LATEST = '-1'
const EARLIEST = '-2'
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

export interface Edges extends TopicPartition {
  readonly low: number
  readonly high: number
}

/**
 * Low and high watermarks. `readable`: the high one is where open transactions begin; else it is the end of the log.
 * @throws {SourceError} `ERR_BROKER`
 */
export async function watermarksOf(
  cluster: Cluster,
  leaderOf: (partition: TopicPartition) => number | undefined,
  partitions: readonly TopicPartition[],
  high: 'readable' | 'log-end',
): Promise<Edges[]> {
  const isolationLevel = high === 'readable' ? READ_COMMITTED : READ_UNCOMMITTED
  const byLeader = new Map<number, TopicPartition[]>()
  for (const partition of partitions) {
    const leader = leaderOf(partition)
    if (leader === undefined || leader < 0) {
      throw new SourceError('ERR_BROKER', `${partitionName(partition)} has no leader`)
    }
    byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition])
  }
  try {
    const answers = await Promise.all(
      [...byLeader].map(async ([nodeId, led]) => {
        const broker = await cluster.findBroker({ nodeId })
        const [lows, highs] = await Promise.all([
          offsetsAt(broker, led, EARLIEST, isolationLevel),
          offsetsAt(broker, led, LATEST, isolationLevel),
        ])
        return led.map(({ topic, partition }) => {
          const key = partitionName({ topic, partition })
          return { topic, partition, low: numberAt(lows, key), high: numberAt(highs, key) }
        })
      }),
    )
    const found = new Map(answers.flat().map((edges) => [partitionName(edges), edges]))
    return partitions.map((partition) => found.get(partitionName(partition))!)
  } catch (error) {
    if (error instanceof SourceError) throw error
    throw new SourceError('ERR_BROKER', `watermarks could not be asked: ${errorText(error)}`, error)
  }
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
  let answer: Awaited<ReturnType<Broker['offsetFetch']>>
  try {
    answer = await coordinator.offsetFetch({ groupId, topics: byTopic(edges) })
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

async function offsetsAt(
  broker: Broker,
  partitions: readonly TopicPartition[],
  timestamp: string,
  isolationLevel: number,
): Promise<Map<string, number>> {
  const { responses } = await broker.listOffsets({
    isolationLevel,
    topics: byTopic(partitions).map(({ topic, partitions: list }) => ({
      topic,
      partitions: list.map(({ partition }) => ({ partition, timestamp })),
    })),
  })
  return new Map(
    responses.flatMap(({ topic, partitions: list }) =>
      list.map(({ partition, offset }) => [partitionName({ topic, partition }), exactOffset(offset)]),
    ),
  )
}

function byTopic(
  partitions: readonly TopicPartition[],
): { topic: string; partitions: { partition: number }[] }[] {
  const topics = new Map<string, { partition: number }[]>()
  for (const { topic, partition } of partitions) {
    const list = topics.get(topic)
    if (list === undefined) topics.set(topic, [{ partition }])
    else list.push({ partition })
  }
  return [...topics].map(([topic, list]) => ({ topic, partitions: list }))
}

function numberAt(offsets: ReadonlyMap<string, number>, key: string): number {
  const offset = offsets.get(key)
  if (offset === undefined) throw new Error(`the broker did not answer for ${key}`)
  return offset
}

function exactOffset(text: string): number {
  const offset = Number(text)
  if (!Number.isSafeInteger(offset)) throw new Error(`offset ${text} is beyond 2^53`)
  return offset
}
