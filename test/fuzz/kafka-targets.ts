import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import snappy from 'snappy'
import { crc32c } from '../../src/base/crc32.ts'
import { Codec, decompress, decompressedBytesMax } from '../../src/kafka/kafkajs/codecs.ts'
import { decodeFetch } from '../../src/kafka/kafkajs/fetch-protocol.ts'
import { decodeLineEnds, decodeTopicIdentities } from '../../src/kafka/kafkajs/identity-protocol.ts'
import { decodeRecordSet } from '../../src/kafka/kafkajs/record-set.ts'
import { int16, int32, int64 } from '../support/bytes.ts'
import { encodeBatch } from '../support/record-batches.ts'
import type { FuzzTarget, FuzzVerdict } from './fuzz.ts'
import { firstDifference } from './mutations.ts'

const FIRST_OFFSET = 1_000
const HIGH_WATERMARK = 1_000_000
const LENGTH_END = 12

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 40 }))

const batch = fc.record({
  records: fc.array(
    fc.record({
      gap: fc.nat(3),
      timestampDelta: fc.bigInt({ min: -1000n, max: 1000n }),
      key: bytesOrNull,
      value: bytesOrNull,
      headers: fc.array(fc.tuple(fc.uint8Array({ maxLength: 8 }), bytesOrNull), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  isControl: fc.constantFrom(false, false, false, true),
  isAppendTime: fc.boolean(),
  isTransactional: fc.boolean(),
})

const recordSet = fc.array(batch, { minLength: 1, maxLength: 3 }).map((batches) => {
  let baseOffset = FIRST_OFFSET
  return new Uint8Array(
    Buffer.concat(
      batches.map(({ records, ...flags }) => {
        let offsetDelta = -1
        const placed = records.map((one) => ({ ...one, offsetDelta: (offsetDelta += one.gap + 1) }))
        const encoded = encodeBatch({
          ...flags,
          producerId: 7n,
          baseOffset: BigInt(baseOffset),
          records: placed,
        })
        baseOffset += offsetDelta + 1
        return encoded
      }),
    ),
  )
})

/** Where each batch ends that is there as a whole, and its next offset. */
function batchEnds(bytes: Buffer): { endBytes: number; nextOffset: number }[] {
  const ends: { endBytes: number; nextOffset: number }[] = []
  for (let at = 0; at + 61 <= bytes.length;) {
    const endBytes = at + LENGTH_END + bytes.readInt32BE(at + 8)
    if (endBytes < at + 61 || endBytes > bytes.length) break
    ends.push({ endBytes, nextOffset: Number(bytes.readBigInt64BE(at)) + bytes.readInt32BE(at + 23) + 1 })
    at = endBytes
  }
  return ends
}

const recordSetTarget: FuzzTarget = {
  name: 'Kafka records',
  valid: recordSet,
  reseal: (bytes) => {
    const changed = Buffer.from(bytes)
    let at = 0
    for (const { endBytes } of batchEnds(changed)) {
      // Compressed contents have a target of their own.
      changed.writeUInt16BE(changed.readUInt16BE(at + 21) & 0xfff8, at + 21)
      changed.writeUInt32BE(crc32c(changed.subarray(at + 21, endBytes)), at + 17)
      at = endBytes
    }
    return changed
  },
  isPromised: () => false,
  decode: async (bytes, origin) => {
    const aborted = [{ producerId: 7n, firstOffset: FIRST_OFFSET + 4 }]
    const { records, nextOffset, error } = await decodeRecordSet(
      Buffer.from(bytes),
      FIRST_OFFSET,
      HIGH_WATERMARK,
      aborted,
      { decompressedBytesMax: DECOMPRESSED_BYTES_MAX },
    )
    let previous = FIRST_OFFSET - 1
    for (const { offset, headers } of records) {
      if (offset <= previous || offset >= nextOffset) throw new Error(`offset ${offset} out of place`)
      if (headers.some((header) => header.name.length > bytes.length)) throw new Error('a header too long')
      previous = offset
    }
    if (origin !== undefined) {
      const sameBytes = firstDifference(bytes, origin)
      const untouched = batchEnds(Buffer.from(origin)).filter(({ endBytes }) => endBytes <= sameBytes)
      if (nextOffset < (untouched.at(-1)?.nextOffset ?? FIRST_OFFSET))
        throw new Error('batches before the damage are lost')
    }
    return error === undefined ? 'whole' : nextOffset > FIRST_OFFSET ? 'part' : 'refused'
  },
}

/** Not `instanceof`: errors of Node's own modules come from another realm under some runners. */
const isRangeError = (error: unknown): boolean => (error as Error).name === 'RangeError'

const fetched = fc.record({
  partition: fc.nat(20),
  errorCode: fc.nat(100),
  high: fc.nat(),
  aborted: fc.array(fc.nat(), { maxLength: 2 }),
  records: fc.uint8Array({ maxLength: 40 }),
})

const response = fc.array(fc.tuple(fc.string({ maxLength: 10 }), fc.array(fetched, { maxLength: 3 })), {
  maxLength: 3,
})

const responseTarget: FuzzTarget = {
  name: 'Kafka fetch',
  valid: response.map((topics) => {
    const parts = [int32(0), int16(0), int32(0), int32(topics.length)]
    for (const [topic, partitions] of topics) {
      const topicName = Buffer.from(topic)
      parts.push(int16(topicName.length), topicName, int32(partitions.length))
      for (const { partition, errorCode, high, aborted, records } of partitions) {
        parts.push(
          int32(partition),
          int16(errorCode),
          int64(BigInt(high)),
          int64(BigInt(high)),
          int64(0n),
          int32(aborted.length),
        )
        for (const offset of aborted) parts.push(int64(7n), int64(BigInt(offset)))
        parts.push(int32(-1), int32(records.length), Buffer.from(records))
      }
    }
    return new Uint8Array(Buffer.concat(parts))
  }),
  isPromised: isRangeError,
  decode: (bytes) => {
    const { partitions } = decodeFetch(Buffer.from(bytes))
    const recordBytes = partitions.reduce((sum, { recordSet: set }) => sum + set.length, 0)
    if (recordBytes > bytes.length) throw new Error('more records than bytes')
    return 'whole'
  },
}

const small = fc.nat(100)

/** Lengths below 127 are one byte. */
const compact = (text: string): Buffer => {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([bytes.length + 1]), bytes])
}

const identitiesTarget: FuzzTarget = {
  name: 'Kafka topic ids',
  valid: fc
    .array(
      fc.record({
        name: fc.string({ maxLength: 8 }),
        id: fc.uint8Array({ minLength: 16, maxLength: 16 }),
        epochs: fc.array(small, { maxLength: 3 }),
      }),
      { maxLength: 3 },
    )
    .map((topics) => {
      const none = Buffer.from([0])
      const parts = [none, int32(0), Buffer.from([2]), int32(1), compact('host'), int32(9092), none, none]
      parts.push(compact('cluster'), int32(1), Buffer.from([topics.length + 1]))
      for (const { name, id, epochs } of topics) {
        parts.push(int16(0), compact(name), Buffer.from(id), none, Buffer.from([epochs.length + 1]))
        for (const [partition, epoch] of epochs.entries()) {
          parts.push(int16(0), int32(partition), int32(1), int32(epoch), Buffer.from([2]), int32(1))
          parts.push(Buffer.from([1, 1, 0]))
        }
        parts.push(int32(0), none)
      }
      return new Uint8Array(Buffer.concat(parts))
    }),
  isPromised: isRangeError,
  decode: (bytes) => {
    const { topics } = decodeTopicIdentities(Buffer.from(bytes))
    if (topics.length * 26 > bytes.length) throw new Error('more topics than bytes')
    return 'whole'
  },
}

const lineEndsTarget: FuzzTarget = {
  name: 'Kafka leader epochs',
  valid: fc
    .array(fc.tuple(fc.string({ maxLength: 8 }), fc.array(small, { maxLength: 3 })), { maxLength: 3 })
    .map((topics) => {
      const parts = [int32(0), int32(topics.length)]
      for (const [topic, ends] of topics) {
        const name = Buffer.from(topic)
        parts.push(int16(name.length), name, int32(ends.length))
        for (const [partition, end] of ends.entries())
          parts.push(int16(0), int32(partition), int32(1), int64(BigInt(end)))
      }
      return new Uint8Array(Buffer.concat(parts))
    }),
  isPromised: isRangeError,
  decode: (bytes) => {
    const { ends } = decodeLineEnds(Buffer.from(bytes))
    if (ends.length * 18 > bytes.length) throw new Error('more partitions than bytes')
    return 'whole'
  },
}

const DECOMPRESSED_BYTES_MAX = 1024 * 1024

const plain = fc.oneof(
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  fc.tuple(fc.nat(255), fc.nat(5_000)).map(([byte, length]) => Buffer.alloc(length, byte)),
)

/** The first byte says which codec. */
const compressed = fc
  .tuple(plain, fc.constantFrom(Codec.gzip, Codec.snappy, Codec.lz4, Codec.zstd))
  .map(([bytes, codec]) => {
    const content =
      codec === Codec.gzip
        ? gzipSync(bytes)
        : codec === Codec.snappy
          ? snappy.compressSync(bytes)
          : codec === Codec.lz4
            ? compressFrameSync(bytes)
            : zstdStored(bytes)
    return new Uint8Array(Buffer.concat([Buffer.from([codec]), content]))
  })

/** A zstd frame with its content in one raw block: magic, descriptor, 4 bytes of content size, block header. */
function zstdStored(bytes: Buffer): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt32LE(0xfd2fb528, 0)
  head.writeUInt8(0xa0, 4)
  head.writeUInt32LE(bytes.length, 5)
  head.writeUIntLE(1 | (bytes.length << 3), 9, 3)
  return Buffer.concat([head, bytes])
}

const compressedTarget: FuzzTarget = {
  name: 'compressed',
  valid: compressed,
  share: 0.3,
  // Each library has errors of its own; the decoder of the batch says whose batch it was.
  isPromised: (error) => !(error instanceof TooLarge),
  // A few bytes of zstd may ask for a window of 128 MiB.
  reservedBytes: (bytes) => decompressedBytesMax((bytes[0] ?? 0) % 6, Buffer.from(bytes.subarray(1))),
  decode: async (bytes): Promise<FuzzVerdict> => {
    const content = await decompress(
      (bytes[0] ?? 0) % 6,
      Buffer.from(bytes.subarray(1)),
      DECOMPRESSED_BYTES_MAX,
    )
    if (content.length > DECOMPRESSED_BYTES_MAX) throw new TooLarge()
    return 'whole'
  },
}

class TooLarge extends Error {
  override readonly name = 'TooLarge'
}

export const kafkaTargets: readonly FuzzTarget[] = [
  recordSetTarget,
  responseTarget,
  identitiesTarget,
  lineEndsTarget,
  compressedTarget,
]
