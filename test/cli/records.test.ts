import { describe, expect, it } from '@jest/globals'
import { matchesLabels, parseLabelFilter } from '../../src/cli/labels.ts'
import { mergeByTime } from '../../src/cli/merge-by-time.ts'
import { recordToJson } from '../../src/cli/record-json.ts'
import type { StoredRecord } from '../../src/storage/index.ts'
import { Random } from '../support/random.ts'

function record(changes: Partial<StoredRecord> = {}): StoredRecord {
  return {
    bucket: 'kafka',
    entry: 'orders/3',
    timestampUs: 1735689600000000n,
    state: 'finished',
    labels: ['offset', '17', 'key', 'a'],
    contentType: 'application/json',
    contentBytes: 2,
    contentChecksum: undefined,
    content: undefined,
    read: () => Promise.resolve(Buffer.from('{}')),
    open: () => Promise.reject(new Error('not opened here')),
    ...changes,
  }
}

describe('recordToJson', () => {
  it('shows a record from Kafka with its key, headers and identity', () => {
    const json = JSON.parse(recordToJson(record(), Buffer.from('{}'))) as unknown
    expect(json).toEqual({
      timestampUs: 1735689600000000,
      time: '2025-01-01T00:00:00.000000Z',
      bucket: 'kafka',
      entry: 'orders/3',
      contentType: 'application/json',
      contentBytes: 2,
      labels: { offset: '17', key: 'a' },
      kafka: { topic: 'orders', partition: 3, offset: 17, timestampMs: 1735689600000, key: 'a', headers: [] },
      payload: 'e30=',
    })
  })

  it('keeps times beyond 2^53 exact and shows records that are not from Kafka', () => {
    const json = recordToJson(
      record({ timestampUs: 18446744073709551615n, labels: ['a', '1', 'a', '2'], state: 'errored' }),
    )
    expect(json).toContain('"timestampUs":18446744073709551615,')
    expect(JSON.parse(json)).toMatchObject({ labels: { a: '2' }, state: 'errored' })
    expect(JSON.parse(json)).not.toHaveProperty('kafka')
  })

  it('tells null, empty and binary keys and tombstones apart', () => {
    const kafka = (labels: string[]) =>
      (JSON.parse(recordToJson(record({ labels: ['offset', '1', ...labels] }))) as { kafka: object }).kafka
    expect(kafka([])).toMatchObject({ key: null })
    expect(kafka(['kafka-key', 'empty'])).toMatchObject({ key: '' })
    expect(kafka(['kafka-key64', '_w'])).toMatchObject({ keyBase64: '/w==' })
    expect(kafka(['kafka-value', 'null'])).toMatchObject({ tombstone: true })
    expect(kafka([])).not.toHaveProperty('tombstone')
  })
})

describe('label filter', () => {
  it('compares the last value of a name', () => {
    const labels = ['a', '1', 'b', '', 'a', '2']
    expect(matchesLabels(labels, parseLabelFilter(['a=2', 'b=']))).toBe(true)
    expect(matchesLabels(labels, parseLabelFilter(['a=1']))).toBe(false)
    expect(matchesLabels(labels, parseLabelFilter(['toString=']))).toBe(false)
    expect(matchesLabels(['u', 'x=y'], parseLabelFilter(['u=x=y']))).toBe(true)
  })
  it.each(['a', '=1', ''])('refuses %j', (text) =>
    expect(() => parseLabelFilter([text])).toThrow('--label name=value'),
  )
})

describe('mergeByTime', () => {
  /** Batches of two at most; what an input gave before the last one is void. */
  const input = (entry: string, times: readonly number[], ended: string[] = []) =>
    (async function* () {
      try {
        for (let at = 0; at < times.length; at += 2) {
          const batch = times
            .slice(at, at + 2)
            .map((time) => record({ entry, timestampUs: BigInt(time), content: Buffer.of(time) }))
          yield batch
          batch.forEach(({ content }) => content?.fill(0xff))
        }
      } finally {
        ended.push(entry)
      }
    })()

  it('gives all records of all inputs by time, equal times in the order of the inputs', async () => {
    const seen: string[] = []
    const inputs = [input('a', [1, 5, 9]), input('b', []), input('c', [0, 5, 5, 12]), input('d', [5])]
    for await (const batch of mergeByTime(inputs))
      for (const { entry, timestampUs } of batch) seen.push(`${entry}${timestampUs}`)
    expect(seen).toEqual(['c0', 'a1', 'a5', 'c5', 'c5', 'd5', 'a9', 'c12'])
  })

  it('asks no input for more while contents of what it gave are still to be taken', async () => {
    const random = new Random(12)
    const inputs = Array.from({ length: 7 }, (_, index) => {
      const times = Array.from({ length: random.between(0, 20) }, () => random.below(200))
      return input(
        String(index),
        times.sort((one, other) => one - other),
      )
    })
    let lastUs = 0n
    for await (const batch of mergeByTime(inputs))
      for (const { timestampUs, content } of batch) {
        expect(content).toEqual(Buffer.of(Number(timestampUs)))
        expect(timestampUs >= lastUs).toBe(true)
        lastUs = timestampUs
      }
  })

  it('ends every input when it is left early', async () => {
    const ended: string[] = []
    for await (const _ of mergeByTime([input('a', [1, 2], ended), input('b', [3], ended)])) break
    expect(ended.sort()).toEqual(['a', 'b'])
  })
})
