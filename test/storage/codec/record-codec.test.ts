import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import '../../../src/storage/codec/protobuf-runtime.ts'
import { sediment } from '../../../src/storage/codec/generated/storage.js'
import {
  decodeRecord,
  encodeRecord,
  recordBytes,
  recordStateName,
  type RecordFields,
} from '../../../src/storage/codec/record-codec.ts'
import { scanRecord } from '../../../src/storage/codec/scan-record.ts'
import { StorageError } from '../../../src/storage/errors.ts'
import { fromHex, toHex } from '../../support/bytes.ts'
import { anyCharacter } from '../../support/characters.ts'

const { Record } = sediment.storage

function encoded(fields: RecordFields): Uint8Array {
  const bytes = new Uint8Array(recordBytes(fields))
  expect(encodeRecord(bytes, 0, fields)).toBe(bytes.byteLength)
  return bytes
}

/** The same by protobufjs, which writes whatever is set, so what proto3 leaves out is not set. */
function byProtobufjs(fields: RecordFields): Uint8Array {
  const seconds = Math.floor(fields.timestampUs / 1_000_000)
  const nanos = (fields.timestampUs - seconds * 1_000_000) * 1000
  const unlessZero = <K extends string, V>(key: K, value: V) =>
    value === 0 || value === '' ? {} : { [key]: value }
  const labels = []
  for (let index = 0; index < fields.labels.length; index += 2) {
    labels.push({
      ...unlessZero('name', fields.labels[index]?.toString()),
      ...unlessZero('value', fields.labels[index + 1]?.toString()),
    })
  }
  return Record.encode({
    timestamp: { ...unlessZero('seconds', seconds), ...unlessZero('nanos', nanos) },
    ...unlessZero('begin', fields.beginBytes),
    ...unlessZero('end', fields.endBytes),
    ...unlessZero('state', fields.state),
    labels,
    ...unlessZero('contentType', fields.contentType),
    ...(fields.contentCrc32 === undefined ? {} : { contentCrc32: fields.contentCrc32 }),
  }).finish()
}

// Well-formed text of every width, of lengths on both sides of the loop's limit.
const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ maxLength: 20, unit: anyCharacter }),
  fc.string({ minLength: 100, maxLength: 400, unit: 'binary-ascii' }),
  fc.constantFrom('', 'é', '€'.repeat(100), '😀', 'x'.repeat(127), 'x'.repeat(128), 'x'.repeat(300)),
)
const position = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat().map((value) => Math.floor(value / 2)),
)
const recordFields: fc.Arbitrary<RecordFields> = fc
  .record({
    timestampUs: fc.oneof(
      fc.nat(3_000_000),
      fc.maxSafeNat(),
      fc.maxSafeNat().map((us) => us - (us % 1_000_000)),
    ),
    beginBytes: position,
    length: position,
    state: fc.constantFrom(0, 1, 2),
    labels: fc.array(fc.tuple(text, text), { maxLength: 4 }).map((pairs) => pairs.flat()),
    contentType: text,
    contentCrc32: fc.option(fc.oneof(fc.constant(0), fc.nat(0xffff_ffff)), { nil: undefined }),
  })
  .map(({ length, ...fields }) => ({ ...fields, endBytes: fields.beginBytes + length }))

function expectOnlyCorrupt(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(StorageError)
    expect((error as StorageError).code).toBe('ERR_CORRUPT')
  }
}

describe('the record codec', () => {
  const plain = { state: 1, labels: [], contentType: 'text/plain', contentCrc32: undefined }

  it.each<[string, RecordFields, string]>([
    [
      'record 1 of vector A',
      { ...plain, timestampUs: 1, beginBytes: 0, endBytes: 10 },
      '0a0310e807180a2001320a746578742f706c61696e',
    ],
    [
      'record 2 of vector A',
      { ...plain, timestampUs: 2_000_010, beginBytes: 10, endBytes: 20 },
      '0a05080210904e100a18142001320a746578742f706c61696e',
    ],
    [
      'the realistic vector',
      {
        ...plain,
        timestampUs: 1_731_496_219_752_581,
        beginBytes: 0,
        endBytes: 5,
        labels: ['k', 'v'],
        contentType: 'application/octet-stream',
      },
      '0a0c089b92d2b9061088f3ede602180520012a060a016b12017632186170706c69636174696f6e2f6f637465742d73747265616d',
    ],
    [
      'time zero and an own field',
      { ...plain, timestampUs: 0, beginBytes: 0, endBytes: 0, contentType: '', contentCrc32: 0x01020304 },
      '0a002001c53e04030201',
    ],
  ])('writes %s byte for byte', (_, fields, hex) => {
    expect(toHex(encoded(fields))).toBe(hex)
  })

  it('writes what protobufjs writes', () => {
    fc.assert(fc.property(recordFields, (fields) => toHex(encoded(fields)) === toHex(byProtobufjs(fields))))
  })

  it('reads back what it wrote, from anywhere in a buffer', () => {
    fc.assert(
      fc.property(recordFields, fc.nat(9), (fields, atBytes) => {
        const target = new Uint8Array(atBytes + recordBytes(fields) + 5).fill(0xff)
        const endBytes = encodeRecord(target, atBytes, fields)
        expect(decodeRecord(target, atBytes, endBytes)).toEqual({
          ...fields,
          timestampUs: BigInt(fields.timestampUs),
        })
        const { timestampUs, beginBytes, state, contentCrc32 } = fields
        expect(scanRecord(target, atBytes, endBytes)).toEqual({
          timestampUs,
          beginBytes,
          endBytes: fields.endBytes,
          state,
          contentCrc32,
        })
        expect(
          [...target.subarray(0, atBytes), ...target.subarray(endBytes)].every((byte) => byte === 0xff),
        ).toBe(true)
      }),
    )
  })

  it('replaces half a surrogate pair, so that stored text is always UTF-8', () => {
    const fields = {
      ...plain,
      timestampUs: 1,
      beginBytes: 0,
      endBytes: 0,
      labels: ['a\ud800', '\udc00'.repeat(300)],
    }
    expect(decodeRecord(encoded(fields)).labels).toEqual(['a\ufffd', '\ufffd'.repeat(300)])
  })

  it('refuses a target without room', () => {
    const fields = { ...plain, timestampUs: 1, beginBytes: 0, endBytes: 0, contentType: 'é'.repeat(200) }
    for (const missing of [1, 100, 399]) {
      expect(() => encodeRecord(new Uint8Array(recordBytes(fields) - missing), 0, fields)).toThrow(RangeError)
    }
  })

  it('reads times up to 2^64 - 1 exactly', () => {
    for (const timestampUs of [
      2n ** 53n - 1n,
      2n ** 53n,
      2n ** 53n + 1n,
      253_402_300_799_999_999n,
      2n ** 64n - 1n,
    ]) {
      const seconds = timestampUs / 1_000_000n
      const varint = (value: bigint): number[] =>
        value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)]
      const inner = [0x08, ...varint(seconds), 0x10, ...varint((timestampUs % 1_000_000n) * 1000n)]
      const bytes = Uint8Array.of(0x0a, inner.length, ...inner)
      expect(decodeRecord(bytes).timestampUs).toBe(timestampUs)
      expect(BigInt(scanRecord(bytes, 0, bytes.byteLength).timestampUs)).toBe(timestampUs)
    }
  })

  it('takes fields in any order, the last of a repeated one, and steps over unknown ones', () => {
    const unknown = 'c83e05 ca3e020102 cd3e01020304 c93e0102030405060708'
    const record = decodeRecord(fromHex(`32017a 2002 ${unknown} 1805 180a 1003 0a0310e807 320161`))
    expect(record).toMatchObject({ timestampUs: 1n, beginBytes: 3, endBytes: 10, state: 2, contentType: 'a' })
  })

  it('scans what it decodes, however numbers, times and lengths are written', () => {
    const varint = fc
      .tuple(
        fc.oneof(
          fc.bigInt(0n, 300n),
          fc.bigInt(0n, 2n ** 64n - 1n),
          fc.constantFrom(2n ** 28n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n, 2n ** 35n - 1n, 2n ** 35n),
        ),
        fc.nat(2),
      )
      .map(([value, padding]) => {
        const bytes: number[] = []
        for (let rest = value; bytes.length === 0 || rest > 0n; rest >>= 7n)
          bytes.push(Number(rest & 127n) | 128)
        for (let more = 0; more < padding && bytes.length < 10; more++) bytes.push(128)
        return [...bytes.slice(0, -1), (bytes.at(-1) as number) & 127]
      })
    const timeField = fc.tuple(fc.constantFrom(0x08, 0x10, 0x18), varint).map((parts) => parts.flat())
    const length = (value: number, isPadded: boolean): number[] => (isPadded ? [value | 128, 0] : [value])
    const field = fc.oneof(
      fc.tuple(fc.constantFrom(0x10, 0x18, 0x20), varint).map((parts) => parts.flat()),
      fc
        .tuple(fc.oneof(fc.tuple(timeField, timeField), fc.array(timeField, { maxLength: 3 })), fc.boolean())
        .map(([fields, isPadded]) => [0x0a, ...length(fields.flat().length, isPadded), ...fields.flat()]),
      fc
        .tuple(fc.nat(120), fc.boolean())
        .map(([count, isPadded]) => [0x32, ...length(count, isPadded), ...Array<number>(count).fill(0x61)]),
      fc.constant([0x2a, 0x06, 0x0a, 0x01, 0x6b, 0x12, 0x01, 0x76]),
      fc.nat(255).map((byte) => [0xc5, 0x3e, byte, 0, 1, byte]),
    )
    const outcome = (work: () => object): unknown => {
      try {
        return work()
      } catch (error) {
        return (error as StorageError).message
      }
    }
    fc.assert(
      fc.property(fc.array(field, { maxLength: 7 }), fc.nat(3), (fields, cut) => {
        const bytes = Uint8Array.from(fields.flat())
        const end = Math.max(0, bytes.byteLength - (cut === 3 ? 1 : 0))
        const decoded = outcome(() => {
          const { timestampUs, beginBytes, endBytes, state, contentCrc32 } = decodeRecord(bytes, 0, end)
          return { timestampUs, beginBytes, endBytes, state, contentCrc32 }
        })
        const scanned = outcome(() => {
          const { timestampUs, ...facts } = scanRecord(bytes, 0, end)
          return { timestampUs: BigInt(timestampUs), ...facts }
        })
        expect(scanned).toEqual(decoded)
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['without a time', '1805'],
    ['that ends before it begins', '0a00100a1805'],
    ['with text that is not UTF-8', '0a003201ff'],
    ['with a label name that is not UTF-8', '0a002a030a01c3'],
    ['with a group', '0a003b3c'],
    ['with field number 0', '0a000001'],
    ['with a position beyond 2^53', '0a0018ffffffffffffff7f'],
    ['with a number of eleven bytes', '0a0020ffffffffffffffffffff01'],
  ])('calls a record %s corrupt', (_, hex) => {
    expect(() => decodeRecord(fromHex(hex))).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT' }))
  })

  it('fails with ERR_CORRUPT or not at all on any bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.tuple(recordFields, fc.nat(), fc.nat(255)).map(([fields, place, value]) => {
        const damaged = encoded(fields)
        damaged[place % damaged.byteLength] = value
        return damaged.subarray(0, damaged.byteLength - (place % 3))
      }),
    )
    fc.assert(
      fc.property(bytes, (damaged) => {
        expectOnlyCorrupt(() => decodeRecord(damaged))
        expectOnlyCorrupt(() => scanRecord(damaged, 0, damaged.byteLength))
      }),
      { numRuns: 300 },
    )
  })

  it('names states, and counts those it does not know as errored', () => {
    expect([0, 1, 2, 3, 77].map(recordStateName)).toEqual([
      'started',
      'finished',
      'errored',
      'errored',
      'errored',
    ])
  })
})
