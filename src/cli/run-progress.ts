import type { AppStatus } from '../app/status.ts'
import { formatBytes, formatCount, formatSeconds } from './quantities.ts'

/** A look at the running process. */
export interface RunSample {
  readonly atMs: number
  readonly status: AppStatus
}

/** The one line that a person watches: `1,234 records/s  1.3 MB/s  durable lag 0.12 s …`. */
export function progressText(previous: RunSample, current: RunSample): string {
  const { phase, totals, sink } = current.status
  switch (phase) {
    case 'opening':
      return 'opening and recovering the data directory …'
    case 'waiting-for-space':
      return 'PAUSED: the disk is nearly full; waiting for space …'
    case 'joining':
      return 'joining the consumer group …'
    case 'closing':
      return `stopping: ${formatCount(sink?.underway.records ?? 0)} records to make durable …`
    case 'closed':
      return 'stopped'
    case 'failed':
      return 'failed'
    case 'running':
      break
  }
  const seconds = Math.max(0.001, (current.atMs - previous.atMs) / 1000)
  const before = previous.status.totals
  const partitions = sink?.partitions ?? []
  const lagSeconds = Math.max(0, ...partitions.map((one) => one.durableLagSeconds))
  const held = partitions.filter(({ hold }) => hold !== undefined).length
  const paused = (sink?.paused ?? []).filter((reason) => reason !== 'hold')
  return [
    `${formatCount((totals.records - before.records) / seconds)} records/s`,
    `${formatBytes((totals.bytes - before.bytes) / seconds)}/s`,
    `durable lag ${formatSeconds(lagSeconds)}`,
    `${formatCount((totals.groups - before.groups) / seconds)} groups/s`,
    `${formatCount(totals.records)} records stored`,
    `${partitions.length} partitions`,
    ...(held > 0 ? [`HELD ${held}`] : []),
    ...(paused.length > 0 ? [`PAUSED: ${paused.join(', ')}`] : []),
  ].join('  ')
}
