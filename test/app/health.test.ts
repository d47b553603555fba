import { describe, expect, it } from '@jest/globals'
import { liveness, readiness } from '../../src/app/health.ts'
import type { AppPhase, AppStatus } from '../../src/app/status.ts'
import type { PartitionStatus, SinkStatus } from '../../src/sink/status.ts'

const partition = (number: number, changes: Partial<PartitionStatus> = {}): PartitionStatus => ({
  topic: 'a',
  partition: number,
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
  partitions: [partition(0)],
  paused: [],
  memory: { usedBytes: 0, bytesMax: 1, waiting: 0, fetchedBytes: 0 },
  underway: { submissions: 0, records: 0, bytes: 0 },
  ...changes,
})

const status = (changes: Partial<AppStatus> = {}): AppStatus => ({
  phase: 'running',
  failure: undefined,
  totals: { records: 0, bytes: 0, groups: 0 },
  spareBytes: 1,
  spareBytesResume: 10,
  sink: sink(),
  ...changes,
})

describe('readiness', () => {
  it('is given while partitions are assigned and read, also when there are none, and while memory is full', () => {
    expect(readiness(status())).toEqual({ ok: true, state: 'ready', reasons: [] })
    expect(readiness(status({ sink: sink({ partitions: [] }) }))).toMatchObject({ ok: true })
    expect(readiness(status({ sink: sink({ paused: ['memory'] }) }))).toMatchObject({ ok: true })
  })

  it.each<[AppPhase, string]>([
    ['opening', 'starting'],
    ['waiting-for-space', 'paused'],
    ['joining', 'starting'],
    ['closing', 'draining'],
    ['closed', 'closed'],
  ])('is not given in the phase %s', (phase, state) => {
    const health = readiness(status({ phase, sink: undefined }))
    expect(health).toMatchObject({ ok: false, state })
    expect(health.reasons).toHaveLength(1)
  })

  it('names what stands in the way', () => {
    expect(readiness(status({ sink: sink({ paused: ['disk-space'] }) }))).toMatchObject({
      ok: false,
      state: 'paused',
      reasons: ['paused: the disk is nearly full: 1 bytes spare beyond reserve and log, goes on from 10 on'],
    })
    expect(
      readiness(status({ phase: 'waiting-for-space', spareBytes: -7, spareBytesResume: 0 })).reasons,
    ).toEqual([
      'the disk is nearly full: -7 bytes spare beyond reserve and log, goes on from 0 on; the group is joined then',
    ])
    expect(readiness(status({ sink: sink({ isAssigned: false }) }))).toMatchObject({
      ok: false,
      state: 'joining',
    })
    expect(readiness(status({ failure: new Error('broken') }))).toMatchObject({
      ok: false,
      reasons: ['broken'],
    })
    const hold = { reason: 'log-truncated', detail: 'next is 9' } as const
    const partitions = Array.from({ length: 7 }, (_, number) => partition(number, { hold }))
    expect(readiness(status({ sink: sink({ partitions }) }))).toEqual({
      ok: false,
      state: 'held',
      reasons: ['held (log-truncated): a/0, a/1, a/2, a/3, a/4 and 2 more: next is 9'],
    })
  })
})

describe('a partition that nobody can be asked about', () => {
  const reason = 'no leader'
  const unreadable = [1, 2, 3, 4, 5, 6].map((number) => ({ topic: 'a', partition: number, reason }))

  it('stands in the way of readiness by name, and is told before a wait for the group', () => {
    const expected = {
      ok: false,
      state: 'unreadable',
      reasons: [
        'not readable (no leader): a/1, a/2, a/3, a/4, a/5 and 1 more: asked for again until a leader answers',
      ],
    }
    expect(readiness(status({ unreadable }))).toEqual(expected)
    expect(readiness(status({ unreadable, sink: sink({ isAssigned: false }) }))).toEqual(expected)
  })

  it('is told beside partitions that are held', () => {
    const hold = { reason: 'log-truncated', detail: 'next is 9' } as const
    const health = readiness(status({ unreadable, sink: sink({ partitions: [partition(0, { hold })] }) }))
    expect(health).toMatchObject({ ok: false, state: 'held' })
    expect(health.reasons).toHaveLength(2)
  })

  it('is no reason for a restart', () => {
    expect(liveness(status({ unreadable }), 0, 1000)).toMatchObject({ ok: true })
  })
})

describe('liveness', () => {
  it('ends with a failure or a blocked loop, and not with a pause', () => {
    expect(liveness(status({ phase: 'opening', sink: undefined }), 0, 1000)).toMatchObject({ ok: true })
    expect(liveness(status({ sink: sink({ paused: ['disk-space'] }) }), 0, 1000)).toMatchObject({ ok: true })
    expect(liveness(status({ failure: new Error('x') }), 0, 1000)).toMatchObject({
      ok: false,
      state: 'failed',
    })
    expect(liveness(status(), 1001, 1000)).toMatchObject({ ok: false, state: 'blocked' })
  })
})
