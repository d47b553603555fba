import { describe, expect, it } from '@jest/globals'
import type { AppPhase, AppStatus } from '../../src/app/status.ts'
import { progressText } from '../../src/cli/run-progress.ts'
import type { PartitionStatus, SinkStatus } from '../../src/sink/status.ts'

const partition = (changes: Partial<PartitionStatus> = {}): PartitionStatus => ({
  topic: 'a',
  partition: 0,
  acceptedOffset: 1,
  durableOffset: 1,
  committedOffset: 1,
  highWatermark: 1,
  lagRecords: 0,
  durableLagSeconds: 0,
  hold: undefined,
  paused: [],
  ...changes,
})

const sink = (changes: Partial<SinkStatus> = {}): SinkStatus => ({
  phase: 'running',
  failure: undefined,
  isAssigned: true,
  epoch: 1,
  partitions: [],
  paused: [],
  memory: { usedBytes: 0, bytesMax: 1, waiting: 0, fetchedBytes: 0 },
  underway: { submissions: 0, records: 1234, bytes: 0 },
  ...changes,
})

const sample = (atMs: number, phase: AppPhase, records: number, sinkStatus?: SinkStatus) => {
  const totals = { records, bytes: records * 1000, groups: records / 100 }
  const status: AppStatus = {
    phase,
    failure: undefined,
    totals,
    spareBytes: undefined,
    spareBytesResume: 0,
    sink: sinkStatus,
  }
  return { atMs, status }
}

describe('progressText', () => {
  it('shows rates between two looks, the largest lag and what needs attention', () => {
    const partitions = [
      partition({ durableLagSeconds: 0.25 }),
      partition({
        partition: 1,
        durableLagSeconds: 3,
        hold: { reason: 'no-rule', detail: '' },
        paused: ['hold'],
      }),
    ]
    const now = sample(2500, 'running', 6000, sink({ partitions, paused: ['disk-space'] }))
    expect(progressText(sample(2000, 'running', 1000, sink()), now)).toBe(
      '10,000 records/s  10.0 MB/s  durable lag 3.0 s  100 groups/s  6,000 records stored  2 partitions  HELD 1  PAUSED: disk-space',
    )
  })

  it('says what a process does that does not run yet, or no more', () => {
    const text = (phase: AppPhase) => progressText(sample(0, phase, 0, sink()), sample(1, phase, 0, sink()))
    expect(text('opening')).toContain('recovering')
    expect(text('waiting-for-space')).toContain('PAUSED')
    expect(text('joining')).toContain('joining')
    expect(text('closing')).toContain('1,234 records')
  })
})
