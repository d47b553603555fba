import { crc64Continue } from '../../base/crc64.ts'
import { StorageError } from '../errors.ts'
import { fieldTag, WireReader, wireType, writeTimestampField, writeVarint, writeVarint64 } from './wire.ts'

/** One block in `blocks.idx`. */
export interface IndexEntry {
  readonly id: bigint
  readonly sizeBytes: bigint
  readonly recordCount: number
  /** Length of the descriptor file, or of what stands for it in a WAL. */
  readonly metadataBytes: bigint
  readonly latestUs: bigint
  /** CRC-64 of the descriptor; absent while the block has a WAL. */
  readonly crc64?: bigint | undefined
  // Written by ReductStore 1.20 and later, kept as read.
  readonly compression?: number | undefined
  readonly corrupted?: boolean | undefined
  readonly version?: bigint | undefined
  /** Our field 1000: every finished record of the block has its CRC-32. ReductStore drops it whenever it writes the index. */
  readonly hasChecksums?: boolean | undefined
}

/** `blocks.idx` and the checksum over all its entries, from which an append goes on. */
export interface EncodedIndex {
  readonly bytes: Uint8Array
  readonly crc64: bigint
}

export interface DecodedIndex {
  /** `undecodable` and `checksum`: ReductStore rebuilds the index from the descriptors. */
  readonly verdict: 'valid' | 'undecodable' | 'checksum'
  /** By block id, the last entry of an id; what could be read when the verdict is not `valid`. */
  readonly entries: Map<bigint, IndexEntry>
  /** Entries in the file, repeated ids included. */
  readonly entriesInFile: number
  readonly crc64: bigint
}

const blockTag = fieldTag(1, wireType.bytes)
const outerCrcTag = fieldTag(2, wireType.varint)

const idTag = fieldTag(1, wireType.varint)
const sizeTag = fieldTag(2, wireType.varint)
const recordCountTag = fieldTag(3, wireType.varint)
const metadataTag = fieldTag(4, wireType.varint)
const latestTag = fieldTag(5, wireType.bytes)
const crcTag = fieldTag(6, wireType.varint)
const compressionTag = fieldTag(7, wireType.varint)
const corruptedTag = fieldTag(8, wireType.varint)
const versionTag = fieldTag(9, wireType.varint)
const hasChecksumsTag = fieldTag(1000, wireType.varint)

/** More than any entry needs: nine varints and a Timestamp. */
const entryBytesMax = 128

/** The whole file. No entries: 0 bytes, which is a valid empty index. */
export function encodeIndex(entries: Iterable<IndexEntry>): EncodedIndex {
  const parts: Uint8Array[] = []
  let crc64 = 0n
  for (const entry of entries) {
    parts.push(encodeEntry(entry))
    crc64 = crc64Continue(crc64, checksumInput(entry))
  }
  if (parts.length > 0) parts.push(encodeOuterCrc(crc64))
  return { bytes: new Uint8Array(Buffer.concat(parts)), crc64 }
}

/**
 * What to write behind a valid index whose checksum is `crc64`, to add `entries` or to replace those of their ids:
 * of a repeated id, and of the repeated checksum, the last one counts.
 */
export function encodeIndexAppend(crc64: bigint, entries: Iterable<IndexEntry>): EncodedIndex {
  const parts: Uint8Array[] = []
  let continued = crc64
  for (const entry of entries) {
    parts.push(encodeEntry(entry))
    continued = crc64Continue(continued, checksumInput(entry))
  }
  parts.push(encodeOuterCrc(continued))
  return { bytes: new Uint8Array(Buffer.concat(parts)), crc64: continued }
}

/** Never throws: damage is a verdict. A file of 0 bytes is valid and empty. */
export function decodeIndex(bytes: Uint8Array): DecodedIndex {
  const entries = new Map<bigint, IndexEntry>()
  let entriesInFile = 0
  let computed = 0n
  let stored = 0n
  const decoded = (verdict: DecodedIndex['verdict']): DecodedIndex => ({
    verdict,
    entries,
    entriesInFile,
    crc64: computed,
  })
  try {
    const reader = new WireReader(bytes)
    while (!reader.done) {
      const tag = reader.tag()
      if (tag === blockTag) {
        const entry = decodeEntry(reader)
        entriesInFile++
        // Deleted first, so that the map's order is that of the entries that count.
        entries.delete(entry.id)
        entries.set(entry.id, entry)
        computed = crc64Continue(computed, checksumInput(entry))
      } else if (tag === outerCrcTag) stored = reader.uint64()
      else reader.skip(tag)
    }
  } catch (error) {
    if (error instanceof StorageError) return decoded('undecodable')
    throw error
  }
  return decoded(stored === computed ? 'valid' : 'checksum')
}

/** What one entry adds to the checksum: u64 big-endian values, `corrupted` as one byte; `compression` is left out, and what is ours. */
function checksumInput(entry: IndexEntry): Uint8Array {
  const bytes = new Uint8Array(57)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, entry.id)
  view.setBigUint64(8, entry.sizeBytes)
  view.setBigUint64(16, BigInt(entry.recordCount))
  view.setBigUint64(24, entry.metadataBytes)
  view.setBigUint64(32, entry.latestUs)
  let at = 40
  if (entry.crc64 !== undefined) {
    view.setBigUint64(at, entry.crc64)
    at += 8
  }
  if (entry.corrupted !== undefined) {
    view.setUint8(at, entry.corrupted ? 1 : 0)
    at += 1
  }
  if (entry.version !== undefined) {
    view.setBigUint64(at, entry.version)
    at += 8
  }
  return bytes.subarray(0, at)
}

/** Tag, length and the entry. */
function encodeEntry(entry: IndexEntry): Uint8Array {
  const bytes = new Uint8Array(2 + entryBytesMax)
  let at = 2
  const scalar = (tag: number, value: bigint): void => {
    at = writeVarint64(bytes, writeVarint(bytes, at, tag), value)
  }
  if (entry.id !== 0n) scalar(idTag, entry.id)
  if (entry.sizeBytes !== 0n) scalar(sizeTag, entry.sizeBytes)
  if (entry.recordCount !== 0) scalar(recordCountTag, BigInt(entry.recordCount))
  if (entry.metadataBytes !== 0n) scalar(metadataTag, entry.metadataBytes)
  at = writeTimestampField(bytes, at, 5, entry.latestUs)
  if (entry.crc64 !== undefined) scalar(crcTag, entry.crc64)
  if (entry.compression !== undefined) scalar(compressionTag, BigInt(entry.compression))
  if (entry.corrupted !== undefined) scalar(corruptedTag, entry.corrupted ? 1n : 0n)
  if (entry.version !== undefined) scalar(versionTag, entry.version)
  if (entry.hasChecksums === true) scalar(hasChecksumsTag, 1n)
  // At most 127 bytes, so the length is one byte.
  bytes[0] = blockTag
  bytes[1] = at - 2
  return bytes.subarray(0, at)
}

function encodeOuterCrc(crc64: bigint): Uint8Array {
  const bytes = new Uint8Array(11)
  bytes[0] = outerCrcTag
  return bytes.subarray(0, writeVarint64(bytes, 1, crc64))
}

function decodeEntry(reader: WireReader): IndexEntry {
  const outerEnd = reader.end
  reader.end = reader.valueEnd()
  let id = 0n
  let sizeBytes = 0n
  let recordCount = 0
  let metadataBytes = 0n
  let latestUs: bigint | undefined
  let crc64: bigint | undefined
  let compression: number | undefined
  let corrupted: boolean | undefined
  let version: bigint | undefined
  let hasChecksums: boolean | undefined
  while (!reader.done) {
    const tag = reader.tag()
    if (tag === idTag) id = reader.uint64()
    else if (tag === sizeTag) sizeBytes = reader.uint64()
    else if (tag === recordCountTag) recordCount = reader.uint()
    else if (tag === metadataTag) metadataBytes = reader.uint64()
    else if (tag === latestTag) latestUs = BigInt(reader.timestamp())
    else if (tag === crcTag) crc64 = reader.uint64()
    else if (tag === compressionTag) compression = reader.uint()
    else if (tag === corruptedTag) corrupted = reader.uint64() !== 0n
    else if (tag === versionTag) version = reader.uint64()
    else if (tag === hasChecksumsTag) hasChecksums = reader.uint64() !== 0n
    else reader.skip(tag)
  }
  reader.end = outerEnd
  // ReductStore does not start with such an entry.
  if (latestUs === undefined) throw new StorageError('ERR_CORRUPT', 'index entry without a latest time')
  return {
    id,
    sizeBytes,
    recordCount,
    metadataBytes,
    latestUs,
    crc64,
    compression,
    corrupted,
    version,
    hasChecksums,
  }
}
