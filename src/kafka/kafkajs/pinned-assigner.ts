import kafkajs, { type Assigner } from 'kafkajs'
import { assignPartitions, type Member } from '../assign-partitions.ts'
import type { Claim } from '../source.ts'
import { partitionName } from '../topic-partition.ts'

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol
const VERSION = 1

/**
 * What a member says of its store when it joins, as JSON: by topic, partition numbers and next offsets in turn.
 * Members that say nothing, or something else, own nothing.
 */
interface UserData {
  readonly version: typeof VERSION
  readonly claims: Readonly<Record<string, readonly number[]>>
  readonly store: string
}

/** What the leader of a group needs to know of topics. */
export interface TopicPartitions {
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number }[]
}

/**
 * Partitions stay with the store that has them: see `assignPartitions`. `claims` is asked at each join.
 * A member of an older release offers round robin alone; the broker chooses what all members offer.
 */
export function pinnedAssigner(
  cluster: TopicPartitions,
  claims: () => { readonly store: string; readonly partitions: readonly Claim[] },
): Assigner {
  return {
    name: 'sediment-pinned',
    version: VERSION,
    protocol({ topics }) {
      const { store, partitions } = claims()
      const userData = Buffer.from(
        JSON.stringify({ version: VERSION, store, claims: byTopic(partitions, topics) }),
      )
      return { name: this.name, metadata: MemberMetadata.encode({ version: VERSION, topics, userData }) }
    },
    assign({ members }) {
      const known = members.map(({ memberId, memberMetadata }) => memberOf(memberId, memberMetadata))
      const topics = new Set(known.flatMap((member) => [...member.topics]))
      const partitions = [...topics].flatMap((topic) =>
        cluster
          .findTopicPartitionMetadata(topic)
          .map(({ partitionId }) => ({ topic, partition: partitionId })),
      )
      const assigned = assignPartitions(known, partitions)
      return Promise.resolve(
        Array.from(assigned, ([memberId, taken]) => {
          const assignment: Record<string, number[]> = Object.create(null) as Record<string, number[]>
          for (const { topic, partition } of taken) (assignment[topic] ??= []).push(partition)
          const userData = Buffer.alloc(0)
          return {
            memberId,
            memberAssignment: MemberAssignment.encode({ version: VERSION, assignment, userData }),
          }
        }),
      )
    },
  }
}

function byTopic(partitions: readonly Claim[], topics: readonly string[]): Record<string, number[]> {
  const subscribed = new Set(topics)
  const claims: Record<string, number[]> = Object.create(null) as Record<string, number[]>
  for (const { topic, partition, nextOffset } of partitions)
    if (subscribed.has(topic)) (claims[topic] ??= []).push(partition, nextOffset)
  return claims
}

function memberOf(id: string, metadata: Buffer): Member {
  const decoded = MemberMetadata.decode(metadata)
  const said = userDataOf(decoded?.userData)
  const claims = new Map<string, number>()
  for (const [topic, numbers] of Object.entries(said?.claims ?? {}))
    for (let index = 0; index + 1 < numbers.length; index += 2)
      claims.set(partitionName({ topic, partition: numbers[index]! }), numbers[index + 1]!)
  return { id, rank: said?.store ?? id, topics: new Set(decoded?.topics), claims }
}

function userDataOf(bytes: Buffer | null | undefined): UserData | undefined {
  try {
    const said = JSON.parse(String(bytes)) as Partial<UserData> | null
    const claims = said?.claims
    if (said?.version !== VERSION || typeof said.store !== 'string' || typeof claims !== 'object')
      return undefined
    const isSound = Object.values(claims).every(
      (numbers) => Array.isArray(numbers) && numbers.every((number) => Number.isSafeInteger(number)),
    )
    return isSound ? { version: VERSION, store: said.store, claims } : undefined
  } catch {
    return undefined
  }
}
