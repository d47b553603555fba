/** The bytes are no such message. */
export class Undecodable extends Error {}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Walks over the fields of one message with the strictness of ReductStore's decoder. */
export class Fields {
  readonly bytes: Uint8Array
  #at: number
  readonly #end: number
  #type = 0

  constructor(bytes: Uint8Array, fromBytes = 0, toBytes = bytes.length) {
    this.bytes = bytes
    this.#at = fromBytes
    this.#end = toBytes
  }

  /** The next field's number, 0 at the end. Its value must be taken by exactly one of the methods below. */
  next(): number {
    if (this.#at >= this.#end) return 0
    const key = this.#varint()
    if (key < 8n || key > 0xffffffffn) throw new Undecodable('field number')
    this.#type = Number(key & 7n)
    return Number(key >> 3n)
  }

  integer(): bigint {
    this.#expect(0)
    return this.#varint()
  }

  number(): number {
    return Number(this.integer())
  }

  fixed32(): number {
    this.#expect(5)
    const at = this.#at
    this.#advance(4)
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + at, 4).readUInt32LE()
  }

  /** Range of a sub-message. */
  message(): [from: number, to: number] {
    this.#expect(2)
    const length = Number(this.#varint())
    const from = this.#at
    this.#advance(length)
    return [from, from + length]
  }

  text(): string {
    const [from, to] = this.message()
    try {
      return utf8.decode(this.bytes.slice(from, to))
    } catch {
      throw new Undecodable('text')
    }
  }

  skip(): void {
    if (this.#type === 0) this.#varint()
    else if (this.#type === 1) this.#advance(8)
    else if (this.#type === 2) this.message()
    else if (this.#type === 5) this.#advance(4)
    else throw new Undecodable('wire type')
  }

  #expect(type: number): void {
    if (this.#type !== type) throw new Undecodable('wire type')
  }

  #advance(length: number): void {
    if (length > this.#end - this.#at) throw new Undecodable('ends early')
    this.#at += length
  }

  #varint(): bigint {
    // The first four bytes fit 28 bits of a plain integer, which is nearly always enough.
    let small = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte()
      small |= (byte & 0x7f) << shift
      if (byte < 0x80) return BigInt(small)
    }
    let value = BigInt(small)
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        if (value >> 64n !== 0n) throw new Undecodable('number')
        return value
      }
    }
    throw new Undecodable('number')
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new Undecodable('ends early')
    return this.bytes[this.#at++] as number
  }
}
