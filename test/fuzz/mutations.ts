import fc from 'fast-check'

/** Bytes for a decoder, and the valid ones that they were made of; `undefined` for bytes out of nowhere, and with new checksums. */
export interface FuzzInput {
  readonly bytes: Uint8Array
  readonly origin: Uint8Array | undefined
}

type Change = (bytes: Uint8Array, other: Uint8Array) => Uint8Array

const place = fc.nat({ max: 0x7fff_ffff })
/** Many, so that it hits somewhere; modulo the length, so that it hits at all. */
const at = (bytes: Uint8Array, drawn: number): number => drawn % (bytes.byteLength + 1)

const flip = fc.tuple(place, fc.nat({ max: 7 })).map(([drawn, bit]): Change => {
  return (bytes) => {
    const changed = bytes.slice()
    if (changed.byteLength > 0) {
      const index = drawn % changed.byteLength
      changed[index] = (changed[index] as number) ^ (1 << bit)
    }
    return changed
  }
})

const cut = place.map(
  (drawn): Change =>
    (bytes) =>
      bytes.slice(0, at(bytes, drawn)),
)

const splice = fc.tuple(place, place).map(([head, tail]): Change => {
  return (bytes, other) => joined(bytes.subarray(0, at(bytes, head)), other.subarray(at(other, tail)))
})

const repeat = fc.tuple(place, place).map(([one, two]): Change => {
  return (bytes) => {
    const from = Math.min(at(bytes, one), at(bytes, two))
    const to = Math.max(at(bytes, one), at(bytes, two))
    return joined(bytes.subarray(0, to), bytes.subarray(from))
  }
})

const remove = fc.tuple(place, fc.integer({ min: 1, max: 16 })).map(([drawn, count]): Change => {
  return (bytes) => joined(bytes.subarray(0, at(bytes, drawn)), bytes.subarray(at(bytes, drawn) + count))
})

const insert = fc
  .tuple(place, fc.uint8Array({ minLength: 1, maxLength: 12 }))
  .map(([drawn, more]): Change => {
    return (bytes) => joined(bytes.subarray(0, at(bytes, drawn)), more, bytes.subarray(at(bytes, drawn)))
  })

/** Numbers at the borders of what formats count with, in both byte orders and as a varint. */
const numbers = [
  0n,
  1n,
  127n,
  128n,
  0x7fffn,
  0xffffn,
  1n << 24n,
  (1n << 31n) - 1n,
  1n << 31n,
  (1n << 32n) - 1n,
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
]

const overwrite = fc
  .tuple(
    place,
    fc.constantFrom(...numbers),
    fc.constantFrom(1, 2, 4, 8),
    fc.constantFrom('big', 'little', 'varint'),
  )
  .map(([drawn, value, width, order]): Change => {
    const number = order === 'varint' ? varint(value) : fixed(value, width, order === 'little')
    return (bytes) => {
      const from = at(bytes, drawn)
      return joined(bytes.subarray(0, from), number, bytes.subarray(from + number.byteLength))
    }
  })

const change = fc.oneof(
  { arbitrary: flip, weight: 3 },
  { arbitrary: overwrite, weight: 3 },
  cut,
  splice,
  repeat,
  remove,
  insert,
)

/**
 * Mostly valid bytes, changed in a few places; now and then bytes out of nowhere, or valid ones as they are.
 *
 * @param reseal puts the checksums right again, so that what lies behind them is reached
 */
export function fuzzInputs(
  valid: fc.Arbitrary<Uint8Array>,
  reseal: ((bytes: Uint8Array) => Uint8Array) | undefined,
): fc.Arbitrary<FuzzInput> {
  const nowhere = fc.uint8Array({ maxLength: 200 }).map((bytes) => ({ bytes, origin: undefined }))
  const made = fc
    .tuple(valid, valid, fc.array(change, { maxLength: 4 }), fc.boolean())
    .map(([origin, other, changes, isResealed]) => {
      const bytes = changes.reduce((before, step) => step(before, other), origin)
      if (!isResealed || reseal === undefined) return { bytes, origin }
      return { bytes: reseal(bytes), origin: undefined }
    })
  return fc.oneof({ arbitrary: made, weight: 9 }, { arbitrary: nowhere, weight: 1 })
}

/** Where two byte runs begin to differ; the shorter length where one begins with the other. */
export function firstDifference(one: Uint8Array, other: Uint8Array): number {
  const length = Math.min(one.byteLength, other.byteLength)
  for (let index = 0; index < length; index++) if (one[index] !== other[index]) return index
  return length
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

function fixed(value: bigint, width: number, isLittle: boolean): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(width * 8, value), isLittle)
  return isLittle ? bytes.slice(0, width) : bytes.slice(8 - width)
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return Uint8Array.from([...bytes, Number(rest)])
}
