import type { GapClass } from '../ledger/gap.ts'
import type { Sample } from '../metrics/sample.ts'
import type { AppStatus } from './status.ts'

/** What the metrics show of a status. */
export function toSample(
  { sink, spareBytes, failure }: AppStatus,
  gapOffsets: ReadonlyMap<GapClass, number>,
  budgetLimitBytes: number,
): Sample {
  const partitions = sink?.partitions ?? []
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
    budgetUsedBytes: sink === undefined ? 0 : sink.memory.usedBytes + sink.memory.fetchedBytes,
    budgetLimitBytes,
    gapOffsets,
    spareBytes,
    isPoisoned: failure !== undefined && 'code' in failure && failure.code === 'ERR_POISONED',
  }
}
