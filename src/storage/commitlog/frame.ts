import { crc64 } from '../../base/crc64.ts'
import { BinaryReader, getU64, putU64 } from '../codec/binary.ts'
import { readBlockChange, type BlockChange } from './block-change.ts'

/**
 * One frame of the commit log: one group of writes, durable as a whole or not at all. Little-endian.
 *
 *      0       4       8            16          24           32          40          48
 *      +-------+-------+------------+-----------+------------+-----------+-----------+
 *      | magic | meta  | content    | sequence  | generation | watermark | previous  |
 *      | SEDF  | bytes | bytes      |           |            |           | chain     |
 *      +-------+-------+------------+-----------+------------+-----------+-----------+
 *        u32     u32     u64          u64         u64          u64         u64
 *      | meta: items ... | chain u64 | inline content ... | zeros to the next 512 bytes
 *
 * `chain` = CRC-64/XZ over header and meta; the header holds the chain value of the frame before, so a frame from
 * elsewhere never fits. Content is covered by the CRC-32 that each record carries (field 1000). `watermark` is the
 * last sequence known to be synced when this frame was written. Frames begin at multiples of 512, so that a torn
 * write of one never shares a sector with another.
 */
const FRAME_MAGIC = 0x46444553
export const FRAME_HEADER_BYTES = 4 + 4 + 8 + 8 + 8 + 8 + 8
export const FRAME_CHAIN_BYTES = 8
export const FRAME_ALIGN_BYTES = 512

/** On disk, with those of block-change.ts: append new ones, never renumber. */
const ItemKind = { records: 1, delta: 2 } as const

const FLAG_DIRECT = 1
const FLAG_BASE = 2

/**
 * Item of one block: `kind u8, bucket text, entry text, block id u64, WAL position u64, .blk position u64, flags u8,
 * base descriptor crc64 u64 (flag 2), record count u32, content bytes u64, entries run (+ one 0xFF behind it)`.
 */
export interface RecordsItem {
  readonly bucket: string
  readonly entry: string
  readonly blockId: number
  /** Where the first entry goes in the WAL; 0 restarts it. */
  readonly walAtBytes: number
  readonly blkAtBytes: number
  /** Content was written and synced into the data file before the frame. */
  readonly direct: boolean
  /** CRC-64 of the descriptor under this WAL when it restarts at 0; `undefined` = there is none. */
  readonly baseCrc64: bigint | undefined
  readonly recordCount: number
  readonly contentBytes: number
}

/** An item read back, with where its bytes are in the frame (relative to the frame's first byte). */
interface ParsedRecords extends RecordsItem {
  /** The WAL entries; the byte behind them is 0xFF. */
  readonly entries: Uint8Array
  /** Position of the inline content in the frame; meaningless for direct content. */
  readonly contentAtBytes: number
}

export interface FrameHeader {
  readonly metaBytes: number
  readonly contentBytes: number
  readonly sequence: number
  readonly generation: number
  readonly watermark: number
  readonly previousChain: bigint
}

export interface Frame extends FrameHeader {
  readonly chain: bigint
  readonly records: readonly ParsedRecords[]
  /** After the records, in order. */
  readonly changes: readonly BlockChange[]
  readonly deltas: readonly Uint8Array[]
}

/** Bytes of a frame up to the first padding byte, without and with padding. */
export function frameBytes(metaBytes: number, contentBytes: number): number {
  return FRAME_HEADER_BYTES + metaBytes + FRAME_CHAIN_BYTES + contentBytes
}

export function alignFrame(bytes: number): number {
  return Math.ceil(bytes / FRAME_ALIGN_BYTES) * FRAME_ALIGN_BYTES
}

/** Upper bound of a records item without its entries. */
export function itemOverheadBytes(bucket: string, entry: string): number {
  return 1 + 2 + bucket.length * 3 + 2 + entry.length * 3 + 8 + 8 + 8 + 1 + 8 + 4 + 8 + 4 + 1
}

/**
 * Writes the fixed part of a records item at `atBytes`; the entries follow at the returned position. Call
 * `finishRecordsItem` when they are there.
 */
export function beginRecordsItem(target: Buffer, atBytes: number, item: RecordsItem): number {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength)
  let at = target.writeUInt8(ItemKind.records, atBytes)
  at = writeText(target, at, item.bucket)
  at = writeText(target, at, item.entry)
  putU64(view, at, item.blockId)
  putU64(view, at + 8, item.walAtBytes)
  putU64(view, at + 16, item.blkAtBytes)
  at = target.writeUInt8(
    (item.direct ? FLAG_DIRECT : 0) | (item.baseCrc64 === undefined ? 0 : FLAG_BASE),
    at + 24,
  )
  if (item.baseCrc64 !== undefined) at = target.writeBigUInt64LE(item.baseCrc64, at)
  at = target.writeUInt32LE(item.recordCount, at)
  putU64(view, at, item.contentBytes)
  return at + 8 + 4
}

/** Fills in the length of the entries [entriesAtBytes, endBytes), writes the 0xFF, and returns the item's end. */
export function finishRecordsItem(target: Buffer, entriesAtBytes: number, endBytes: number): number {
  target.writeUInt32LE(endBytes - entriesAtBytes, entriesAtBytes - 4)
  return target.writeUInt8(0xff, endBytes)
}

export function deltaItemBytes(delta: Uint8Array): number {
  return 1 + 4 + delta.byteLength
}

export function writeDeltaItem(target: Buffer, atBytes: number, delta: Uint8Array): number {
  const at = target.writeUInt32LE(delta.byteLength, target.writeUInt8(ItemKind.delta, atBytes))
  target.set(delta, at)
  return at + delta.byteLength
}

/** Fills in header and chain of a frame whose meta is in place. Returns the chain value. */
export function finishFrame(target: Buffer, header: FrameHeader): bigint {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength)
  view.setUint32(0, FRAME_MAGIC, true)
  view.setUint32(4, header.metaBytes, true)
  putU64(view, 8, header.contentBytes)
  putU64(view, 16, header.sequence)
  putU64(view, 24, header.generation)
  putU64(view, 32, header.watermark)
  view.setBigUint64(40, header.previousChain, true)
  const chain = crc64(target.subarray(0, FRAME_HEADER_BYTES + header.metaBytes))
  view.setBigUint64(FRAME_HEADER_BYTES + header.metaBytes, chain, true)
  return chain
}

export function readFrameHeader(bytes: Uint8Array): FrameHeader | undefined {
  if (bytes.byteLength < FRAME_HEADER_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0, true) !== FRAME_MAGIC) return undefined
  return {
    metaBytes: view.getUint32(4, true),
    contentBytes: getU64(view, 8),
    sequence: getU64(view, 16),
    generation: getU64(view, 24),
    watermark: getU64(view, 32),
    previousChain: view.getBigUint64(40, true),
  }
}

/**
 * The frame at the start of `bytes`, when header and meta are whole and fit their CRC. Content is not looked at.
 * `bytes` may be longer. Entries and deltas are views.
 */
export function parseFrame(bytes: Uint8Array): Frame | undefined {
  const header = readFrameHeader(bytes)
  if (header === undefined) return undefined
  const chainAt = FRAME_HEADER_BYTES + header.metaBytes
  if (chainAt + FRAME_CHAIN_BYTES > bytes.byteLength) return undefined
  const chain = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(chainAt, true)
  if (crc64(bytes.subarray(0, chainAt)) !== chain) return undefined

  const reader = new BinaryReader(bytes.subarray(0, chainAt), 'frame', FRAME_HEADER_BYTES)
  const records: ParsedRecords[] = []
  const changes: BlockChange[] = []
  const deltas: Uint8Array[] = []
  let contentAtBytes = chainAt + FRAME_CHAIN_BYTES
  while (reader.remainingBytes > 0) {
    const kind = reader.u8()
    if (kind === ItemKind.delta) {
      deltas.push(reader.run())
    } else if (kind === ItemKind.records) {
      const item = readRecordsItem(reader, contentAtBytes)
      if (!item.direct) contentAtBytes += item.contentBytes
      records.push(item)
    } else {
      const change = readBlockChange(kind, reader)
      if (change === undefined) return undefined
      changes.push(change)
    }
  }
  return { ...header, chain, records, changes, deltas }
}

function readRecordsItem(reader: BinaryReader, contentAtBytes: number): ParsedRecords {
  const bucket = reader.text()
  const entry = reader.text()
  const blockId = reader.u64()
  const walAtBytes = reader.u64()
  const blkAtBytes = reader.u64()
  const flags = reader.u8()
  const baseCrc64 = (flags & FLAG_BASE) === 0 ? undefined : reader.u64big()
  const recordCount = reader.u32()
  const contentBytes = reader.u64()
  const entries = reader.run()
  reader.view(1)
  return {
    bucket,
    entry,
    blockId,
    walAtBytes,
    blkAtBytes,
    direct: (flags & FLAG_DIRECT) !== 0,
    baseCrc64,
    recordCount,
    contentBytes,
    entries,
    contentAtBytes,
  }
}

function writeText(target: Buffer, atBytes: number, text: string): number {
  const length = target.write(text, atBytes + 2)
  target.writeUInt16LE(length, atBytes)
  return atBytes + 2 + length
}
