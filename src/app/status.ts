import type { GapClass } from '../ledger/gap.ts'
import type { UnreadablePartition } from '../kafka/source.ts'
import type { LedgerRow } from '../ledger/ledger-codec.ts'
import type { SinkStatus } from '../sink/status.ts'
import type { Totals } from './totals.ts'

/**
 * The life of the process:
 *
 *     opening ──▶ waiting-for-space ──▶ joining ──▶ running ──▶ closing ──▶ closed
 *        ╰──────────────┴──────────────────┴───────────┴──▶ failed
 *
 * `opening` includes recovery. Waiting for space ends by itself.
 */
export type AppPhase =
  'opening' | 'waiting-for-space' | 'joining' | 'running' | 'closing' | 'closed' | 'failed'

export interface AppStatus {
  readonly phase: AppPhase
  readonly failure: Error | undefined
  readonly totals: Totals
  /** Free disk beyond the reserve and what the log may still need, when last asked; below 0 consumption pauses. */
  readonly spareBytes: number | undefined
  /** Spare bytes from which on consumption goes on after a pause for space. */
  readonly spareBytesResume: number
  /** From the moment the group is joined. */
  readonly sink: SinkStatus | undefined
  /** Partitions of ours that have no leader, or one that does not answer. */
  readonly unreadable?: readonly UnreadablePartition[]
}

/** Offsets in gaps over all partitions that a ledger knows. */
export function sumGapOffsets(rows: readonly LedgerRow[]): Map<GapClass, number> {
  const sums = new Map<GapClass, number>()
  for (const { gapOffsets } of rows) {
    for (const [gapClass, offsets] of gapOffsets) sums.set(gapClass, (sums.get(gapClass) ?? 0) + offsets)
  }
  return sums
}
