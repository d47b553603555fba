// Goal: whatever Kafka can hold comes back exactly from what is stored. Method: arbitrary messages through map and
// unmap, several a mapper so that the kept header shape is used, labels also in scrambled order as stock leaves them.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { defaultRule } from '../../src/mapping/default-rule.ts'
import { labelText } from '../../src/mapping/label-text.ts'
import { createMapper, type PartitionMapper } from '../../src/mapping/mapper.ts'
import type { KafkaMessage } from '../../src/mapping/message.ts'
import type { MappingRule } from '../../src/mapping/rule.ts'
import { unmapRecord, type UnmappedMessage } from '../../src/mapping/unmap.ts'
import type { RecordWrite } from '../../src/storage/index.ts'
import { accepted, anyBytes, anyMessage, ARRIVAL_MS, bytesOf, header, message } from './messages.ts'

const RUNS = 2000

const anyRule: fc.Arbitrary<MappingRule> = fc.record({
  topics: fc.constant(['/.*/']),
  exclude: fc.constant([]),
  bucket: fc.constantFrom('kafka', 'b'),
  entry: fc.constantFrom(
    '{topic}/{partition}',
    '{topic}',
    'all',
    'x/{partition}',
    '{partition}',
    'v1/{topic}-{partition}',
    '{topic}/{key}',
    '{header:a}/{topic}/{partition}',
    '{key}/{partition}',
    '{partition}/{topic}',
    '{topic}/{partition}/{yyyy}-{MM}-{dd}/{HH}',
  ),
  entries: fc.constant(defaultRule.entries),
  filters: fc.constant([]),
  tombstones: fc.constant('store'),
  contentBytesMax: fc.constant(null),
  limits: fc.constant(defaultRule.limits),
  contentType: fc.constant('text/plain'),
  labels: fc.record({
    constants: fc.constantFrom({}, { site: 'berlin' }, { a: 'x', Plant: '7' }),
    headers: fc.constantFrom(['*'], [], ['a', 'a.b', 'offset'], ['*', 'x']),
    key: fc.boolean(),
    json: fc.constantFrom<Record<string, string>[]>({}, { 'a-b': '/a', Kind: '' }),
    valuesMax: fc.constantFrom(null, 1, 2),
  }),
  timestamp: fc.constantFrom(
    defaultRule.timestamp,
    { ...defaultRule.timestamp, minMs: 1000, aheadMsMax: 0 },
    {
      ...defaultRule.timestamp,
      sources: [{ header: 'a', format: 'us' }, { json: '/a', format: 'iso' }, 'record', 'arrival'],
    },
  ),
})
const anyTopic = fc.constantFrom('orders', 'a.b', 'wal', 'a-0', '_', '..x', 'x'.repeat(249))

const plain = (bytes: Uint8Array | null): number[] | null => bytes && [...bytes]

function comparable(original: KafkaMessage | UnmappedMessage): unknown {
  return {
    offset: original.offset,
    timestampMs: original.timestampMs,
    key: plain(original.key),
    value: plain(original.value),
    headers: original.headers.map(({ name, value }) => [plain(name), plain(value)]),
  }
}

function unmap(record: RecordWrite, slotUs = 0): UnmappedMessage | undefined {
  return unmapRecord({
    entry: record.target.entry,
    timestampUs: BigInt(record.timestampUs + slotUs),
    labels: record.labels,
    content: record.content,
  })
}

function pairs(labels: readonly string[]): [string, string][] {
  return labels.flatMap((name, index) =>
    index % 2 ? [] : [[name, labels[index + 1] as string] as [string, string]],
  )
}

const mapperOf = (rule: MappingRule, topic: string, partition: number): PartitionMapper =>
  createMapper([rule]).forPartition(topic, partition) as PartitionMapper

describe('a mapped message', () => {
  it('comes back exactly, with topic and partition', () => {
    fc.assert(
      fc.property(
        anyRule,
        anyTopic,
        fc.nat(9999),
        fc.array(anyMessage, { minLength: 1, maxLength: 4 }),
        fc.nat(999),
        (rule, topic, partition, messages, slotUs) => {
          const mapper = mapperOf(rule, topic, partition)
          for (const original of messages) {
            const back = unmap(accepted(mapper.map(original, ARRIVAL_MS)), slotUs)

            expect(back).toMatchObject({ topic, partition })
            expect(comparable(back as UnmappedMessage)).toEqual(comparable(original))
          }
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('has labels that every ReductStore reader can carry, each name once in any case of letters', () => {
    fc.assert(
      fc.property(anyRule, anyTopic, anyMessage, (rule, topic, original) => {
        const record = accepted(mapperOf(rule, topic, 3).map(original, ARRIVAL_MS))

        const names = pairs(record.labels).map(([name]) => name.toLowerCase())
        expect(new Set(names).size).toBe(names.length)
        const unreadable = pairs(record.labels).filter(
          ([name, value]) =>
            !/^[A-Za-z0-9_-]+$/.test(name) ||
            !/^[!-~]([ -~]*[!-~])?$/.test(value) ||
            value.startsWith('"') ||
            (value.includes('"') && value.includes(',')),
        )
        expect(unreadable).toEqual([])
        expect(record.target.entry).toMatch(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/)
        expect(record.target.entry.split('/')).not.toContain('wal')
        expect(Number.isSafeInteger(record.timestampUs) && record.timestampUs >= 0).toBe(true)
      }),
      { numRuns: RUNS },
    )
  })

  it('comes back after a tool has stored its labels in another order', () => {
    fc.assert(
      fc.property(anyRule, anyMessage, fc.infiniteStream(fc.nat()), (rule, original, random) => {
        const record = accepted(mapperOf(rule, 'orders', 3).map(original, ARRIVAL_MS))
        const shuffled = pairs(record.labels)
          .map((pair) => ({ pair, rank: random.next().value as number }))
          .sort((a, b) => a.rank - b.rank)
          .flatMap(({ pair }) => pair)

        expect(comparable(unmap({ ...record, labels: shuffled }) as UnmappedMessage)).toEqual(
          comparable(original),
        )
      }),
      { numRuns: 500 },
    )
  })

  it('keeps its time when the engine has moved it by milliseconds', () => {
    const record = accepted(mapperOf(defaultRule, 'orders', 0).map(message(), ARRIVAL_MS))
    const moved = {
      entry: record.target.entry,
      timestampUs: BigInt(record.timestampUs + 7321),
      labels: [...record.labels, 'ts_original', String(record.timestampUs)],
      content: record.content,
    }

    expect(unmapRecord(moved)?.timestampMs).toBe(ARRIVAL_MS - 1000)
  })
})

describe('a label value', () => {
  it('is the text of the bytes, or there is none', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const text = labelText(bytes)

        if (text !== undefined) expect([...bytesOf(text)]).toEqual([...bytes])
      }),
    )
  })
})

describe('a record of someone else', () => {
  const ours = { entry: 'orders/0', timestampUs: 1n, content: new Uint8Array(0) }

  it.each([
    ['no offset', ['key', 'a']],
    ['an offset that is no number', ['offset', '0x1']],
    ['an offset beyond 2^53', ['offset', '9007199254740993']],
    ['a header list without its label', ['offset', '1', 'kafka-headers', 'a']],
    ['cut header bytes', ['offset', '1', 'kafka-headers64', Buffer.from([5, 97]).toString('base64url')]],
    ['an endless varint', ['offset', '1', 'kafka-headers64', Buffer.alloc(20, 0xff).toString('base64url')]],
    ['a partition that is no number', ['offset', '1', 'partition', 'x']],
  ])('with %s is not unmapped', (_, labels) => {
    expect(unmapRecord({ ...ours, labels })).toBeUndefined()
  })

  it('never makes header decoding fail otherwise', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const labels = ['offset', '1', 'kafka-headers64', Buffer.from(bytes).toString('base64url')]

        expect(() => unmapRecord({ ...ours, labels })).not.toThrow()
      }),
    )
  })

  it('in an entry that tells no partition is not unmapped', () => {
    expect(unmapRecord({ ...ours, entry: 'orders', labels: ['offset', '1'] })).toBeUndefined()
  })
})

describe('header names', () => {
  it('of one message do not rub off on the next one', () => {
    const mapper = mapperOf(defaultRule, 'orders', 0)
    const first = message({ headers: [header('a', '1'), header('b', '2')] })
    const second = message({ headers: [header('a', '1'), header('c', '2')] })

    const back = [first, second, first].map((one) => unmap(accepted(mapper.map(one, ARRIVAL_MS))))

    expect(back.map((one) => comparable(one as UnmappedMessage))).toEqual(
      [first, second, first].map(comparable),
    )
  })
})
