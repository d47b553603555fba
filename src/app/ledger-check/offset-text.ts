import type { Run } from '../../base/runs.ts'
import type { OffsetPlace } from './stored-offsets.ts'

/** Ranges that are named; the first ones. */
const RANGES_MAX = 8

/** `[from, next)` of the first runs. */
export function firstRanges(runs: Iterable<Run>): [fromOffset: number, nextOffset: number][] {
  const ranges: [number, number][] = []
  for (const { start, end } of runs) {
    ranges.push([start, end])
    if (ranges.length === RANGES_MAX) break
  }
  return ranges
}

/** `offset 17 is`, `5 offsets (17, 400–403) are`. */
export function offsetsAre(count: number, ranges: readonly (readonly [number, number])[]): string {
  if (count === 1 && ranges[0] !== undefined) return `offset ${ranges[0][0]} is`
  const named = ranges.map(([from, next]) => (next - from === 1 ? String(from) : `${from}–${next - 1}`))
  const isWhole = ranges.reduce((sum, [from, next]) => sum + next - from, 0) === count
  return `${count} offsets (${named.join(', ')}${isWhole ? '' : ', …'}) are`
}

/** `17 at kafka/orders/0 1735689600000000`: as `sediment cat` takes it. */
export function placeText({ offset, bucket, entry, timestampUs }: OffsetPlace): string {
  return `${offset} at ${bucket}/${entry} ${timestampUs}`
}
