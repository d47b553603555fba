// Goal: what exactly is stored for a message, label by label.
import { describe, expect, it } from '@jest/globals'
import { defaultRule } from '../../src/mapping/default-rule.ts'
import { createMapper, type PartitionMapper } from '../../src/mapping/mapper.ts'
import type { MappingRule } from '../../src/mapping/rule.ts'
import { accepted, ARRIVAL_MS, bytesOf, header, labelsOf, message } from './messages.ts'

type RuleChange = Partial<Omit<MappingRule, 'labels'>> & { labels?: Partial<MappingRule['labels']> }

const rule = (change: RuleChange = {}): MappingRule => ({
  ...defaultRule,
  ...change,
  labels: { ...defaultRule.labels, ...change.labels },
})

const mapperOf = (one: MappingRule, topic = 'orders', partition = 3): PartitionMapper =>
  createMapper([one]).forPartition(topic, partition) as PartitionMapper

const mapped = (one: MappingRule, overrides = {}, topic = 'orders') =>
  accepted(mapperOf(one, topic).map(message(overrides), ARRIVAL_MS))

describe('the default rule', () => {
  it('stores content, time, offset and key', () => {
    const value = bytesOf('{"a":1}')

    const record = mapped(defaultRule, { value })

    expect(record).toEqual({
      target: { bucket: 'kafka', entry: 'orders/3' },
      timestampUs: (ARRIVAL_MS - 1000) * 1000,
      labels: ['offset', '17', 'key', 'sensor-1'],
      contentType: 'application/octet-stream',
      content: value,
    })
    expect(record.content).toBe(value)
  })
})

describe('rules', () => {
  const rules = [
    rule({ topics: ['orders'], bucket: 'first' }),
    rule({ topics: ['/^ord/', 'wine'], exclude: ['/-internal$/', 'wine'], bucket: 'second' }),
    rule({ topics: ['wine'], bucket: 'third' }),
  ]
  const bucketOf = (topic: string) => createMapper(rules).forPartition(topic, 0)?.rule.bucket

  it('are tried in order, by name and by expression, and may exclude', () => {
    expect(['orders', 'ordinary', 'wine', 'ord-internal', 'border'].map(bucketOf)).toEqual([
      'first',
      'second',
      'third',
      undefined,
      undefined,
    ])
  })
})

describe('the entry name', () => {
  it.each([
    ['{topic}/{partition}', 'a.b', 'a_b/3', { topic: 'a.b' }],
    ['{topic}/{partition}', 'wal', 'wal_/3', { topic: 'wal' }],
    ['{topic}/{partition}', '.x', '_x/3', { topic: '.x' }],
    ['{topic}', 'orders', 'orders', { partition: '3' }],
    ['w{topic}', 'al', 'wal_', { topic: 'al', partition: '3' }],
    ['eu/{topic}/{partition}', 'orders', 'eu/orders/3', { topic: 'orders' }],
    ['p{partition}', 'orders', 'p3', { topic: 'orders', partition: '3' }],
    ['{topic}/{key}', 'orders', 'orders/sensor-1', { topic: 'orders', partition: '3' }],
    ['{topic}/{header:a.b}', 'orders', 'orders/x_y', { topic: 'orders', partition: '3' }],
    ['{topic}/{header:a\nb}', 'orders', 'orders/z', { topic: 'orders', partition: '3' }],
    ['{topic}/{header:none}', 'orders', 'orders/_', { topic: 'orders', partition: '3' }],
  ])('of %s and topic %s is %s, with what it does not hold in labels', (entry, topic, name, labels) => {
    const record = mapped(
      rule({ entry }),
      { key: bytesOf('sensor-1'), headers: [header('a.b', 'x/y'), header('a\nb', 'z')] },
      topic,
    )

    const { topic: topicLabel, partition } = labelsOf(record)
    expect(record.target.entry).toBe(name)
    expect({ topic: topicLabel, partition }).toEqual({ topic: undefined, partition: undefined, ...labels })
  })

  it('is the same object for every record of the entry', () => {
    const mapper = createMapper([rule({ entry: '{topic}/{key}' })])
    const targets = [0, 1, 0].map((partition) => {
      const outcome = mapper.forPartition('orders', partition)?.map(message(), ARRIVAL_MS)
      return outcome && accepted(outcome).target
    })

    expect(targets[1]).toBe(targets[0])
    expect(targets[2]).toBe(targets[0])
  })

  it('too long for a directory rejects the message', () => {
    const mapper = mapperOf(rule({ entry: '{topic}/{key}' }))

    expect(mapper.map(message({ key: bytesOf('k'.repeat(255)) }), ARRIVAL_MS)).toHaveProperty('target')
    expect(mapper.map(message({ key: bytesOf('k'.repeat(256)) }), ARRIVAL_MS)).toEqual({
      rejected: 'entry-name-too-long',
      detail: 'a part of the name has 256 bytes, 255 may be',
    })
  })
})

describe('the time', () => {
  const dayMs = 86_400_000

  it.each([
    [0, 0, {}],
    [ARRIVAL_MS + dayMs, ARRIVAL_MS + dayMs, {}],
    [ARRIVAL_MS + dayMs + 1, ARRIVAL_MS, { ts_source: 'arrival', ts_record: String(ARRIVAL_MS + dayMs + 1) }],
    [-1, ARRIVAL_MS, { ts_source: 'arrival' }],
    [-2, ARRIVAL_MS, { ts_source: 'arrival', ts_record: '-2' }],
  ])('%d ms is stored as %d ms', (timestampMs, storedMs, labels) => {
    const record = mapped(defaultRule, { timestampMs, key: null })

    expect(record.timestampUs).toBe(storedMs * 1000)
    expect(labelsOf(record)).toEqual({ offset: '17', ...labels })
  })

  it('has the bounds of the rule', () => {
    const record = mapped(rule({ timestamp: { ...defaultRule.timestamp, minMs: 5000, aheadMsMax: 0 } }), {
      timestampMs: 4999,
    })

    expect(labelsOf(record)).toMatchObject({ ts_source: 'arrival', ts_record: '4999' })
  })
})

describe('the key', () => {
  const base64url = (text: string) => Buffer.from(text).toString('base64url')

  it.each([
    [null, {}],
    ['', { 'kafka-key': 'empty' }],
    ['{"id":5}', { key: '{"id":5}' }],
    ['{"id":5,"x":1}', { 'kafka-key64': base64url('{"id":5,"x":1}') }],
    [' a', { 'kafka-key64': base64url(' a') }],
    ['größe', { 'kafka-key64': base64url('größe') }],
    ['k'.repeat(1024), { key: 'k'.repeat(1024) }],
    ['k'.repeat(1025), { 'kafka-key64': base64url('k'.repeat(1025)) }],
  ])('%j becomes its labels', (key, labels) => {
    const record = mapped(defaultRule, { key: key === null ? null : bytesOf(key) })

    expect(labelsOf(record)).toEqual({ offset: '17', ...labels })
  })

  it('is encoded when the rule does not want it as a label', () => {
    expect(labelsOf(mapped(rule({ labels: { key: false } })))).toEqual({
      offset: '17',
      'kafka-key64': base64url('sensor-1'),
    })
  })
})

describe('the value', () => {
  it('of a tombstone is empty with a label', () => {
    const tombstone = mapped(defaultRule, { value: null })
    const empty = mapped(defaultRule, { value: new Uint8Array(0) })

    expect(labelsOf(tombstone)['kafka-value']).toBe('null')
    expect(labelsOf(empty)['kafka-value']).toBeUndefined()
    expect([tombstone.content.byteLength, empty.content.byteLength]).toEqual([0, 0])
  })
})

describe('headers', () => {
  const labelsFor = (headers: ReturnType<typeof header>[], labels: Partial<MappingRule['labels']> = {}) =>
    labelsOf(mapped(rule({ labels }), { headers, key: null }))

  it('become labels, with their order beside them', () => {
    expect(labelsFor([header('trace', 'x'), header('ce.type', 'y'), header('offset', '1')])).toEqual({
      offset: '17',
      trace: 'x',
      ce_type: 'y',
      h_offset: '1',
      'kafka-headers': 'trace,ce.type,offset',
    })
  })

  it('that are null, repeated or no text are encoded, the others stay labels', () => {
    const labels = labelsFor([
      header('a', 'x'),
      header('a', 'y'),
      header('b', null),
      header('c', '\n'),
      header('d', 'z'),
    ])

    const encoded = [1, 97, 3, 120, 1, 97, 3, 121, 1, 98, 0, 1, 99, 3, 10, 1, 100, 1]
    expect(labels).toEqual({
      offset: '17',
      d: 'z',
      'kafka-headers64': Buffer.from(encoded).toString('base64url'),
    })
  })

  it('the rule does not name are encoded', () => {
    expect(Object.keys(labelsFor([header('a', 'x'), header('b', 'y')], { headers: ['b'] }))).toEqual([
      'offset',
      'b',
      'kafka-headers64',
    ])
  })

  it('never replace a constant', () => {
    const labels = labelsFor([header('Site', 'paris')], { constants: { site: 'berlin' } })

    expect(labels).toMatchObject({ site: 'berlin' })
    expect(labels).not.toHaveProperty('Site')
  })
})

describe('labels', () => {
  it('over 4 KiB reject the message, at 4 KiB they do not', () => {
    // offset17 + the label name kafka-key64 leave 4077 characters, which 3057 bytes fill but for one.
    const mapper = mapperOf(defaultRule)

    expect(mapper.map(message({ key: new Uint8Array(3057) }), ARRIVAL_MS)).toHaveProperty('target')
    expect(mapper.map(message({ key: new Uint8Array(3058) }), ARRIVAL_MS)).toEqual({
      rejected: 'labels-too-large',
      detail: 'the labels have 4097 bytes, 4096 may be',
    })
  })
})

describe('memory of a message that is filled with another one', () => {
  it('does not change what its headers were called', () => {
    const mapper = mapperOf(rule({ labels: { headers: ['*'] } }))
    const memory = Buffer.from('left')
    const headers = [{ name: memory, value: bytesOf('1') }]
    const names = ['left', 'rite'].map((name) => {
      memory.write(name)
      return labelsOf(accepted(mapper.map(message({ headers }), ARRIVAL_MS)))['kafka-headers']
    })

    expect(names).toEqual(['left', 'rite'])
  })
})
