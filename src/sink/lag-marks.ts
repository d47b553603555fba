const MARKS_MAX = 64

interface Mark {
  readonly highWatermark: number
  readonly seenMs: number
}

/**
 * How long the oldest record that is not durable has been known to exist: a history of high watermarks, each with
 * the time it was first seen. Bounded; when it is full every second mark goes, so that the age errs to the young
 * side by one step at most.
 */
export class LagMarks {
  #marks: Mark[] = []

  seen(highWatermark: number, nowMs: number): void {
    const last = this.#marks.at(-1)
    if (last !== undefined && highWatermark <= last.highWatermark) return
    if (this.#marks.length === MARKS_MAX) this.#marks = this.#marks.filter((_, index) => index % 2 === 0)
    this.#marks.push({ highWatermark, seenMs: nowMs })
  }

  /** Everything below `nextOffset` is durable. */
  reached(nextOffset: number): void {
    let gone = 0
    // The last mark stays: it says which watermark is old news.
    while (gone < this.#marks.length - 1 && this.#marks[gone]!.highWatermark <= nextOffset) gone += 1
    if (gone > 0) this.#marks.splice(0, gone)
  }

  /** 0 when everything known is durable. */
  ageMs(nextOffset: number, nowMs: number): number {
    const oldest = this.#marks.find((mark) => mark.highWatermark > nextOffset)
    return oldest === undefined ? 0 : Math.max(0, nowMs - oldest.seenMs)
  }
}
