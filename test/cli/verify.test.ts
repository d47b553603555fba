import { expect, it } from '@jest/globals'
import { reportLines, verdict } from '../../src/cli/commands/verify.ts'
import type { StoreReport } from '../../src/app/ledger-check/check-store.ts'
import type { Finding } from '../../src/storage/index.ts'

const report = (findings: Finding[], plan: string[] = []): StoreReport => ({
  findings,
  notes: [{ path: 'a/d', message: 'kept aside' }],
  identity: undefined,
  isLogWhole: true,
  hasRemovals: false,
  ledger: {
    unchecked: undefined,
    partitions: [{ topic: 'a', partition: 0, nextOffset: 1001, records: 1000 }],
  },
  plan,
  buckets: 1,
  entries: 2,
  blocks: 3,
  records: 1000,
  contentBytes: 2_000_000,
  contentChecked: 998,
  contentUnchecked: 2,
  byEntry: [{ bucket: 'kafka', entry: 'a/0', blocks: 3, records: 1000, contentBytes: 2_000_000 }],
  isLive: false,
})
const recoverable: Finding = { severity: 'recoverable', path: 'a/b', message: 'torn' }
const damaged: Finding = { severity: 'damaged', path: 'a/c', message: 'flipped' }

it('verify ends with 0 when clean, 1 when the next open mends all, 6 when anything is damaged', () => {
  expect(verdict(report([]))).toBe(0)
  expect(verdict(report([recoverable]))).toBe(1)
  expect(verdict(report([recoverable, damaged]))).toBe(6)
})

it('verify prints what it counted, found and would do, the conclusion last', () => {
  expect(reportLines('/d', report([recoverable, damaged], ['rewrite a/b']))).toEqual([
    '/d',
    '  1 bucket, 2 entries, 3 blocks, 1,000 records, 2.0 MB of content',
    '  content checked: 998, without a checksum: 2',
    '  ledger: 1 partition with 1,000 records held against what is there',
    'ENTRY      RECORDS  CONTENT  BLOCKS',
    'kafka/a/0    1,000   2.0 MB       3',
    '  note: a/d: kept aside',
    '  recoverable: a/b: torn',
    '  damaged: a/c: flipped',
    'the next open would:',
    '  rewrite a/b',
    'DAMAGED: 1 of 2 findings need a person',
  ])
  expect(reportLines('/d', report([])).at(-1)).toBe('clean')
  expect(reportLines('/d', { ...report([]), isLive: true }).at(-1)).toBe(
    'clean; a writer has the directory, its open blocks were left out',
  )
})
