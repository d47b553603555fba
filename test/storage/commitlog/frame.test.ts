import { beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { loadCrc64 } from '../../../src/base/crc64.ts'
import {
  FRAME_CHAIN_BYTES,
  FRAME_HEADER_BYTES,
  alignFrame,
  beginRecordsItem,
  deltaItemBytes,
  finishFrame,
  finishRecordsItem,
  frameBytes,
  itemOverheadBytes,
  parseFrame,
  writeDeltaItem,
  type RecordsItem,
} from '../../../src/storage/commitlog/frame.ts'
import { anyCharacter } from '../../support/characters.ts'

beforeAll(loadCrc64)

interface Item extends RecordsItem {
  readonly entries: Uint8Array
}

interface Content {
  readonly items: readonly Item[]
  readonly deltas: readonly Uint8Array[]
  readonly inline: Uint8Array
}

const identity = { sequence: 7, generation: 3, watermark: 6, previousChain: 0xfeed_face_cafe_beefn }

function encode({ items, deltas, inline }: Content): { bytes: Uint8Array; chain: bigint } {
  let room = FRAME_HEADER_BYTES + FRAME_CHAIN_BYTES + inline.byteLength + 512
  for (const delta of deltas) room += deltaItemBytes(delta)
  for (const { bucket, entry, entries } of items)
    room += itemOverheadBytes(bucket, entry) + entries.byteLength
  const target = Buffer.alloc(room)
  let at = FRAME_HEADER_BYTES
  for (const delta of deltas) at = writeDeltaItem(target, at, delta)
  for (const item of items) {
    const entriesAt = beginRecordsItem(target, at, item)
    target.set(item.entries, entriesAt)
    at = finishRecordsItem(target, entriesAt, entriesAt + item.entries.byteLength)
  }
  const metaBytes = at - FRAME_HEADER_BYTES
  target.set(inline, at + FRAME_CHAIN_BYTES)
  const chain = finishFrame(target, { ...identity, metaBytes, contentBytes: inline.byteLength })
  return { bytes: target.subarray(0, frameBytes(metaBytes, inline.byteLength)), chain }
}

const position = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const item: fc.Arbitrary<Item> = fc.record({
  bucket: fc.string({ maxLength: 20, unit: anyCharacter }),
  entry: fc.string({ maxLength: 20, unit: 'grapheme' }),
  blockId: position,
  walAtBytes: position,
  blkAtBytes: position,
  direct: fc.boolean(),
  baseCrc64: fc.option(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), { nil: undefined }),
  recordCount: fc.nat({ max: 0xffff_ffff }),
  contentBytes: fc.nat({ max: 1_000 }),
  entries: fc.uint8Array({ maxLength: 100 }),
})
const content: fc.Arbitrary<Content> = fc.record({
  items: fc.array(item, { maxLength: 5 }),
  deltas: fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 3 }),
  inline: fc.uint8Array({ maxLength: 200 }),
})

const small: Content = {
  items: [
    {
      bucket: 'kafka',
      entry: 'topic/0',
      blockId: 1_750_000_000_000_000,
      walAtBytes: 0,
      blkAtBytes: 64,
      direct: false,
      baseCrc64: 5n,
      recordCount: 1,
      contentBytes: 3,
      entries: Uint8Array.of(0, 1, 2, 3),
    },
  ],
  deltas: [Uint8Array.of(9, 8)],
  inline: Uint8Array.of(7, 7, 7),
}

describe('a frame', () => {
  test('reads back as it was written, wherever its bytes end', () => {
    fc.assert(
      fc.property(content, fc.nat({ max: 600 }), (written, after) => {
        const { bytes, chain } = encode(written)
        const padded = new Uint8Array(bytes.byteLength + after)
        padded.set(bytes)
        const frame = parseFrame(padded)
        expect(frame).toMatchObject({ ...identity, chain, contentBytes: written.inline.byteLength })
        expect(frame?.deltas.map((delta) => Buffer.from(delta).toString('hex'))).toEqual(
          written.deltas.map((delta) => Buffer.from(delta).toString('hex')),
        )
        let contentAtBytes = FRAME_HEADER_BYTES + (frame?.metaBytes ?? 0) + FRAME_CHAIN_BYTES
        for (const [index, { entries, ...facts }] of written.items.entries()) {
          const read = frame?.records[index]
          expect(read).toMatchObject({ ...facts, contentAtBytes })
          expect(Buffer.compare(read?.entries ?? new Uint8Array(0), entries)).toBe(0)
          if (!facts.direct) contentAtBytes += facts.contentBytes
        }
        expect(frame?.records).toHaveLength(written.items.length)
      }),
    )
  })

  test('is refused with any bit of header, items or chain value flipped', () => {
    const { bytes } = encode(small)
    const guarded = bytes.byteLength - small.inline.byteLength
    expect(parseFrame(bytes)).toBeDefined()
    for (let bit = 0; bit < guarded * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      expect([bit, parseFrame(flipped)]).toEqual([bit, undefined])
    }
  })

  test('is refused cut at any place before its content', () => {
    const { bytes } = encode(small)
    const guarded = bytes.byteLength - small.inline.byteLength
    for (let length = 0; length < guarded; length++)
      expect([length, parseFrame(bytes.subarray(0, length))]).toEqual([length, undefined])
    expect(parseFrame(bytes.subarray(0, guarded))).toBeDefined()
  })

  test('never comes out of arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        expect(parseFrame(bytes)).toBeUndefined()
      }),
    )
  })

  test('keeps the bounds that its buffer is taken by', () => {
    fc.assert(
      fc.property(item, (one) => {
        const { bytes } = encode({ items: [one], deltas: [], inline: new Uint8Array(0) })
        const bound =
          FRAME_HEADER_BYTES +
          FRAME_CHAIN_BYTES +
          itemOverheadBytes(one.bucket, one.entry) +
          one.entries.byteLength
        expect(bytes.byteLength).toBeLessThanOrEqual(bound)
      }),
    )
  })
})

test.each([
  [0, 0],
  [1, 512],
  [512, 512],
  [513, 1_024],
])('%i bytes take %i in the log', (bytes, aligned) => {
  expect(alignFrame(bytes)).toBe(aligned)
})
