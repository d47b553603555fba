/** Smaller answers get memory of their own. */
const POOLED_BYTES_MIN = 64 * 1024
/** Memory is used again for an answer of at least two thirds of its size. */
const SLACK_FACTOR = 1.5
const FREE_BYTES_MAX = 32 * 1024 * 1024

/**
 * Memory for large answers, used again and again: were it left to the garbage collector, a few answers would make it
 * mark the whole heap, and every page of a new one has to be cleared first.
 *
 * Whoever gives memory back vouches that nothing reads it any more. What is never given back is collected as usual.
 */
export class ResponseMemory {
  /** The one given back last at the end. */
  readonly #free: ArrayBufferLike[] = []
  #freeBytes = 0

  /** `lengthBytes` of undefined content. */
  take(lengthBytes: number): Buffer {
    if (lengthBytes < POOLED_BYTES_MIN) return Buffer.allocUnsafeSlow(lengthBytes)
    const found = this.#free.findLastIndex(
      ({ byteLength }) => byteLength >= lengthBytes && byteLength <= lengthBytes * SLACK_FACTOR,
    )
    const memory =
      found < 0 ? Buffer.allocUnsafeSlow(roundedUp(lengthBytes)).buffer : this.#free.splice(found, 1)[0]!
    if (found >= 0) this.#freeBytes -= memory.byteLength
    return Buffer.from(memory, 0, lengthBytes)
  }

  /** At most once for each time it was taken. */
  giveBack(memory: ArrayBufferLike): void {
    if (memory.byteLength < POOLED_BYTES_MIN) return
    this.#free.push(memory)
    this.#freeBytes += memory.byteLength
    while (this.#freeBytes > FREE_BYTES_MAX) this.#freeBytes -= this.#free.shift()!.byteLength
  }
}

/** Shared by all connections. */
export const responseMemory = new ResponseMemory()

/** Counts those who use one answer; the last one to let go gives its memory back. */
export class ResponseLease {
  #holders = 0
  readonly #giveBack: () => void

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack
  }

  /** One more holder. @returns how it lets go; calling it again does nothing */
  hold(): () => void {
    this.#holders += 1
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#holders -= 1
      if (this.#holders === 0) this.#giveBack()
    }
  }
}

/** To an eighth of the power of two below, so that answers of about the same size fit one another's memory. */
function roundedUp(lengthBytes: number): number {
  const step = 2 ** Math.floor(Math.log2(lengthBytes)) / 8
  return Math.ceil(lengthBytes / step) * step
}
