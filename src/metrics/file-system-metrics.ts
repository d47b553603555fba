import type { FileSystemObserver } from '../fs/file-system.ts'
import type { MetricSet } from './metric-set.ts'

export function fileSystemMetrics(metrics: MetricSet): FileSystemObserver {
  return {
    synced({ kind, durationMs }) {
      metrics.fsync.observe({ kind }, durationMs / 1000)
    },
  }
}
