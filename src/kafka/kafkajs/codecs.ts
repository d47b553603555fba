import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { decompressFrame } from 'lz4-napi'
import snappy from 'snappy'
import { decompressZstd } from '../../base/zstd.ts'
import { lz4BytesMax, snappyBytes } from './decompressed-size.ts'

/** The compression of a record batch, by the number in its attributes. */
export const Codec = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

/** What one record batch may become: a small one that announces more is damaged, or meant to fill our memory. */
const DECOMPRESSED_BYTES_MAX = 1024 * 1024 * 1024

const KIB = 1024
const gunzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip)

/**
 * The bytes of a record batch after its header, decompressed.
 *
 * @throws {Error} what the codec says, that `codec` is unknown, or that it would be more than `bytesMax`: that is known
 *   from the headers, or while it is undone
 */
export async function decompress(
  codec: number,
  input: Buffer,
  bytesMax = DECOMPRESSED_BYTES_MAX,
): Promise<Buffer> {
  switch (codec) {
    case Codec.gzip:
      return gunzip(input, { chunkSize: chunkBytes(input), maxOutputLength: bytesMax })
    case Codec.snappy:
      return unsnappy(input, bytesMax)
    case Codec.lz4:
      assertFits(lz4BytesMax(input), bytesMax)
      return decompressFrame(input)
    case Codec.zstd:
      return decompressZstd(input, bytesMax)
    default:
      throw new Error(`unknown compression codec ${codec}`)
  }
}

function assertFits(bytes: number, bytesMax: number): void {
  if (bytes > bytesMax) {
    throw new Error(`the record batch may become ${bytes} bytes, and ${bytesMax} are the limit`)
  }
}

/** The default of 16 KiB makes zlib three times slower on large batches. */
function chunkBytes(input: Buffer): number {
  return Math.min(KIB * KIB, Math.max(16 * KIB, input.length * 4))
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

async function unsnappy(input: Buffer, bytesMax: number): Promise<Buffer> {
  if (!input.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    assertFits(snappyBytes(input), bytesMax)
    return (await snappy.uncompress(input)) as Buffer
  }
  const blocks: Buffer[] = []
  let bytes = 0
  let at = XERIAL_HEADER_BYTES
  while (at < input.length) {
    const end = at + 4 + input.readInt32BE(at)
    if (end <= at || end > input.length) throw new Error('a snappy block does not fit its batch')
    const block = input.subarray(at + 4, end)
    bytes += snappyBytes(block)
    assertFits(bytes, bytesMax)
    blocks.push(snappy.uncompressSync(block) as Buffer)
    at = end
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks)
}
