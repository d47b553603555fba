import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decodeBucketSettings, encodeBucketSettings } from '../../../src/storage/codec/settings-codec.ts'
import { StorageError } from '../../../src/storage/errors.ts'
import type { BucketSettings } from '../../../src/storage/record.ts'
import { fromHex, toHex } from '../../support/bytes.ts'

const defaults: BucketSettings = {
  blockBytesMax: 64_000_000,
  blockRecordsMax: 1024,
  quota: { kind: 'none', bytes: 0 },
}

describe('the settings codec', () => {
  it.each<[string, BucketSettings, string]>([
    ["ReductStore's defaults", defaults, '0880a0c21e10001800208008'],
    [
      'a quota',
      { ...defaults, quota: { kind: 'fifo', bytes: 1_000_000_000 } },
      '0880a0c21e1001188094ebdc03208008',
    ],
  ])('writes %s byte for byte', (_, settings, hex) => {
    expect(toHex(encodeBucketSettings(settings))).toBe(hex)
    expect(decodeBucketSettings(fromHex(hex))).toEqual(settings)
  })

  it("takes ReductStore's defaults where fields are absent, and no quota where its kind is unknown", () => {
    expect(decodeBucketSettings(new Uint8Array(0))).toEqual(defaults)
    expect(decodeBucketSettings(fromHex('1009'))).toEqual(defaults)
    expect(decodeBucketSettings(fromHex('0800'))).toEqual({ ...defaults, blockBytesMax: 0 })
  })

  it('steps over fields it does not know', () => {
    expect(decodeBucketSettings(fromHex('c83e05 2008'))).toEqual({ ...defaults, blockRecordsMax: 8 })
  })

  it('takes limits beyond 2^53 for the largest number', () => {
    const { quota } = decodeBucketSettings(fromHex('100218ffffffffffffffffff01'))
    expect(quota).toEqual({ kind: 'hard', bytes: Number.MAX_SAFE_INTEGER })
  })

  it('reads back what it wrote', () => {
    const settings: fc.Arbitrary<BucketSettings> = fc.record({
      blockBytesMax: fc.maxSafeNat(),
      blockRecordsMax: fc.maxSafeNat(),
      quota: fc.record({ kind: fc.constantFrom('none', 'fifo', 'hard'), bytes: fc.maxSafeNat() }),
    })
    fc.assert(
      fc.property(settings, (one) => expect(decodeBucketSettings(encodeBucketSettings(one))).toEqual(one)),
    )
  })

  it('fails with ERR_CORRUPT or not at all on any bytes', () => {
    expect(() => decodeBucketSettings(fromHex('08'))).toThrow(
      expect.objectContaining({ code: 'ERR_CORRUPT' }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        try {
          decodeBucketSettings(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(StorageError)
        }
      }),
    )
  })
})
