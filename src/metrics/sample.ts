import type { GapClass } from '../ledger/gap.ts'
import { catalogue } from './catalogue.ts'
import type { MetricSet } from './metric-set.ts'

/** What is not counted as it happens but looked up at each scrape. */
export interface Sample {
  readonly partitions: readonly PartitionSample[]
  /** Those of `partitions`, and those that are ours and not begun because nobody answers for them. */
  readonly assignedPartitions: number
  readonly unreadablePartitions: number
  readonly budgetUsedBytes: number
  readonly budgetLimitBytes: number
  /** Over all partitions that the ledger knows. */
  readonly gapOffsets: ReadonlyMap<GapClass, number>
  /** By where they are listed. */
  readonly gapRanges: ReadonlyMap<string, number>
  readonly spareBytes: number | undefined
  readonly isPoisoned: boolean
  readonly buckets: readonly BucketSample[]
  /** Records that wait for their content. */
  readonly owedRecords: number
  /** The bucket of each place that is damaged. */
  readonly damagedIn: readonly string[]
}

interface BucketSample {
  readonly bucket: string
  readonly usedBytes: number
  /** `undefined` without quota. */
  readonly quotaBytes: number | undefined
  /** `undefined` without records. */
  readonly oldestAgeSeconds: number | undefined
}

export interface PartitionSample {
  readonly topic: string
  readonly partition: number
  readonly lagRecords: number | undefined
  readonly lagDurableMs: number
  readonly durableOffset: number
  readonly holdReason: string | undefined
  readonly pauseReasons: readonly string[]
}

/** Series of partitions that are gone disappear; closed lists of reasons stay, as zero. */
export function applySample(metrics: MetricSet, sample: Sample): void {
  metrics.lagRecords.reset()
  metrics.lagDurableSeconds.reset()
  metrics.durableOffset.reset()
  const held = new Map<string, number>()
  const paused = new Map<string, number>()
  for (const one of sample.partitions) {
    const labels = { topic: one.topic, partition: one.partition }
    if (one.lagRecords !== undefined) metrics.lagRecords.set(labels, one.lagRecords)
    metrics.lagDurableSeconds.set(labels, one.lagDurableMs / 1000)
    metrics.durableOffset.set(labels, one.durableOffset)
    if (one.holdReason !== undefined) count(held, one.holdReason)
    for (const reason of one.pauseReasons) count(paused, reason)
  }
  metrics.bucketUsedBytes.reset()
  metrics.bucketQuotaBytes.reset()
  metrics.bucketOldestAge.reset()
  for (const { bucket, usedBytes, quotaBytes, oldestAgeSeconds } of sample.buckets) {
    metrics.bucketUsedBytes.set({ bucket }, usedBytes)
    if (quotaBytes !== undefined) metrics.bucketQuotaBytes.set({ bucket }, quotaBytes)
    if (oldestAgeSeconds !== undefined) metrics.bucketOldestAge.set({ bucket }, oldestAgeSeconds)
  }
  metrics.owedRecords.set(sample.owedRecords)
  metrics.damagedPlaces.reset()
  for (const bucket of sample.damagedIn) metrics.damagedPlaces.inc({ bucket })
  metrics.assignedPartitions.set(sample.assignedPartitions)
  metrics.unreadablePartitions.set(sample.unreadablePartitions)
  setByLabel('heldPartitions', metrics, held)
  setByLabel('pausedPartitions', metrics, paused)
  setByLabel('gapOffsets', metrics, sample.gapOffsets)
  setByLabel('gapRanges', metrics, sample.gapRanges)
  metrics.budgetUsed.set(sample.budgetUsedBytes)
  metrics.budgetLimit.set(sample.budgetLimitBytes)
  metrics.storePoisoned.set(sample.isPoisoned ? 1 : 0)
  if (sample.spareBytes !== undefined) metrics.spareBytes.set(sample.spareBytes)
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

/** A value for each member of the closed list, and for whatever else was counted. */
function setByLabel(key: ByLabel, metrics: MetricSet, counts: ReadonlyMap<string, number>): void {
  for (const [label, values] of Object.entries(catalogue[key].labels)) {
    const known = values === 'open' ? [] : values
    for (const value of new Set([...known, ...counts.keys()])) {
      metrics[key].set({ [label]: value }, counts.get(value) ?? 0)
    }
  }
}

type ByLabel = 'heldPartitions' | 'pausedPartitions' | 'gapOffsets' | 'gapRanges'
