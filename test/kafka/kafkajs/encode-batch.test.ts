// Goal: what we encode is what Kafka's format says. Method: round trips through our decoder, which other tests hold against
// foreign batches, and one batch against an encoder that shares nothing with ours.
import { expect, it } from '@jest/globals'
import fc from 'fast-check'
import { encodeBatch } from '../../../src/kafka/kafkajs/encode-batch.ts'
import { decodeRecordSet } from '../../../src/kafka/kafkajs/record-set.ts'
import { encodeBatch as encodeIndependently } from '../../support/record-batches.ts'

const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value))
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.record({ name: bytes, value: fc.option(bytes) }), { maxLength: 5 }),
  timestampMs: fc.integer({ min: -1, max: 4_000_000_000_000 }),
})

it('any key, value, headers and times come back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (records) => {
      const { records: decoded, error } = await decodeRecordSet(encodeBatch(records), 0, 1e9, [], {
        decompressedBytesMax: 1 << 20,
      })
      expect(error).toBeUndefined()
      expect(
        decoded.map(({ key, value, headers, timestampMs }) => ({ key, value, headers, timestampMs })),
      ).toEqual(records)
      expect(decoded.map(({ offset }) => offset)).toEqual(records.map((_, index) => index))
    }),
  )
})

it('it is the batch that another encoder makes, byte for byte', () => {
  const [key, value] = [Buffer.from('k'), Buffer.from('a value')]
  const headers = [
    { name: Buffer.from('h'), value: null },
    { name: Buffer.from('h'), value: Buffer.from([0, 255]) },
  ]
  const timestampMs = 1_700_000_000_000
  const records = [
    { key, value: null, headers: [], timestampMs },
    { key: null, value, headers, timestampMs: timestampMs + 7 },
  ]
  const expected = encodeIndependently({
    baseOffset: 0n,
    leaderEpoch: -1,
    baseTimestamp: BigInt(timestampMs),
    maxTimestamp: BigInt(timestampMs + 7),
    producerId: -1n,
    records: [
      { offsetDelta: 0, key, value: null },
      {
        offsetDelta: 1,
        timestampDelta: 7n,
        key: null,
        value,
        headers: headers.map((one) => [one.name, one.value]),
      },
    ],
  })
  const ours = encodeBatch(records)
  // Producer epoch and sequence, and so the CRC, are chosen otherwise there.
  for (const [from, to] of [
    [0, 17],
    [21, 51],
    [57, expected.length],
  ] as const)
    expect(ours.subarray(from, to)).toEqual(expected.subarray(from, to))
})
