// Goal: our decoder and kafkajs' own agree on what both understand. Method: random batches, encoded by us and by kafkajs.
// Not understood by kafkajs: header values that are null and names that are no text.
import { expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createRequire } from 'node:module'
import { encodeBatch } from '../../../src/kafka/kafkajs/encode-batch.ts'
import { decodeRecordSet } from '../../../src/kafka/kafkajs/record-set.ts'

interface KafkajsRecord {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | readonly Buffer[]>>
}
interface KafkajsBatch {
  readonly firstOffset: number
  readonly firstTimestamp: number
  readonly maxTimestamp: number
  readonly partitionLeaderEpoch: number
  readonly lastOffsetDelta: number
  readonly compression: number
  readonly records: readonly unknown[]
}

const require = createRequire(import.meta.url)
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => unknown
const decodeByKafkajs = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (
  decoder: unknown,
) => Promise<{ records: readonly KafkajsRecord[] }>
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch: (batch: KafkajsBatch) => Promise<{ buffer: Buffer }>
}
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (
  record: object,
) => unknown

const GZIP = 1
const bytes = fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value))
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(
    fc.stringMatching(/^[a-zä-ü世]{1,6}$/),
    fc.array(bytes, { minLength: 1, maxLength: 3 }),
    {
      maxKeys: 4,
      noNullPrototype: true,
    },
  ),
  timestampMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
})
const records = fc.array(record, { minLength: 1, maxLength: 40 })

type Comparable = Record<'offset' | 'timestampMs' | 'key' | 'value' | 'headers', unknown>

async function byUs(batch: Buffer, fromOffset: number): Promise<Comparable[]> {
  const decoded = await decodeRecordSet(batch, fromOffset, fromOffset + 1_000, [], {
    decompressedBytesMax: 64 << 20,
  })
  expect(decoded.error).toBeUndefined()
  return decoded.records.map(({ offset, timestampMs, key, value, headers }) => {
    const byName: Record<string, Buffer[]> = {}
    for (const header of headers)
      (byName[Buffer.from(header.name).toString()] ??= []).push(Buffer.from(header.value!))
    return { offset, timestampMs, key: copy(key), value: copy(value), headers: byName }
  })
}

async function byKafkajs(batch: Buffer): Promise<Comparable[]> {
  const decoded = await decodeByKafkajs(new Decoder(batch))
  return decoded.records.map(({ offset, timestamp, key, value, headers }) => ({
    offset: Number(offset),
    timestampMs: Number(timestamp),
    key: copy(key),
    value: copy(value),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, values]) => [name, [values].flat().map((one) => Buffer.from(one))]),
    ),
  }))
}

function copy(content: Uint8Array | null): Buffer | null {
  return content && Buffer.from(content)
}

it('on batches that we encode', async () => {
  await fc.assert(
    fc.asyncProperty(records, async (list) => {
      const ours = encodeBatch(
        list.map(({ headers, ...rest }) => ({
          ...rest,
          headers: Object.entries(headers).flatMap(([name, values]) =>
            values.map((value) => ({ name: Buffer.from(name), value })),
          ),
        })),
      )
      expect(await byUs(ours, 0)).toEqual(await byKafkajs(ours))
    }),
  )
})

it('on batches that kafkajs encodes, compressed or not, at any offset', async () => {
  const firstOffset = fc.integer({ min: 0, max: 2 ** 50 })
  const compression = fc.constantFrom(0, GZIP)
  await fc.assert(
    fc.asyncProperty(records, firstOffset, compression, async (list, first, codec) => {
      const times = list.map(({ timestampMs }) => timestampMs)
      const batch = await RecordBatch({
        firstOffset: first,
        firstTimestamp: times[0]!,
        maxTimestamp: Math.max(...times),
        partitionLeaderEpoch: 4,
        lastOffsetDelta: list.length - 1,
        compression: codec,
        records: list.map(({ key, value, headers, timestampMs }, offsetDelta) =>
          encodeRecord({ offsetDelta, timestampDelta: timestampMs - times[0]!, key, value, headers }),
        ),
      })
      const theirs = await byKafkajs(batch.buffer)
      expect(theirs.map(({ value }) => value)).toEqual(list.map(({ value }) => value))
      expect(await byUs(batch.buffer, first)).toEqual(theirs)
    }),
  )
})
