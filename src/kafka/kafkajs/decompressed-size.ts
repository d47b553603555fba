/**
 * How much compressed bytes may become, by their headers alone and before anything is allocated: at least what the
 * decoder yields or sets aside. Where the input is cut off or makes no sense the decoder says so; only what was read
 * until then counts.
 */

const KIB = 1024

/** Snappy begins with its decompressed length: seven bits a byte, the lowest first. */
export function snappyBytes(block: Buffer): number {
  let bytes = 0
  for (let index = 0; index < Math.min(block.length, 5); index++) {
    const byte = block[index]!
    bytes += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) break
  }
  return bytes
}

const LZ4_MAGIC = 0x184d2204
/** By bits 4 to 6 of the second descriptor byte. */
const LZ4_BLOCK_BYTES = [0, 0, 0, 0, 64 * KIB, 256 * KIB, 1024 * KIB, 4096 * KIB]

/**
 * At least what LZ4 frames become, by the headers of their blocks.
 * @throws {Error} for other bytes than LZ4 frames
 */
export function lz4BytesMax(input: Buffer): number {
  return lz4FrameBytes(input, (_at, _end, blockBytesMax) => blockBytesMax)
}

/**
 * What LZ4 frames become, by the lengths in their blocks, which takes time; or what they announce, where that is more.
 * @throws {Error} for other bytes than LZ4 frames
 */
export function lz4Bytes(input: Buffer): number {
  return lz4FrameBytes(input, (at, end) => lz4BlockBytes(input, at, end))
}

/**
 *      magic  FLG  BD  [content size 8]  [dictionary 4]  HC  (size 4  block  [checksum 4])…  0 0 0 0  [checksum 4]
 *
 * A size with its highest bit set is of a block that is stored as it is.
 */
function lz4FrameBytes(
  input: Buffer,
  blockBytes: (at: number, end: number, blockBytesMax: number) => number,
): number {
  let bytes = 0
  let at = 0
  while (at + 7 <= input.length) {
    if (input.readUInt32LE(at) !== LZ4_MAGIC) throw new Error('not an LZ4 frame')
    const flags = input[at + 4]!
    const blockBytesMax = LZ4_BLOCK_BYTES[(input[at + 5]! >> 4) & 7]!
    at += 6
    let announced = 0
    if ((flags & 0x08) !== 0 && at + 8 <= input.length) announced = Number(input.readBigUInt64LE(at))
    at += ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0) + 1
    let blocks = 0
    while (at + 4 <= input.length) {
      const size = input.readUInt32LE(at)
      at += 4
      if (size === 0) {
        at += (flags & 0x04) !== 0 ? 4 : 0
        break
      }
      const isStored = size >= 0x8000_0000
      const lengthBytes = isStored ? size - 0x8000_0000 : size
      const end = Math.min(at + lengthBytes, input.length)
      blocks += isStored ? lengthBytes : blockBytes(at, end, blockBytesMax)
      at += lengthBytes + ((flags & 0x10) !== 0 ? 4 : 0)
    }
    bytes += Math.max(announced, blocks)
  }
  return bytes
}

/**
 *      token  [literals more]…  literals  distance 2  [match more]…
 *
 * over and over; the last ends with its literals. The token has four bits for each of the two lengths; 15 means that bytes
 * follow which are added, up to and with the first that is not 255. A match is four longer than it says.
 */
function lz4BlockBytes(input: Buffer, from: number, end: number): number {
  let at = from
  let bytes = 0
  const length = (bits: number): number => {
    let more = bits
    for (let byte = bits === 15 ? 255 : 0; byte === 255 && at < end;) more += byte = input[at++]!
    return more
  }
  while (at < end) {
    const token = input[at++]!
    const literals = length(token >> 4)
    bytes += literals
    at += literals
    if (at >= end) break
    at += 2
    bytes += length(token & 15) + 4
  }
  return bytes
}
