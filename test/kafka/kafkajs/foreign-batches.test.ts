// Goal: what other clients write is read as it was meant. Method: logs of a real broker, produced by the Java client and by
// librdkafka with every codec; `foreign-batches/README.md` says how they were made.
import { describe, expect, it } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { decodeRecordSet } from '../../../src/kafka/kafkajs/record-set.ts'
import type { SourceRecord } from '../../../src/kafka/source.ts'

type Content = string | { base64: string } | { text: string; times: number } | null
interface Message {
  readonly key: Content
  readonly value: Content
  readonly headers: readonly (readonly [Content, Content])[]
  readonly afterMs?: number
}
interface Messages {
  readonly baseMs: number
  readonly java: readonly Message[]
  readonly librdkafka: readonly Message[]
  readonly transactions: readonly { readonly end: 'commit' | 'abort'; readonly messages: number }[]
}
interface ToldByKafka {
  readonly times: Readonly<Record<string, readonly number[]>>
  readonly aborted: readonly { readonly producerId: number; readonly firstOffset: number }[]
}

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const CODEC_BITS_AT = 22
const LIMITS = { decompressedBytesMax: 16 << 20 }
const file = (name: string): Buffer => readFileSync(new URL(`foreign-batches/${name}`, import.meta.url))
const messages = JSON.parse(file('messages.json').toString()) as Messages
const told = JSON.parse(file('told-by-kafka.json').toString()) as ToldByKafka

function bytesOf(content: Content): Buffer | null {
  if (content === null) return null
  if (typeof content === 'string') return Buffer.from(content)
  if ('base64' in content) return Buffer.from(content.base64, 'base64')
  return Buffer.from(content.text.repeat(content.times))
}

const hex = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString('hex')

function meant({ key, value, headers }: Message, offset: number, timestampMs: number) {
  return {
    offset,
    timestampMs,
    timestampType: 'create',
    key: hex(bytesOf(key)),
    value: hex(bytesOf(value)),
    headers: headers.map((header) => header.map((content) => hex(bytesOf(content)))),
  }
}

function read({ offset, timestampMs, timestampType, key, value, headers }: SourceRecord) {
  return {
    offset,
    timestampMs,
    timestampType,
    key: hex(key),
    value: hex(value),
    headers: headers.map((header) => [hex(header.name), hex(header.value)]),
  }
}

const javaMessage = (message: Message, offset: number) =>
  meant(message, offset, messages.baseMs + (message.afterMs ?? 0))

describe('every field of every message comes back', () => {
  it.each(CODECS)('that the Java client compressed with: %s', async (codec) => {
    const log = file(`java-${codec}.batches`)
    const expected = messages.java.map(javaMessage)
    const decoded = await decodeRecordSet(log, 0, expected.length, [], LIMITS)
    expect(decoded.error).toBeUndefined()
    expect(decoded.records.map(read)).toEqual(expected)
    expect(decoded).toMatchObject({ nextOffset: expected.length, leaderEpoch: 0, absent: [] })
    expect(log[CODEC_BITS_AT]! & 7).toBe(CODECS.indexOf(codec))
  })

  it.each(CODECS)('that librdkafka compressed with: %s', async (codec) => {
    const log = file(`librdkafka-${codec}.batches`)
    const times = told.times[`librdkafka-${codec}`]!
    const expected = messages.librdkafka.map((message, offset) => meant(message, offset, times[offset]!))
    const decoded = await decodeRecordSet(log, 0, expected.length, [], LIMITS)
    expect(decoded.error).toBeUndefined()
    expect(decoded.records.map(read)).toEqual(expected)
    expect(decoded).toMatchObject({ nextOffset: expected.length, leaderEpoch: 0, absent: [] })
    expect(log[CODEC_BITS_AT]! & 7).toBe(CODECS.indexOf(codec))
  })
})

describe('transactions of the Java client', () => {
  const log = file('java-transactions-lz4.batches')
  // A transaction is its messages and the marker behind them.
  const lengths = messages.transactions.map((transaction) => transaction.messages + 1)
  const starts = lengths.map((_, index) => lengths.slice(0, index).reduce((sum, length) => sum + length, 0))
  const end = lengths.reduce((sum, length) => sum + length, 0)

  it('are what was committed, and the rest is told apart', async () => {
    const aborted = told.aborted.map((one) => ({ ...one, producerId: BigInt(one.producerId) }))
    const decoded = await decodeRecordSet(log, 0, end, aborted, LIMITS)
    expect(decoded.error).toBeUndefined()
    const committed = messages.transactions.flatMap((transaction, index) =>
      transaction.end === 'commit'
        ? messages.java
            .slice(0, transaction.messages)
            .map((message, at) => javaMessage(message, starts[index]! + at))
        : [],
    )
    expect(decoded.records.map(read)).toEqual(committed)
    const markers = messages.transactions.flatMap((transaction, index) => {
      const fromOffset = starts[index]!
      const marker = fromOffset + transaction.messages
      const control = { why: 'control', fromOffset: marker, nextOffset: marker + 1 }
      return transaction.end === 'abort'
        ? [{ why: 'aborted', fromOffset, nextOffset: marker }, control]
        : [control]
    })
    expect(decoded.absent).toEqual(markers)
    expect(decoded.nextOffset).toBe(end)
  })

  it('are read from the beginning of the last one, too', async () => {
    const from = starts[3]!
    const decoded = await decodeRecordSet(log, from, end, [], LIMITS)
    expect(decoded.error).toBeUndefined()
    expect(decoded.records.map(read)).toEqual([javaMessage(messages.java[0]!, from)])
  })
})
