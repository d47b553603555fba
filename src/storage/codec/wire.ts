import { StorageError } from '../errors.ts'

/**
 * The protobuf wire format, as far as ReductStore's files use it. Numbers are exact: a value that a number cannot
 * hold is a bigint where the format allows it (times, ids, checksums) and damage where it does not (sizes).
 */
export const wireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

/** Microseconds since the epoch: a number where exact, a bigint beyond 2^53. */
export type ExactUs = number | bigint

/** Tag of a field, as it stands in the file before varint encoding. */
export function fieldTag(field: number, type: number): number {
  return field * 8 + type
}

export function varintBytes(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  if (value < 0x1000_0000) return 4
  let bytes = 5
  for (let rest = Math.floor(value / 0x8_0000_0000); rest > 0; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

/** @param value a safe integer, not negative. @returns the position after it */
export function writeVarint(target: Uint8Array, atBytes: number, value: number): number {
  let at = atBytes
  let rest = value
  while (rest > 0x7fff_ffff) {
    target[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

/** @param value 0 to 2^64 - 1. @returns the position after it */
export function writeVarint64(target: Uint8Array, atBytes: number, value: bigint): number {
  let at = atBytes
  let rest = value
  while (rest > BigInt(Number.MAX_SAFE_INTEGER)) {
    target[at++] = Number(rest & 0x7fn) | 0x80
    rest >>= 7n
  }
  return writeVarint(target, at, Number(rest))
}

/** Tag, length and google.protobuf.Timestamp; zero is a present, empty message. @returns the position after it */
export function writeTimestampField(target: Uint8Array, atBytes: number, field: number, us: ExactUs): number {
  const seconds = typeof us === 'number' ? Math.floor(us / 1_000_000) : Number(us / 1_000_000n)
  const micros = typeof us === 'number' ? us - seconds * 1_000_000 : Number(us % 1_000_000n)
  let at = atBytes
  target[at++] = fieldTag(field, wireType.bytes)
  const lengthAtBytes = at++
  if (seconds !== 0) {
    target[at++] = 0x08
    at = writeVarint(target, at, seconds)
  }
  if (micros !== 0) {
    target[at++] = 0x10
    at = writeVarint(target, at, micros * 1000)
  }
  target[lengthAtBytes] = at - lengthAtBytes - 1
  return at
}

/** Largest size of `writeTimestampField` for fields below 16. */
export const timestampFieldBytesMax = 2 + 1 + 10 + 1 + 5

/** Reads one message; every failure is `ERR_CORRUPT`. Sub-messages: `enter`, read up to `end`, `leave`. */
export class WireReader {
  readonly bytes: Uint8Array
  at: number
  end: number

  constructor(bytes: Uint8Array, fromBytes = 0, toBytes = bytes.byteLength) {
    this.bytes = bytes
    this.at = fromBytes
    this.end = toBytes
  }

  get done(): boolean {
    return this.at >= this.end
  }

  /** A varint that must fit 2^53: sizes, counts, tags, lengths. */
  uint(): number {
    const short = this.#shortUint()
    if (short !== undefined) return short
    let value = 0
    let scale = 1
    for (let count = 0; count < 10; count++) {
      if (this.at >= this.end) throw corrupt('ends inside a number', this.at)
      const byte = this.bytes[this.at++] as number
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw corrupt('number out of range', this.at)
        return value
      }
      scale *= 128
    }
    throw corrupt('number too long', this.at)
  }

  /** A varint of 64 bits, exact. */
  uint64(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.at >= this.end) throw corrupt('ends inside a number', this.at)
      const byte = this.bytes[this.at++] as number
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        if (value > 0xffff_ffff_ffff_ffffn) throw corrupt('number out of range', this.at)
        return value
      }
    }
    throw corrupt('number too long', this.at)
  }

  fixed32(): number {
    if (this.end - this.at < 4) throw corrupt('ends inside a number', this.at)
    const { bytes, at } = this
    this.at += 4
    return (
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24)) >>>
      0
    )
  }

  /** The end of the length-delimited value that starts at the new `at`. */
  valueEnd(): number {
    const length = this.uint()
    if (length > this.end - this.at) throw corrupt('value longer than its message', this.at)
    return this.at + length
  }

  skip(tag: number): void {
    switch (tag % 8) {
      case wireType.varint:
        this.uint64()
        return
      case wireType.fixed64:
        this.#advance(8)
        return
      case wireType.bytes:
        this.at = this.valueEnd()
        return
      case wireType.fixed32:
        this.#advance(4)
        return
      default:
        throw corrupt('unknown wire type', this.at)
    }
  }

  /** A field's tag; field number 0 is damage. */
  tag(): number {
    const tag = this.uint()
    if (tag < 8 || tag > 0xffff_ffff) throw corrupt('bad field number', this.at)
    return tag
  }

  /** A google.protobuf.Timestamp with its length in front. */
  timestamp(): ExactUs {
    const outerEnd = this.end
    this.end = this.valueEnd()
    let seconds: ExactUs = 0
    let micros = 0
    while (!this.done) {
      const tag = this.tag()
      if (tag === 0x08) seconds = this.#exact()
      else if (tag === 0x10) micros = Math.trunc(int32(this.#exact()) / 1000)
      else this.skip(tag)
    }
    this.end = outerEnd
    if (typeof seconds === 'number' && seconds < 9_007_199_254 && micros >= 0)
      return seconds * 1_000_000 + micros
    const exact = BigInt.asUintN(64, BigInt(seconds) * 1_000_000n + BigInt(micros))
    return exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : exact
  }

  /** Strict UTF-8, as ReductStore decodes it, with its length in front. */
  string(): string {
    const toBytes = this.valueEnd()
    const fromBytes = this.at
    this.at = toBytes
    return decodeUtf8(this.bytes, fromBytes, toBytes)
  }

  /** A varint of five bytes at most, as nearly all are; `undefined`, and nothing read, for any other. */
  #shortUint(): number | undefined {
    const { bytes, at, end } = this
    let value = 0
    for (let next = at, shift = 0; next < end; next++, shift += 7) {
      const byte = bytes[next] as number
      if (shift === 28) {
        if (byte >= 0x80) return undefined
        this.at = next + 1
        return value + byte * 0x1000_0000
      }
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.at = next + 1
        return value
      }
    }
    return undefined
  }

  #exact(): ExactUs {
    const short = this.#shortUint()
    if (short !== undefined) return short
    // Seven bytes of seven bits always fit a number.
    for (let at = this.at; at < this.at + 7 && at < this.end; at++) {
      if ((this.bytes[at] as number) < 0x80) return this.uint()
    }
    return this.uint64()
  }

  #advance(bytes: number): void {
    if (bytes > this.end - this.at) throw corrupt('ends inside a value', this.at)
    this.at += bytes
  }
}

/** What a reader of an int32 field makes of a varint: its low 32 bits, signed. */
function int32(value: ExactUs): number {
  return typeof value === 'number' && value < 0x8000_0000 ? value : Number(BigInt.asIntN(32, BigInt(value)))
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeUtf8(bytes: Uint8Array, fromBytes: number, toBytes: number): string {
  for (let at = fromBytes; at < toBytes; at++) {
    if ((bytes[at] as number) >= 0x80) return decodeNonAscii(bytes.slice(fromBytes, toBytes), fromBytes)
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + fromBytes, toBytes - fromBytes).toString('latin1')
}

/** @param copy not shared memory, which a decoder does not take */
function decodeNonAscii(copy: Uint8Array, atBytes: number): string {
  try {
    return strictUtf8.decode(copy)
  } catch {
    throw corrupt('text is not UTF-8', atBytes)
  }
}

function corrupt(what: string, atBytes: number): StorageError {
  return new StorageError('ERR_CORRUPT', what, { atBytes })
}
