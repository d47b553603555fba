import { expect, test } from '@jest/globals'
import { createRequire } from 'node:module'
import { decodeFetch, encodeFetch } from '../../../src/kafka/kafkajs/fetch-protocol.ts'

const require = createRequire(import.meta.url)
const limits = { maxWaitMs: 500, maxBytes: 16 << 20, maxBytesPerPartition: 1 << 20 }

test('a request is byte for byte what kafkajs would send', async () => {
  const stock = require('kafkajs/src/protocol/requests/fetch/v11/request.js') as (values: object) => {
    encode(): Promise<{ buffer: Buffer }>
  }
  const positions = [
    { topic: 'a', partition: 3, position: 0 },
    { topic: 'a', partition: 1, position: 2 ** 40 },
    { topic: 'ümlaut', partition: 0, position: Number.MAX_SAFE_INTEGER },
    { topic: 'a', partition: 7, position: 5 },
  ]
  const asked = ({ partition, position }: (typeof positions)[number]) => ({
    partition,
    fetchOffset: String(position),
    maxBytes: limits.maxBytesPerPartition,
  })
  const { buffer } = await stock({
    replicaId: -1,
    maxWaitTime: limits.maxWaitMs,
    minBytes: 1,
    maxBytes: limits.maxBytes,
    topics: [
      { topic: 'a', partitions: [asked(positions[0]!), asked(positions[1]!)] },
      { topic: 'ümlaut', partitions: [asked(positions[2]!)] },
      { topic: 'a', partitions: [asked(positions[3]!)] },
    ],
  }).encode()
  expect(encodeFetch(positions, limits)).toEqual(Buffer.from(buffer))
})

test('a response that was cut off is an error at every length', () => {
  const body = Buffer.concat([
    Buffer.from('00000000' + '0000' + '00000000' + '00000001' + '000174' + '00000001', 'hex'),
    Buffer.from('00000002' + '0000' + '0000000000000009' + '0000000000000008' + '0000000000000000', 'hex'),
    Buffer.from(
      '00000001' + '0000000000000004' + '0000000000000005' + 'ffffffff' + '00000003' + 'abcdef',
      'hex',
    ),
  ])
  expect(decodeFetch(body).partitions).toEqual([
    {
      topic: 't',
      partition: 2,
      errorCode: 0,
      highWatermark: 9,
      lastStableOffset: 8,
      aborted: [{ producerId: 4n, firstOffset: 5 }],
      recordSet: Buffer.from('abcdef', 'hex'),
    },
  ])
  for (let length = 0; length < body.length; length++) {
    expect(() => decodeFetch(body.subarray(0, length))).toThrow(/bounds|ends inside|out of range/)
  }
})

test('a response whose topic has a name of fewer than no bytes is an error, not an endless walk', () => {
  const topics = Buffer.from('00000000' + '0000' + '00000000' + '7fffffff' + 'fffa' + '00000000', 'hex')
  expect(() => decodeFetch(topics)).toThrow('a topic without a name')
})
