/** A run of numbers, `end` exclusive. */
export interface Run {
  readonly start: number
  readonly end: number
}

/** What `runs` leaves out of the numbers from 0 up to, not including, `end`. All runs ascend and do not overlap. */
export function* holes(runs: Iterable<Run>, end: number): Generator<Run> {
  let position = 0
  for (const run of runs) {
    if (run.start >= end) break
    if (run.start > position) yield { start: position, end: run.start }
    position = Math.max(position, run.end)
  }
  if (position < end) yield { start: position, end }
}

/** What is in both. All runs ascend and do not overlap. */
export function* common(some: Iterable<Run>, others: Iterable<Run>): Generator<Run> {
  const iterator = others[Symbol.iterator]()
  let other = iterator.next()
  for (const run of some) {
    while (other.done !== true && other.value.end <= run.start) other = iterator.next()
    while (other.done !== true && other.value.start < run.end) {
      yield { start: Math.max(run.start, other.value.start), end: Math.min(run.end, other.value.end) }
      if (other.value.end > run.end) break
      other = iterator.next()
    }
    if (other.done === true) return
  }
}

/** How many numbers are in them. */
export function runLength(runs: Iterable<Run>): number {
  let length = 0
  for (const { start, end } of runs) length += end - start
  return length
}
