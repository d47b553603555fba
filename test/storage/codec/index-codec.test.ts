import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { loadCrc64 } from '../../../src/base/crc64.ts'
import {
  decodeIndex,
  encodeIndex,
  encodeIndexAppend,
  type IndexEntry,
} from '../../../src/storage/codec/index-codec.ts'
import { fromHex, toHex } from '../../support/bytes.ts'

await loadCrc64()

const vectorA: IndexEntry = {
  id: 1n,
  sizeBytes: 20n,
  recordCount: 2,
  metadataBytes: 68n,
  latestUs: 2_000_010n,
  crc64: 16557286252962882476n,
}
const vectorAHex = '0a1a08011014180220442a05080210904e30acc7be82f783d3e3e50110eaf0c5c99df281c63f'

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const entry: fc.Arbitrary<IndexEntry> = fc.record({
  id: fc.oneof(fc.bigInt({ min: 0n, max: 5n }), u64),
  sizeBytes: u64,
  recordCount: fc.maxSafeNat(),
  metadataBytes: u64,
  latestUs: u64,
  crc64: fc.option(u64, { nil: undefined }),
  compression: fc.option(fc.nat(1), { nil: undefined }),
  corrupted: fc.option(fc.boolean(), { nil: undefined }),
  version: fc.option(u64, { nil: undefined }),
  hasChecksums: fc.option(fc.constant(true), { nil: undefined }),
})

const lastOfEach = (entries: readonly IndexEntry[]): Map<bigint, IndexEntry> => {
  const map = new Map<bigint, IndexEntry>()
  for (const one of entries) {
    map.delete(one.id)
    map.set(one.id, one)
  }
  return map
}

describe('the index codec', () => {
  it.each<[string, IndexEntry, string, bigint]>([
    [
      'T1',
      { id: 1n, sizeBytes: 1n, recordCount: 1, metadataBytes: 1n, latestUs: 0n },
      '0a0a08011001180120012a0010c9a7e6a2d8b4828b04',
      294433432134063049n,
    ],
    ['vector A', vectorA, vectorAHex, 4579043244124502122n],
    [
      'vector A with a WAL',
      { ...vectorA, metadataBytes: 46n, crc64: undefined },
      '0a0f080110141802202e2a05080210904e10f1a6cbcca0b99ae3ad01',
      12521812130415170417n,
    ],
    [
      'the realistic vector',
      {
        id: 1_731_496_219_752_581n,
        sizeBytes: 5n,
        recordCount: 1,
        metadataBytes: 88n,
        latestUs: 1_731_496_219_752_581n,
        crc64: 0x6221945217afff70n,
      },
      '0a270885f1ee8896d989031005180120582a0c089b92d2b9061088f3ede60230f0febfbda18ae59062109dc688f19fde9d803a',
      4179471235922666269n,
    ],
  ])('writes %s byte for byte', (_, one, hex, crc) => {
    const written = encodeIndex([one])
    expect(toHex(written.bytes)).toBe(hex)
    expect(written.crc64).toBe(crc)
    expect(decodeIndex(fromHex(hex))).toMatchObject({
      verdict: 'valid',
      entries: new Map([[one.id, one]]),
      crc64: crc,
    })
  })

  it('reads and writes the index that 1.21 makes of vector A', () => {
    const hex = '0a1b08011014180220462a05080210904e30c4d08dfcc3cda5f904480110eaddeadedfae91b1c901'
    const read = decodeIndex(fromHex(hex))
    expect(read.verdict).toBe('valid')
    expect(read.entries.get(1n)).toMatchObject({ metadataBytes: 70n, version: 1n, corrupted: undefined })
    expect(toHex(encodeIndex(read.entries.values()).bytes)).toBe(hex)
  })

  it('takes 0 bytes for a valid empty index, and writes one so', () => {
    expect(decodeIndex(new Uint8Array(0))).toMatchObject({ verdict: 'valid', entries: new Map(), crc64: 0n })
    expect(encodeIndex([]).bytes.byteLength).toBe(0)
  })

  it('reads back every 64-bit value, in order', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
        const written = encodeIndex(entries)
        const read = decodeIndex(written.bytes)
        expect(read).toMatchObject({ verdict: 'valid', entriesInFile: entries.length, crc64: written.crc64 })
        expect([...read.entries]).toEqual([...lastOfEach(entries)])
      }),
    )
  })

  it('grows by appending, and a later entry of an id replaces an earlier one', () => {
    const batches = fc.array(fc.array(entry, { minLength: 1, maxLength: 3 }), { maxLength: 4 })
    fc.assert(
      fc.property(batches, (all) => {
        let bytes = new Uint8Array(0)
        let crc64 = 0n
        for (const batch of all) {
          const appended = encodeIndexAppend(crc64, batch)
          bytes = new Uint8Array(Buffer.concat([bytes, appended.bytes]))
          crc64 = appended.crc64
        }
        const read = decodeIndex(bytes)
        expect(read).toMatchObject({ verdict: 'valid', crc64, entriesInFile: all.flat().length })
        expect([...read.entries]).toEqual([...lastOfEach(all.flat())])
      }),
    )
  })

  it('does not take an append cut anywhere for valid', () => {
    const first = encodeIndex([vectorA])
    const second = encodeIndexAppend(first.crc64, [{ ...vectorA, crc64: undefined }])
    const bytes = new Uint8Array(Buffer.concat([first.bytes, second.bytes]))
    for (let length = first.bytes.byteLength + 1; length < bytes.byteLength; length++) {
      const { verdict } = decodeIndex(bytes.subarray(0, length))
      expect([length, verdict]).toEqual([length, expect.not.stringMatching('^valid$')])
    }
  })

  it('sees every flipped bit that changes what an entry says', () => {
    const whole = encodeIndex([vectorA, { ...vectorA, id: 3_000_000n, version: 3n, corrupted: true }]).bytes
    let rejected = 0
    for (let bit = 0; bit < whole.byteLength * 8; bit++) {
      const flipped = whole.slice()
      flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7))
      const read = decodeIndex(flipped)
      // The checksum covers microseconds, so nanoseconds below them may change.
      if (read.verdict === 'valid') expect([bit, read.entries]).toEqual([bit, decodeIndex(whole).entries])
      else rejected++
    }
    expect(rejected).toBeGreaterThan(whole.byteLength * 8 - 25)
  })

  it('refuses an entry without a latest time, on which ReductStore does not start', () => {
    expect(decodeIndex(fromHex('0a020801')).verdict).toBe('undecodable')
  })

  it('has a verdict on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => decodeIndex(bytes).entriesInFile <= 30),
    )
  })
})
