import type { Health } from '../http/health.ts'
import type { TopicPartition, UnreadablePartition } from '../kafka/source.ts'
import { partitionName } from '../kafka/topic-partition.ts'
import type { PartitionStatus } from '../sink/status.ts'
import type { AppPhase, AppStatus } from './status.ts'

/** Names of this many partitions stand in a reason; the metrics have them all. */
const NAMES_MAX = 5

/** Whether the process can go on at all; when not, only a restart helps. */
export function liveness(status: AppStatus, loopLagMs: number, loopLagMsMax: number): Health {
  if (status.failure !== undefined) return unwell('failed', [status.failure.message])
  if (loopLagMs > loopLagMsMax) {
    return unwell('blocked', [`the event loop was blocked for ${Math.round(loopLagMs / 1000)} s`])
  }
  return { ok: true, state: 'alive', reasons: [] }
}

/** Whether records flow, or would if there were any; when not, why. */
export function readiness(status: AppStatus): Health {
  const { phase, failure, sink, unreadable = [] } = status
  if (failure !== undefined) return unwell('failed', [failure.message])
  if (phase === 'waiting-for-space') {
    return unwell('paused', [`the disk is nearly full: ${space(status)}; the group is joined then`])
  }
  if (phase !== 'running' || sink === undefined) return unwell(...NOT_RUNNING[phase])
  if (sink.paused.includes('disk-space')) {
    return unwell('paused', [`paused: the disk is nearly full: ${space(status)}`])
  }
  const held = heldReasons(sink.partitions)
  if (held.length > 0) return unwell('held', [...held, ...unreadableReasons(unreadable)])
  const waiting = waitingReasons(sink.partitions)
  if (waiting.length > 0) return unwell('dead-letters', waiting)
  if (unreadable.length > 0) return unwell('unreadable', unreadableReasons(unreadable))
  if (!sink.isAssigned) return unwell('joining', ['waiting for the consumer group to assign partitions'])
  if (sink.partitions.length === 0) {
    return {
      ok: true,
      state: 'ready',
      reasons: ['no partitions: the group has more members than partitions'],
    }
  }
  return { ok: true, state: 'ready', reasons: [] }
}

const NOT_RUNNING: Readonly<
  Record<Exclude<AppPhase, 'waiting-for-space'>, [state: string, reasons: string[]]>
> = {
  opening: ['starting', ['opening and recovering the data directory']],
  joining: ['starting', ['joining the consumer group']],
  running: ['starting', ['joining the consumer group']],
  closing: ['draining', ['making durable and committing what was accepted']],
  closed: ['closed', ['stopped']],
  failed: ['failed', ['failed']],
}

function space({ spareBytes = 0, spareBytesResume }: AppStatus): string {
  return `${spareBytes} bytes spare beyond reserve and log, goes on from ${spareBytesResume} on`
}

function heldReasons(partitions: readonly PartitionStatus[]): string[] {
  const held = partitions.filter(({ hold }) => hold !== undefined)
  return [...byReason(held, ({ hold }) => hold?.reason ?? '')].map(
    ([reason, list]) => `held (${reason}): ${names(list)}: ${list[0]?.hold?.detail ?? ''}`,
  )
}

function waitingReasons(partitions: readonly PartitionStatus[]): string[] {
  const waiting = partitions.filter(({ waitsFor }) => waitsFor !== undefined)
  return [...byReason(waiting, ({ waitsFor }) => waitsFor ?? '')].map(
    ([reason, list]) => `waiting: ${names(list)}: ${reason}; tried again until it does`,
  )
}

function unreadableReasons(partitions: readonly UnreadablePartition[]): string[] {
  return [...byReason(partitions, ({ reason }) => reason)].map(
    ([reason, list]) => `not readable (${reason}): ${names(list)}: asked for again until a leader answers`,
  )
}

/** For one line a reason. */
function byReason<Partition>(
  partitions: readonly Partition[],
  reasonOf: (partition: Partition) => string,
): Map<string, Partition[]> {
  const groups = new Map<string, Partition[]>()
  for (const partition of partitions) {
    const group = groups.get(reasonOf(partition))
    if (group === undefined) groups.set(reasonOf(partition), [partition])
    else group.push(partition)
  }
  return groups
}

function names(partitions: readonly TopicPartition[]): string {
  const first = partitions.slice(0, NAMES_MAX).map(partitionName).join(', ')
  return partitions.length > NAMES_MAX ? `${first} and ${partitions.length - NAMES_MAX} more` : first
}

function unwell(state: string, reasons: readonly string[]): Health {
  return { ok: false, state, reasons }
}
