import type { TopicPartition } from './source.ts'
import { partitionName } from './topic-partition.ts'

/** A consumer of the group, as the leader sees it. */
export interface Member {
  readonly id: string
  /** Breaks ties the same way in every generation; the id of its store where it has one. */
  readonly rank: string
  readonly topics: ReadonlySet<string>
  /** Next offset by partition name, of partitions that its store has begun. */
  readonly claims: ReadonlyMap<string, number>
}

/**
 * Gives every partition to one member that subscribes to its topic. A partition stays with the store that has the most
 * of it, as long as no member has more than its share; among equal members loads differ by one at most. What has to move
 * is what has the least behind it. The same members and partitions in any order give the same result.
 */
export function assignPartitions(
  members: readonly Member[],
  partitions: readonly TopicPartition[],
): Map<string, TopicPartition[]> {
  const shares = members
    .map((member) => new Share(member))
    .sort((a, b) => compare(a.member.rank, b.member.rank) || compare(a.member.id, b.member.id))
  const share = Math.floor(partitions.length / Math.max(1, shares.length))
  let largerShares = partitions.length - share * shares.length
  const left = new Map(partitions.map((partition) => [partitionName(partition), partition]))
  const offers = [...left].flatMap(([name, partition]) => {
    const claims = shares
      .flatMap((to) => {
        const claim = to.member.topics.has(partition.topic) ? to.member.claims.get(name) : undefined
        return claim === undefined ? [] : [{ name, partition, to, claim }]
      })
      .sort((a, b) => b.claim - a.claim)
    return claims.map((offer, place) => ({ ...offer, place }))
  })
  offers.sort((a, b) => a.place - b.place || b.claim - a.claim || compare(a.name, b.name))
  for (const { name, partition, to } of offers) {
    const isOver = to.taken.length >= share
    if (!left.has(name) || (isOver && (to.taken.length > share || largerShares === 0))) continue
    if (isOver) largerShares -= 1
    to.taken.push(partition)
    left.delete(name)
  }
  for (const partition of [...left.values()].sort(comparePartitions)) {
    const able = shares.filter(({ member }) => member.topics.has(partition.topic))
    const least = able.reduce<Share | undefined>(
      (best, one) => (best === undefined || one.taken.length < best.taken.length ? one : best),
      undefined,
    )
    least?.taken.push(partition)
  }
  return new Map(shares.map(({ member, taken }) => [member.id, taken.sort(comparePartitions)]))
}

class Share {
  readonly member: Member
  readonly taken: TopicPartition[] = []

  constructor(member: Member) {
    this.member = member
  }
}

function comparePartitions(a: TopicPartition, b: TopicPartition): number {
  return compare(a.topic, b.topic) || a.partition - b.partition
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
