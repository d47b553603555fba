/** Largest record, in batches, that comes with its content. */
const RECORD_BATCHES_MAX = 8

/** Memory of the batches of one scan. It is used again: new memory for each would make the garbage collector mark the whole heap. */
export class BatchMemory {
  readonly batchBytes: number
  readonly recordBytesMax: number
  readonly #free: Uint8Array[] = []

  constructor(batchBytes: number) {
    this.batchBytes = batchBytes
    this.recordBytesMax = RECORD_BATCHES_MAX * batchBytes
  }

  /** At least so many bytes, of any content. */
  take(bytes: number): Uint8Array {
    const index = this.#free.findIndex(({ byteLength }) => byteLength >= bytes)
    if (index >= 0) return this.#free.splice(index, 1)[0] as Uint8Array
    // One that is too small gives way, so that there are never more than were in use at once.
    // Twice a batch: as much again for what lies between contents.
    this.#free.pop()
    return newMemory(Math.max(bytes, 2 * this.batchBytes))
  }

  giveBack(memory: Uint8Array): void {
    this.#free.push(memory)
  }
}

/** Not cleared, so that what is not used costs nothing. */
function newMemory(bytes: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafeSlow(bytes)
  return new Uint8Array(buffer, byteOffset, bytes)
}
