import type { SourceBatch, SourceRecord } from '../kafka/source.ts'
import type { Gap } from '../ledger/gap.ts'
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
    if (offset > position) gaps.push(hole(position, offset))
    const write = toWrite(record)
    writes.push(write)
    bytes += weighRecord(write)
    position = offset + 1
    if (bytes >= pieceBytesMax) finishPiece()
  }
  if (position < batch.nextOffset) {
    gaps.push(hole(position, batch.nextOffset))
    position = batch.nextOffset
  }
  if (position > fromOffset) finishPiece()
  return { pieces, duplicates }
}

/**
 * Kafka does not say why an offset is missing. One alone is what a transaction marker leaves; more are what
 * compaction (or an aborted transaction) leaves.
 */
function hole(fromOffset: number, nextOffset: number): Gap {
  return { class: nextOffset - fromOffset === 1 ? 'control' : 'compacted', fromOffset, nextOffset }
}

function broken(batch: SourceBatch, why: string): SinkError {
  return new SinkError('ERR_INTEGRITY', `a batch of ${batch.topic}/${batch.partition} ${why}`)
}
