import zlib from 'node:zlib'
import { Decompress, decompress as unzstd } from 'fzstd'
import { TooLargeError } from './too-large-error.ts'

const KIB = 1024

/** Present from Node 22.15 on; older ones use the slower decoder in JavaScript. */
const nativeUnzstd = (
  zlib as unknown as {
    zstdDecompress?: (
      input: Buffer,
      options: object,
      done: (error: Error | null, output: Buffer) => void,
    ) => void
  }
).zstdDecompress

/** What the highest levels of compression make decoders set aside, however small the frame. */
const WINDOW_BYTES_MAX = 128 * KIB * KIB

/**
 * One or more zstd frames, decompressed.
 * @throws {TooLargeError} when it would be more than `bytesMax`: nothing larger is ever allocated, but for windows of up to
 *   128 MiB. {Error} What the decoder says
 */
export async function decompressZstd(input: Buffer, bytesMax: number): Promise<Buffer> {
  if (nativeUnzstd !== undefined) {
    const chunkSize = Math.min(KIB * KIB, Math.max(16 * KIB, input.length * 4))
    const options = { chunkSize, maxOutputLength: bytesMax }
    return new Promise((resolve, reject) => {
      nativeUnzstd(input, options, (error, output) => {
        if (error === null) resolve(output)
        else if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') reject(error)
        else reject(new TooLargeError(Math.max(zstdBytesMax(input), bytesMax + 1), bytesMax))
      })
    })
  }
  let announced = 0
  let boundBytes = 0
  let windowBytes = 0
  for (const frame of zstdFrames(input)) {
    announced += frame.announcedBytes
    boundBytes += Math.max(frame.announcedBytes, frame.blockBytes)
    windowBytes = Math.max(windowBytes, frame.windowBytes)
  }
  if (announced > bytesMax) throw new TooLargeError(announced, bytesMax)
  if (windowBytes > Math.max(bytesMax, WINDOW_BYTES_MAX)) throw new TooLargeError(windowBytes, bytesMax)
  if (boundBytes > bytesMax) return unzstdCounting(input, bytesMax)
  const output = unzstd(input)
  return Buffer.from(output.buffer, output.byteOffset, output.byteLength)
}

/** Block by block, and no further than the limit: a block may be less than the most it can be. */
function unzstdCounting(input: Buffer, bytesMax: number): Buffer {
  const blocks: Uint8Array[] = []
  let bytes = 0
  const stream = new Decompress((block) => {
    bytes += block.length
    if (bytes > bytesMax) throw new TooLargeError(Math.max(bytes, zstdBytesMax(input)), bytesMax)
    blocks.push(block)
  })
  stream.push(input, true)
  return Buffer.concat(blocks)
}

const ZSTD_MAGIC = 0xfd2fb528
const ZSTD_BLOCK_BYTES_MAX = 128 * KIB
const ZSTD_DICTIONARY_BYTES = [0, 1, 2, 4]

/**
 * How much zstd frames may become, by their headers alone: at least what the decoder yields or sets aside. Where the
 * input is cut off or makes no sense only what was read until then counts.
 */
export function zstdBytesMax(input: Buffer): number {
  let bytes = 0
  for (const { announcedBytes, blockBytes, windowBytes } of zstdFrames(input))
    bytes += Math.max(announcedBytes, blockBytes, windowBytes)
  return bytes
}

interface ZstdFrame {
  /** 0 where it does not say. */
  readonly announcedBytes: number
  /** What its blocks may become at the most. */
  readonly blockBytes: number
  /** What a decoder sets aside for it. */
  readonly windowBytes: number
}

/**
 *      magic  descriptor  [window 1]  [dictionary 0-4]  [content size 0-8]  (header 3  block)…  [checksum 4]
 *
 * Of a block header bit 0 says that it is the last, bits 1 and 2 what it is: stored, one byte repeated, compressed.
 */
function* zstdFrames(input: Buffer): Generator<ZstdFrame> {
  let at = 0
  while (at + 6 <= input.length) {
    const magic = input.readUInt32LE(at)
    if (magic >>> 4 === 0x184d2a5 && at + 8 <= input.length) {
      at += 8 + input.readUInt32LE(at + 4)
      continue
    }
    if (magic !== ZSTD_MAGIC) return
    const descriptor = input[at + 4]!
    const isSingle = (descriptor & 0x20) !== 0
    const windowByte = input[at + 5]!
    const base = 2 ** (10 + (windowByte >> 3))
    const window = isSingle ? 0 : base + (base / 8) * (windowByte & 7)
    at += (isSingle ? 5 : 6) + ZSTD_DICTIONARY_BYTES[descriptor & 3]!
    const sizeBytes = descriptor >> 6 === 0 ? Number(isSingle) : 2 ** (descriptor >> 6)
    const announced = littleEndian(input, at, sizeBytes)
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
    const announcedBytes = announced + (sizeBytes === 2 ? 256 : 0)
    yield { announcedBytes, blockBytes: blocks, windowBytes: window }
  }
}

/** Bytes that are cut off count as zeros, as the decoder reads them. */
function littleEndian(input: Buffer, at: number, length: number): number {
  let value = 0
  for (let index = 0; index < length; index++) value += (input[at + index] ?? 0) * 256 ** index
  return value
}
