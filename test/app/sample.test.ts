import { describe, expect, it } from '@jest/globals'
import { sinkLimitsOf } from '../../src/app/room-options.ts'
import { toSample } from '../../src/app/sample.ts'
import { sumGaps, type AppStatus } from '../../src/app/status.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { SinkStatus } from '../../src/sink/status.ts'

const { settings } = loadSettings({ env: {}, set: ['kafka.topics=orders'] })

describe('consumption that was paused for space', () => {
  it.each([
    ['1GiB', 64 * 1024 * 1024],
    ['8MiB', 2 * 1024 * 1024],
    ['0', 0],
  ])('goes on, with a reserve of %s, at %d spare bytes', (reserve, spareBytesResume) => {
    const set = ['kafka.topics=orders', `storage.spaceReserveBytes=${reserve}`]
    expect(sinkLimitsOf(loadSettings({ env: {}, set }).settings)).toMatchObject({ spareBytesResume })
  })
})

const runningStatus = (changes: Partial<SinkStatus>): AppStatus => ({
  phase: 'running',
  failure: undefined,
  totals: { records: 0, bytes: 0, groups: 0 },
  spareBytes: undefined,
  spareBytesResume: 0,
  sink: {
    phase: 'running',
    failure: undefined,
    isAssigned: true,
    epoch: 1,
    partitions: [],
    paused: [],
    memory: { usedBytes: 0, fetchedBytes: 0, bytesMax: 80, waiting: 0 },
    underway: { submissions: 0, records: 0, bytes: 0 },
    ...changes,
  },
})

describe('partitions that nobody can be asked about', () => {
  it('are ours, whether they have been begun or not', () => {
    const begun = {
      ...{ topic: 'a', partition: 0, acceptedOffset: 0, durableOffset: 0, committedOffset: 0 },
      ...{ highWatermark: 0, lagRecords: 0, durableLagSeconds: 0, hold: undefined, paused: [] },
    }
    const status = runningStatus({ partitions: [begun] })
    const unreadable = [0, 1, 2].map((partition) => ({ topic: 'a', partition, reason: 'no leader' }))
    expect(toSample(status, sumGaps([]), 100)).toMatchObject({
      assignedPartitions: 1,
      unreadablePartitions: 0,
    })
    expect(toSample({ ...status, unreadable }, sumGaps([]), 100)).toMatchObject({
      assignedPartitions: 3,
      unreadablePartitions: 3,
    })
  })
})

describe('the memory budget', () => {
  it('is shared between what is fetched and what is accepted', () => {
    const { memory, kafka } = settings
    expect((sinkLimitsOf(settings).memoryBytesMax ?? 0) + kafka.fetchBytesMax).toBe(memory.budgetBytes)
  })

  it('shows both as used, and the whole as its limit', () => {
    const status = runningStatus({ memory: { usedBytes: 50, fetchedBytes: 20, bytesMax: 80, waiting: 0 } })
    expect(toSample(status, sumGaps([]), 100)).toMatchObject({ budgetUsedBytes: 70, budgetLimitBytes: 100 })
    expect(toSample({ ...status, sink: undefined }, sumGaps([]), 100)).toMatchObject({
      budgetUsedBytes: 0,
      budgetLimitBytes: 100,
    })
  })
})
