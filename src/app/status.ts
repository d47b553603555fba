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

/** Over all partitions that a ledger knows. */
export interface GapSums {
  readonly offsets: ReadonlyMap<GapClass, number>
  /** By where they are listed: in the checkpoint, or in files of their own. */
  readonly ranges: ReadonlyMap<'checkpoint' | 'file', number>
}

export function sumGaps(rows: readonly LedgerRow[]): GapSums {
  const offsets = new Map<GapClass, number>()
  let inCheckpoint = 0
  let inFiles = 0
  for (const { gapOffsets, gaps, spilled } of rows) {
    for (const [gapClass, amount] of gapOffsets) offsets.set(gapClass, (offsets.get(gapClass) ?? 0) + amount)
    inCheckpoint += gaps.length
    inFiles += spilled?.ranges ?? 0
  }
  return {
    offsets,
    ranges: new Map([
      ['checkpoint', inCheckpoint],
      ['file', inFiles],
    ]),
  }
}
