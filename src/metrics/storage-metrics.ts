import type { CacheName, StorageObserver } from '../storage/index.ts'
import type { MetricSet } from './metric-set.ts'
import { Tally } from './tally.ts'

export interface StorageMetrics {
  readonly observer: StorageObserver
  /** Brings what happens per record up to date; call before each scrape. */
  flush(): void
}

export function storageMetrics(metrics: MetricSet): StorageMetrics {
  // What may happen once a record only adds to a number; labels are looked up once a scrape.
  const perCache = (metric: MetricSet['cacheHits']): Record<CacheName, Tally> => ({
    write: new Tally((count) => metric.inc({ cache: 'write' }, count)),
    read: new Tally((count) => metric.inc({ cache: 'read' }, count)),
  })
  const hits = perCache(metrics.cacheHits)
  const misses = perCache(metrics.cacheMisses)
  const evictions = perCache(metrics.cacheEvictions)
  const late = new Tally((count) => metrics.lateRecords.inc(count))
  const spills = new Tally((count) => metrics.slotSpills.inc(count))
  const spilledUs = new Tally((us) => metrics.slotSpillSeconds.inc(us / 1e6))
  const tallies = [
    ...[hits, misses, evictions].flatMap((tally) => [tally.write, tally.read]),
    ...[late, spills, spilledUs],
  ]

  const observer: StorageObserver = {
    cacheHit: (cache) => hits[cache].add(1),
    cacheMissed: (cache) => misses[cache].add(1),
    cacheEvicted: (cache) => evictions[cache].add(1),
    cacheSized(cache, bytes, items) {
      metrics.cacheBytes.set({ cache }, bytes)
      metrics.cacheBlocks.set({ cache }, items)
    },
    groupCommitted({ records, bytes, durationMs, directBytes }) {
      if (records === 0) return
      metrics.groupBytes.observe(bytes)
      metrics.groupRecords.observe(records)
      metrics.groupDuration.observe(durationMs / 1000)
      metrics.storedRecords.inc(records)
      metrics.storedBytes.inc(bytes)
      metrics.directBytes.inc(directBytes)
    },
    groupDurable({ durationMs, records }) {
      if (records > 0) metrics.groupDurable.observe(durationMs / 1000)
    },
    blockStarted: () => metrics.blocksStarted.inc(),
    blockSealed: () => metrics.blocksSealed.inc(),
    blockClosed: () => metrics.blocksClosed.inc(),
    blockReopened: () => metrics.blocksReopened.inc(),
    blockRewritten: () => metrics.blocksRewritten.inc(),
    checksumsAdded: (records) => metrics.checksumsAdded.inc(records),
    checkpointed({ durationMs, filesSynced, logBytesDropped }) {
      metrics.checkpoint.observe(durationMs / 1000)
      metrics.checkpointFiles.inc(filesSynced)
      metrics.checkpointLogBytes.inc(logBytesDropped)
    },
    recordLate: () => late.add(1),
    slotSpilled(us) {
      spills.add(1)
      spilledUs.add(us)
    },
    recovered(event) {
      metrics.recoveryDuration.set(event.durationMs / 1000)
      metrics.recoveryFrames.set(event.frames)
      metrics.recoveryBlocks.set(event.blocksRedone)
      metrics.recoveryLogBytes.set(event.logBytes)
      metrics.recoveryTornBytes.set(event.tornTailBytes)
      metrics.recoveryQuarantined.set(event.quarantined)
    },
    blockEvicted({ bucket, records, bytes, wasRead }) {
      metrics.evictedBlocks.inc({ bucket })
      metrics.evictedRecords.inc({ bucket }, records)
      metrics.evictedBytes.inc({ bucket }, bytes)
      metrics.evictedUnreadRecords.inc({ bucket }, wasRead ? 0 : records)
    },
    quotaRefused: ({ bucket }) => metrics.quotaRefusals.inc({ bucket }),
  }
  return { observer, flush: () => tallies.forEach((tally) => tally.flush()) }
}
