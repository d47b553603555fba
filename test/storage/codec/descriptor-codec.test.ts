import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { crc64, loadCrc64 } from '../../../src/base/crc64.ts'
import '../../../src/storage/codec/protobuf-runtime.ts'
import {
  decodeDescriptor,
  descriptorMemoryBytes,
  encodeDescriptor,
  firstRecordFrom,
  type Descriptor,
} from '../../../src/storage/codec/descriptor-codec.ts'
import { sediment } from '../../../src/storage/codec/generated/storage.js'
import { decodeRecord, encodeRecord, recordBytes } from '../../../src/storage/codec/record-codec.ts'
import { scanRecord } from '../../../src/storage/codec/scan-record.ts'
import { StorageError } from '../../../src/storage/errors.ts'
import { fromHex, toHex } from '../../support/bytes.ts'

await loadCrc64()

function record(
  timestampUs: number,
  beginBytes = 0,
  endBytes = 0,
  contentType = 'text/plain',
  state = 1,
): Uint8Array {
  const fields = {
    timestampUs,
    beginBytes,
    endBytes,
    state,
    labels: [],
    contentType,
    contentCrc32: undefined,
  }
  const bytes = new Uint8Array(recordBytes(fields))
  encodeRecord(bytes, 0, fields)
  return bytes
}

function recordsOf(descriptor: Descriptor): string[] {
  return Array.from(descriptor.timestampsUs, (_, index) =>
    toHex(descriptor.bytes.subarray(descriptor.recordFromBytes[index], descriptor.recordToBytes[index])),
  )
}

const vectorA =
  '0a0310e8071205080210904e181422150a0310e807180a2001320a746578742f706c61696e22190a05080210904e100a18142001320a746578742f706c61696e3002382a'
const realistic =
  '0a0c089b92d2b9061088f3ede602120c089b92d2b9061088f3ede602180522340a0c089b92d2b9061088f3ede602180520012a060a016b12017632186170706c69636174696f6e2f6f637465742d73747265616d30013832'

describe('the descriptor codec', () => {
  it('writes vector A byte for byte', () => {
    const bytes = encodeDescriptor({ id: 1, sizeBytes: 20 }, [record(1, 0, 10), record(2_000_010, 10, 20)])
    expect(toHex(bytes)).toBe(vectorA)
    expect(crc64(bytes)).toBe(16557286252962882476n)
  })

  it('writes the realistic vector byte for byte', () => {
    const fields = {
      timestampUs: 1_731_496_219_752_581,
      beginBytes: 0,
      endBytes: 5,
      state: 1,
      labels: ['k', 'v'],
      contentType: 'application/octet-stream',
      contentCrc32: undefined,
    }
    const bytes = new Uint8Array(recordBytes(fields))
    encodeRecord(bytes, 0, fields)
    const descriptor = encodeDescriptor({ id: fields.timestampUs, sizeBytes: 5 }, [bytes])
    expect(toHex(descriptor)).toBe(realistic)
    expect(crc64(descriptor)).toBe(0x6221945217afff70n)
  })

  it('keeps the version that 1.21 puts into vector A', () => {
    const read = decodeDescriptor(fromHex(`${vectorA}4001`))
    expect(toHex(read.otherFields)).toBe('4001')
    const records = [record(1, 0, 10), record(2_000_010, 10, 20)]
    const again = encodeDescriptor({ id: 1, sizeBytes: 20, otherFields: read.otherFields }, records)
    expect(toHex(again)).toBe(`${vectorA}4001`)
    expect(crc64(again)).toBe(crc64(read.bytes))
  })

  it('writes an empty block with both times present', () => {
    expect(toHex(encodeDescriptor({ id: 1, sizeBytes: 0 }, []))).toBe('0a0310e8071200')
    expect(toHex(encodeDescriptor({ id: 0n, sizeBytes: 0, lastFrame: 0 }, []))).toBe('0a001200c83e00')
  })

  it('does not count the state of a record in its metadata size', () => {
    const records = [record(1, 0, 0, '', 0), record(2, 0, 0, '', 1), record(3, 0, 0, '', 2)]
    const { metadataBytes } = decodeDescriptor(encodeDescriptor({ id: 1, sizeBytes: 0 }, records))
    expect(metadataBytes).toBe(records.reduce((sum, one) => sum + one.byteLength, 0) - 4)
  })

  it('is what protobufjs reads and writes', () => {
    const bytes = encodeDescriptor({ id: 1, sizeBytes: 20, lastFrame: 77 }, [
      record(1, 0, 10),
      record(2, 10, 20),
    ])
    const block = sediment.storage.Block.decode(bytes)
    expect(block).toMatchObject({ size: 20, recordCount: 2, lastFrame: 77, beginTime: { nanos: 1000 } })
    expect(block.records?.map((one) => one.end)).toEqual([10, 20])
    expect(toHex(sediment.storage.Block.encode(block).finish())).toBe(toHex(bytes))
  })

  it('reads back head and records', () => {
    const head = fc.record({
      id: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      sizeBytes: fc.maxSafeNat(),
      lastFrame: fc.option(fc.maxSafeNat(), { nil: undefined }),
    })
    const times = fc.uniqueArray(fc.maxSafeNat(), { maxLength: 8 }).map((all) => all.sort((a, b) => a - b))
    fc.assert(
      fc.property(head, times, (written, timestampsUs) => {
        const records = timestampsUs.map((us) => record(us, us % 1000, (us % 1000) + 5))
        const read = decodeDescriptor(encodeDescriptor(written, records))
        expect(read).toMatchObject({ ...written, recordCount: records.length, corrupted: false })
        expect(read.latestUs).toBe(BigInt(timestampsUs.at(-1) ?? 0))
        expect([...read.timestampsUs]).toEqual(timestampsUs.map(BigInt))
        expect(recordsOf(read)).toEqual(records.map(toHex))
      }),
    )
  })

  it('sorts records stored in any order; of equal times the last one counts', () => {
    const times = fc.array(fc.nat(6), { maxLength: 12 })
    fc.assert(
      fc.property(times, (timestampsUs) => {
        const stored = timestampsUs.map((us, place) => record(us, place, place))
        const read = decodeDescriptor(encodeDescriptor({ id: 0, sizeBytes: 99 }, stored))
        const expected = new Map(timestampsUs.map((us, place) => [us, place]))
        const sorted = [...expected].sort(([a], [b]) => a - b)
        expect([...read.timestampsUs]).toEqual(sorted.map(([us]) => BigInt(us)))
        expect(recordsOf(read).map((hex) => decodeRecord(fromHex(hex)).beginBytes)).toEqual(
          sorted.map(([, place]) => place),
        )
      }),
    )
  })

  it('keeps times beyond 2^53 apart', () => {
    const at = (seconds: string, nanos: string): string => {
      const inner = `08${seconds}10${nanos}`
      return `0a${(inner.length / 2).toString(16).padStart(2, '0')}${inner}`
    }
    const records = ['e807', 'd00f'].map((nanos) => fromHex(at('ffffffff7f', nanos)))
    const read = decodeDescriptor(encodeDescriptor({ id: 2n ** 63n, sizeBytes: 0 }, records))
    const second = (2n ** 35n - 1n) * 1_000_000n
    expect([...read.timestampsUs]).toEqual([second + 1n, second + 2n])
    expect(read.id).toBe(2n ** 63n)
    expect(read.latestUs).toBe(second + 2n)
  })

  it('finds the first record from a time on', () => {
    const read = decodeDescriptor(
      encodeDescriptor({ id: 1, sizeBytes: 0 }, [record(5), record(7), record(9)]),
    )
    expect([0n, 5n, 6n, 9n, 10n].map((us) => firstRecordFrom(read, us))).toEqual([0, 0, 1, 2, 3])
  })

  it('tolerates a missing id and sees a block flagged as corrupted', () => {
    const read = decodeDescriptor(fromHex('12004801'))
    expect(read).toMatchObject({ id: undefined, latestUs: 0n, corrupted: true })
    expect(toHex(read.otherFields)).toBe('4801')
  })

  it('says of every record what the record says, in the order of time', () => {
    const crcOf = [undefined, 0, 0xffff_ffff]
    const encodedRecord = (timestampUs: number, place: number): Uint8Array => {
      const contentCrc32 = crcOf[place % 3]
      const fields = { timestampUs, beginBytes: 2 ** 33 + place, endBytes: 2 ** 34, state: place % 4 }
      const all = { ...fields, labels: [], contentType: '', contentCrc32 }
      const bytes = new Uint8Array(recordBytes(all))
      encodeRecord(bytes, 0, all)
      return bytes
    }
    for (const timesUs of [
      [1, 2, 3, 4, 5],
      [5, 2, 4, 2, 1],
    ]) {
      const records = timesUs.map(encodedRecord)
      const { facts, timestampsUs, bytes, recordFromBytes, recordToBytes } = decodeDescriptor(
        encodeDescriptor({ id: 1, sizeBytes: 2 ** 34 }, records),
      )
      for (const [index, timestampUs] of timestampsUs.entries()) {
        const said = {
          timestampUs: Number(timestampUs),
          beginBytes: facts.beginBytes[index],
          endBytes: facts.endBytes[index],
          state: facts.states[index],
          contentCrc32: facts.hasCrc32[index] === 1 ? facts.contentCrc32[index] : undefined,
        }
        const [from, to] = [recordFromBytes[index] as number, recordToBytes[index] as number]
        expect(said).toEqual(scanRecord(bytes, from, to))
      }
      expect(facts.beginBytes).toHaveLength(timestampsUs.length)
    }
  })

  it.each([
    ['an empty file', ''],
    ['a record without a time', '0a00120022021805'],
    ['a record longer than the file', '0a00120022100a00'],
    ['a preallocated tail of zeros', `${vectorA}0000`],
  ])('calls %s corrupt', (_, hex) => {
    expect(() => decodeDescriptor(fromHex(hex))).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT' }))
  })

  it('fails with ERR_CORRUPT or not at all on any damage, with memory in proportion', () => {
    const whole = fromHex(realistic)
    const damage = (bytes: Uint8Array): void => {
      try {
        expect(descriptorMemoryBytes(decodeDescriptor(bytes))).toBeLessThan(256 + 6 * bytes.byteLength)
      } catch (error) {
        expect(error).toBeInstanceOf(StorageError)
        expect((error as StorageError).code).toBe('ERR_CORRUPT')
      }
    }
    for (let length = 0; length < whole.byteLength; length++) damage(whole.slice(0, length))
    for (let bit = 0; bit < whole.byteLength * 8; bit++) {
      const flipped = whole.slice()
      flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7))
      damage(flipped)
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), damage), { numRuns: 300 })
  })
})
