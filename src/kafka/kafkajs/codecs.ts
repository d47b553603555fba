import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { decompressFrameSync } from 'lz4-napi'
import snappy from 'snappy'
import { TooLargeError } from '../../base/too-large-error.ts'
import { decompressZstd, zstdBytesMax } from '../../base/zstd.ts'
import { lz4Bytes, lz4BytesMax, snappyBytes } from './decompressed-size.ts'

/** The compression of a record batch, by the number in its attributes. */
export const Codec = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

const KIB = 1024
const GZIP_TRAILER_BYTES = 4
/** What the trailer can make us set aside at once. */
const GZIP_CHUNK_BYTES_MAX = 64 * KIB * KIB
/** Deflate cannot do better. */
const GZIP_RATIO_MAX = 1032
const gunzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip)

/**
 * The bytes of a record batch after its header, decompressed. LZ4 and Snappy at once: they are done before a thread of the
 * pool has begun, and what their allocator has of a thread is not given back when another one frees it, without end for
 * batches of 20 MB.
 *
 * @throws {TooLargeError} when it would be more than `bytesMax`: that is known before anything is undone where the input
 *   says how much it will be, and else while it is undone. {Error} What the codec says, or that `codec` is unknown
 */
export async function decompress(codec: number, input: Buffer, bytesMax: number): Promise<Buffer> {
  switch (codec) {
    case Codec.gzip:
      return gunzip(input, {
        chunkSize: Math.min(gzipChunkBytes(input), bytesMax + 1),
        maxOutputLength: bytesMax,
      }).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw error
        throw new TooLargeError(Math.max(gzipBytes(input), bytesMax + 1), bytesMax)
      })
    case Codec.snappy:
      return unsnappy(input, bytesMax)
    case Codec.lz4:
      // What the blocks can be at the most is quickly known, and refuses nothing: they may be less.
      if (lz4BytesMax(input) > bytesMax) assertFits(lz4Bytes(input), bytesMax)
      return decompressFrameSync(input)
    case Codec.zstd:
      return decompressZstd(input, bytesMax)
    default:
      throw new Error(`unknown compression codec ${codec}`)
  }
}

/**
 * How much a batch may become, by its headers. Nothing is promised for bytes that lie: those are refused by `decompress`.
 */
export function decompressedBytesMax(codec: number, input: Buffer): number {
  try {
    if (codec === Codec.gzip) return gzipBytes(input)
    if (codec === Codec.snappy) return isXerial(input) ? xerialBytes(input) : snappyBytes(input)
    if (codec === Codec.lz4) return lz4BytesMax(input)
    if (codec === Codec.zstd) return zstdBytesMax(input)
  } catch {
    // The decoder will say what is wrong with it.
  }
  return input.length
}

function assertFits(bytes: number, bytesMax: number): void {
  if (bytes > bytesMax) throw new TooLargeError(bytes, bytesMax)
}

/**
 * One chunk where the last four bytes tell the truth, as they do for a single member: several are joined at the end, which
 * takes twice the memory. The default of 16 KiB makes zlib three times slower on large batches.
 */
function gzipChunkBytes(input: Buffer): number {
  return Math.max(16 * KIB, Math.min(gzipBytes(input) + 1, GZIP_CHUNK_BYTES_MAX))
}

/** As the last member announces, modulo 2^32, where that is possible at all. */
function gzipBytes(input: Buffer): number {
  if (input.length < GZIP_TRAILER_BYTES) return input.length
  return Math.min(input.readUInt32LE(input.length - GZIP_TRAILER_BYTES), input.length * GZIP_RATIO_MAX)
}

/**
 * The framing of snappy-java, which Kafka's own clients use; others send one bare block.
 *
 *      0          8         12           16
 *      +----------+---------+------------+--------+-------+--------+- -
 *      |  magic   | version | compatible | length | block | length | …
 *      +----------+---------+------------+--------+-------+--------+- -
 *                    i32        i32         i32, big-endian
 */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER_BYTES = 16

function unsnappy(input: Buffer, bytesMax: number): Buffer {
  if (!isXerial(input)) {
    assertFits(snappyBytes(input), bytesMax)
    return snappy.uncompressSync(input) as Buffer
  }
  assertFits(xerialBytes(input), bytesMax)
  const blocks: Buffer[] = []
  for (const block of xerialBlocks(input)) blocks.push(snappy.uncompressSync(block) as Buffer)
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks)
}

function isXerial(input: Buffer): boolean {
  return input.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)
}

function xerialBytes(input: Buffer): number {
  let bytes = 0
  for (const block of xerialBlocks(input)) bytes += snappyBytes(block)
  return bytes
}

function* xerialBlocks(input: Buffer): Generator<Buffer> {
  for (let at = XERIAL_HEADER_BYTES; at < input.length;) {
    const end = at + 4 + input.readInt32BE(at)
    if (end <= at || end > input.length) throw new Error('a snappy block does not fit its batch')
    yield input.subarray(at + 4, end)
    at = end
  }
}
