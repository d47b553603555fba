import { expect, test } from '@jest/globals'
import kafkajs from 'kafkajs'
import { pinnedAssigner } from '../../../src/kafka/kafkajs/pinned-assigner.ts'
import type { Claim } from '../../../src/kafka/source.ts'

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol

const cluster = {
  findTopicPartitionMetadata: (topic: string) =>
    topic === 'unknown' ? [] : [0, 1, 2, 3].map((partitionId) => ({ partitionId })),
}
const member = (id: string, store: string, partitions: Claim[], topics = ['t']) => ({
  memberId: id,
  memberMetadata: pinnedAssigner(cluster, () => ({ store, partitions })).protocol({ topics }).metadata,
})
const claim = (partition: number, topic = 't'): Claim => ({ topic, partition, nextOffset: 100 + partition })

async function assignedBy(members: { memberId: string; memberMetadata: Buffer }[]): Promise<object> {
  const leader = pinnedAssigner(cluster, () => ({ store: 'any', partitions: [] }))
  const assigned = await leader.assign({ members, topics: ['t'] })
  return Object.fromEntries(
    assigned.map(({ memberId, memberAssignment }) => [
      memberId,
      { ...MemberAssignment.decode(memberAssignment)?.assignment },
    ]),
  )
}

test('what members say of their stores decides, over the wire', async () => {
  const members = [member('x', 's1', [claim(1), claim(3)]), member('y', 's2', [claim(0), claim(2)])]
  expect(await assignedBy(members)).toEqual({ x: { t: [1, 3] }, y: { t: [0, 2] } })
})

test('a topic that only another member subscribes to is assigned, too, and an unknown one harms nothing', async () => {
  const members = [member('x', 's1', []), member('y', 's2', [], ['t', 'other', 'unknown'])]
  const assigned = (await assignedBy(members)) as Record<string, Record<string, number[]>>
  expect(assigned['y']!['other']).toEqual([0, 1, 2, 3])
})

test('names that objects have of their own are topics like any other', async () => {
  const members = [
    member('x', 's1', [claim(0, '__proto__'), claim(2, 'constructor')], ['__proto__', 'constructor']),
  ]
  const [assigned] = await pinnedAssigner(cluster, () => ({ store: 's', partitions: [] })).assign({
    members,
    topics: [],
  })
  expect(assigned!.memberAssignment.includes('__proto__')).toBe(true)
  expect(assigned!.memberAssignment.includes('constructor')).toBe(true)
})

test.each([
  ['nothing', Buffer.alloc(0)],
  ['no JSON', Buffer.from([0xff, 0])],
  ['another version', Buffer.from('{"version":2,"store":"s","claims":{}}')],
  ['claims that are no numbers', Buffer.from('{"version":1,"store":"s","claims":{"t":["0",1]}}')],
  ['null', Buffer.from('null')],
])('a member that says %s of its store gets its share', async (_what, userData) => {
  const odd = {
    memberId: 'odd',
    memberMetadata: MemberMetadata.encode({ version: 1, topics: ['t'], userData }),
  }
  const assigned = (await assignedBy([odd, member('x', 's1', [claim(0), claim(1)])])) as Record<
    string,
    object
  >
  expect(assigned).toEqual({ odd: { t: [2, 3] }, x: { t: [0, 1] } })
})
