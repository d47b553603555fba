import type { BlockLimits, Entry } from '../entry.ts'

/** Late records may take a block this far over its limits before it is split. */
const SPLIT_FACTOR = 1.25

/** Totals of a block. */
export interface BlockTotals {
  readonly recordCount: number
  readonly sizeBytes: number
}

/** Whether late records have taken a block so far over its limits that it is to be split. */
export function isOverfull({ recordCount, sizeBytes }: BlockTotals, limits: BlockLimits): boolean {
  const isOver =
    recordCount > limits.blockRecordsMax * SPLIT_FACTOR || sizeBytes > limits.blockBytesMax * SPLIT_FACTOR
  return isOver && recordCount > 1
}

/** `isOverfull` of a block as the index of its entry has it: as it was folded last. */
export function isListedOverfull({ index, blockLimits }: Entry, id: number): boolean {
  const listed = index.get(BigInt(id))
  if (listed === undefined) return false
  return isOverfull({ recordCount: listed.recordCount, sizeBytes: Number(listed.sizeBytes) }, blockLimits)
}

/** Whether so little is left of a block that its holes, from `holesBytesMin` on, are worth giving back. */
export function isHollow(sizeBytes: number, contentBytes: number, holesBytesMin: number): boolean {
  return sizeBytes - contentBytes >= Math.max(holesBytesMin, sizeBytes / 2)
}

/**
 * Cuts records in the order of time into parts that keep to the limits; a record larger than a block has its own.
 * @param lengthsBytes of the contents
 * @returns the index of each part's first record; one part when nothing needs to be cut
 */
export function cutIntoParts(lengthsBytes: ArrayLike<number>, limits: BlockLimits): number[] {
  const firsts = [0]
  let bytes = 0
  let records = 0
  for (let index = 0; index < lengthsBytes.length; index++) {
    const length = lengthsBytes[index] as number
    const isFull = bytes + length > limits.blockBytesMax || records >= limits.blockRecordsMax
    if (isFull && records > 0) {
      firsts.push(index)
      bytes = 0
      records = 0
    }
    bytes += length
    records += 1
  }
  return firsts
}
