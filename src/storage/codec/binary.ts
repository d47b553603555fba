import { StorageError } from '../errors.ts'

/**
 * The primitives of our own files (frames, checkpoint): little-endian integers, u64 as numbers below 2^53 unless
 * named `big`, strings as u16 length and UTF-8, byte runs as u32 length and bytes.
 */
export class BinaryWriter {
  #bytes: Uint8Array
  #view: DataView
  atBytes = 0

  constructor(capacityBytes = 256) {
    this.#bytes = new Uint8Array(capacityBytes)
    this.#view = new DataView(this.#bytes.buffer)
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#view.setUint8(this.atBytes, value)
    this.atBytes += 1
  }

  u16(value: number): void {
    this.#reserve(2)
    this.#view.setUint16(this.atBytes, value, true)
    this.atBytes += 2
  }

  u32(value: number): void {
    this.#reserve(4)
    this.#view.setUint32(this.atBytes, value, true)
    this.atBytes += 4
  }

  u64(value: number): void {
    this.#reserve(8)
    putU64(this.#view, this.atBytes, value)
    this.atBytes += 8
  }

  u64big(value: bigint): void {
    this.#reserve(8)
    this.#view.setBigUint64(this.atBytes, value, true)
    this.atBytes += 8
  }

  text(value: string): void {
    const bytes = Buffer.from(value)
    this.u16(bytes.byteLength)
    this.#put(bytes)
  }

  run(bytes: Uint8Array): void {
    this.u32(bytes.byteLength)
    this.#put(bytes)
  }

  /** What was written so far; a view, valid until the next call. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.atBytes)
  }

  #put(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength)
    this.#bytes.set(bytes, this.atBytes)
    this.atBytes += bytes.byteLength
  }

  #reserve(moreBytes: number): void {
    if (this.atBytes + moreBytes <= this.#bytes.byteLength) return
    const grown = new Uint8Array(Math.max(this.#bytes.byteLength * 2, this.atBytes + moreBytes))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** Reads what `BinaryWriter` wrote. @throws {StorageError} `ERR_CORRUPT` past the end; never allocates by a length. */
export class BinaryReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #what: string
  atBytes: number

  constructor(bytes: Uint8Array, what: string, atBytes = 0) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
    this.atBytes = atBytes
  }

  get remainingBytes(): number {
    return this.#bytes.byteLength - this.atBytes
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  u64(): number {
    return getU64(this.#view, this.#take(8))
  }

  u64big(): bigint {
    return this.#view.getBigUint64(this.#take(8), true)
  }

  text(): string {
    const length = this.u16()
    const at = this.#take(length)
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + at, length).toString()
  }

  /** A view of the input. */
  run(): Uint8Array {
    return this.view(this.u32())
  }

  view(lengthBytes: number): Uint8Array {
    const at = this.#take(lengthBytes)
    return this.#bytes.subarray(at, at + lengthBytes)
  }

  #take(lengthBytes: number): number {
    const at = this.atBytes
    if (lengthBytes > this.#bytes.byteLength - at) {
      throw new StorageError('ERR_CORRUPT', `${this.#what} ends early`, { atBytes: at })
    }
    this.atBytes += lengthBytes
    return at
  }
}

/** u64 little-endian from a safe integer. */
export function putU64(view: DataView, atBytes: number, value: number): void {
  view.setUint32(atBytes, value % 0x1_0000_0000, true)
  view.setUint32(atBytes + 4, Math.floor(value / 0x1_0000_0000), true)
}

/** Exact below 2^53. */
export function getU64(view: DataView, atBytes: number): number {
  return view.getUint32(atBytes, true) + view.getUint32(atBytes + 4, true) * 0x1_0000_0000
}
