// Goal: a time that is written is read to the microsecond, whatever its unit, and what is no time is none.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { timeTextToUs, type TimeFormat } from '../../src/mapping/time-text.ts'

const LAST_US = BigInt(Number.MAX_SAFE_INTEGER)

describe('a number', () => {
  const decimals = { s: 6, ms: 3, us: 0, ns: -3 } as const

  it('is whole microseconds, rounded down, without a float in between', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('s', 'ms', 'us', 'ns'),
        fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
        fc.nat(9),
        fc.integer({ min: -6, max: 6 }),
        (unit: keyof typeof decimals, mantissa, fractionDigits, exponent) => {
          const sign = mantissa < 0n ? '-' : ''
          const digits = (mantissa < 0n ? -mantissa : mantissa).toString().padStart(fractionDigits + 1, '0')
          const point = digits.length - fractionDigits
          const written = `${sign}${digits.slice(0, point)}${fractionDigits > 0 ? '.' : ''}${digits.slice(point)}e${exponent}`
          // All in a unit so small that nothing is left over.
          const scale = 20 + exponent - fractionDigits + decimals[unit]
          const fine = mantissa * 10n ** BigInt(scale)
          const unitFine = 10n ** 20n
          const floor = fine / unitFine - (fine < 0n && fine % unitFine !== 0n ? 1n : 0n)
          const isSafe = floor <= LAST_US && floor >= -LAST_US

          const us = timeTextToUs(written, unit)
          expect(us).toBe(isSafe ? Number(floor) : mantissa < 0n ? -Infinity : Infinity)
        },
      ),
      { numRuns: 3000 },
    )
  })

  it.each<[string, TimeFormat, number | undefined]>([
    ['1700000000123456789', 'ns', 1_700_000_000_123_456],
    ['1700000000.123456', 's', 1_700_000_000_123_456],
    ['1.700000000123456789e18', 'ns', 1_700_000_000_123_456],
    ['0', 's', 0],
    ['-0.0', 'ms', 0],
    ['-0.1', 'us', -1],
    ['1e999999999999', 's', Infinity],
    ['1e-999999999999', 's', 0],
    ['9007199254740991', 'us', 9_007_199_254_740_991],
    ['9007199254740992', 'us', Infinity],
    ['9'.repeat(64), 'ns', Infinity],
    ['9'.repeat(65), 'ns', undefined],
    ['', 'ms', undefined],
    [' 1', 'ms', undefined],
    ['0x10', 'ms', undefined],
    ['1_000', 'ms', undefined],
    ['.5', 's', undefined],
    ['NaN', 's', undefined],
    ['Infinity', 's', undefined],
    ['true', 's', undefined],
  ])('%s in %s is %s', (text, format, us) => {
    // Not Object.is: there is no negative zero.
    expect(timeTextToUs(text, format) === us).toBe(true)
  })
})

describe('ISO 8601', () => {
  it('is what the calendar says, in any zone and with any fraction', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: Date.UTC(1900, 0), max: Date.UTC(2200, 0) }),
        fc.nat(999_999_999),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: -14 * 60, max: 14 * 60 }),
        fc.constantFrom('T', 't', ' '),
        (timeMs, ns, digits, aheadMinutes, separator) => {
          const seconds = Math.floor(timeMs / 1000)
          const fraction = String(ns).padStart(9, '0').slice(0, digits)
          const local = new Date((seconds + aheadMinutes * 60) * 1000).toISOString()
          const ahead = Math.abs(aheadMinutes)
          const two = (value: number): string => String(value).padStart(2, '0')
          const zone = `${aheadMinutes < 0 ? '-' : '+'}${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`
          const written = `${local.slice(0, 10)}${separator}${local.slice(11, 19)}.${fraction}${zone}`

          const us = BigInt(seconds) * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'))
          expect(timeTextToUs(written, 'iso')).toBe(Number(us))
        },
      ),
    )
  })

  it.each([
    ['2024-02-29T23:59:59.999999999Z', 1_709_251_199_999_999],
    ['2024-02-29T23:59:59,5z', 1_709_251_199_500_000],
    ['2024-03-01T01:00+01', 1_709_251_200_000_000],
    ['2024-03-01T05:30:00+0530', 1_709_251_200_000_000],
    ['9999-12-31T23:59:59Z', Infinity],
    ['1969-12-31T23:59:59.5Z', -500_000],
    ['2023-02-29T00:00:00Z', undefined],
    ['2024-13-01T00:00:00Z', undefined],
    ['2024-01-01T24:00:00Z', undefined],
    ['2024-01-01T00:60:00Z', undefined],
    ['2024-01-01T00:00:60Z', undefined],
    ['2024-01-01T00:00:00+24:00', undefined],
    ['2024-01-01', undefined],
    ['2024-01-01T00:00:00', undefined],
    ['2024-01-01T00:00:00 Z', undefined],
    ['1704067200', undefined],
  ])('%s is %s', (text, us) => {
    expect(timeTextToUs(text, 'iso')).toBe(us)
  })

  it('has UTC where no zone is, if the rule says so', () => {
    expect(timeTextToUs('2024-03-01T00:00:00.000001', 'iso-utc')).toBe(1_709_251_200_000_001)
    expect(timeTextToUs('2024-03-01T01:00:00+01:00', 'iso-utc')).toBe(1_709_251_200_000_000)
  })
})
