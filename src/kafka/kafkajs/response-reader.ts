/**
 * Goes through a response of Kafka, integers big-endian; of flexible versions see `identity-protocol.ts`. Every read beyond the
 * end is a RangeError.
 */
export class ResponseReader {
  readonly #raw: Buffer
  #at = 0

  constructor(raw: Buffer) {
    this.#raw = raw
  }

  skip(bytes: number): void {
    this.#advance(bytes)
  }

  bytes(length: number): Buffer {
    const at = this.#advance(length)
    return this.#raw.subarray(at, at + length)
  }

  int16(): number {
    return this.#raw.readInt16BE(this.#advance(2))
  }

  int32(): number {
    return this.#raw.readInt32BE(this.#advance(4))
  }

  bigint64(): bigint {
    return this.#raw.readBigInt64BE(this.#advance(8))
  }

  int64(): number {
    const value = Number(this.bigint64())
    if (!Number.isSafeInteger(value)) throw new RangeError(`offset ${value} is beyond 2^53`)
    return value
  }

  text(): string {
    const length = this.int16()
    if (length < 0) throw new RangeError('a response holds a topic without a name')
    return this.bytes(length).toString('utf8')
  }

  unsignedVarint(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 35; scale *= 0x80) {
      const byte = this.#raw.readUInt8(this.#advance(1))
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    throw new RangeError('a length in a response is too large')
  }

  /** Of a compact array; null counts as empty. */
  count(): number {
    return Math.max(0, this.unsignedVarint() - 1)
  }

  compactText(): string | undefined {
    const length = this.unsignedVarint()
    return length === 0 ? undefined : this.bytes(length - 1).toString('utf8')
  }

  skipTags(): void {
    for (let left = this.unsignedVarint(); left > 0; left--) {
      this.unsignedVarint()
      this.skip(this.unsignedVarint())
    }
  }

  /** @returns where the bytes that are passed begin */
  #advance(bytes: number): number {
    const at = this.#at
    if (at + bytes > this.#raw.length) throw new RangeError('a response ends too early')
    this.#at += bytes
    return at
  }
}
