import { expect, test } from '@jest/globals'
import { decodeFetchById, encodeFetchById } from '../../../src/kafka/kafkajs/fetch-by-id.ts'

const limits = { maxWaitMs: 500, maxBytes: 16 << 20, maxBytesPerPartition: 1 << 20 }
const [idA, idB] = ['00112233445566778899aabbccddeeff', 'ffeeddccbbaa99887766554433221100']
const asText = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url')
const hex = (...parts: string[]): Buffer => Buffer.from(parts.join(''), 'hex')

test('a request is what the protocol says, field by field', () => {
  const positions = [
    { topic: 'a', topicId: asText(idA), partition: 3, position: 0 },
    { topic: 'a', topicId: asText(idA), partition: 1, position: 2 ** 40 },
    { topic: 'b', topicId: asText(idB), partition: 0, position: 7 },
  ]
  const asked = (partition: string, offset: string): string =>
    `${partition}ffffffff${offset}ffffffff` + 'ffffffffffffffff' + '0010000000'
  expect(encodeFetchById(positions, limits).toString('hex')).toBe(
    hex(
      '00', // tagged fields of the header
      'ffffffff' + '000001f4' + '00000001' + '01000000' + '01' + '00000000' + 'ffffffff',
      '03', // two topics
      idA + '03' + asked('00000003', '0000000000000000') + asked('00000001', '0000010000000000') + '00',
      idB + '02' + asked('00000000', '0000000000000007') + '00',
      '01' + '01' + '00', // nothing forgotten, no rack, no tagged fields
    ).toString('hex'),
  )
})

test('three hundred topics have a length of two bytes', () => {
  const positions = Array.from({ length: 300 }, (_, index) => ({
    topic: `t${index}`,
    topicId: Buffer.alloc(16, index + 1)
      .toString('base64url')
      .replace(/^./, index % 2 ? 'A' : 'B'),
    partition: 0,
    position: 0,
  }))
  const body = encodeFetchById(positions, limits)
  expect(body.subarray(26, 28).toString('hex')).toBe('ad02')
  expect(body.length).toBe(28 + 300 * (16 + 1 + 33 + 1) + 3)
})

const response = hex(
  '00' + '00000005' + '0000' + '00000000',
  '03',
  idA + '02',
  '00000002' + '0000' + '0000000000000009' + '0000000000000008' + '0000000000000000',
  '02' + '0000000000000004' + '0000000000000005' + '00',
  'ffffffff' + '04' + 'abcdef',
  '01' + '01' + '02' + '0707', // a tagged field that nobody asked for
  '00',
  idB + '02',
  '00000000' + '0064' + 'ffffffffffffffff' + 'ffffffffffffffff' + 'ffffffffffffffff' + '00',
  'ffffffff' + '00' + '00' + '00',
  '00',
)

test('a response is read by the names that were asked for, null lists and records as empty ones', () => {
  const asked = [
    { topic: 'a', topicId: asText(idA), partition: 2, position: 1 },
    { topic: 'b', topicId: asText(idB), partition: 0, position: 1 },
  ]
  expect(decodeFetchById(response, asked)).toMatchObject({
    clientSideThrottleTime: 5,
    errorCode: 0,
    partitions: [
      {
        topic: 'a',
        partition: 2,
        errorCode: 0,
        highWatermark: 9,
        lastStableOffset: 8,
        aborted: [{ producerId: 4n, firstOffset: 5 }],
        recordSet: Buffer.from('abcdef', 'hex'),
      },
      { topic: 'b', partition: 0, errorCode: 100, aborted: [], recordSet: Buffer.alloc(0) },
    ],
  })
})

test('what comes under an id that was not asked for is left out', () => {
  const asked = [{ topic: 'b', topicId: asText(idB), partition: 0, position: 1 }]
  expect(decodeFetchById(response, asked).partitions.map(({ topic }) => topic)).toEqual(['b'])
})

test('a response that was cut off is an error at every length', () => {
  for (let length = 0; length < response.length; length++) {
    expect(() => decodeFetchById(response.subarray(0, length), [])).toThrow(/bounds|too early|out of range/)
  }
})
