import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { assignPartitions, type Member } from '../../src/kafka/assign-partitions.ts'
import type { TopicPartition } from '../../src/kafka/source.ts'
import { partitionName } from '../../src/kafka/topic-partition.ts'

const topics = ['a', 'b', 'c']
const partitionsOf = (counts: readonly number[]): TopicPartition[] =>
  counts.flatMap((count, topic) =>
    Array.from({ length: count }, (_, partition) => ({ topic: topics[topic] as string, partition })),
  )
const memberOf = (store: number, claims: ReadonlyMap<string, number> = new Map()): Member => ({
  id: `member-${store}`,
  rank: `store-${store}`,
  topics: new Set(topics),
  claims,
})
const counts = fc.array(fc.nat(12), { minLength: 3, maxLength: 3 })

/** Members whose stores have begun any partitions, several stores the same ones, too. */
const claiming = (partitions: readonly TopicPartition[], members: number): fc.Arbitrary<Member[]> =>
  fc.tuple(
    ...Array.from({ length: members }, (_, store) =>
      fc
        .array(fc.option(fc.nat(1000)), { minLength: partitions.length, maxLength: partitions.length })
        .map((offsets) => {
          const claims = offsets.flatMap((offset, index) =>
            offset === null ? [] : [[partitionName(partitions[index]!), offset] as const],
          )
          return memberOf(store, new Map(claims))
        }),
    ),
  )
const group = fc.tuple(counts, fc.integer({ min: 1, max: 6 })).chain(([numbers, members]) =>
  fc.record({
    partitions: fc.constant(partitionsOf(numbers)),
    members: claiming(partitionsOf(numbers), members),
  }),
)
const ownersOf = (assigned: ReadonlyMap<string, readonly TopicPartition[]>): Map<string, string> =>
  new Map(
    Array.from(assigned, ([id, taken]) =>
      taken.map((partition) => [partitionName(partition), id] as const),
    ).flat(),
  )
/** What the stores have claimed once this assignment has been read from for a while. */
const afterwards = (member: Member, assigned: ReadonlyMap<string, readonly TopicPartition[]>): Member => ({
  ...member,
  claims: new Map([
    ...member.claims,
    ...(assigned.get(member.id) ?? []).map((partition) => [partitionName(partition), 5000] as const),
  ]),
})

describe('assignment of partitions', () => {
  it('gives each partition to one member, and no member two more than another', () => {
    fc.assert(
      fc.property(group, ({ members, partitions }) => {
        const assigned = assignPartitions(members, partitions)
        const given = [...assigned.values()].flat().map(partitionName)
        expect(given.sort()).toEqual(partitions.map(partitionName).sort())
        const loads = [...assigned.values()].map((taken) => taken.length)
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('does not depend on the order of members and partitions', () => {
    fc.assert(
      fc.property(group, ({ members, partitions }) => {
        const again = assignPartitions(members.toReversed(), partitions.toReversed())
        expect(ownersOf(again)).toEqual(ownersOf(assignPartitions(members, partitions)))
      }),
    )
  })

  it('moves nothing when the same stores join again', () => {
    fc.assert(
      fc.property(group, ({ members, partitions }) => {
        const first = assignPartitions(members, partitions)
        const renamed = members.map((member) => ({ ...afterwards(member, first), id: `new-${member.id}` }))
        const second = assignPartitions(renamed, partitions)
        for (const [id, taken] of first) expect(second.get(`new-${id}`)).toEqual(taken)
      }),
    )
  })

  it('when a store leaves, moves what it had and nothing else', () => {
    fc.assert(
      fc.property(group, fc.nat(), ({ members, partitions }, index) => {
        fc.pre(members.length > 1)
        const first = assignPartitions(members, partitions)
        const leaver = members[index % members.length]!
        const rest = members.filter((member) => member !== leaver).map((member) => afterwards(member, first))
        const before = ownersOf(first)
        const after = ownersOf(assignPartitions(rest, partitions))
        for (const [name, owner] of before) if (owner !== leaver.id) expect(after.get(name)).toBe(owner)
      }),
    )
  })

  it('when an empty store joins, moves its share to it and nothing else, the least settled first', () => {
    fc.assert(
      fc.property(group, ({ members, partitions }) => {
        const first = assignPartitions(members, partitions)
        const joined = [...members.map((member) => afterwards(member, first)), memberOf(9)]
        const before = ownersOf(first)
        const after = ownersOf(assignPartitions(joined, partitions))
        for (const [name, owner] of after) if (owner !== 'member-9') expect(owner).toBe(before.get(name))
      }),
    )
    const claims = new Map([
      ['a/0', 900],
      ['a/1', 10],
    ])
    const assigned = assignPartitions([memberOf(0, claims), memberOf(1)], partitionsOf([2, 0, 0]))
    expect(Object.fromEntries(ownersOf(assigned))).toEqual({ 'a/0': 'member-0', 'a/1': 'member-1' })
  })

  it('never gives a partition to a member that does not subscribe to its topic', () => {
    const only = { ...memberOf(1), topics: new Set(['b']) }
    const assigned = assignPartitions([memberOf(0), only], partitionsOf([3, 1, 0]))
    expect(assigned.get('member-1')!.every(({ topic }) => topic === 'b')).toBe(true)
    expect([...assigned.values()].flat()).toHaveLength(4)
    expect(assignPartitions([only], partitionsOf([2, 0, 0])).get('member-1')).toEqual([])
    expect(assignPartitions([], partitionsOf([2, 0, 0])).size).toBe(0)
  })
})
