// Goal: the two requests are what Kafka's message definitions say, and no answer is misread. Method: bytes written down
// by hand from the definitions; the real broker is asked in test/integration.
import { expect, test } from '@jest/globals'
import {
  decodeLineEnds,
  decodeTopicIdentities,
  encodeLineQuestions,
  encodeTopics,
} from '../../../src/kafka/kafkajs/identity-protocol.ts'
import { fromHex, toHex } from '../../support/bytes.ts'

const hex = (text: string): Buffer => Buffer.from(fromHex(text))
const ID = '0102030405060708090a0b0c0d0e0f10'

const metadata = hex(`00 00000007
  02 00000001 04 616263 00002384 00 00
  03 6364 00000001
  03
    0000 02 74 ${ID} 00
      03
        0000 00000000 00000001 00000005 02 00000001 02 00000001 01 00
        0005 00000001 ffffffff 00000009 01 01 02 00000002 01 63 02 beef
      80000000 00
    0003 02 75 00000000000000000000000000000000 00 01 80000000 00
  80000000 00
`)

test('topics are asked for by name, and none is made by asking', () => {
  expect(toHex(encodeTopics(['t', 'ü']))).toBe(
    `00 03 ${'00'.repeat(16)} 02 74 00 ${'00'.repeat(16)} 03 c3bc 00 00 00 00 00`.replaceAll(' ', ''),
  )
})

test('a topic has its id and the epochs of its leaders; one that does not exist has an error', () => {
  expect(decodeTopicIdentities(metadata)).toEqual({
    clientSideThrottleTime: 7,
    topics: [
      {
        topic: 't',
        errorCode: 0,
        topicId: 'AQIDBAUGBwgJCgsMDQ4PEA',
        leaderEpochs: new Map([
          [0, 5],
          [1, 9],
        ]),
      },
      { topic: 'u', errorCode: 3, topicId: undefined, leaderEpochs: new Map() },
    ],
  })
})

test('partitions of a topic are asked for together, each with the epoch of its leader where it is known', () => {
  const place = { offset: 70, leaderEpoch: 4 }
  const questions = [
    { topic: 't', partition: 0, place, currentLeaderEpoch: 5 },
    { topic: 'u', partition: 2, place, currentLeaderEpoch: undefined },
    { topic: 't', partition: 1, place, currentLeaderEpoch: 6 },
  ]
  expect(toHex(encodeLineQuestions(questions))).toBe(
    `ffffffff 00000002
      0001 74 00000002 00000000 00000005 00000004 00000001 00000006 00000004
      0001 75 00000001 00000002 ffffffff 00000004`.replaceAll(/\s/g, ''),
  )
})

const ends = hex(`00000000 00000001 0001 74 00000002
  0000 00000000 00000004 0000000000000046
  004a 00000001 ffffffff ffffffffffffffff`)

test('each partition says up to where its line goes, or that it has none, or why it does not say', () => {
  expect(decodeLineEnds(ends).ends).toEqual([
    { topic: 't', partition: 0, errorCode: 0, endOffset: 70 },
    { topic: 't', partition: 1, errorCode: 74, endOffset: -1 },
  ])
})

test('an answer that was cut off is an error at every length', () => {
  // Behind the topics there is nothing that is read.
  for (let length = 0; length < metadata.length - 5; length++) {
    expect(() => decodeTopicIdentities(metadata.subarray(0, length))).toThrow(RangeError)
  }
  for (let length = 0; length < ends.length; length++) {
    expect(() => decodeLineEnds(ends.subarray(0, length))).toThrow(RangeError)
  }
})

test('an offset beyond 2^53 is refused, not rounded', () => {
  const bytes = Buffer.from(ends)
  bytes.writeBigInt64BE(2n ** 60n, bytes.length - 8)
  expect(() => decodeLineEnds(bytes)).toThrow('beyond 2^53')
})
