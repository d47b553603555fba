import { findSpilled, loadGaps, NO_GAPS, type GapDisk } from '../../ledger/gap-files.ts'
import { encodeSnapshot, type LedgerKey, type LedgerRow } from '../../ledger/ledger-codec.ts'
import { unknownRow } from '../../ledger/offset-ledger.ts'
import { rebuildRow } from '../../ledger/reconcile.ts'
import { GAP_BYTES_MAX, obstacleOf, TOO_MANY_GAPS } from './check-ledger.ts'
import type { PartitionOffsets } from './stored-offsets.ts'

/** What becomes of one partition. */
interface RowChange {
  /** `undefined` when the ledger has nothing of it, or nothing could be read. */
  readonly before: LedgerRow | undefined
  readonly after: LedgerRow
}

export interface RebuildPlan {
  /** The ledger afterwards, whole. */
  readonly rows: readonly LedgerRow[]
  /** Partitions that do not stay as they are. */
  readonly changes: readonly RowChange[]
  /** Partitions with records that cannot be rebuilt, and why; what the ledger has of them stays. */
  readonly left: readonly string[]
}

/**
 * The ledger that records prove: what is stored counts, gaps keep their reason, and what neither explains is `unknown`.
 * @param rows of the ledger as far as it could be read
 * @param clusterId that the store is bound to; without it only what the ledger has can be rebuilt
 */
export async function planRebuild(
  rows: readonly LedgerRow[],
  stored: readonly PartitionOffsets[],
  clusterId: string | undefined,
  disk: GapDisk,
): Promise<RebuildPlan> {
  const after: LedgerRow[] = []
  const changes: RowChange[] = []
  const left: string[] = []
  const put = (before: LedgerRow | undefined, now: LedgerRow | undefined): void => {
    if (now === undefined) return
    after.push(now)
    if (before === undefined || !isSame(before, now)) changes.push({ before, after: now })
  }
  const ofPartition = new Map(stored.map((offsets) => [nameOf(offsets), offsets]))
  for (const row of rows) {
    const same = rows.filter((other) => nameOf(other) === nameOf(row))
    const offsets = ofPartition.get(nameOf(row))
    const gaps = await loadGaps(row, disk, GAP_BYTES_MAX)
    const obstacle =
      obstacleOf(same, offsets ?? { isGivenUp: false }) ?? (gaps === undefined ? TOO_MANY_GAPS : undefined)
    if (obstacle !== undefined) left.push(`${nameOf(row)}: ${obstacle}`)
    put(
      row,
      obstacle === undefined && gaps !== undefined
        ? rebuildRow(row, row, gaps, offsets ?? { runs: () => [] })
        : row,
    )
  }
  const known = new Set(rows.map(nameOf))
  for (const offsets of stored) {
    if (known.has(nameOf(offsets))) continue
    const obstacle =
      clusterId === undefined
        ? 'the store is not bound to a cluster, and records do not name theirs'
        : obstacleOf([], offsets)
    if (clusterId === undefined || obstacle !== undefined) left.push(`${nameOf(offsets)}: ${obstacle}`)
    else
      put(
        undefined,
        await rebuildLost({ clusterId, topic: offsets.topic, partition: offsets.partition }, offsets, disk),
      )
  }
  return { rows: after, changes, left }
}

/** Of a row that is lost: what its gap file still says counts where nothing is stored. */
async function rebuildLost(
  key: LedgerKey,
  stored: PartitionOffsets,
  disk: GapDisk,
): Promise<LedgerRow | undefined> {
  const spilled = await findSpilled(key, disk)
  const row = { ...unknownRow(key, 0), ...(spilled && { spilled }) }
  const gaps = await loadGaps(row, disk, GAP_BYTES_MAX)
  return gaps === undefined ? rebuildRow(key, undefined, NO_GAPS, stored) : rebuildRow(key, row, gaps, stored)
}

function isSame(one: LedgerRow, other: LedgerRow): boolean {
  return Buffer.compare(encodeSnapshot([one]), encodeSnapshot([other])) === 0
}

function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`
}
