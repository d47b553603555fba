import { describe, expect, it } from '@jest/globals'
import { parseEntryName, selectEntries } from '../../src/cli/entry-pattern.ts'
import type { EntryInfo } from '../../src/storage/index.ts'

const entry = (name: string): EntryInfo => {
  const slash = name.indexOf('/')
  return {
    bucket: name.slice(0, slash),
    entry: name.slice(slash + 1),
    blockCount: 1,
    recordCount: 1,
    bytes: 1,
    oldestUs: 1n,
    latestUs: 1n,
  }
}
const names = ['kafka/orders/0', 'kafka/orders/1', 'kafka/orders-late/0', 'kafka/a.b/0', 'other/orders/0']
const select = (pattern: string) =>
  selectEntries(names.map(entry), pattern).map((one) => `${one.bucket}/${one.entry}`)

describe('selectEntries', () => {
  it('takes a bucket, an entry and what is below it', () => {
    expect(select('kafka')).toEqual(names.slice(0, 4))
    expect(select('kafka/orders')).toEqual(names.slice(0, 2))
    expect(select('kafka/orders/')).toEqual(names.slice(0, 2))
    expect(select('kafka/orders/1')).toEqual(['kafka/orders/1'])
  })

  it('takes * for any characters, slashes too', () => {
    expect(select('kafka/orders*')).toEqual(names.slice(0, 3))
    expect(select('*/orders/0')).toEqual(['kafka/orders/0', 'other/orders/0'])
    expect(select('*')).toEqual(names)
  })

  it('takes every other character as it is', () => {
    expect(select('kafka/a.b/0')).toEqual(['kafka/a.b/0'])
    expect(() => select('kafka/a+b')).toThrow('no entry matches "kafka/a+b"')
    expect(() => select('kafka/aXb/0')).toThrow(
      'there is kafka/orders/0, kafka/orders/1, kafka/orders-late/0, …',
    )
  })
})

describe('parseEntryName', () => {
  it('splits at the first slash', () => {
    expect(parseEntryName('kafka/orders/0')).toEqual({ bucket: 'kafka', entry: 'orders/0' })
  })
  it.each(['kafka', 'kafka/', '/orders', 'kafka/*'])('refuses %s', (text) => {
    expect(() => parseEntryName(text)).toThrow('write bucket/entry')
  })
})
