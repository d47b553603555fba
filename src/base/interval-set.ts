import type { Run } from './runs.ts'

const CHUNK_RUNS_MIN = 4
const CHUNK_RUNS_MAX = 512

/** Sorted runs side by side in two typed arrays: 16 bytes a run. */
class Chunk {
  starts: Float64Array
  ends: Float64Array
  length = 0

  constructor(capacity: number) {
    this.starts = new Float64Array(capacity)
    this.ends = new Float64Array(capacity)
  }

  /** Index of the last run that starts at or before `value`, -1 when there is none. */
  floor(value: number): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.starts[middle]! <= value) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  insert(index: number, start: number, end: number): void {
    if (this.length === this.starts.length) this.#grow()
    this.starts.copyWithin(index + 1, index, this.length)
    this.ends.copyWithin(index + 1, index, this.length)
    this.starts[index] = start
    this.ends[index] = end
    this.length += 1
  }

  remove(index: number, count: number): void {
    this.starts.copyWithin(index, index + count, this.length)
    this.ends.copyWithin(index, index + count, this.length)
    this.length -= count
  }

  /** Moves the upper half into a new chunk. */
  split(): Chunk {
    const kept = this.length >>> 1
    const upper = new Chunk(CHUNK_RUNS_MAX)
    upper.starts.set(this.starts.subarray(kept, this.length))
    upper.ends.set(this.ends.subarray(kept, this.length))
    upper.length = this.length - kept
    this.length = kept
    return upper
  }

  #grow(): void {
    const starts = new Float64Array(this.starts.length * 2)
    const ends = new Float64Array(this.ends.length * 2)
    starts.set(this.starts)
    ends.set(this.ends)
    this.starts = starts
    this.ends = ends
  }
}

/**
 * A set of safe integers kept as runs. Lookups and additions are O(log runs); memory is 16 bytes a run, however
 * many numbers a run holds.
 *
 * Invariants: runs are sorted, not empty, and neither overlap nor touch; no chunk is empty.
 */
export class IntervalSet {
  #chunks: Chunk[] = []
  #runCount = 0

  get runCount(): number {
    return this.#runCount
  }

  has(value: number): boolean {
    return this.firstFree(value) !== value
  }

  /** The smallest number at or above `from` that is not in the set. */
  firstFree(from: number): number {
    const chunk = this.#chunks[this.#floorChunk(from)]
    if (chunk === undefined) return from
    const index = chunk.floor(from)
    return index < 0 ? from : Math.max(from, chunk.ends[index]!)
  }

  add(value: number): void {
    this.addRange(value, value + 1)
  }

  /** The greatest number in the set. */
  get last(): number | undefined {
    const chunk = this.#chunks.at(-1)
    return chunk === undefined ? undefined : chunk.ends[chunk.length - 1]! - 1
  }

  /** Adds every number from `start` up to, not including, `end`. */
  addRange(start: number, end: number): void {
    if (!(start < end)) return
    let chunkIndex = Math.max(0, this.#floorChunk(start))
    let chunk = this.#chunks[chunkIndex]
    if (chunk === undefined) {
      chunk = new Chunk(CHUNK_RUNS_MIN)
      this.#chunks.push(chunk)
    }
    let index = chunk.floor(start)
    if (index >= 0 && chunk.ends[index]! >= start) {
      if (chunk.ends[index]! >= end) return
      chunk.ends[index] = end
    } else {
      if (chunk.length === CHUNK_RUNS_MAX) {
        const upper = chunk.split()
        this.#chunks.splice(chunkIndex + 1, 0, upper)
        if (index >= chunk.length) {
          index -= chunk.length
          chunk = upper
          chunkIndex += 1
        }
      }
      index += 1
      chunk.insert(index, start, end)
      this.#runCount += 1
    }
    this.#absorb(chunkIndex, index)
  }

  /** Removes one number; nothing happens where it is not in the set. */
  remove(value: number): void {
    const chunkIndex = this.#floorChunk(value)
    const chunk = this.#chunks[chunkIndex]
    const index = chunk?.floor(value) ?? -1
    if (chunk === undefined || index < 0 || chunk.ends[index]! <= value) return
    const start = chunk.starts[index]!
    const end = chunk.ends[index]!
    chunk.remove(index, 1)
    if (chunk.length === 0) this.#chunks.splice(chunkIndex, 1)
    this.#runCount -= 1
    this.addRange(start, value)
    this.addRange(value + 1, end)
  }

  /** Removes every number below `limit`. */
  removeBelow(limit: number): void {
    let emptied = 0
    for (const chunk of this.#chunks) {
      let gone = 0
      while (gone < chunk.length && chunk.ends[gone]! <= limit) {
        gone += 1
      }
      chunk.remove(0, gone)
      this.#runCount -= gone
      if (chunk.length > 0) {
        if (chunk.starts[0]! < limit) {
          chunk.starts[0] = limit
        }
        break
      }
      emptied += 1
    }
    this.#chunks.splice(0, emptied)
  }

  /** Ascending. The set must not change meanwhile. */
  *runs(): Generator<Run> {
    for (const chunk of this.#chunks) {
      for (let i = 0; i < chunk.length; i++) yield { start: chunk.starts[i]!, end: chunk.ends[i]! }
    }
  }

  /** Index of the last chunk whose first run starts at or before `value`, -1 when there is none. */
  #floorChunk(value: number): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#chunks[middle]!.starts[0]! <= value) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Takes the runs that the run at `index` has grown into or up to into it. */
  #absorb(chunkIndex: number, index: number): void {
    const home = this.#chunks[chunkIndex]!
    let chunk = home
    let from = index + 1
    let emptied = 0
    for (;;) {
      let to = from
      while (to < chunk.length && chunk.starts[to]! <= home.ends[index]!) {
        home.ends[index] = Math.max(home.ends[index]!, chunk.ends[to]!)
        to += 1
      }
      const isExhausted = to === chunk.length
      this.#runCount -= to - from
      if (to > from) chunk.remove(from, to - from)
      if (chunk !== home && chunk.length === 0) emptied += 1
      const next = this.#chunks[chunkIndex + emptied + 1]
      if (!isExhausted || next === undefined || (chunk !== home && chunk.length > 0)) break
      chunk = next
      from = 0
    }
    if (emptied > 0) this.#chunks.splice(chunkIndex + 1, emptied)
  }
}
