import { describe, expect, it } from '@jest/globals'
import {
  BucketPaths,
  EntryPaths,
  isBucketName,
  isEntryName,
  logPath,
  parseBlockFileName,
  parseLogName,
  storePaths,
} from '../../src/storage/paths.ts'

describe('paths', () => {
  it('lays out an entry as ReductStore does', () => {
    const entry = new EntryPaths('/data', { bucket: 'kafka', entry: 'topic/0' })
    expect([entry.directory, entry.index, entry.walDirectory]).toEqual([
      '/data/kafka/topic/0',
      '/data/kafka/topic/0/blocks.idx',
      '/data/kafka/topic/0/.wal',
    ])
    expect([entry.data(7), entry.descriptor(2n ** 64n - 1n), entry.wal(0)]).toEqual([
      '/data/kafka/topic/0/7.blk',
      '/data/kafka/topic/0/18446744073709551615.meta',
      '/data/kafka/topic/0/.wal/0.wal',
    ])
    const bucket = new BucketPaths('/data', 'kafka')
    expect([bucket.settings, bucket.folder]).toEqual(['/data/kafka/bucket.settings', '/data/kafka/.folder'])
  })

  it('keeps everything of its own in a dot-directory', () => {
    const { root, folder, sediment, ...own } = storePaths('/data')
    expect([root, folder, sediment]).toEqual(['/data', '/data/.folder', '/data/.sediment'])
    for (const path of Object.values(own)) expect(path).toMatch(/^\/data\/\.sediment\/[a-z]+$/)
    expect(logPath(own.logDirectory, 3)).toBe('/data/.sediment/log/3.log')
  })

  it.each([
    ['1.blk', { blockId: 1n, kind: 'data' }],
    ['0.meta', { blockId: 0n, kind: 'descriptor' }],
    ['18446744073709551615.wal', { blockId: 2n ** 64n - 1n, kind: 'wal' }],
    ['1.blk.tmp', { blockId: 1n, kind: 'swap' }],
    ['1.blk.zst', { blockId: 1n, kind: 'compressed-data' }],
    ['1.meta.zst', { blockId: 1n, kind: 'compressed-descriptor' }],
  ])('reads the block file name %s', (name, expected) => {
    expect(parseBlockFileName(name)).toEqual(expected)
  })

  it.each([
    '01.blk',
    '18446744073709551616.blk',
    '1.meta.tmp',
    '1.wal.zst',
    '-1.meta',
    '.meta',
    'blocks.idx',
    '1',
  ])('takes %s for no block file', (name) => {
    expect(parseBlockFileName(name)).toBeUndefined()
  })

  it('reads names of log files', () => {
    expect(
      ['0.log', '12.log', '012.log', 'x.log', '1.log.tmp', '9999999999999999.log'].map(parseLogName),
    ).toEqual([0, 12, ...Array<undefined>(4).fill(undefined)])
  })

  it.each(['a', 'A-1_b', 'topic/0', 'wal2', 'walrus/x', 'a/b/c', 'b'.repeat(255)])(
    'allows the entry name %j',
    (name) => {
      expect(isEntryName(name)).toBe(true)
    },
  )

  it.each([
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    'a b',
    'my.topic',
    '.a',
    'a/.b',
    '..',
    'wal',
    'a/wal',
    'wal/0',
    'größe',
    'a\n',
    `a/${'b'.repeat(256)}`,
    'a/'.repeat(1_024) + 'a',
  ])('refuses the entry name %j', (name) => {
    expect(isEntryName(name)).toBe(false)
  })

  it('allows one segment as a bucket name', () => {
    expect(['kafka', 'my-bucket_1', 'wal'].every(isBucketName)).toBe(true)
    expect(['', 'a/b', '.sediment', 'a.b', '$system', 'a'.repeat(256)].some(isBucketName)).toBe(false)
  })
})
