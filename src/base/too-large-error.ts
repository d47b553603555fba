/** Decompressing would yield more than is allowed. */
export class TooLargeError extends Error {
  override readonly name = 'TooLargeError'
  /** At least what has to be allowed for it. */
  readonly neededBytes: number

  constructor(neededBytes: number, bytesMax: number) {
    super(`it becomes ${neededBytes} bytes or more, and ${bytesMax} are the limit`)
    this.neededBytes = neededBytes
  }
}
