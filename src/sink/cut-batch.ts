import type { AbsentOffsets, SourceBatch, SourceRecord } from '../kafka/source.ts'
import type { Gap, GapClass } from '../ledger/gap.ts'
import type { MapHold } from '../mapping/rejection.ts'
import { weighRecord, type RecordWrite } from '../storage/index.ts'
import { SinkError } from './sink-error.ts'

/** A part of a batch that is submitted as one. Its writes and gaps are every offset of its range. */
export interface Piece {
  readonly fromOffset: number
  readonly nextOffset: number
  readonly writes: readonly RecordWrite[]
  readonly gaps: readonly Gap[]
  readonly bytes: number
  /** That of the batch. */
  readonly leaderEpoch?: number | undefined
}

export interface CutBatch {
  readonly pieces: readonly Piece[]
  /** Records below `acceptedOffset`, dropped. */
  readonly duplicates: number
  /** Why the pieces end before the batch does. */
  readonly hold: MapHold | undefined
}

/** What becomes of one record: a record to store, a gap, or nothing while its partition is held. */
export type RecordFate = RecordWrite | 'filtered' | MapHold

/**
 * Maps a batch from `acceptedOffset` on and cuts it into pieces of about `pieceBytesMax`. Offsets that were not
 * delivered become gaps, never silence, and so do those that a rule filters. A record that is held ends the last piece.
 *
 * @throws {SinkError} `ERR_INTEGRITY` when the batch begins after `acceptedOffset`, or its records are out of order
 */
export function cutBatch(
  batch: SourceBatch,
  acceptedOffset: number,
  fateOf: (record: SourceRecord) => RecordFate,
  pieceBytesMax: number,
): CutBatch {
  if (batch.fromOffset > acceptedOffset) {
    throw broken(batch, `begins at ${batch.fromOffset}, but ${acceptedOffset} is next`)
  }
  const holes = new Holes(batch.absent ?? [])
  const pieces: Piece[] = []
  let duplicates = 0
  let position = acceptedOffset
  let fromOffset = acceptedOffset
  let writes: RecordWrite[] = []
  let gaps: Gap[] = []
  let bytes = 0
  let hold: MapHold | undefined
  const finishPiece = (): void => {
    pieces.push({ fromOffset, nextOffset: position, writes, gaps, bytes })
    fromOffset = position
    writes = []
    gaps = []
    bytes = 0
  }

  for (const record of batch.records) {
    const { offset } = record
    if (offset < acceptedOffset) {
      duplicates += 1
      continue
    }
    if (offset < position || offset >= batch.nextOffset) {
      throw broken(batch, `has offset ${offset} where ${position} or more was due, up to ${batch.nextOffset}`)
    }
    if (offset > position) gaps.push(...holes.upTo(position, offset))
    position = offset
    const fate = fateOf(record)
    if (typeof fate !== 'string' && 'held' in fate) {
      hold = fate
      break
    }
    position = offset + 1
    if (fate === 'filtered') {
      pushFiltered(gaps, offset)
      continue
    }
    writes.push(fate)
    bytes += weighRecord(fate)
    if (bytes >= pieceBytesMax) finishPiece()
  }
  if (hold === undefined && position < batch.nextOffset) {
    gaps.push(...holes.upTo(position, batch.nextOffset))
    position = batch.nextOffset
  }
  if (position > fromOffset) finishPiece()
  return { pieces, duplicates, hold }
}

function pushFiltered(gaps: Gap[], offset: number): void {
  const last = gaps.at(-1)
  const isNext = last?.class === 'filtered' && last.nextOffset === offset
  const fromOffset = isNext ? last.fromOffset : offset
  if (isNext) gaps.pop()
  gaps.push({ class: 'filtered', fromOffset, nextOffset: offset + 1 })
}

const classes = {
  control: 'control',
  aborted: 'aborted',
  compacted: 'compacted',
  missing: 'unknown',
} as const satisfies Record<AbsentOffsets['why'], GapClass>

/** Gaps for what the source says is absent, from first to last; what it does not speak of is `unknown`. */
class Holes {
  readonly #absent: readonly AbsentOffsets[]
  #next = 0

  constructor(absent: readonly AbsentOffsets[]) {
    this.#absent = absent
  }

  upTo(fromOffset: number, nextOffset: number): Gap[] {
    const gaps: Gap[] = []
    for (let position = fromOffset; position < nextOffset;) {
      while ((this.#absent[this.#next]?.nextOffset ?? Infinity) <= position) this.#next += 1
      const range = this.#absent[this.#next]
      const isSaid = range !== undefined && range.fromOffset <= position
      const end = Math.min(nextOffset, (isSaid ? range.nextOffset : range?.fromOffset) ?? nextOffset)
      gaps.push({ class: isSaid ? classes[range.why] : 'unknown', fromOffset: position, nextOffset: end })
      position = end
    }
    return gaps
  }
}

function broken(batch: SourceBatch, why: string): SinkError {
  return new SinkError('ERR_INTEGRITY', `a batch of ${batch.topic}/${batch.partition} ${why}`)
}
