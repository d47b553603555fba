import { describe, expect, it } from '@jest/globals'
import { sinkLimitsOf } from '../../src/app/room-options.ts'
import { toSample } from '../../src/app/sample.ts'
import type { AppStatus } from '../../src/app/status.ts'
import { loadSettings } from '../../src/config/load.ts'

const { settings } = loadSettings({ env: {}, set: ['kafka.topics=orders'] })

describe('the memory budget', () => {
  it('is shared between what is fetched and what is accepted', () => {
    const { memory, kafka } = settings
    expect((sinkLimitsOf(settings).memoryBytesMax ?? 0) + kafka.fetchBytesMax).toBe(memory.budgetBytes)
  })

  it('shows both as used, and the whole as its limit', () => {
    const status: AppStatus = {
      phase: 'running',
      failure: undefined,
      totals: { records: 0, bytes: 0, groups: 0 },
      spareBytes: undefined,
      sink: {
        phase: 'running',
        failure: undefined,
        isAssigned: true,
        epoch: 1,
        partitions: [],
        paused: [],
        memory: { usedBytes: 50, fetchedBytes: 20, bytesMax: 80, waiting: 0 },
        underway: { submissions: 0, records: 0, bytes: 0 },
      },
    }
    expect(toSample(status, new Map(), 100)).toMatchObject({ budgetUsedBytes: 70, budgetLimitBytes: 100 })
    expect(toSample({ ...status, sink: undefined }, new Map(), 100)).toMatchObject({
      budgetUsedBytes: 0,
      budgetLimitBytes: 100,
    })
  })
})
