import type { AbsentOffsets, SourceBatch, SourceRecord } from '../kafka/source.ts'
import type { Gap, GapClass } from '../ledger/gap.ts'
import { weighRecord, type RecordWrite } from '../storage/index.ts'
import { SinkError } from './sink-error.ts'

/** A part of a batch that is submitted as one. Its writes and gaps are every offset of its range. */
export interface Piece {
  readonly fromOffset: number
  readonly nextOffset: number
  readonly writes: readonly RecordWrite[]
  readonly gaps: readonly Gap[]
  readonly bytes: number
}

export interface CutBatch {
  readonly pieces: readonly Piece[]
  /** Records below `acceptedOffset`, dropped. */
  readonly duplicates: number
}

/**
 * Maps a batch from `acceptedOffset` on and cuts it into pieces of about `pieceBytesMax`. Offsets that were not
 * delivered become gaps, never silence.
 *
 * @throws {SinkError} `ERR_INTEGRITY` when the batch begins after `acceptedOffset`, or its records are out of order
 */
export function cutBatch(
  batch: SourceBatch,
  acceptedOffset: number,
  toWrite: (record: SourceRecord) => RecordWrite,
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
    const write = toWrite(record)
    writes.push(write)
    bytes += weighRecord(write)
    position = offset + 1
    if (bytes >= pieceBytesMax) finishPiece()
  }
  if (position < batch.nextOffset) {
    gaps.push(...holes.upTo(position, batch.nextOffset))
    position = batch.nextOffset
  }
  if (position > fromOffset) finishPiece()
  return { pieces, duplicates }
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
