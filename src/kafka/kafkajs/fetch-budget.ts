/** So that the next answer arrives while the handler looks at the last one. */
const ANSWERS = 2
/** What is learned of how records grow fades by this share with every answer. */
const GROWTH_FADING = 0.1
const ASKED_BYTES_MIN = 64 * 1024

/**
 * The memory of one source, asked before it is spent: for answers that are on their way, and for batches that the handler
 * has not accepted. It says how much to ask a broker for, and how much of an answer may be decompressed.
 *
 * It may be exceeded by what a broker sends beyond what it was asked for, and by decompression: one record batch each.
 */
export class FetchBudget {
  readonly #bytesMax: number
  #heldBytes = 0
  #askedBytes = 0
  /** Bytes of memory that one byte of an answer has become, lately at the most. */
  #growth = 1

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Of batches that are not accepted. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes
  }

  letGo(bytes: number): void {
    this.#heldBytes -= bytes
  }

  /** Nothing is held any more. Answers may still be on their way. */
  clear(): void {
    this.#heldBytes = 0
  }

  /**
   * Memory for one answer, until `close` of it; `undefined` while there is none. Answers are asked for in few sizes: their
   * memory is used again for others of about the same size.
   */
  open(): Answer | undefined {
    const bytes = Math.ceil(this.#bytesMax / ANSWERS)
    const usedBytes = this.#heldBytes + this.#askedBytes
    if (usedBytes > 0 && usedBytes + bytes > this.#bytesMax) return undefined
    this.#askedBytes += bytes
    const close = (): void => void (this.#askedBytes -= bytes)
    const askedBytes = Math.floor(bytes / 2 ** Math.ceil(Math.log2(this.#growth)))
    return {
      askedBytes: Math.min(bytes, Math.max(ASKED_BYTES_MIN, askedBytes)),
      allowance: new Allowance(bytes),
      close,
    }
  }

  /** What an answer was, and what it would have become as a whole. */
  learn(answerBytes: number, decodedBytes: number): void {
    if (answerBytes <= 0) return
    const faded = this.#growth - (this.#growth - 1) * GROWTH_FADING
    this.#growth = Math.max(1, faded, decodedBytes / answerBytes)
  }
}

export interface Answer {
  /** To ask the broker for. */
  readonly askedBytes: number
  readonly allowance: Allowance
  readonly close: () => void
}

/** How much of one answer may be decoded. What does not fit is dropped, and fetched again when there is room. */
export class Allowance {
  #leftBytes: number
  #isTouched = false
  #wantedBytes = 0

  constructor(bytes: number) {
    this.#leftBytes = bytes
  }

  /** What it was asked for in all, granted or not. */
  get wantedBytes(): number {
    return this.#wantedBytes
  }

  /** How many of these record batches of one partition may be decoded, by what they need: the very first one always. */
  grant(batchBytes: readonly number[]): number {
    for (const bytes of batchBytes) this.#wantedBytes += bytes
    let granted = 0
    for (const bytes of batchBytes) {
      if (this.#isTouched && bytes > this.#leftBytes) {
        this.#leftBytes = 0
        break
      }
      if (bytes > 0) this.#isTouched = true
      this.#leftBytes -= bytes
      granted++
    }
    return granted
  }
}
