import { describe, expect, it } from '@jest/globals'
import { Metrics } from '../../src/metrics/metrics.ts'
import type { PartitionSample, Sample } from '../../src/metrics/sample.ts'

const metrics = (): Metrics => new Metrics({ version: '1.2.3', process: false })

async function valuesOf(from: Metrics, sample?: Sample): Promise<(series: string) => number | undefined> {
  const text = await from.text(sample)
  const values = new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
  return (series) => values.get(series)
}

const partition = (changes: Partial<PartitionSample> = {}): PartitionSample => ({
  topic: 'a',
  partition: 0,
  lagRecords: 5,
  lagDurableMs: 1500,
  durableOffset: 95,
  holdReason: undefined,
  pauseReasons: [],
  ...changes,
})
const sample = (changes: Partial<Sample> = {}): Sample => ({
  buckets: [],
  partitions: [partition()],
  assignedPartitions: 1,
  unreadablePartitions: 0,
  budgetUsedBytes: 10,
  budgetLimitBytes: 100,
  gapOffsets: new Map(),
  gapRanges: new Map(),
  spareBytes: undefined,
  isPoisoned: false,
  owedRecords: 0,
  damagedIn: [],
  ...changes,
})

describe('metrics', () => {
  it('has every cache and every kind of file from the start, as zero', async () => {
    const value = await valuesOf(metrics())
    for (const cache of ['write', 'read']) {
      for (const what of ['hits', 'misses', 'evictions']) {
        expect(value(`sediment_block_cache_${what}_total{cache="${cache}"}`)).toBe(0)
      }
    }
    for (const kind of ['log', 'data', 'wal', 'descriptor', 'index', 'directory']) {
      expect(value(`sediment_fsync_duration_seconds_count{kind="${kind}"}`)).toBe(0)
    }
    expect(value('sediment_gap_offsets{class="unknown"}')).toBe(0)
    expect(value('sediment_held_partitions{reason="ledger-behind"}')).toBe(0)
  })

  it('counts cache events and syncs under their label', async () => {
    const all = metrics()
    all.storage.cacheHit('write')
    all.storage.cacheHit('write')
    all.storage.cacheMissed('read')
    all.storage.cacheEvicted('read')
    all.storage.cacheSized('read', 4096, 2)
    all.fileSystem.synced({ kind: 'log', durationMs: 3 })
    await all.text()
    all.storage.cacheHit('write')
    const value = await valuesOf(all)
    expect(value('sediment_block_cache_hits_total{cache="write"}')).toBe(3)
    expect(value('sediment_block_cache_hits_total{cache="read"}')).toBe(0)
    expect(value('sediment_block_cache_misses_total{cache="read"}')).toBe(1)
    expect(value('sediment_block_cache_evictions_total{cache="read"}')).toBe(1)
    expect(value('sediment_block_cache_bytes{cache="read"}')).toBe(4096)
    expect(value('sediment_fsync_duration_seconds_count{kind="log"}')).toBe(1)
    expect(value('sediment_fsync_duration_seconds_sum{kind="log"}')).toBe(0.003)
    expect(value('sediment_fsync_duration_seconds_bucket{le="0.002",kind="log"}')).toBe(0)
    expect(value('sediment_fsync_duration_seconds_bucket{le="0.005",kind="log"}')).toBe(1)
  })

  it('turns milliseconds and microseconds into seconds', async () => {
    const all = metrics()
    all.storage.groupCommitted({ records: 10, bytes: 2000, durationMs: 20, directBytes: 500 })
    all.storage.slotSpilled(2_500_000)
    all.sink.memoryWaited({ durationMs: 250 })
    all.sink.committed({ partitions: 3, durationMs: 40 })
    const value = await valuesOf(all)
    expect(value('sediment_group_duration_seconds_sum')).toBe(0.02)
    expect(value('sediment_stored_records_total')).toBe(10)
    expect(value('sediment_direct_bytes_total')).toBe(500)
    expect(value('sediment_slot_spills_total')).toBe(1)
    expect(value('sediment_slot_spill_seconds_total')).toBe(2.5)
    expect(value('sediment_memory_wait_seconds_total')).toBe(0.25)
    expect(value('sediment_commit_duration_seconds_sum')).toBe(0.04)
  })

  it('counts no group for a frame without records', async () => {
    const all = metrics()
    all.storage.groupDurable({ durationMs: 5, records: 0 })
    all.storage.groupCommitted({ records: 0, bytes: 0, durationMs: 9, directBytes: 0 })
    const before = await valuesOf(all)
    expect(before('sediment_group_records_count')).toBe(0)
    expect(before('sediment_group_durable_seconds_count')).toBe(0)
    all.storage.groupDurable({ durationMs: 5, records: 1 })
    all.storage.groupCommitted({ records: 1, bytes: 0, durationMs: 9, directBytes: 0 })
    const after = await valuesOf(all)
    expect(after('sediment_group_records_count')).toBe(1)
    expect(after('sediment_group_durable_seconds_count')).toBe(1)
  })

  it('shows partitions of the sample only, and counts reasons', async () => {
    const all = metrics()
    const lag = 'sediment_lag_records{topic="a",partition="0"}'
    expect((await valuesOf(all, sample()))(lag)).toBe(5)
    const partitions = [
      partition({
        partition: 1,
        lagRecords: undefined,
        holdReason: 'no-rule',
        pauseReasons: ['hold', 'disk-space'],
      }),
      partition({ partition: 2, pauseReasons: ['disk-space'] }),
    ]
    const value = await valuesOf(
      all,
      sample({
        partitions,
        assignedPartitions: 5,
        unreadablePartitions: 3,
        gapOffsets: new Map([['deleted', 7]]),
        gapRanges: new Map([['file', 9]]),
        spareBytes: -3,
      }),
    )
    expect(value(lag)).toBeUndefined()
    expect(value('sediment_lag_records{topic="a",partition="1"}')).toBeUndefined()
    expect(value('sediment_lag_durable_seconds{topic="a",partition="2"}')).toBe(1.5)
    expect(value('sediment_held_partitions{reason="no-rule"}')).toBe(1)
    expect(value('sediment_paused_partitions{reason="disk-space"}')).toBe(2)
    expect(value('sediment_assigned_partitions')).toBe(5)
    expect(value('sediment_unreadable_partitions')).toBe(3)
    expect(value('sediment_gap_offsets{class="deleted"}')).toBe(7)
    expect(value('sediment_gap_ranges{place="file"}')).toBe(9)
    expect(value('sediment_gap_ranges{place="checkpoint"}')).toBe(0)
    expect(value('sediment_store_spare_bytes')).toBe(-3)
    const after = await valuesOf(all, sample({ partitions: [], assignedPartitions: 0 }))
    expect(after('sediment_held_partitions{reason="no-rule"}')).toBe(0)
    expect(after('sediment_gap_offsets{class="deleted"}')).toBe(0)
    expect(after('sediment_assigned_partitions')).toBe(0)
  })

  it('keeps two instances apart', async () => {
    const one = metrics()
    one.storage.blockSealed()
    expect((await valuesOf(metrics()))('sediment_blocks_sealed_total')).toBe(0)
  })
})
