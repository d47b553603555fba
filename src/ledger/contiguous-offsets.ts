import { IntervalSet } from '../base/interval-set.ts'

/** Ranges that complete in any order; knows up to where everything is complete. */
export class ContiguousOffsets {
  readonly #ahead = new IntervalSet()
  #next: number

  constructor(next: number) {
    this.#next = next
  }

  /** Everything below is complete. */
  get next(): number {
    return this.#next
  }

  /** Marks offsets from `fromOffset` up to, not including, `nextOffset`; returns the new `next`. */
  complete(fromOffset: number, nextOffset: number): number {
    if (fromOffset > this.#next) {
      this.#ahead.addRange(fromOffset, nextOffset)
      return this.#next
    }
    this.#next = this.#ahead.firstFree(Math.max(this.#next, nextOffset))
    this.#ahead.removeBelow(this.#next)
    return this.#next
  }
}
