import { crc32c } from '../../base/crc32.ts'
import type { SourceHeader } from '../source.ts'
import {
  ATTRIBUTES_AT,
  BASE_TIMESTAMP_AT,
  CRC_AT,
  HEADER_BYTES,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LENGTH_END,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
} from './record-batch.ts'

export interface RecordToEncode {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly SourceHeader[]
  readonly timestampMs: number
}

const MAGIC = 2

/** An uncompressed record batch as `record-batch.ts` describes it, of no producer and from offset 0 on. */
export function encodeBatch(records: readonly RecordToEncode[]): Buffer {
  const times = records.map(({ timestampMs }) => timestampMs)
  const baseMs = times[0] ?? -1
  const parts = records.flatMap((record, index) => encodeRecord(record, index, record.timestampMs - baseMs))
  const head = Buffer.alloc(HEADER_BYTES)
  const batch = Buffer.concat([head, ...parts])
  batch.writeInt32BE(batch.length - LENGTH_END, 8)
  batch.writeInt32BE(-1, LEADER_EPOCH_AT) // the leader writes its epoch
  batch.writeInt8(MAGIC, MAGIC_AT)
  batch.writeInt32BE(records.length - 1, LAST_OFFSET_DELTA_AT)
  batch.writeBigInt64BE(BigInt(baseMs), BASE_TIMESTAMP_AT)
  batch.writeBigInt64BE(BigInt(times.reduce((most, time) => Math.max(most, time), baseMs)), MAX_TIMESTAMP_AT)
  batch.writeBigInt64BE(-1n, PRODUCER_ID_AT) // no producer id …
  batch.writeInt16BE(-1, PRODUCER_ID_AT + 8) // … epoch …
  batch.writeInt32BE(-1, PRODUCER_ID_AT + 10) // … or sequence
  batch.writeInt32BE(records.length, RECORD_COUNT_AT)
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT)
  return batch
}

function encodeRecord(
  { key, value, headers }: RecordToEncode,
  offsetDelta: number,
  timestampDelta: number,
): Uint8Array[] {
  const body: Uint8Array[] = [
    Buffer.from([0]),
    varint(timestampDelta),
    varint(offsetDelta),
    ...sized(key),
    ...sized(value),
    varint(headers.length),
    ...headers.flatMap((header) => [...sized(header.name), ...sized(header.value)]),
  ]
  return [varint(body.reduce((sum, { length }) => sum + length, 0)), ...body]
}

function sized(bytes: Uint8Array | null): Uint8Array[] {
  return bytes === null ? [varint(-1)] : [varint(bytes.length), bytes]
}

/** Zigzag; exact for whole numbers below 2^52. */
function varint(value: number): Uint8Array {
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  const bytes: number[] = []
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
  return Uint8Array.from(bytes)
}
