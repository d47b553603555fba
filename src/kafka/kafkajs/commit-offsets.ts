import { SourceError, type RefusedCommit, type TopicPartition } from '../source.ts'
import type { Membership } from './epochs.ts'
import { endsMembership } from './group-errors.ts'
import {
  Api,
  brokerError,
  errorText,
  errorType,
  requests,
  send,
  type Broker,
  type ConsumerGroup,
  type ProtocolRequest,
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
  const topics = new Map<string, { partition: number; offset: string; metadata: string }[]>()
  for (const { topic, partition, offset, metadata } of offsets) {
    const list = topics.get(topic) ?? []
    topics.set(topic, list)
    list.push({ partition, offset: String(offset), metadata })
  }
  try {
    const coordinator = await coordinatorOf(group)
    const request = coordinator.lookupRequest(
      Api.OffsetCommit,
      requests['OffsetCommit'],
    )({
      groupId,
      memberId,
      groupGenerationId: generationId,
      topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    }) as ProtocolRequest<CommitAnswer>
    return refusedIn(await send(coordinator, unjudged(request)))
  } catch (error) {
    const type = errorType(error)
    if (endsMembership(error)) {
      throw new SourceError('ERR_STALE_EPOCH', `the group has moved on from epoch ${epoch}: ${type}`, error)
    }
    if (type === 'NOT_COORDINATOR_FOR_GROUP') group.coordinator = null
    throw new SourceError('ERR_BROKER', `offsets could not be committed: ${errorText(error)}`, error)
  }
}

/** kafkajs' own parser rejects all when one partition fails. */
function unjudged(request: ProtocolRequest<CommitAnswer>): ProtocolRequest<CommitAnswer> {
  const { response, ...rest } = request
  return {
    ...rest,
    response: { decode: (raw) => response.decode(raw), parse: (decoded) => Promise.resolve(decoded) },
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
