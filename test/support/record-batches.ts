/** Kafka record batches (message format 2) made by hand: an encoder that shares nothing with the decoder under test. */

export interface RecordToEncode {
  readonly offsetDelta: number
  readonly timestampDelta?: bigint
  readonly key?: Uint8Array | null
  readonly value?: Uint8Array | null
  readonly headers?: readonly (readonly [Uint8Array, Uint8Array | null])[]
}

export interface BatchToEncode {
  readonly baseOffset: bigint
  readonly records: readonly RecordToEncode[]
  /** Default: the last record's delta. */
  readonly lastOffsetDelta?: number
  readonly baseTimestamp?: bigint
  readonly maxTimestamp?: bigint
  readonly producerId?: bigint
  readonly isTransactional?: boolean
  readonly isControl?: boolean
  /** Default 3. */
  readonly leaderEpoch?: number
  readonly isAppendTime?: boolean
  readonly codec?: number
  readonly compress?: (records: Buffer) => Buffer
}

/** Bit by bit, straight from the definition. */
export function crc32cBitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

function varint(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  const bytes: number[] = []
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

function sized(bytes: Uint8Array | null | undefined): Buffer {
  return bytes === null || bytes === undefined
    ? varint(-1n)
    : Buffer.concat([varint(BigInt(bytes.length)), bytes])
}

export function encodeRecord(record: RecordToEncode): Buffer {
  const headers = record.headers ?? []
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(record.timestampDelta ?? 0n),
    varint(BigInt(record.offsetDelta)),
    sized(record.key),
    sized(record.value),
    varint(BigInt(headers.length)),
    ...headers.flatMap(([name, value]) => [sized(name), sized(value)]),
  ])
  return Buffer.concat([varint(BigInt(body.length)), body])
}

export function encodeBatch(batch: BatchToEncode): Buffer {
  const plain = Buffer.concat(batch.records.map(encodeRecord))
  const content = batch.compress ? batch.compress(plain) : plain
  const baseTimestamp = batch.baseTimestamp ?? 1_700_000_000_000n
  const covered = Buffer.alloc(40)
  covered.writeUInt16BE(
    (batch.codec ?? 0) |
      (batch.isAppendTime ? 0x08 : 0) |
      (batch.isTransactional ? 0x10 : 0) |
      (batch.isControl ? 0x20 : 0),
    0,
  )
  covered.writeInt32BE(batch.lastOffsetDelta ?? batch.records.at(-1)?.offsetDelta ?? 0, 2)
  covered.writeBigInt64BE(baseTimestamp, 6)
  covered.writeBigInt64BE(batch.maxTimestamp ?? baseTimestamp, 14)
  covered.writeBigInt64BE(batch.producerId ?? -1n, 22)
  covered.writeInt16BE(batch.producerId === undefined ? -1 : 0, 30)
  covered.writeInt32BE(-1, 32)
  covered.writeInt32BE(batch.records.length, 36)
  const checked = Buffer.concat([covered, content])
  const head = Buffer.alloc(21)
  head.writeBigInt64BE(batch.baseOffset, 0)
  head.writeInt32BE(9 + checked.length, 8)
  head.writeInt32BE(batch.leaderEpoch ?? 3, 12)
  head.writeInt8(2, 16)
  head.writeUInt32BE(crc32cBitwise(checked), 17)
  return Buffer.concat([head, checked])
}

/** The control record that ends a transaction. */
export function encodeMarker(baseOffset: bigint, producerId: bigint, outcome: 'abort' | 'commit'): Buffer {
  return encodeBatch({
    baseOffset,
    producerId,
    isTransactional: true,
    isControl: true,
    records: [
      { offsetDelta: 0, key: Buffer.from([0, 0, 0, outcome === 'abort' ? 0 : 1]), value: Buffer.alloc(6) },
    ],
  })
}
