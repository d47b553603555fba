import type { Gap } from '../../ledger/gap.ts'

/** Finds the gaps of ascending offsets in one pass. */
export class GapCursor {
  readonly #pieces: AsyncIterator<readonly Gap[]>
  #piece: readonly Gap[] = []
  #at = 0

  /** @param pieces - ascending, not overlapping */
  constructor(pieces: AsyncIterable<readonly Gap[]>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** @param offset - not below the one asked for before */
  async find(offset: number): Promise<Gap | undefined> {
    for (;;) {
      for (; this.#at < this.#piece.length; this.#at++) {
        const gap = this.#piece[this.#at]!
        if (offset < gap.nextOffset) return gap.fromOffset <= offset ? gap : undefined
      }
      const next = await this.#pieces.next()
      if (next.done === true) return undefined
      this.#piece = next.value
      this.#at = 0
    }
  }

  async close(): Promise<void> {
    await this.#pieces.return?.()
  }
}
