import { describe, expect, it } from '@jest/globals'
import type { SourceRecord } from '../../src/kafka/source.ts'
import { quarantinedRecord } from '../../src/sink/quarantine.ts'

const place = { topic: 'orders.eu', partition: 3 }

describe('a quarantined message', () => {
  it('keeps value, key, headers and times exactly, with its cause and identity as labels', () => {
    const value = Buffer.from([0, 1, 255, 10, 13])
    const message: SourceRecord = {
      offset: 42,
      timestampMs: -1,
      timestampType: 'append',
      key: Buffer.from([200, 0]),
      value,
      headers: [
        { name: Buffer.from('a'), value: null },
        { name: Buffer.from('a'), value: Buffer.from([7]) },
      ],
    }

    const write = quarantinedRecord(message, 'label “x”\nis too long', place, 1_700_000_000_000)

    expect(write.target).toEqual({ bucket: 'kafka', entry: 'quarantine/orders_eu/3' })
    expect(write.timestampUs).toBe(1_700_000_000_000_000)
    expect(write.labels).toEqual([
      'offset',
      '42',
      'topic',
      'orders.eu',
      'partition',
      '3',
      'cause',
      'label ?x??is too long',
    ])
    const content = Buffer.from(write.content)
    const end = content.indexOf('\n')
    expect(JSON.parse(content.subarray(0, end).toString())).toEqual({
      key: 'yAA',
      headers: [
        ['YQ', null],
        ['YQ', 'Bw'],
      ],
      timestampMs: -1,
      timestampType: 'append',
      isTombstone: false,
    })
    expect(content.subarray(end + 1)).toEqual(value)
  })

  it('tells a tombstone from an empty value, and no key from an empty one', () => {
    const empty = { offset: 1, timestampMs: 1, timestampType: 'create' as const, headers: [] }
    const shown = [
      { ...empty, key: null, value: null },
      { ...empty, key: Buffer.alloc(0), value: Buffer.alloc(0) },
    ].map((message) => Buffer.from(quarantinedRecord(message, 'c', place, 0).content).toString())

    expect(shown.map((text) => JSON.parse(text) as unknown)).toMatchObject([
      { key: null, isTombstone: true },
      { key: '', isTombstone: false },
    ])
  })
})
