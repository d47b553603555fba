import { SourceError, type TopicPartition } from '../source.ts'
import type { Membership } from './epochs.ts'
import { endsMembership } from './group-errors.ts'
import { errorText, errorType, type Broker, type ConsumerGroup } from './internals.ts'

/** Where the group goes on in one partition, and what is to be kept beside it. */
export type Commit = TopicPartition & { readonly offset: number; readonly metadata: string }

/**
 * @param coordinatorOf connected
 * @throws {SourceError} `ERR_STALE_EPOCH` when the group has moved on, else `ERR_BROKER`
 */
export async function commitOffsets(
  groupId: string,
  { epoch, group, generationId, memberId }: Membership,
  offsets: readonly Commit[],
  coordinatorOf: (group: ConsumerGroup) => Promise<Broker>,
): Promise<void> {
  const topics = new Map<string, { partition: number; offset: string; metadata: string }[]>()
  for (const { topic, partition, offset, metadata } of offsets) {
    const list = topics.get(topic) ?? []
    topics.set(topic, list)
    list.push({ partition, offset: String(offset), metadata })
  }
  try {
    const coordinator = await coordinatorOf(group)
    await coordinator.offsetCommit({
      groupId,
      memberId,
      groupGenerationId: generationId,
      topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    })
  } catch (error) {
    const type = errorType(error)
    if (endsMembership(error)) {
      throw new SourceError('ERR_STALE_EPOCH', `the group has moved on from epoch ${epoch}: ${type}`, error)
    }
    if (type === 'NOT_COORDINATOR_FOR_GROUP') group.coordinator = null
    throw new SourceError('ERR_BROKER', `offsets could not be committed: ${errorText(error)}`, error)
  }
}
