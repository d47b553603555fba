/**
 * Why offsets below the next one are not stored.
 *
 * - `before-start`: older than where this store began
 * - `elsewhere`: another store of the group has them
 * - `control`: a transaction marker
 * - `aborted`: records of an aborted transaction
 * - `compacted`: taken out by Kafka before we read them
 * - `deleted`: retention or a person deleted them before we read them: data is lost to us
 * - `filtered`: a rule said not to store them
 * - `quarantined`: kept aside
 * - `unknown`: none of these; must not happen
 */
export type GapClass =
  | 'before-start'
  | 'elsewhere'
  | 'control'
  | 'aborted'
  | 'compacted'
  | 'deleted'
  | 'filtered'
  | 'quarantined'
  | 'unknown'

/** Offsets from `fromOffset` up to, not including, `nextOffset` that are not stored. */
export interface Gap {
  readonly class: GapClass
  readonly fromOffset: number
  readonly nextOffset: number
  /** The store that has them; class `elsewhere` only. */
  readonly storeId?: string
}

/** The oldest benign ranges of a partition, in pages of a file of their own: what a row does not list itself. */
export interface SpilledGaps {
  /** Another file, written anew. */
  readonly edition: number
  readonly pages: number
  readonly ranges: number
  /** The last of the pages, as far as no checkpoint has made them durable yet. */
  readonly unwritten: readonly Uint8Array[]
}

/** Nobody misses these: they were no messages any more when we came. */
export function isBenign(gapClass: GapClass): boolean {
  return (
    gapClass === 'control' || gapClass === 'aborted' || gapClass === 'compacted' || gapClass === 'filtered'
  )
}

/** How many offsets the gaps stand for. */
export function gapOffsets(gaps: readonly Gap[]): number {
  return gaps.reduce((sum, gap) => sum + gap.nextOffset - gap.fromOffset, 0)
}
