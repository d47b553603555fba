import { describe, expect, it } from '@jest/globals'
import { formatTimeUs, parseTime } from '../../src/cli/time-argument.ts'

const NOW_US = Date.UTC(2026, 0, 2, 3, 4, 5) * 1000

describe('parseTime', () => {
  it.each([
    ['0', 0n],
    ['1735689600000001', 1735689600000001n],
    ['18446744073709551', 18446744073709551n],
    ['2025-01-01', 1735689600000000n],
    ['2025-01-01T00:00', 1735689600000000n],
    ['2025-01-01 00:00:01', 1735689601000000n],
    ['2025-01-01T00:00:00.5', 1735689600500000n],
    ['2025-01-01T00:00:00.000001Z', 1735689600000001n],
    ['2025-01-01T01:00:00+01:00', 1735689600000000n],
    ['90s', BigInt(NOW_US) - 90_000_000n],
    ['1h', BigInt(NOW_US) - 3_600_000_000n],
    ['7d', BigInt(NOW_US) - 7n * 86_400_000_000n],
    ['99999w', 0n],
  ])('reads %s', (text, expected) => {
    expect(parseTime(text, NOW_US)).toBe(expected)
  })

  it.each([
    '',
    'yesterday',
    '-1',
    '1.5h',
    '2025-13-01',
    '2025-02-30',
    '2025-02-29T01:00:00+02:00',
    '2025-01-01T25:00',
    '1y',
    '12345678901234567890',
    '1 h',
  ])('refuses %j and says what is possible', (text) => {
    expect(() => parseTime(text, NOW_US)).toThrow(/not a time: .*ISO time/)
  })
})

describe('formatTimeUs', () => {
  it('is read back to the same microsecond', () => {
    for (const timeUs of [0n, 1n, 1735689600000001n, 9007199254740991n, 253402300799999999n]) {
      expect(parseTime(formatTimeUs(timeUs), NOW_US)).toBe(timeUs)
    }
  })

  it('gives the number where a year has no four digits', () => {
    expect(formatTimeUs(18446744073709551615n)).toBe('18446744073709551615')
  })
})
