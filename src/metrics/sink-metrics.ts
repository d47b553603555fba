import type { SinkObserver } from '../sink/observer.ts'
import type { MetricSet } from './metric-set.ts'

export function sinkMetrics(metrics: MetricSet): SinkObserver {
  return {
    partitionsAssigned({ partitions }) {
      metrics.assignments.inc()
      metrics.assignedPartitions.set(partitions)
    },
    // Gauges by partition and reason are read from the status at each scrape.
    partitionHeld() {},
    foreignCommitIgnored: () => metrics.foreignCommits.inc(),
    batchAccepted({ topic, records, bytes }) {
      metrics.receivedRecords.inc({ topic }, records)
      metrics.receivedBytes.inc({ topic }, bytes)
    },
    memoryWaited: ({ durationMs }) => metrics.memoryWait.inc(durationMs / 1000),
    duplicatesDropped: ({ records }) => metrics.duplicateRecords.inc(records),
    recordRejected: ({ cause }) => metrics.rejectedRecords.inc({ cause }),
    deadLettersSent: ({ topic, records }) => metrics.deadLetters.inc({ topic }, records),
    deadLettersFailed: ({ topic }) => metrics.deadLetterFailures.inc({ topic }),
    recordsDurable({ topic, records, durationMs }) {
      metrics.durableRecords.inc({ topic }, records)
      metrics.recordDurable.observe(durationMs / 1000)
    },
    // The ledger's sums are read at each scrape: they outlive the process.
    gapRecorded() {},
    committed: ({ durationMs }) => metrics.commit.observe(durationMs / 1000),
    commitFailed: () => metrics.commitFailures.inc(),
    paused: ({ reason }) => metrics.pauses.inc({ reason }),
    resumed() {},
    drained: ({ discarded }) => metrics.discardedRecords.inc(discarded),
    failed() {},
  }
}
