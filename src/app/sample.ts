import { partitionName } from '../kafka/topic-partition.ts'
import type { Sample } from '../metrics/sample.ts'
import type { BucketInfo, DamagedPlace } from '../storage/index.ts'
import type { AppStatus, GapSums } from './status.ts'

/** What the metrics show of a status. */
export function toSample(
  { sink, spareBytes, failure, unreadable = [] }: AppStatus,
  gaps: GapSums,
  budgetLimitBytes: number,
  buckets: readonly BucketInfo[] = [],
  nowUs = 0,
  damaged: readonly DamagedPlace[] = [],
  owedRecords = 0,
): Sample {
  const partitions = sink?.partitions ?? []
  const assigned = new Set([...partitions, ...unreadable].map(partitionName))
  return {
    partitions: partitions.map((one) => ({
      topic: one.topic,
      partition: one.partition,
      lagRecords: one.lagRecords,
      lagDurableMs: one.durableLagSeconds * 1000,
      durableOffset: one.durableOffset,
      holdReason: one.hold?.reason,
      pauseReasons: [...new Set([...one.paused, ...(sink?.paused ?? [])])],
    })),
    assignedPartitions: assigned.size,
    unreadablePartitions: unreadable.length,
    budgetUsedBytes: sink === undefined ? 0 : sink.memory.usedBytes + sink.memory.fetchedBytes,
    budgetLimitBytes,
    gapOffsets: gaps.offsets,
    gapRanges: gaps.ranges,
    spareBytes,
    buckets: buckets.map(({ name, usedBytes, settings: { quota }, oldestUs }) => ({
      bucket: name,
      usedBytes,
      quotaBytes: quota.kind === 'none' ? undefined : quota.bytes,
      oldestAgeSeconds: oldestUs === undefined ? undefined : Math.max(0, nowUs - Number(oldestUs)) / 1e6,
    })),
    owedRecords,
    damagedIn: damaged.map(({ bucket }) => bucket),
    isPoisoned: failure !== undefined && 'code' in failure && failure.code === 'ERR_POISONED',
  }
}
