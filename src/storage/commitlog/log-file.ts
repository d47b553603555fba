import { crc64 } from '../../base/crc64.ts'
import { BinaryReader, BinaryWriter } from '../codec/binary.ts'
import { StorageError } from '../errors.ts'
import type { EntryName } from '../record.ts'

/**
 * Header of a log file `<number>.log`: the first 512 bytes. Frames follow at multiples of 512.
 *
 *     magic "SEDLOG01" u64 | number u64 | first sequence u64 | chain before it u64 | crc64 of these u64 | zeros
 *
 * Numbers are never reused. A header that does not verify was torn while the file was begun, and no frame follows; or
 * it is damaged.
 */
export const LOG_HEADER_BYTES = 512
const LOG_MAGIC = 0x3130_474f_4c44_4553n

export interface LogHeader {
  readonly number: number
  /** Sequence of the first frame in this file. */
  readonly firstSequence: number
  /** Chain value of the frame before it. */
  readonly chainBefore: bigint
}

export function encodeLogHeader(header: LogHeader): Uint8Array {
  const writer = new BinaryWriter(64)
  writer.u64big(LOG_MAGIC)
  writer.u64(header.number)
  writer.u64(header.firstSequence)
  writer.u64big(header.chainBefore)
  writer.u64big(crc64(writer.written()))
  const bytes = new Uint8Array(LOG_HEADER_BYTES)
  bytes.set(writer.written())
  return bytes
}

export function decodeLogHeader(bytes: Uint8Array): LogHeader | undefined {
  if (bytes.byteLength < LOG_HEADER_BYTES) return undefined
  const reader = new BinaryReader(bytes, 'log header')
  if (reader.u64big() !== LOG_MAGIC) return undefined
  const header = { number: reader.u64(), firstSequence: reader.u64(), chainBefore: reader.u64big() }
  return reader.u64big() === crc64(bytes.subarray(0, 32)) ? header : undefined
}

/** One open block as a checkpoint describes it: its files hold exactly this, durably. */
export interface CheckpointBlock {
  readonly bucket: string
  readonly entry: string
  readonly blockId: number
  /** Position of the stop marker. */
  readonly walBytes: number
  readonly blkEndBytes: number
  readonly recordCount: number
  readonly baseCrc64: bigint | undefined
  /** Its WAL was just being folded: the descriptor may be newer than `baseCrc64` says. */
  readonly isFolding: boolean
}

/** Frames that were not carried out for some entries, because these could not be read: the log is kept for them. */
export interface WaitingFrames {
  /** Log files from this one up to `endLog`, which is not one of them. */
  readonly firstLog: number
  readonly endLog: number
  /** The frame before the first of them. */
  readonly sequence: number
  readonly chain: bigint
  readonly entries: readonly EntryName[]
  /** Of these entries, as they were at `sequence`. */
  readonly openBlocks: readonly CheckpointBlock[]
}

/**
 * `checkpoint`: the state at one sequence. `magic u64, first log u64, sequence u64, chain u64, generation u64,
 * companion run, block count u32, blocks, crc64 u64`. Replaced by tmp, sync, rename, directory sync. With waiting frames it
 * has another magic, which older releases refuse, and in front of the crc64 `count u32` and for each: `first log u64, end
 * log u64, sequence u64, chain u64, entry count u32, entries (bucket text, entry text), block count u32, blocks`.
 */
export interface Checkpoint {
  /** Number of the first log file to replay. */
  readonly firstLog: number
  readonly sequence: number
  readonly chain: bigint
  readonly generation: number
  /** `undefined` = the companion had nothing to say. */
  readonly companion: Uint8Array | undefined
  readonly openBlocks: readonly CheckpointBlock[]
  readonly waiting: readonly WaitingFrames[]
}

const FLAG_BASE = 1
const FLAG_FOLDING = 2
const CHECKPOINT_MAGIC = 0x3130_5043_4453n
const WAITING_CHECKPOINT_MAGIC = 0x3230_5043_4453n

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const writer = new BinaryWriter(1024)
  writer.u64big(checkpoint.waiting.length > 0 ? WAITING_CHECKPOINT_MAGIC : CHECKPOINT_MAGIC)
  writer.u64(checkpoint.firstLog)
  writer.u64(checkpoint.sequence)
  writer.u64big(checkpoint.chain)
  writer.u64(checkpoint.generation)
  writer.u8(checkpoint.companion === undefined ? 0 : 1)
  writer.run(checkpoint.companion ?? new Uint8Array(0))
  writeBlocks(writer, checkpoint.openBlocks)
  if (checkpoint.waiting.length > 0) {
    writer.u32(checkpoint.waiting.length)
    for (const waiting of checkpoint.waiting) writeWaiting(writer, waiting)
  }
  writer.u64big(crc64(writer.written()))
  return writer.written().slice()
}

function writeBlocks(writer: BinaryWriter, blocks: readonly CheckpointBlock[]): void {
  writer.u32(blocks.length)
  for (const block of blocks) {
    writer.text(block.bucket)
    writer.text(block.entry)
    writer.u64(block.blockId)
    writer.u64(block.walBytes)
    writer.u64(block.blkEndBytes)
    writer.u64(block.recordCount)
    writer.u8((block.baseCrc64 === undefined ? 0 : FLAG_BASE) | (block.isFolding ? FLAG_FOLDING : 0))
    writer.u64big(block.baseCrc64 ?? 0n)
  }
}

function writeWaiting(writer: BinaryWriter, waiting: WaitingFrames): void {
  writer.u64(waiting.firstLog)
  writer.u64(waiting.endLog)
  writer.u64(waiting.sequence)
  writer.u64big(waiting.chain)
  writer.u32(waiting.entries.length)
  for (const { bucket, entry } of waiting.entries) {
    writer.text(bucket)
    writer.text(entry)
  }
  writeBlocks(writer, waiting.openBlocks)
}

/** @throws {StorageError} `ERR_CORRUPT` */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const bodyBytes = bytes.byteLength - 8
  const tail = new BinaryReader(bytes, 'checkpoint', Math.max(0, bodyBytes))
  if (bodyBytes < 0 || tail.u64big() !== crc64(bytes.subarray(0, bodyBytes))) {
    throw new StorageError('ERR_CORRUPT', 'the checkpoint does not match its checksum')
  }
  const reader = new BinaryReader(bytes.subarray(0, bodyBytes), 'checkpoint')
  const magic = reader.u64big()
  if (magic !== CHECKPOINT_MAGIC && magic !== WAITING_CHECKPOINT_MAGIC)
    throw new StorageError('ERR_CORRUPT', 'not a checkpoint')
  const firstLog = reader.u64()
  const sequence = reader.u64()
  const chain = reader.u64big()
  const generation = reader.u64()
  const hasCompanion = reader.u8() === 1
  const companion = reader.run()
  const openBlocks = readBlocks(reader)
  const waiting: WaitingFrames[] = []
  const waitingCount = magic === WAITING_CHECKPOINT_MAGIC ? reader.u32() : 0
  for (let index = 0; index < waitingCount; index++) waiting.push(readWaiting(reader))
  return {
    firstLog,
    sequence,
    chain,
    generation,
    companion: hasCompanion ? companion : undefined,
    openBlocks,
    waiting,
  }
}

function readWaiting(reader: BinaryReader): WaitingFrames {
  const firstLog = reader.u64()
  const endLog = reader.u64()
  const sequence = reader.u64()
  const chain = reader.u64big()
  const entries: EntryName[] = []
  const count = reader.u32()
  for (let index = 0; index < count; index++) {
    const bucket = reader.text()
    entries.push({ bucket, entry: reader.text() })
  }
  return { firstLog, endLog, sequence, chain, entries, openBlocks: readBlocks(reader) }
}

function readBlocks(reader: BinaryReader): CheckpointBlock[] {
  const openBlocks: CheckpointBlock[] = []
  const count = reader.u32()
  for (let index = 0; index < count; index++) {
    const bucket = reader.text()
    const entry = reader.text()
    const blockId = reader.u64()
    const walBytes = reader.u64()
    const blkEndBytes = reader.u64()
    const recordCount = reader.u64()
    const flags = reader.u8()
    const baseCrc64 = reader.u64big()
    openBlocks.push({
      bucket,
      entry,
      blockId,
      walBytes,
      blkEndBytes,
      recordCount,
      baseCrc64: (flags & FLAG_BASE) === 0 ? undefined : baseCrc64,
      isFolding: (flags & FLAG_FOLDING) !== 0,
    })
  }
  return openBlocks
}
