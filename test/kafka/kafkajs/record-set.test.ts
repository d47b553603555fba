import { describe, expect, test } from '@jest/globals'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import snappy from 'snappy'
import { crc32c } from '../../../src/base/crc32.ts'
import { FetchBudget } from '../../../src/kafka/kafkajs/fetch-budget.ts'
import { decodeRecordSet } from '../../../src/kafka/kafkajs/record-set.ts'
import { SourceError } from '../../../src/kafka/source.ts'
import {
  crc32cBitwise,
  encodeBatch,
  encodeMarker,
  type RecordToEncode,
} from '../../support/record-batches.ts'

const HIGH = 1_000_000_000
const LIMITS = { decompressedBytesMax: 16 << 20 }
const text = (value: string): Buffer => Buffer.from(value)
const numbered = (count: number): RecordToEncode[] =>
  Array.from({ length: count }, (_, index) => ({ offsetDelta: index, value: text(`value ${index}`) }))

/** A zstd frame with its content in one raw block: magic, descriptor, 4 bytes of content size, block header. */
function zstdStored(plain: Buffer): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt32LE(0xfd2fb528, 0)
  head.writeUInt8(0xa0, 4)
  head.writeUInt32LE(plain.length, 5)
  head.writeUIntLE(1 | (plain.length << 3), 9, 3)
  return Buffer.concat([head, plain])
}

function xerial(plain: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])]
  for (let at = 0; at < plain.length; at += 1000) {
    const block = snappy.compressSync(plain.subarray(at, at + 1000))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

describe('crc32c', () => {
  test('agrees with the definition and the check value', () => {
    expect(crc32c(text('123456789'))).toBe(0xe3069283)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => crc32c(bytes) === crc32cBitwise(bytes)),
    )
  })
})

describe('a record set', () => {
  test('gives back every field of its records', async () => {
    const bytes = encodeBatch({
      baseOffset: 7n,
      baseTimestamp: 1000n,
      records: [
        { offsetDelta: 0, key: text('k'), value: text('v') },
        { offsetDelta: 2, timestampDelta: -5n, key: null, value: null },
        { offsetDelta: 3, timestampDelta: 1_700_000_000_000n, key: Buffer.alloc(0), value: Buffer.alloc(0) },
      ],
      lastOffsetDelta: 9,
    })
    const decoded = await decodeRecordSet(bytes, 7, HIGH, [], LIMITS)
    expect(decoded.error).toBeUndefined()
    expect(decoded.nextOffset).toBe(17)
    expect(
      decoded.records.map((r) => ({
        offset: r.offset,
        at: r.timestampMs,
        type: r.timestampType,
        key: r.key && Buffer.from(r.key).toString(),
        value: r.value && Buffer.from(r.value).toString(),
      })),
    ).toEqual([
      { offset: 7, at: 1000, type: 'create', key: 'k', value: 'v' },
      { offset: 9, at: 995, type: 'create', key: null, value: null },
      { offset: 10, at: 1_700_000_001_000, type: 'create', key: '', value: '' },
    ])
  })

  test('keeps headers in order, with repeats, nulls, empty and odd names', async () => {
    const headers = [
      [text('b'), text('1')],
      [text('constructor'), null],
      [text('1'), Buffer.alloc(0)],
      [text('b'), text('2')],
      [Buffer.from([0xff, 0xfe]), text('not UTF-8')],
      [Buffer.alloc(0), text('no name')],
      [text('__proto__'), text('x'.repeat(300))],
    ] as const
    const bytes = encodeBatch({ baseOffset: 0n, records: [{ offsetDelta: 0, value: text('v'), headers }] })
    const { records } = await decodeRecordSet(bytes, 0, HIGH, [], LIMITS)
    expect(
      records[0]!.headers.map(({ name, value }) => [Buffer.from(name), value && Buffer.from(value)]),
    ).toEqual(headers)
  })

  test('without a timestamp says -1, with append time says the time of appending', async () => {
    const none = encodeBatch({ baseOffset: 0n, baseTimestamp: -1n, records: numbered(1) })
    const append = encodeBatch({
      baseOffset: 1n,
      baseTimestamp: 5n,
      maxTimestamp: 77n,
      isAppendTime: true,
      records: [{ offsetDelta: 0, timestampDelta: 3n, value: text('v') }],
    })
    const { records } = await decodeRecordSet(Buffer.concat([none, append]), 0, HIGH, [], LIMITS)
    expect(records.map((r) => [r.timestampMs, r.timestampType])).toEqual([
      [-1, 'create'],
      [77, 'append'],
    ])
  })

  test('round-trips any records', async () => {
    const bytes = fc.uint8Array({ maxLength: 200 })
    const nullable = fc.option(bytes)
    const record = fc.record({
      gap: fc.integer({ min: 0, max: 70_000 }),
      timestampDelta: fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n }),
      key: nullable,
      value: nullable,
      headers: fc.array(fc.tuple(bytes, nullable), { maxLength: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (wanted) => {
        let offsetDelta = -1
        const records = wanted.map((r) => ({ ...r, offsetDelta: (offsetDelta += r.gap + 1) }))
        const set = encodeBatch({ baseOffset: 100n, baseTimestamp: 0n, records })
        const decoded = await decodeRecordSet(set, 100, HIGH, [], LIMITS)
        expect(decoded.error).toBeUndefined()
        expect(
          decoded.records.map((r) => ({
            offset: r.offset,
            at: r.timestampMs,
            key: r.key && [...r.key],
            value: r.value && [...r.value],
            headers: r.headers.map(({ name, value }) => [[...name], value && [...value]]),
          })),
        ).toEqual(
          records.map((r) => ({
            offset: 100 + r.offsetDelta,
            at: Number(r.timestampDelta),
            key: r.key && [...r.key],
            value: r.value && [...r.value],
            headers: r.headers.map(([name, value]) => [[...name], value && [...value]]),
          })),
        )
      }),
      { numRuns: 200 },
    )
  })

  test('leaves out what is below the offset asked for', async () => {
    const set = encodeBatch({ baseOffset: 10n, records: numbered(5) })
    const { records, nextOffset } = await decodeRecordSet(set, 13, HIGH, [], LIMITS)
    expect(records.map((r) => r.offset)).toEqual([13, 14])
    expect(nextOffset).toBe(15)
  })

  test('passes over an empty batch, which compaction leaves behind', async () => {
    const set = encodeBatch({ baseOffset: 10n, records: [], lastOffsetDelta: 4 })
    const decoded = await decodeRecordSet(set, 10, HIGH, [], LIMITS)
    expect(decoded).toMatchObject({ records: [], nextOffset: 15, error: undefined })
  })

  test('is empty while the broker has nothing', async () => {
    expect(await decodeRecordSet(Buffer.alloc(0), 10, HIGH, [], LIMITS)).toMatchObject({
      records: [],
      nextOffset: 10,
      error: undefined,
    })
  })

  test('may end inside a batch', async () => {
    const first = encodeBatch({ baseOffset: 0n, records: numbered(3) })
    const second = encodeBatch({ baseOffset: 3n, records: numbered(3) })
    for (let cut = 0; cut < second.length; cut++) {
      const set = Buffer.concat([first, second.subarray(0, cut)])
      const { records, nextOffset, error } = await decodeRecordSet(set, 0, HIGH, [], LIMITS)
      expect([records.length, nextOffset, error]).toEqual([3, 3, undefined])
    }
  })

  test('whose first batch is cut off is an error, not an endless wait', async () => {
    const set = encodeBatch({ baseOffset: 0n, records: numbered(3) })
    const { error } = await decodeRecordSet(set.subarray(0, set.length - 1), 0, HIGH, [], LIMITS)
    expect(error?.code).toBe('ERR_BATCH')
  })

  test('whose batches all lie below the offset asked for is an error, not an endless wait', async () => {
    const set = encodeBatch({ baseOffset: 0n, records: numbered(3) })
    const { error, records } = await decodeRecordSet(set, 3, HIGH, [], LIMITS)
    expect([error?.code, records.length]).toEqual(['ERR_BATCH', 0])
  })

  test('holds 200,000 records in one batch', async () => {
    const set = encodeBatch({ baseOffset: 5n, records: numbered(200_000) })
    const { records, nextOffset } = await decodeRecordSet(set, 5, HIGH, [], LIMITS)
    expect(records.length).toBe(200_000)
    expect(nextOffset).toBe(200_005)
    expect(Buffer.from(records[199_999]!.value!).toString()).toBe('value 199999')
  })

  test('of the old message formats is refused by name', async () => {
    for (const magic of [0, 1]) {
      const set = encodeBatch({ baseOffset: 0n, records: numbered(1) })
      set[16] = magic
      const { error } = await decodeRecordSet(set, 0, HIGH, [], LIMITS)
      expect(error).toBeInstanceOf(SourceError)
      expect(error?.message).toContain(`message format ${magic}`)
    }
  })
})

describe('damage', () => {
  test('in any single bit is refused, the leader epoch apart', async () => {
    const sound = encodeBatch({
      baseOffset: 0n,
      records: [
        { offsetDelta: 0, key: text('key'), value: text('value'), headers: [[text('h'), text('1')]] },
      ],
    })
    let flips = 0
    for (let bit = 0; bit < sound.length * 8; bit++) {
      const byte = bit >> 3
      // The CRC does not cover base offset, length, epoch and magic. Small base offsets are possible ones.
      if ((byte >= 5 && byte < 8) || (byte >= 12 && byte < 16)) continue
      const flipped = Buffer.from(sound)
      flipped[byte]! ^= 1 << (bit & 7)
      const { records, error } = await decodeRecordSet(flipped, 0, 1, [], LIMITS)
      expect([bit, records.length, error?.code]).toEqual([bit, 0, 'ERR_BATCH'])
      flips++
    }
    expect(flips).toBe((sound.length - 7) * 8)
  })

  test('stops delivery where it is, after the sound batches before it', async () => {
    const first = encodeBatch({ baseOffset: 0n, records: numbered(3) })
    const second = encodeBatch({ baseOffset: 3n, records: numbered(3) })
    const third = encodeBatch({ baseOffset: 6n, records: numbered(3) })
    second[second.length - 1]! ^= 1
    const { records, nextOffset, error } = await decodeRecordSet(
      Buffer.concat([first, second, third]),
      0,
      HIGH,
      [],
      LIMITS,
    )
    expect(records.map((r) => r.offset)).toEqual([0, 1, 2])
    expect(nextOffset).toBe(3)
    expect(error?.message).toContain('offset 3')
  })

  test('under a sound CRC is refused too, and nothing of its batch is delivered', async () => {
    const good = encodeBatch({ baseOffset: 0n, records: numbered(2) })
    const shapes: [string, Buffer][] = [
      [
        'too few records',
        encodeBatch({ baseOffset: 2n, records: numbered(2), compress: (b) => Buffer.concat([b, b]) }),
      ],
      [
        'too many records',
        encodeBatch({ baseOffset: 2n, records: numbered(2), compress: (b) => b.subarray(0, 9) }),
      ],
      [
        'falling offsets',
        encodeBatch({
          baseOffset: 2n,
          records: [{ offsetDelta: 1 }, { offsetDelta: 0 }],
          lastOffsetDelta: 1,
        }),
      ],
      [
        'offsets beyond the last',
        encodeBatch({ baseOffset: 2n, records: [{ offsetDelta: 5 }], lastOffsetDelta: 1 }),
      ],
      [
        'garbage',
        encodeBatch({ baseOffset: 2n, records: numbered(2), compress: () => Buffer.alloc(40, 0xff) }),
      ],
      [
        'fewer headers than announced',
        encodeBatch({ baseOffset: 2n, records: numbered(2), compress: (b) => b.fill(0x7e, b.length - 1) }),
      ],
      ['an unknown codec', encodeBatch({ baseOffset: 2n, records: numbered(2), codec: 6 })],
      ['no gzip', encodeBatch({ baseOffset: 2n, records: numbered(2), codec: 1 })],
      ['no snappy', encodeBatch({ baseOffset: 2n, records: numbered(2), codec: 2 })],
      ['no lz4', encodeBatch({ baseOffset: 2n, records: numbered(2), codec: 3 })],
      ['no zstd', encodeBatch({ baseOffset: 2n, records: numbered(2), codec: 4 })],
    ]
    for (const [name, bad] of shapes) {
      const { records, nextOffset, error } = await decodeRecordSet(
        Buffer.concat([good, bad]),
        0,
        HIGH,
        [],
        LIMITS,
      )
      expect([name, records.length, nextOffset, error?.code]).toEqual([name, 2, 2, 'ERR_BATCH'])
    }
  })
})

describe('compression', () => {
  const codecs: [string, number, (plain: Buffer) => Buffer][] = [
    ['gzip', 1, gzipSync],
    ['snappy', 2, (plain) => snappy.compressSync(plain)],
    ['snappy in xerial framing', 2, xerial],
    ['lz4', 3, (plain) => compressFrameSync(plain)],
    ['zstd', 4, zstdStored],
  ]
  test.each(codecs)('%s is undone', async (_, codec, compress) => {
    const set = Buffer.concat([
      encodeBatch({ baseOffset: 0n, records: numbered(500), codec, compress }),
      encodeBatch({ baseOffset: 500n, records: numbered(3) }),
      encodeBatch({ baseOffset: 503n, records: numbered(500), codec, compress }),
    ])
    const { records, nextOffset, error, bytes } = await decodeRecordSet(set, 0, HIGH, [], LIMITS)
    expect([records.length, nextOffset, error]).toEqual([1003, 1003, undefined])
    expect(records.map((r) => r.offset)).toEqual(Array.from({ length: 1003 }, (__, index) => index))
    expect(Buffer.from(records[1002]!.value!).toString()).toBe('value 499')
    expect(bytes).toBeGreaterThan(set.length + 2 * 500 * 10)
  })

  test.each(codecs)(
    '%s: a batch that becomes more than the limit is not decoded, and says what it needs',
    async (_, codec, compress) => {
      const first = encodeBatch({ baseOffset: 0n, records: numbered(3), codec, compress })
      const bomb = encodeBatch({ baseOffset: 3n, records: numbered(5000), codec, compress })
      const limits = { decompressedBytesMax: 8 << 10 }
      const decoded = await decodeRecordSet(Buffer.concat([first, bomb]), 0, HIGH, [], limits)
      expect([decoded.records.length, decoded.nextOffset]).toEqual([3, 3])
      expect(decoded.error).toMatchObject({
        code: 'ERR_BATCH',
        message: expect.stringMatching(/8192.*limit/),
      })
      expect(decoded.damaged).toMatchObject({ nextOffset: 5003, bytes: bomb })
      const { decompressedBytes } = decoded.damaged!
      expect(decompressedBytes).toBeGreaterThan(limits.decompressedBytesMax)
      const larger = { decompressedBytesMax: decompressedBytes! }
      const again = await decodeRecordSet(bomb, 3, HIGH, [], larger)
      expect([again.records.length, again.error]).toEqual([5000, undefined])
    },
  )

  test.each(codecs)(
    '%s: no more batches are decompressed than there is room for',
    async (_, codec, compress) => {
      const batches = [0n, 500n, 1000n].map((baseOffset) =>
        encodeBatch({ baseOffset, records: numbered(500), codec, compress }),
      )
      const set = Buffer.concat(batches)
      const { allowance } = new FetchBudget(40_000).open()!
      // About 8 KB each, whatever it is compressed to: two fit into half of 40 kB, or one by the coarse bound of LZ4.
      const decoded = await decodeRecordSet(set, 0, HIGH, [], { ...LIMITS, allowance })
      expect(decoded.error).toBeUndefined()
      expect([500, 1000]).toContain(decoded.nextOffset)
      expect(decoded.records.map(({ offset }) => offset)).toEqual(
        Array.from({ length: decoded.nextOffset }, (__, offset) => offset),
      )
      expect(allowance.wantedBytes).toBeGreaterThan(3 * 7000)
      expect(decoded.isView).toBe(false)

      const nothing = await decodeRecordSet(set, 0, HIGH, [], {
        ...LIMITS,
        allowance: { grant: () => 0 },
      })
      expect(nothing).toMatchObject({ records: [], nextOffset: 0, absent: [], error: undefined, bytes: 0 })
      const later = await decodeRecordSet(set, decoded.nextOffset, HIGH, [], LIMITS)
      expect(later.nextOffset).toBe(1500)
    },
  )

  test('what is not compressed keeps the answer, and counts as long as it is', async () => {
    const plain = encodeBatch({ baseOffset: 0n, records: numbered(3) })
    const packed = encodeBatch({ baseOffset: 3n, records: numbered(3), codec: 1, compress: gzipSync })
    const mixed = await decodeRecordSet(Buffer.concat([plain, packed]), 0, HIGH, [], LIMITS)
    expect(mixed.isView).toBe(true)
    expect(mixed.bytes).toBeGreaterThan(plain.length + packed.length)
  })
})

describe('transactions', () => {
  const data = (baseOffset: bigint, producerId: bigint, count = 2, key: Buffer | null = null): Buffer =>
    encodeBatch({
      baseOffset,
      producerId,
      isTransactional: true,
      records: Array.from({ length: count }, (_, index) => ({ offsetDelta: index, key, value: text('v') })),
    })
  const offsets = async (
    batches: Buffer[],
    aborted: { producerId: bigint; firstOffset: number }[],
    fetchOffset = 0,
  ): Promise<{ delivered: number[]; nextOffset: number }> => {
    const { records, nextOffset, error } = await decodeRecordSet(
      Buffer.concat(batches),
      fetchOffset,
      HIGH,
      aborted,
      LIMITS,
    )
    expect(error).toBeUndefined()
    return { delivered: records.map((r) => r.offset), nextOffset }
  }

  test('control records are counted, never delivered', async () => {
    expect(await offsets([data(0n, 1n), encodeMarker(2n, 1n, 'commit')], [])).toEqual({
      delivered: [0, 1],
      nextOffset: 3,
    })
    expect(await offsets([encodeMarker(2n, 1n, 'commit')], [], 2)).toEqual({ delivered: [], nextOffset: 3 })
  })

  test('aborted records are left out up to their marker, also when both producers began before the fetch', async () => {
    const batches = [
      data(10n, 1n),
      data(12n, 2n),
      encodeMarker(14n, 1n, 'abort'),
      data(15n, 1n),
      encodeMarker(17n, 2n, 'abort'),
      encodeMarker(18n, 1n, 'commit'),
      data(19n, 2n),
    ]
    const aborted = [
      { producerId: 1n, firstOffset: 3 },
      { producerId: 2n, firstOffset: 5 },
    ]
    expect(await offsets(batches, aborted, 10)).toEqual({ delivered: [15, 16, 19, 20], nextOffset: 21 })
  })

  test('a data key that looks like an abort marker ends nothing', async () => {
    const batches = [
      data(0n, 1n, 1, Buffer.from([0, 0, 0, 0])),
      data(1n, 1n, 1),
      encodeMarker(2n, 1n, 'abort'),
    ]
    expect(await offsets(batches, [{ producerId: 1n, firstOffset: 0 }])).toEqual({
      delivered: [],
      nextOffset: 3,
    })
  })

  test('abort, commit and abort of one producer in one response', async () => {
    const batches = [
      data(0n, 1n, 1),
      encodeMarker(1n, 1n, 'abort'),
      data(2n, 1n, 1),
      encodeMarker(3n, 1n, 'commit'),
      data(4n, 1n, 1),
      encodeMarker(5n, 1n, 'abort'),
    ]
    const aborted = [
      { producerId: 1n, firstOffset: 0 },
      { producerId: 1n, firstOffset: 4 },
    ]
    expect(await offsets(batches, aborted)).toEqual({ delivered: [2], nextOffset: 6 })
  })

  test('every offset without a record is told apart: markers, aborted records, and what the log does not have', async () => {
    const batches = [
      data(2n, 1n),
      encodeMarker(4n, 1n, 'abort'),
      data(7n, 2n),
      encodeMarker(9n, 2n, 'commit'),
      data(10n, 1n),
    ]
    const { absent, nextOffset } = await decodeRecordSet(
      Buffer.concat(batches),
      0,
      HIGH,
      [
        { producerId: 1n, firstOffset: 2 },
        { producerId: 1n, firstOffset: 10 },
      ],
      LIMITS,
    )
    expect(nextOffset).toBe(12)
    expect(absent).toEqual([
      { why: 'missing', fromOffset: 0, nextOffset: 2 },
      { why: 'aborted', fromOffset: 2, nextOffset: 4 },
      { why: 'control', fromOffset: 4, nextOffset: 5 },
      { why: 'missing', fromOffset: 5, nextOffset: 7 },
      { why: 'control', fromOffset: 9, nextOffset: 10 },
      { why: 'aborted', fromOffset: 10, nextOffset: 12 },
    ])
  })

  test('an aborted tail whose marker comes later counts as seen', async () => {
    expect(await offsets([data(0n, 1n, 5)], [{ producerId: 1n, firstOffset: 0 }])).toEqual({
      delivered: [],
      nextOffset: 5,
    })
  })
})

describe('a damaged batch', () => {
  const batch = (baseOffset: bigint): Buffer => encodeBatch({ baseOffset, records: numbered(3) })
  const flipped = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes)
    copy[at] = copy[at]! ^ 0x10
    return copy
  }
  const damagedIn = async (set: Buffer) => (await decodeRecordSet(set, 0, 100, [], LIMITS)).damaged

  test('is handed over byte for byte, and ends where the next sound one begins', async () => {
    const bad = flipped(batch(3n), 70)
    expect(await damagedIn(Buffer.concat([batch(0n), bad, batch(9n)]))).toEqual({ nextOffset: 9, bytes: bad })
    // Its own last offset is damaged.
    const lying = flipped(batch(3n), 25)
    expect((await damagedIn(Buffer.concat([batch(0n), lying, batch(6n)])))?.nextOffset).toBe(6)
  })

  test('ends by its own header where nothing sound follows, and one further on where that is impossible', async () => {
    const bad = flipped(batch(3n), 70)
    expect(await damagedIn(Buffer.concat([batch(0n), bad]))).toEqual({ nextOffset: 6, bytes: bad })
    expect((await damagedIn(Buffer.concat([batch(0n), flipped(batch(3n), 25)])))?.nextOffset).toBe(4)
  })

  test('that does not decompress ends by its header, which its checksum covers', async () => {
    const bad = encodeBatch({
      baseOffset: 3n,
      records: numbered(3),
      codec: 1,
      compress: () => text('no gzip'),
    })
    expect(await damagedIn(Buffer.concat([batch(0n), bad, batch(6n)]))).toEqual({ nextOffset: 6, bytes: bad })
  })

  test('is none where all are sound', async () => {
    expect(await damagedIn(Buffer.concat([batch(0n), batch(3n)]))).toBeUndefined()
  })
})
