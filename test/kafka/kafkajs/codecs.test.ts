import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import { gzipSync } from 'node:zlib'
import snappy from 'snappy'
import { Codec, decompress, decompressedBytesMax } from '../../../src/kafka/kafkajs/codecs.ts'
import { TooLargeError } from '../../../src/base/too-large-error.ts'
import { zstdBytesMax } from '../../../src/base/zstd.ts'
import { lz4Bytes, lz4BytesMax, snappyBytes } from '../../../src/kafka/kafkajs/decompressed-size.ts'

const GIB = 1024 ** 3
const KIB = 1024

function zstdFrame(head: number[], blocks: { type: 0 | 1 | 2; size: number; content: Buffer }[]): Buffer {
  const parts: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...head])]
  for (const [index, { type, size, content }] of blocks.entries()) {
    const header = Buffer.alloc(3)
    header.writeUIntLE((index === blocks.length - 1 ? 1 : 0) | (type << 1) | (size << 3), 0, 3)
    parts.push(header, content)
  }
  return Buffer.concat(parts)
}

/** No content size, a window of 128 KiB, and one byte repeated over and over: four bytes of it are 128 KiB. */
function zstdRepeated(blocks: number): Buffer {
  const block = { type: 1 as const, size: 128 * KIB, content: Buffer.from([7]) }
  return zstdFrame(
    [0x00, 7 << 3],
    Array.from({ length: blocks }, () => block),
  )
}

/** Blocks that are compressed, though to no less: literals and no sequence. */
function zstdSplit(blocks: number, literals: Buffer): Buffer {
  const content = Buffer.concat([Buffer.from([literals.length << 3]), literals, Buffer.from([0])])
  const block = { type: 2 as const, size: content.length, content }
  return zstdFrame(
    [0x00, 7 << 3],
    Array.from({ length: blocks }, () => block),
  )
}

/** Blocks that may be 4 MiB each. */
function lz4Blocks(blocks: number, block: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32LE(block.length)
  return Buffer.concat([
    Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73]),
    ...Array.from({ length: blocks }, () => [size, block]).flat(),
    Buffer.alloc(4),
  ])
}

/** Each block is one byte, repeated 4 MiB times: 16 KiB of it are a length. */
function lz4Repeated(blocks: number): Buffer {
  const more = 4096 * KIB - 1 - 4 - 15 - 5
  const lengths = [...Array.from({ length: Math.floor(more / 255) }, () => 255), more % 255]
  return lz4Blocks(blocks, Buffer.from([0x1f, 7, 1, 0, ...lengths, 0x50, 7, 7, 7, 7, 7]))
}

function lz4Announced(bytes: bigint): Buffer {
  const frame = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x68, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  frame.writeBigUInt64LE(bytes, 6)
  return frame
}

/** Five bytes of length, lowest first, and nothing behind them. */
function snappyAnnounced(bytes: number): Buffer {
  return Buffer.from(
    [0, 7, 14, 21, 28].map((bits, index) => (Math.floor(bytes / 2 ** bits) & 0x7f) | (index < 4 ? 0x80 : 0)),
  )
}

function xerial(blocks: Buffer[]): Buffer {
  const magic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
  return Buffer.concat([
    magic,
    ...blocks.flatMap((block) => {
      const length = Buffer.alloc(4)
      length.writeInt32BE(block.length)
      return [length, block]
    }),
  ])
}

describe('what may become more than 1 GiB is refused before it is undone', () => {
  test.each<[string, number, Buffer]>([
    ['a snappy block', Codec.snappy, snappyAnnounced(GIB + 1)],
    ['snappy in xerial framing', Codec.snappy, xerial([snappyAnnounced(GIB + 1)])],
    ['an LZ4 frame by the lengths in its blocks', Codec.lz4, lz4Repeated(257)],
    ['an LZ4 frame by its content size', Codec.lz4, lz4Announced(BigInt(GIB) + 1n)],
    ['LZ4 frames together', Codec.lz4, Buffer.concat([lz4Repeated(128), lz4Repeated(129)])],
    [
      'a zstd frame by its content size',
      Codec.zstd,
      zstdFrame([0xa0, 1, 0, 0, 0x40], [{ type: 0, size: 1, content: Buffer.from('x') }]),
    ],
    [
      'a zstd frame by a content size that is cut off',
      Codec.zstd,
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1]),
    ],
    [
      'a zstd frame by its window',
      Codec.zstd,
      zstdFrame([0x00, 21 << 3], [{ type: 0, size: 1, content: Buffer.from('x') }]),
    ],
  ])('%s', async (_what, codec, input) => {
    await expect(decompress(codec, input, GIB)).rejects.toThrow(TooLargeError)
  })
})

test('what says nothing of its size is undone no further than the limit', async () => {
  const before = process.memoryUsage().arrayBuffers
  for (const input of [zstdRepeated(64 * KIB), Buffer.concat([zstdRepeated(8), zstdRepeated(64 * KIB)])])
    await expect(decompress(Codec.zstd, input, 1024 * KIB)).rejects.toThrow(TooLargeError)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * KIB * KIB)
})

describe('what is less than its headers allow is undone', () => {
  test.each<[string, number, Buffer, Buffer]>([
    ['LZ4 blocks of one byte', Codec.lz4, lz4Blocks(20, Buffer.from([0x10, 7])), Buffer.alloc(20, 7)],
    [
      'zstd blocks of few bytes',
      Codec.zstd,
      zstdSplit(100, Buffer.from('sediment')),
      Buffer.alloc(800, 'sediment'),
    ],
    [
      'a zstd frame with the window of level 22',
      Codec.zstd,
      zstdFrame([0x00, 17 << 3], [{ type: 0, size: 1, content: Buffer.from('x') }]),
      Buffer.from('x'),
    ],
  ])('%s', async (_what, codec, input, plain) => {
    expect(await decompress(codec, input, plain.length)).toEqual(plain)
  })
})

describe('the limit is met exactly', () => {
  const plain = Buffer.alloc(256 * KIB, 'sediment ')
  test.each<[string, number, Buffer, number]>([
    ['gzip', Codec.gzip, gzipSync(plain), plain.length],
    ['snappy', Codec.snappy, snappy.compressSync(plain), plain.length],
    [
      'snappy in xerial framing',
      Codec.snappy,
      xerial([0, 128].map((at) => snappy.compressSync(plain.subarray(at * KIB, (at + 128) * KIB)))),
      plain.length,
    ],
    ['lz4', Codec.lz4, compressFrameSync(plain), plain.length],
    ['zstd', Codec.zstd, zstdRepeated(2), plain.length],
  ])('%s', async (_what, codec, input, bytesMax) => {
    expect((await decompress(codec, input, bytesMax)).length).toBe(plain.length)
    await expect(decompress(codec, input, bytesMax - 1)).rejects.toThrow()
  })
})

describe('what headers say', () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }),
    fc
      .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 300_000 }))
      .map(([byte, length]) => new Uint8Array(length).fill(byte)),
  )

  test('snappy is exact, and lz4 by its lengths; by its blocks lz4 is no less than what comes out and at most a block more', () => {
    fc.assert(
      fc.property(anything, (bytes) => {
        const plain = Buffer.from(bytes)
        expect(snappyBytes(snappy.compressSync(plain))).toBe(plain.length)
        const bound = lz4BytesMax(compressFrameSync(plain))
        expect(lz4Bytes(compressFrameSync(plain))).toBe(plain.length)
        expect(bound).toBeGreaterThanOrEqual(plain.length)
        expect(bound).toBeLessThan(plain.length + 4096 * KIB)
      }),
      { numRuns: 50 },
    )
  })

  test('bytes that are cut off or make no sense come to an end', () => {
    const frames = [compressFrameSync(Buffer.alloc(1000, 'ab')), zstdRepeated(3), lz4Repeated(3)]
    fc.assert(
      fc.property(
        fc.constantFrom(...frames),
        fc.nat(60),
        fc.uint8Array({ maxLength: 40 }),
        (frame, cut, rest) => {
          const input = Buffer.concat([frame.subarray(0, cut), rest])
          for (const bound of [snappyBytes, zstdBytesMax, lz4BytesMax, lz4Bytes]) {
            try {
              expect(bound(input)).toBeGreaterThanOrEqual(0)
            } catch (error) {
              expect(String(error)).toContain('not an LZ4 frame')
            }
          }
        },
      ),
    )
  })

  test.each([
    ['gzip', Codec.gzip, gzipSync],
    ['snappy', Codec.snappy, (plain: Buffer) => snappy.compressSync(plain)],
    ['framed snappy', Codec.snappy, (plain: Buffer) => xerial([snappy.compressSync(plain)])],
  ] as const)('%s says exactly what it will be', (_, codec, compress) => {
    for (const bytes of [0, 1, 1000, 3_000_000]) {
      expect(decompressedBytesMax(codec, compress(Buffer.alloc(bytes, 'abc')))).toBe(bytes)
    }
    expect(() => decompressedBytesMax(codec, Buffer.from([1, 2]))).not.toThrow()
  })

  test('gzip cannot announce more than it can hold', () => {
    const lying = gzipSync(Buffer.alloc(1000, 'ab'))
    lying.writeUInt32LE(0xffff_ffff, lying.length - 4)
    expect(decompressedBytesMax(Codec.gzip, lying)).toBeLessThan(100_000)
  })
})
