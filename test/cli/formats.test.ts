import { describe, expect, it } from '@jest/globals'
import { formatBytes, formatCount, formatSeconds } from '../../src/cli/quantities.ts'
import { formatTable } from '../../src/cli/table.ts'

describe('quantities', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [99_949, '99.9 kB'],
    [64_000_000, '64.0 MB'],
    [128_000_000, '128 MB'],
    [999_600, '1.0 MB'],
    [3e18, '3000 PB'],
  ])('formatBytes(%d) is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1234567.4, '1,234,567'],
  ])('formatCount(%d) is %s', (count, text) => expect(formatCount(count)).toBe(text))

  it.each([
    [0.123, '0.12 s'],
    [5, '5.0 s'],
    [59.99, '1 min 0 s'],
    [125, '2 min 5 s'],
    [12_000, '3 h 20 min'],
  ])('formatSeconds(%d) is %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text))
})

it('formatTable lines columns up and leaves no blanks at the end', () => {
  const columns = [
    { title: 'ENTRY', align: 'left' },
    { title: 'RECORDS', align: 'right' },
    { title: 'LATEST', align: 'left' },
  ] as const
  expect(
    formatTable(columns, [
      ['kafka/a/0', '12', 'x'],
      ['b', '1', ''],
    ]),
  ).toEqual(['ENTRY      RECORDS  LATEST', 'kafka/a/0       12  x', 'b                1'])
})
