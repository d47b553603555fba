/** CRC-64/XZ: reflected, this polynomial, begins with all ones and ends inverted. Halves are signed 32 bits here. */
const POLYNOMIAL = 0xc96c_5795_d787_0f42n
/** Bytes a step of the loop; each has a table of its own. */
const SLICES = 8

const { high, low } = makeTables()
/** The register, between `begin` and `result`: all that use it do so from start to end without awaiting. */
let crcHigh = 0
let crcLow = 0

/** CRC-64/XZ, the checksum of ReductStore's WAL entries, descriptors and index. */
export function crc64(bytes: Uint8Array): bigint {
  return crc64Continue(0n, bytes)
}

/** CRC-64/XZ of A + `bytes`, given `previous` = that of A (of no bytes: 0). */
export function crc64Continue(previous: bigint, bytes: Uint8Array): bigint {
  crcHigh = ~Number(previous >> 32n)
  crcLow = ~Number(previous & 0xffff_ffffn)
  update(bytes, 0, bytes.byteLength)
  return (BigInt(~crcHigh >>> 0) << 32n) | BigInt(~crcLow >>> 0)
}

/** Writes the CRC-64/XZ of `source[fromBytes, toBytes)` as 8 big-endian bytes at `target[atBytes]`. */
export function crc64Into(
  target: Uint8Array,
  atBytes: number,
  source: Uint8Array,
  fromBytes: number,
  toBytes: number,
): void {
  crcHigh = -1
  crcLow = -1
  update(source, fromBytes, toBytes)
  put32(target, atBytes, ~crcHigh)
  put32(target, atBytes + 4, ~crcLow)
}

function update(source: Uint8Array, fromBytes: number, toBytes: number): void {
  let h = crcHigh
  let l = crcLow
  let at = fromBytes
  for (; at + SLICES <= toBytes; at += SLICES) {
    const first = l ^ get32(source, at)
    const second = h ^ get32(source, at + 4)
    const a = 0x700 | (first & 0xff)
    const b = 0x600 | ((first >>> 8) & 0xff)
    const c = 0x500 | ((first >>> 16) & 0xff)
    const d = 0x400 | (first >>> 24)
    const e = 0x300 | (second & 0xff)
    const f = 0x200 | ((second >>> 8) & 0xff)
    const g = 0x100 | ((second >>> 16) & 0xff)
    const i = second >>> 24
    l = low[a]! ^ low[b]! ^ low[c]! ^ low[d]! ^ low[e]! ^ low[f]! ^ low[g]! ^ low[i]!
    h = high[a]! ^ high[b]! ^ high[c]! ^ high[d]! ^ high[e]! ^ high[f]! ^ high[g]! ^ high[i]!
  }
  for (; at < toBytes; at++) {
    const a = (l ^ source[at]!) & 0xff
    l = ((l >>> 8) | (h << 24)) ^ low[a]!
    h = (h >>> 8) ^ high[a]!
  }
  crcHigh = h
  crcLow = l
}

/** Entry `slice * 256 + byte`: what the byte does to the register when `slice` bytes follow it. */
function makeTables(): { readonly high: Int32Array; readonly low: Int32Array } {
  const single = Array.from({ length: 256 }, (_, byte) => {
    let crc = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n
    return crc
  })
  const all = [...single]
  for (let index = 0; index < (SLICES - 1) * 256; index++) {
    const crc = all[index]!
    all.push(single[Number(crc & 0xffn)]! ^ (crc >> 8n))
  }
  return {
    high: Int32Array.from(all, (crc) => Number(crc >> 32n)),
    low: Int32Array.from(all, (crc) => Number(crc & 0xffff_ffffn)),
  }
}

function get32(bytes: Uint8Array, atBytes: number): number {
  return (
    bytes[atBytes]! | (bytes[atBytes + 1]! << 8) | (bytes[atBytes + 2]! << 16) | (bytes[atBytes + 3]! << 24)
  )
}

function put32(bytes: Uint8Array, atBytes: number, value: number): void {
  bytes[atBytes] = value >>> 24
  bytes[atBytes + 1] = value >>> 16
  bytes[atBytes + 2] = value >>> 8
  bytes[atBytes + 3] = value
}
