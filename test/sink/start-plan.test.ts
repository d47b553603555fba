// Goal: where a partition begins follows from the ledger first and from Kafka only where the rules say so.
// Method: one row a case.
import { describe, expect, it } from '@jest/globals'
import { encodeCommitMetadata } from '../../src/sink/commit-metadata.ts'
import { placeToCheck, planStart, type StartFacts, type StartPlan } from '../../src/sink/start-plan.ts'

const self = { clusterId: 'cluster-1', groupId: 'group-1', storeId: 'store-a' }
const ours = encodeCommitMetadata({ ...self, epoch: 3 })
const neighbours = encodeCommitMetadata({ ...self, storeId: 'store-b', epoch: 3 })
const otherGroup = encodeCommitMetadata({ ...self, groupId: 'group-2', epoch: 3 })
const otherCluster = encodeCommitMetadata({ ...self, clusterId: 'cluster-2', epoch: 3 })

const facts = (changes: Partial<StartFacts>): StartFacts => ({
  knownOffset: undefined,
  knownTopicId: undefined,
  topicId: 'topic-1',
  incarnation: 0,
  checked: undefined,
  onDeleted: 'continue',
  lowWatermark: 0,
  highWatermark: 1000,
  committedOffset: undefined,
  committedMetadata: '',
  self,
  read: undefined,
  start: { kind: 'earliest' },
  ...changes,
})
const startAt = (offset: number, gaps: string[] = [], isForeignCommitIgnored = false): unknown => ({
  kind: 'start',
  offset,
  gaps,
  isForeignCommitIgnored,
})
const holdFor = (reason: string, offset?: number): unknown =>
  expect.objectContaining({ kind: 'hold', reason, ...(offset !== undefined && { offset }) })
const ofIncarnation = (incarnation: number): string =>
  encodeCommitMetadata({ ...self, epoch: 3, incarnation })

function shown(plan: StartPlan): unknown {
  if (plan.kind === 'hold') return plan
  const { leaderEpoch: _, ...rest } = plan
  const gaps = plan.gaps.map(
    ({ class: name, fromOffset, nextOffset, storeId }) =>
      `${name}${storeId ? `(${storeId})` : ''} ${fromOffset}-${nextOffset}`,
  )
  return { ...rest, gaps }
}

describe('planStart for a partition the ledger knows', () => {
  it.each<[string, Partial<StartFacts>, unknown]>([
    ['goes on at the ledger without a commit', {}, startAt(500)],
    [
      'goes on at the ledger when its commit is behind',
      { committedOffset: 400, committedMetadata: ours },
      startAt(500),
    ],
    ['goes on where it committed', { committedOffset: 500, committedMetadata: ours }, startAt(500)],
    [
      'is held when it committed more',
      { committedOffset: 501, committedMetadata: ours },
      holdFor('ledger-behind'),
    ],
    [
      'jumps to where another store of the group was',
      { committedOffset: 700, committedMetadata: neighbours },
      startAt(700, ['elsewhere(store-b) 500-700']),
    ],
    [
      'stays where another store is behind',
      { committedOffset: 499, committedMetadata: neighbours },
      startAt(500),
    ],
    [
      'reports and ignores an offset set ahead by a stranger',
      { committedOffset: 900, committedMetadata: '' },
      startAt(500, [], true),
    ],
    [
      'reports and ignores an offset set back by a stranger',
      { committedOffset: 0, committedMetadata: 'a tool' },
      startAt(500, [], true),
    ],
    ['does not report a stranger who agrees', { committedOffset: 500, committedMetadata: '' }, startAt(500)],
    [
      'takes another group for a stranger',
      { committedOffset: 900, committedMetadata: otherGroup },
      startAt(500, [], true),
    ],
    [
      'takes another cluster for a stranger',
      { committedOffset: 900, committedMetadata: otherCluster },
      startAt(500, [], true),
    ],
    ['is held above the end', { highWatermark: 499 }, holdFor('log-truncated')],
    ['goes on at the very end', { highWatermark: 500 }, startAt(500)],
    ['records what was deleted', { lowWatermark: 600 }, startAt(600, ['deleted 500-600'])],
    [
      'records both what is elsewhere and what was deleted',
      { committedOffset: 700, committedMetadata: neighbours, lowWatermark: 750 },
      startAt(750, ['elsewhere(store-b) 500-700', 'deleted 700-750']),
    ],
    [
      'is held when the other store was beyond the end',
      { committedOffset: 1001, committedMetadata: neighbours },
      holdFor('log-truncated'),
    ],
  ])('%s', (_, changes, expected) => {
    expect(shown(planStart(facts({ knownOffset: 500, ...changes })))).toEqual(expected)
  })
})

describe('planStart for a partition that is not what it was', () => {
  const checked = { offset: 500, leaderEpoch: 4, endOffset: 500 }
  const cutBelowOther = {
    incarnation: 1,
    committedOffset: 700,
    committedMetadata: encodeCommitMetadata({ ...self, storeId: 'store-b', epoch: 3, leaderEpoch: 5 }),
    checked: { offset: 700, leaderEpoch: 5, endOffset: 500 },
  }
  it.each<[string, Partial<StartFacts>, unknown]>([
    ['goes on where the topic is the same', { knownTopicId: 'topic-1' }, startAt(500)],
    [
      'is held where another topic has its name, whatever offsets it has',
      { knownTopicId: 'topic-0', highWatermark: 10_000 },
      holdFor('topic-recreated', 0),
    ],
    [
      'goes on where the broker has no topic ids',
      { knownTopicId: 'topic-0', topicId: undefined },
      startAt(500),
    ],
    ['goes on where the log leads to its position', { checked }, startAt(500)],
    ['goes on where it leads further', { checked: { ...checked, endOffset: 900 } }, startAt(500)],
    [
      'is held where the log was cut, though it has grown since',
      { checked: { ...checked, endOffset: 430 }, highWatermark: 900 },
      holdFor('log-truncated', 430),
    ],
    [
      'is held where the log does not know the leader epoch',
      { checked: { ...checked, endOffset: -1 } },
      holdFor('log-truncated', 0),
    ],
    ['is held above the end, where that is', { highWatermark: 450 }, holdFor('log-truncated', 450)],
    [
      'does not follow a commit of the topic that had the name before',
      {
        committedOffset: 700,
        committedMetadata: encodeCommitMetadata({
          ...self,
          storeId: 'store-b',
          epoch: 3,
          topicId: 'topic-0',
        }),
      },
      startAt(500, [], true),
    ],
    [
      'ignores what this store committed before its offsets were accepted to begin anew',
      { incarnation: 2, committedOffset: 700, committedMetadata: ofIncarnation(1) },
      startAt(500),
    ],
    [
      'is held when this store committed more in the same incarnation',
      { incarnation: 2, committedOffset: 700, committedMetadata: ofIncarnation(2) },
      holdFor('ledger-behind', 700),
    ],
    [
      'is held when its ledger is a copy from before the offsets began anew',
      { incarnation: 1, committedOffset: 20, committedMetadata: ofIncarnation(2) },
      holdFor('ledger-behind', 20),
    ],
    [
      'is held where the log was cut below what another store committed',
      { ...cutBelowOther, incarnation: 0 },
      holdFor('log-truncated', 500),
    ],
    ['goes on where that was accepted', cutBelowOther, startAt(500, [], true)],
    [
      'is held where the log was cut again since',
      { ...cutBelowOther, checked: { ...cutBelowOther.checked, endOffset: 480 } },
      holdFor('log-truncated', 480),
    ],
    [
      'goes on where it was accepted that the log ends before what another store committed',
      { ...cutBelowOther, checked: undefined, highWatermark: 500 },
      startAt(500, [], true),
    ],
    [
      'does not follow a commit of a leader before the one it has read last',
      {
        ...cutBelowOther,
        checked: { offset: 500, leaderEpoch: 6, endOffset: 500 },
        read: { offset: 500, leaderEpoch: 6 },
      },
      startAt(500, [], true),
    ],
    [
      'is held by choice where what comes next was deleted',
      { lowWatermark: 600, onDeleted: 'hold' },
      holdFor('deleted', 600),
    ],
  ])('%s', (_, changes, expected) => {
    expect(shown(planStart(facts({ knownOffset: 500, ...changes })))).toEqual(expected)
  })

  it('says how many offsets it is about', () => {
    const detailOf = (changes: Partial<StartFacts>): unknown => {
      const plan = planStart(facts({ knownOffset: 500, ...changes }))
      return plan.kind === 'hold' && plan.detail
    }
    expect(detailOf({ checked: { ...checked, endOffset: 430 } })).toMatch('70 offsets')
    expect(detailOf({ highWatermark: 450 })).toMatch('50 offsets')
    expect(detailOf({ lowWatermark: 600, onDeleted: 'hold' })).toMatch('100 offsets')
    expect(detailOf({ committedOffset: 520, committedMetadata: ours })).toMatch('20 offsets')
    expect(detailOf({ knownTopicId: 'topic-0' })).toMatch('500 offsets')
  })

  it('begins with the leader epoch of its position, and with none behind a gap', () => {
    const epochOf = (changes: Partial<StartFacts>): unknown => {
      const plan = planStart(facts({ knownOffset: 500, checked, ...changes }))
      return plan.kind === 'start' && plan.leaderEpoch
    }
    expect(epochOf({})).toBe(4)
    expect(epochOf({ lowWatermark: 600 })).toBeUndefined()
  })
})

describe('placeToCheck', () => {
  const read = { offset: 500, leaderEpoch: 4 }
  const committedBy = (storeId: string, leaderEpoch?: number): Partial<StartFacts> => ({
    committedOffset: 700,
    committedMetadata: encodeCommitMetadata({ ...self, storeId, epoch: 3, leaderEpoch }),
  })
  it.each<[string, Partial<StartFacts>, unknown]>([
    ['is where we have read', {}, read],
    [
      'is where another store has whose commit is followed',
      committedBy('store-b', 6),
      { offset: 700, leaderEpoch: 6 },
    ],
    ['is where we have read when the other store does not say more', committedBy('store-b'), read],
    ['is not what this store committed', committedBy('store-a', 6), read],
    [
      'is not what another store committed before us',
      { ...committedBy('store-b', 6), committedOffset: 400 },
      read,
    ],
    [
      'is where we have read when the other store had an earlier leader there',
      committedBy('store-b', 3),
      read,
    ],
  ])('%s', (_, changes, expected) => {
    expect(placeToCheck(500, facts({ read, ...changes }))).toEqual(expected)
  })
})

describe('planStart for a partition never begun', () => {
  it.each<[string, Partial<StartFacts>, unknown]>([
    ['begins at 0 without a gap', {}, startAt(0)],
    ['begins at the earliest', { lowWatermark: 40 }, startAt(40, ['before-start 0-40'])],
    ['begins at the latest', { start: { kind: 'latest' } }, startAt(1000, ['before-start 0-1000'])],
    [
      'begins with its first record where it is later than the process',
      { start: { kind: 'latest' }, isNew: true },
      startAt(0),
    ],
    [
      "begins at the group's commit, whoever wrote it",
      { start: { kind: 'committed' }, committedOffset: 300 },
      startAt(300, ['before-start 0-300']),
    ],
    [
      'begins at the earliest where nothing was committed',
      { start: { kind: 'committed' }, lowWatermark: 40 },
      startAt(40, ['before-start 0-40']),
    ],
    [
      'tells what was deleted after the commit from what is before the start',
      { start: { kind: 'committed' }, committedOffset: 300, lowWatermark: 350 },
      startAt(350, ['before-start 0-300', 'deleted 300-350']),
    ],
    [
      'is held when the commit is beyond the end',
      { start: { kind: 'committed' }, committedOffset: 1001 },
      holdFor('log-truncated'),
    ],
    [
      'begins at a time',
      { start: { kind: 'time', timestampMs: 1 }, offsetAtTime: 120 },
      startAt(120, ['before-start 0-120']),
    ],
    [
      'begins at the end when nothing is as late as the time',
      { start: { kind: 'time', timestampMs: 1 } },
      startAt(1000, ['before-start 0-1000']),
    ],
    [
      'takes over from another store of the group, whatever the policy',
      { start: { kind: 'latest' }, committedOffset: 700, committedMetadata: neighbours },
      startAt(700, ['elsewhere(store-b) 0-700']),
    ],
    [
      'goes on behind what was deleted, also where that is to hold others',
      { start: { kind: 'committed' }, committedOffset: 300, lowWatermark: 350, onDeleted: 'hold' },
      startAt(350, ['before-start 0-300', 'deleted 300-350']),
    ],
    [
      'is held when this very store committed: its ledger is lost',
      { committedOffset: 700, committedMetadata: ours },
      holdFor('ledger-behind'),
    ],
    [
      "reports a stranger's commit that the policy does not ask for",
      { committedOffset: 700, committedMetadata: '{"storeId":1}' },
      startAt(0, [], true),
    ],
    [
      'begins in an empty partition whose records were deleted',
      { lowWatermark: 1000 },
      startAt(1000, ['before-start 0-1000']),
    ],
  ])('%s', (_, changes, expected) => {
    expect(shown(planStart(facts(changes)))).toEqual(expected)
  })
})
