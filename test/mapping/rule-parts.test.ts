// Goal: filters, tombstones, sizes, JSON labels and names made of messages do what a rule says.
import { describe, expect, it } from '@jest/globals'
import { createMapper } from '../../src/mapping/mapper.ts'
import { accepted, ARRIVAL_MS, bytesOf, header, labelsOf, message } from './messages.ts'
import { mapperFor, ruleWith, type RuleChange } from '../support/mapping/rules.ts'
import type { Filter } from '../../src/mapping/filter.ts'

const json = (value: unknown) => bytesOf(JSON.stringify(value))
const outcomeOf = (change: RuleChange, overrides = {}) =>
  mapperFor(change).map(message(overrides), ARRIVAL_MS)
const pathOf = (change: RuleChange, overrides = {}) => {
  const { bucket, entry } = accepted(outcomeOf(change, overrides)).target
  return `${bucket}/${entry}`
}

describe('filters', () => {
  const value = json({ kind: 'order', n: 1.0, big: 12345678901234567890n.toString(), map: {}, nothing: null })
  const headers = [header('type', 'a-1')]
  const stored = (filter: Filter) => 'target' in outcomeOf({ filters: [filter] }, { value, headers })

  it.each<[Filter, boolean]>([
    [{ json: '/kind', equals: ['order'] }, true],
    [{ json: '/kind', equals: ['x', 'order'] }, true],
    [{ json: '/kind', equals: ['x'] }, false],
    [{ json: '/kind', equals: ['order'], not: true }, false],
    [{ json: '/n', equals: ['1'] }, true],
    [{ json: '/map', exists: true }, true],
    [{ json: '/map', equals: [''] }, false],
    [{ json: '/nothing', exists: true }, false],
    [{ json: '/none', exists: false }, true],
    [{ json: '/none', equals: ['x'], not: true }, true],
    [{ header: 'type', matches: '^a-\\d+$' }, true],
    [{ header: 'type', matches: '^b' }, false],
    [{ header: 'none', matches: '' }, false],
    [{ key: true, equals: ['sensor-1'] }, true],
    [{ key: true, matches: '2' }, false],
  ])('%j: stored is %s', (filter, isStored) => {
    expect(stored(filter)).toBe(isStored)
  })

  it('must all pass', () => {
    const filters: Filter[] = [
      { json: '/kind', exists: true },
      { key: true, equals: ['x'] },
    ]

    expect(outcomeOf({ filters }, { value })).toEqual({ skipped: 'filter' })
  })

  it('send what they cannot read to quarantine: nobody knows whether it was wanted', () => {
    const filters: Filter[] = [{ json: '/kind', equals: ['order'] }]

    expect(outcomeOf({ filters }, { value: bytesOf('{"kind":') })).toEqual({
      rejected: 'json-unreadable',
      detail: 'json:/kind equals order: malformed',
    })
    expect(outcomeOf({ filters }, { value: null })).toEqual({ skipped: 'filter' })
  })
})

describe('a tombstone', () => {
  it.each([
    ['store', { labels: expect.arrayContaining(['kafka-value', 'null']), content: new Uint8Array(0) }],
    ['skip', { skipped: 'tombstone' }],
    ['quarantine', { rejected: 'tombstone' }],
  ] as const)('under %s', (tombstones, outcome) => {
    expect(outcomeOf({ tombstones }, { value: null })).toMatchObject(outcome)
    expect(outcomeOf({ tombstones }, { value: new Uint8Array(0) })).toHaveProperty('target')
  })
})

describe('a value that is too large', () => {
  it('goes to quarantine', () => {
    expect(outcomeOf({ contentBytesMax: 7 })).toHaveProperty('target')
    expect(outcomeOf({ contentBytesMax: 6 })).toMatchObject({ rejected: 'content-too-large' })
  })
})

describe('labels from JSON', () => {
  const labels = { json: { device: '/device/id', ok: '/ok' } }
  const deviceOf = (id: unknown) =>
    labelsOf(accepted(outcomeOf({ labels }, { value: json({ device: { id } }) })))['device']

  it.each([
    ['a-7', 'a-7'],
    [7.5, '7.5'],
    [true, 'true'],
    ['Köln "West", 7', 'K_ln _West_, 7'],
    [' a ', 'a'],
    ['a\nb', 'a_b'],
    ['x'.repeat(2000), 'x'.repeat(1024)],
    ['x'.repeat(5000), undefined],
    ['  ', undefined],
    [null, undefined],
    [{}, undefined],
  ])('%j becomes %j', (id, label) => {
    expect(deviceOf(id)).toBe(label)
  })

  it('are left off where there is no JSON', () => {
    const record = accepted(outcomeOf({ labels }, { value: bytesOf('no') }))

    expect(labelsOf(record)).toEqual({ offset: '17', key: 'sensor-1' })
  })

  it('come before headers of the same name, which are kept all the same', () => {
    const record = accepted(
      outcomeOf({ labels }, { value: json({ ok: true }), headers: [header('OK', 'no')] }),
    )

    expect(labelsOf(record)).toMatchObject({ ok: 'true', 'kafka-headers64': expect.any(String) })
  })
})

describe('a label with more values than it may have', () => {
  it('is left off, with its value kept elsewhere, and told once', () => {
    const told: unknown[] = []
    const observer = { entriesNearLimit() {}, labelFull: (event: unknown) => void told.push(event) }
    const mapper = mapperFor({ labels: { valuesMax: 2, json: { device: '/id' } } }, { observer })
    const labelsFor = (id: string) =>
      labelsOf(
        accepted(
          mapper.map(
            message({ key: bytesOf(id), headers: [header('h', id)], value: json({ id }) }),
            ARRIVAL_MS,
          ),
        ),
      )

    for (const id of ['a', 'b', 'a']) expect(labelsFor(id)).toMatchObject({ key: id, h: id, device: id })
    expect(labelsFor('c')).toEqual({
      offset: '17',
      'kafka-key64': Buffer.from('c').toString('base64url'),
      'kafka-headers64': expect.any(String),
      'kafka-limited': 'key,device,h',
    })
    expect(labelsFor('b')).not.toHaveProperty('kafka-limited')
    labelsFor('d')
    expect(told).toEqual(
      ['key', 'device', 'h'].map((label) => ({ topic: 'orders', partition: 3, label, valuesMax: 2 })),
    )
  })
})

describe('names made of messages', () => {
  const value = json({ site: { id: 'a/b' }, n: 1700000000123456789n.toString() })

  it.each([
    ['k', '{topic}/{json:/site/id}/{partition}', 'k/orders/a_b/3'],
    ['k', '{json:/none}', 'k/_'],
    ['{header:tenant}', '{yyyy}/{MM}-{dd}/{HH}', 'acme/2026/01-02/03'],
    ['b-{topic}', 'x', 'b-orders/x'],
    ['{key}', 'x', 'wal_/x'],
  ])('%s and %s become %s', (bucket, entry, path) => {
    const headers = [header('tenant', 'acme')]

    expect(pathOf({ bucket, entry }, { value, headers, key: bytesOf('wal') })).toBe(path)
  })

  it('take the hour from the time that the record gets', () => {
    const entry = '{yyyy}-{MM}-{dd}T{HH}'
    const timestamp = { sources: [{ json: '/t', format: 'iso' as const }] }

    expect(pathOf({ entry, timestamp }, { value: json({ t: '1999-12-31T23:59:59.999999-01:00' }) })).toBe(
      'kafka/2000-01-01T00',
    )
  })

  it('need JSON that can be read', () => {
    expect(outcomeOf({ entry: '{json:/a}' }, { value: bytesOf('{') })).toMatchObject({
      rejected: 'json-unreadable',
    })
  })

  it('of a bucket have a limit, too', () => {
    expect(outcomeOf({ bucket: '{key}' }, { key: bytesOf('k'.repeat(256)) })).toMatchObject({
      rejected: 'entry-name-too-long',
    })
  })
})

it('entries of many parts have a limit in all', () => {
  const entry = Array<string>(10).fill('{key}').join('/')
  expect(outcomeOf({ entry }, { key: bytesOf('k'.repeat(200)) })).toHaveProperty('target')
  expect(outcomeOf({ entry }, { key: bytesOf('k'.repeat(205)) })).toEqual({
    rejected: 'entry-name-too-long',
    detail: 'the name has 2059 bytes, 2048 may be',
  })
})

describe('entries of a rule', () => {
  const change = { entry: '{key}', entries: { max: 3 } }
  const keyed = (key: string) => message({ key: bytesOf(key) })

  it('are limited, those of the store included, and the rest goes to quarantine', () => {
    const told: unknown[] = []
    const observer = { labelFull() {}, entriesNearLimit: (event: unknown) => void told.push(event) }
    const existing = [
      { bucket: 'kafka', entry: 'old' },
      { bucket: 'kafka', entry: 'not/mine' },
      { bucket: 'other', entry: 'old' },
    ]
    const mapper = mapperFor(change, { existing, observer })

    for (const key of ['a', 'b', 'a', 'old'])
      expect(mapper.map(keyed(key), ARRIVAL_MS)).toHaveProperty('target')
    expect(mapper.map(keyed('c'), ARRIVAL_MS)).toMatchObject({ rejected: 'too-many-entries' })
    expect(mapper.map(keyed('b'), ARRIVAL_MS)).toHaveProperty('target')
    expect(told).toEqual([{ entry: 'kafka/{key}', count: 3, max: 3 }])
  })

  it('hold the partition where the rule says so', () => {
    const mapper = mapperFor({ ...change, entries: { max: 1, beyond: 'hold' } })

    expect(mapper.map(keyed('a'), ARRIVAL_MS)).toHaveProperty('target')
    expect(mapper.map(keyed('b'), ARRIVAL_MS)).toMatchObject({ held: 'too-many-entries' })
  })

  it('belong to the topic that came first, also before the process began', () => {
    const existing = [{ bucket: 'kafka', entry: 'old', topic: 'before' }]
    const mapper = createMapper([ruleWith({ entry: '{key}' })], { existing })
    const outcome = (topic: string, key: string) => mapper.forPartition(topic, 0)?.map(keyed(key), ARRIVAL_MS)

    expect(outcome('orders', 'x')).toHaveProperty('target')
    expect(outcome('wine', 'x')).toMatchObject({ held: 'entry-conflict' })
    expect(outcome('wine', 'y')).toHaveProperty('target')
    expect(outcome('orders', 'old')).toMatchObject({ held: 'entry-conflict' })
    expect(outcome('before', 'old')).toHaveProperty('target')
  })
})

describe('what was decided', () => {
  it('can be heard, step by step', () => {
    const steps: string[] = []
    const filters: Filter[] = [{ key: true, exists: true }]
    const sources = [{ header: 'none', format: 'ms' as const }, 'record' as const]
    mapperFor({ filters, timestamp: { sources }, labels: { json: { a: '/a' } } }).map(
      message({ value: json({}) }),
      ARRIVAL_MS,
      (step, what) => void steps.push(`${step} ${what}`),
    )

    expect(steps).toEqual([
      'filter key exists=true: pass',
      'time header:none: missing',
      `time record: ${(ARRIVAL_MS - 1000) * 1000} us taken`,
      'label a: missing',
    ])
  })
})
