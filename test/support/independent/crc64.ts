// CRC-64/XZ by a table of bytes, in two 32-bit halves.
const high = new Int32Array(256)
const low = new Int32Array(256)
for (let byte = 0; byte < 256; byte++) {
  let crc = BigInt(byte)
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0xc96c5795d7870f42n : crc >> 1n
  high[byte] = Number(BigInt.asIntN(32, crc >> 32n))
  low[byte] = Number(BigInt.asIntN(32, crc))
}

export function crc64(bytes: Uint8Array, fromBytes = 0, toBytes = bytes.length): bigint {
  let upper = -1
  let lower = -1
  for (let at = fromBytes; at < toBytes; at++) {
    const index = (lower ^ (bytes[at] as number)) & 0xff
    lower = ((lower >>> 8) | (upper << 24)) ^ (low[index] as number)
    upper = (upper >>> 8) ^ (high[index] as number)
  }
  return (BigInt(~upper >>> 0) << 32n) | BigInt(~lower >>> 0)
}
