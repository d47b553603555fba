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
 *      magic  FLG  BD  [content size 8]  [dictionary 4]  HC  (size 4  block  [checksum 4])…  0 0 0 0  [checksum 4]
 *
 * A size with its highest bit set is of a block that is stored as it is.
 *
 * @throws {Error} for other bytes than LZ4 frames
 */
export function lz4BytesMax(input: Buffer): number {
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
      blocks += isStored ? size - 0x8000_0000 : blockBytesMax
      at += (isStored ? size - 0x8000_0000 : size) + ((flags & 0x10) !== 0 ? 4 : 0)
    }
    bytes += Math.max(announced, blocks)
  }
  return bytes
}

const ZSTD_MAGIC = 0xfd2fb528
const ZSTD_BLOCK_BYTES_MAX = 128 * KIB
const ZSTD_DICTIONARY_BYTES = [0, 1, 2, 4]

/**
 *      magic  descriptor  [window 1]  [dictionary 0-4]  [content size 0-8]  (header 3  block)…  [checksum 4]
 *
 * Of a block header bit 0 says that it is the last, bits 1 and 2 what it is: stored, one byte repeated, compressed.
 * The window counts, too: a decoder sets it aside for each frame.
 */
export function zstdBytesMax(input: Buffer): number {
  let bytes = 0
  let at = 0
  while (at + 6 <= input.length) {
    const magic = input.readUInt32LE(at)
    if (magic >>> 4 === 0x184d2a5 && at + 8 <= input.length) {
      at += 8 + input.readUInt32LE(at + 4)
      continue
    }
    if (magic !== ZSTD_MAGIC) return bytes
    const descriptor = input[at + 4]!
    const isSingle = (descriptor & 0x20) !== 0
    const windowByte = input[at + 5]!
    const base = 2 ** (10 + (windowByte >> 3))
    const window = isSingle ? 0 : base + (base / 8) * (windowByte & 7)
    at += (isSingle ? 5 : 6) + ZSTD_DICTIONARY_BYTES[descriptor & 3]!
    const sizeBytes = descriptor >> 6 === 0 ? Number(isSingle) : 2 ** (descriptor >> 6)
    const announced = at + sizeBytes <= input.length ? littleEndian(input, at, sizeBytes) : 0
    at += sizeBytes
    let blocks = 0
    for (let isLast = false; !isLast && at + 3 <= input.length;) {
      const header = input.readUIntLE(at, 3)
      isLast = (header & 1) !== 0
      const type = (header >> 1) & 3
      const size = header >> 3
      blocks += type === 2 ? ZSTD_BLOCK_BYTES_MAX : size
      at += 3 + (type === 1 ? 1 : size)
    }
    at += (descriptor & 0x04) !== 0 ? 4 : 0
    // A size of two bytes counts from 256.
    bytes += Math.max(announced + (sizeBytes === 2 ? 256 : 0), blocks, window)
  }
  return bytes
}

function littleEndian(input: Buffer, at: number, length: number): number {
  return length === 8 ? Number(input.readBigUInt64LE(at)) : length === 0 ? 0 : input.readUIntLE(at, length)
}
