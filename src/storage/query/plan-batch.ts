import { firstRecordFrom } from '../codec/descriptor-codec.ts'
import { BlockRecord, type ReadBlock } from './block-record.ts'

/** Where one of several blocks is being read. */
interface Cursor {
  readonly from: ReadBlock
  /** Of the next record. */
  index: number
  readonly endIndex: number
}

export interface BatchLimits {
  readonly records: number
  readonly contentBytes: number
}

/** The records of one block in a batch, in the order of time. */
export interface BatchPart {
  readonly from: ReadBlock
  readonly records: BlockRecord[]
}

export interface PlannedBatch {
  /** In the order of time. */
  readonly records: readonly BlockRecord[]
  readonly parts: readonly BatchPart[]
}

/** Cuts the records of overlapping blocks into batches: ascending by time, of equal times the first block's. */
export class BatchPlanner {
  readonly #cursors: readonly Cursor[]
  readonly #anyState: boolean
  #previousUs: bigint | undefined

  /** @param blocks by their age */
  constructor(
    blocks: readonly ReadBlock[],
    range: { readonly fromUs: bigint; readonly stopUs: bigint; readonly anyState: boolean },
  ) {
    this.#anyState = range.anyState
    this.#cursors = blocks.map((from) => ({
      from,
      index: firstRecordFrom(from.descriptor, range.fromUs),
      endIndex: firstRecordFrom(from.descriptor, range.stopUs),
    }))
  }

  get isDone(): boolean {
    return this.#cursors.every(({ index, endIndex }) => index >= endIndex)
  }

  /** The next batch: one record at least, and content within the limit where there are several; `undefined` behind the last. */
  next(limits: BatchLimits): PlannedBatch | undefined {
    const records: BlockRecord[] = []
    const parts = this.#cursors.map(({ from }) => ({ from, records: [] as BlockRecord[] }))
    let contentBytes = 0
    while (records.length < limits.records) {
      const which = this.#first()
      if (which === undefined) break
      const cursor = this.#cursors[which] as Cursor
      const record = this.#record(cursor)
      if (record !== undefined) {
        contentBytes += record.contentBytes
        if (records.length > 0 && contentBytes > limits.contentBytes) break
        records.push(record)
        parts[which]?.records.push(record)
      }
      this.#pass(cursor)
    }
    return records.length === 0
      ? undefined
      : { records, parts: parts.filter((part) => part.records.length > 0) }
  }

  /** The cursor with the earliest record, behind repeated times. */
  #first(): number | undefined {
    if (this.#cursors.length === 1) {
      const { index, endIndex } = this.#cursors[0] as Cursor
      return index < endIndex ? 0 : undefined
    }
    let first: number | undefined
    let firstUs = 0n
    for (let which = 0; which < this.#cursors.length; which++) {
      const cursor = this.#cursors[which] as Cursor
      const { timestampsUs } = cursor.from.descriptor
      while (cursor.index < cursor.endIndex && timestampsUs[cursor.index] === this.#previousUs)
        cursor.index += 1
      if (cursor.index >= cursor.endIndex) continue
      const timestampUs = timestampsUs[cursor.index] as bigint
      if (first !== undefined && timestampUs >= firstUs) continue
      first = which
      firstUs = timestampUs
    }
    return first
  }

  #pass(cursor: Cursor): void {
    if (this.#cursors.length > 1) this.#previousUs = cursor.from.descriptor.timestampsUs[cursor.index]
    cursor.index += 1
  }

  #record({ from, index }: Cursor): BlockRecord | undefined {
    const record = new BlockRecord(from, index)
    return this.#anyState || record.state === 'finished' ? record : undefined
  }
}
