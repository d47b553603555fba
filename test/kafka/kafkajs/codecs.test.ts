import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import { gzipSync } from 'node:zlib'
import snappy from 'snappy'
import { Codec, decompress, decompressedBytesMax } from '../../../src/kafka/kafkajs/codecs.ts'
import { zstdBytesMax } from '../../../src/base/zstd.ts'
import { lz4BytesMax, snappyBytes } from '../../../src/kafka/kafkajs/decompressed-size.ts'

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

/** Blocks of 4 MiB at the most, of one byte each. */
function lz4Blocks(blocks: number): Buffer {
  const block = Buffer.from([1, 0, 0, 0, 0])
  return Buffer.concat([
    Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73]),
    ...Array.from({ length: blocks }, () => block),
    Buffer.alloc(4),
  ])
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
    ['an LZ4 frame by its blocks', Codec.lz4, lz4Blocks(257)],
    ['an LZ4 frame by its content size', Codec.lz4, lz4Announced(BigInt(GIB) + 1n)],
    ['LZ4 frames together', Codec.lz4, Buffer.concat([lz4Blocks(128), lz4Blocks(129)])],
    ['a zstd frame by its blocks', Codec.zstd, zstdRepeated(8 * KIB + 1)],
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
    ['zstd frames together', Codec.zstd, Buffer.concat([zstdRepeated(4 * KIB), zstdRepeated(4 * KIB + 1)])],
  ])('%s', async (_what, codec, input) => {
    await expect(decompress(codec, input)).rejects.toThrow(/limit/)
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
    ['lz4', Codec.lz4, compressFrameSync(plain), lz4BytesMax(compressFrameSync(plain))],
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

  test('snappy is exact, lz4 is no less than what comes out and at most a block more', () => {
    fc.assert(
      fc.property(anything, (bytes) => {
        const plain = Buffer.from(bytes)
        expect(snappyBytes(snappy.compressSync(plain))).toBe(plain.length)
        const bound = lz4BytesMax(compressFrameSync(plain))
        expect(bound).toBeGreaterThanOrEqual(plain.length)
        expect(bound).toBeLessThan(plain.length + 4096 * KIB)
      }),
      { numRuns: 50 },
    )
  })

  test('bytes that are cut off or make no sense come to an end', () => {
    const frames = [compressFrameSync(Buffer.alloc(1000, 'ab')), zstdRepeated(3), lz4Blocks(3)]
    fc.assert(
      fc.property(
        fc.constantFrom(...frames),
        fc.nat(60),
        fc.uint8Array({ maxLength: 40 }),
        (frame, cut, rest) => {
          const input = Buffer.concat([frame.subarray(0, cut), rest])
          for (const bound of [snappyBytes, zstdBytesMax, lz4BytesMax]) {
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
