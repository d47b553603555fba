import { SourceError, type RefusedCommit, type TopicPartition } from '../source.ts'
import { byTopic } from '../topic-partition.ts'
import type { Membership } from './epochs.ts'
import { endsMembership } from './group-errors.ts'
import {
  brokerError,
  errorText,
  errorType,
  sendUnjudged,
  type Broker,
  type ConsumerGroup,
} from './internals.ts'

/** Codes that are about one topic: it is not there, or we have no right to it. The broker took the others. */
const REFUSED: ReadonlySet<number> = new Set([3, 29])

/** Where the group goes on in one partition, and what is to be kept beside it. */
export type Commit = TopicPartition & { readonly offset: number; readonly metadata: string }

interface CommitAnswer {
  readonly responses: readonly {
    readonly topic: string
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[]
  }[]
}

/**
 * @param coordinatorOf connected
 * @returns what the broker does not take, while it took the others
 * @throws {SourceError} `ERR_STALE_EPOCH` when the group has moved on, else `ERR_BROKER`
 */
export async function commitOffsets(
  groupId: string,
  { epoch, group, generationId, memberId }: Membership,
  offsets: readonly Commit[],
  coordinatorOf: (group: ConsumerGroup) => Promise<Broker>,
): Promise<RefusedCommit[]> {
  const topics = [...byTopic(offsets)].map(([topic, list]) => ({
    topic,
    partitions: list.map(({ partition, offset, metadata }) => ({
      partition,
      offset: String(offset),
      metadata,
    })),
  }))
  try {
    const coordinator = await coordinatorOf(group)
    const values = { groupId, memberId, groupGenerationId: generationId, topics }
    return refusedIn(await sendUnjudged<CommitAnswer>(coordinator, 'OffsetCommit', values))
  } catch (error) {
    const type = errorType(error)
    if (endsMembership(error)) {
      throw new SourceError('ERR_STALE_EPOCH', `the group has moved on from epoch ${epoch}: ${type}`, error)
    }
    if (type === 'NOT_COORDINATOR_FOR_GROUP') group.coordinator = null
    throw new SourceError('ERR_BROKER', `offsets could not be committed: ${errorText(error)}`, error)
  }
}

/** @throws the first error that is not about a topic */
function refusedIn({ responses }: CommitAnswer): RefusedCommit[] {
  const failed = responses.flatMap(({ topic, partitions }) =>
    partitions
      .filter(({ errorCode }) => errorCode !== 0)
      .map(({ partition, errorCode }) => ({ topic, partition, errorCode })),
  )
  const other = failed.find(({ errorCode }) => !REFUSED.has(errorCode))
  if (other !== undefined) throw brokerError(other.errorCode)
  return failed.map(({ errorCode, ...place }) => ({ ...place, reason: errorText(brokerError(errorCode)) }))
}
