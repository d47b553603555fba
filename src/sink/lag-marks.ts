const MARKS_MAX = 64

interface Mark {
  readonly highWatermark: number
  readonly seenMs: number
}

/**
 * How long the oldest record that is not durable has been known to exist: a history of high watermarks, each with
 * the time it was first seen. Bounded: when it is full, the mark goes whose loss changes ages by the least share, so
 * that the marks lie close where they are young. An age errs to the young side, by less than a fifth.
 */
export class LagMarks {
  #marks: Mark[] = []

  seen(highWatermark: number, nowMs: number): void {
    const last = this.#marks.at(-1)
    if (last !== undefined && highWatermark <= last.highWatermark) return
    if (this.#marks.length === MARKS_MAX) this.#marks.splice(this.#leastMissed(nowMs), 1)
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

  /** Without a mark, what it stood for counts as seen with the next one. The first and the last stay. */
  #leastMissed(nowMs: number): number {
    const seenMs = (index: number): number => this.#marks[index]!.seenMs
    let least = 1
    let leastShare = Infinity
    for (let index = 1; index < this.#marks.length - 1; index++) {
      const beforeMs = seenMs(index - 1)
      const share = (seenMs(index + 1) - beforeMs) / Math.max(1, nowMs - beforeMs)
      if (share >= leastShare) continue
      least = index
      leastShare = share
    }
    return least
  }
}
