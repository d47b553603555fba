import { describe, expect, it } from '@jest/globals'
import type { SourceRecord } from '../../src/kafka/source.ts'
import { quarantinedRecord, readQuarantined, replayState } from '../../src/sink/quarantine.ts'

const place = { topic: 'orders.eu', partition: 3 }
const reason = { cause: 'no-time', detail: 'label “x”\nis "too", long', rule: 'mapping.rules[0]' }

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

    const write = quarantinedRecord(message, reason, place, 1_700_000_000_000)

    expect(write.target).toEqual({ bucket: 'quarantine', entry: 'orders_eu/3' })
    expect(write.timestampUs).toBe(1_700_000_000_000_000)
    expect(write.labels).toEqual([
      'offset',
      '42',
      'topic',
      'orders.eu',
      'partition',
      '3',
      'cause',
      'no-time',
      'detail',
      'label _x__is _too_, long',
      'rule',
      'mapping.rules[0]',
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
      ...reason,
      arrivalMs: 1_700_000_000_000,
    })
    expect(content.subarray(end + 1)).toEqual(value)
    expect(readQuarantined(write.labels, content)).toEqual({
      ...place,
      record: message,
      reason,
      arrivalMs: 1_700_000_000_000,
    })
  })

  it('tells a tombstone from an empty value, and no key from an empty one', () => {
    const empty = { offset: 1, timestampMs: 1, timestampType: 'create' as const, headers: [] }
    const shown = [
      { ...empty, key: null, value: null },
      { ...empty, key: Buffer.alloc(0), value: Buffer.alloc(0) },
    ].map((message) => Buffer.from(quarantinedRecord(message, reason, place, 0).content).toString())

    expect(shown.map((text) => JSON.parse(text) as unknown)).toMatchObject([
      { key: null, isTombstone: true },
      { key: '', isTombstone: false },
    ])
  })

  it('of another form is not taken for one', () => {
    const labels = ['offset', '1', 'topic', 'orders', 'partition', '0']
    for (const text of ['', 'no line end', '{"key":\n', '{"headers":1,"arrivalMs":1}\n', '[]\nvalue'])
      expect(readQuarantined(labels, Buffer.from(text))).toBeUndefined()
  })

  it('is replayed by a label only where quarantined messages are', () => {
    const labels = ['replayed', 'kafka/orders/0']
    expect(replayState({ bucket: 'quarantine', labels })).toBe('done')
    expect(replayState({ bucket: 'quarantine', labels: ['replaying', 'kafka/orders/0'] })).toBe('begun')
    expect(replayState({ bucket: 'kafka', labels })).toBeUndefined()
  })
})
