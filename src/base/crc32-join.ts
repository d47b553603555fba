/** The polynomial of CRC-32, as of all that follows the coefficient of x^0 in the highest bit. */
const MODULUS = 0xedb8_8320

/**
 * CRC-32 of bytes that are followed by others, from the checksums of both: bytes behind the first multiply its checksum by a
 * power of x, and checksums add up (as zlib's `crc32_combine`).
 */
export function joinCrc32(first: number, second: number, secondBytes: number): number {
  let shifted = first
  for (let rest = secondBytes, place = 0; rest > 0; rest = Math.floor(rest / 2), place++) {
    if ((rest & 1) === 0) continue
    const table = tables[place] ?? makeTable(place)
    shifted =
      (table[shifted & 0xff] as number) ^
      (table[256 + ((shifted >>> 8) & 0xff)] as number) ^
      (table[512 + ((shifted >>> 16) & 0xff)] as number) ^
      (table[768 + (shifted >>> 24)] as number)
  }
  return (shifted ^ second) >>> 0
}

/**
 * By the power of two: what so many bytes behind a checksum make of each of its four bytes, the lowest first; the results
 * add up.
 */
const tables: Int32Array[] = []

function makeTable(place: number): Int32Array {
  // x^8, then its square, and so on.
  let factor = 0x0080_0000
  for (let squared = 0; squared < place; squared++) factor = multiply(factor, factor)
  const table = new Int32Array(4 * 256)
  for (let index = 0; index < table.length; index++)
    table[index] = multiply((index & 0xff) << (8 * (index >>> 8)), factor)
  tables[place] = table
  return table
}

function multiply(one: number, other: number): number {
  let product = 0
  let factor = other
  for (let bits = one | 0; bits !== 0; bits <<= 1) {
    if (bits < 0) product ^= factor
    factor = (factor & 1) === 0 ? factor >>> 1 : (factor >>> 1) ^ MODULUS
  }
  return product
}
