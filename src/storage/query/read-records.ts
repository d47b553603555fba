import { crc32 } from 'node:zlib'
import { FileSystemError, type FileSystem } from '../../fs/file-system.ts'
import { COMPRESSION_ZSTD, CompressedData } from '../block/compressed-block.ts'
import { firstRecordFrom, type Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { decodeRecord, recordStateName, type DecodedRecord } from '../codec/record-codec.ts'
import { StorageError } from '../errors.ts'
import type { StoredRecord, ReadOptions } from '../record.ts'
import type { BlockSource } from './block-source.ts'
import { DataWindow } from './data-window.ts'

/** The record at exactly `timestampUs`, the first writer's where blocks overlap (W2). */
export async function getRecord(
  fs: FileSystem,
  source: BlockSource,
  timestampUs: bigint,
): Promise<StoredRecord | undefined> {
  for (const block of source.blocks) {
    if (block.id > timestampUs) return undefined
    if (block.latestUs < timestampUs) continue
    const descriptor = await source.descriptor(block)
    const index = firstRecordFrom(descriptor, timestampUs)
    if (descriptor.timestampsUs[index] !== timestampUs) continue
    const path = source.dataPath(block)
    const data =
      compressedData(fs, path, block, descriptor) ??
      ({ read: (atBytes: number, bytes: number) => fs.read(path, atBytes, bytes) } as const)
    return storedRecord(data, source, block, descriptor, index)
  }
  return undefined
}

/**
 * Ascending by time. Blocks whose ranges overlap, as ReductStore may leave them (W2), are merged; of a time that
 * occurs twice the older block's record counts.
 */
export async function* readRecords(
  fs: FileSystem,
  source: BlockSource,
  range: ReadOptions = {},
): AsyncGenerator<StoredRecord> {
  const startUs = range.startUs ?? 0n
  const stopUs = range.stopUs ?? 1n << 64n
  const blocks = source.blocks.filter((block) => block.id < stopUs && block.latestUs >= startUs)
  for (let at = 0; at < blocks.length;) {
    const together = overlapping(blocks, at)
    at += together.length
    for await (const record of readTogether(fs, source, together, { ...range, startUs, stopUs })) {
      if (range.anyState === true || record.state === 'finished') yield record
    }
  }
}

/** The blocks from `at` whose ranges form one stretch. */
function overlapping(blocks: readonly IndexEntry[], at: number): IndexEntry[] {
  const together = [blocks[at] as IndexEntry]
  let latestUs = (blocks[at] as IndexEntry).latestUs
  for (let next = at + 1; next < blocks.length; next++) {
    const block = blocks[next] as IndexEntry
    if (block.id > latestUs) break
    together.push(block)
    if (block.latestUs > latestUs) latestUs = block.latestUs
  }
  return together
}

async function* readTogether(
  fs: FileSystem,
  source: BlockSource,
  blocks: readonly IndexEntry[],
  { startUs, stopUs, onDamaged }: ReadOptions & { readonly startUs: bigint; readonly stopUs: bigint },
): AsyncGenerator<StoredRecord> {
  const cursors: {
    block: IndexEntry
    data: Pick<DataWindow, 'read'>
    descriptor: Descriptor
    index: number
  }[] = []
  for (const block of blocks) {
    const descriptor = await source.descriptor(block).catch((error: unknown) => {
      const isDamage = error instanceof StorageError && error.code === 'ERR_CORRUPT'
      if (!isDamage || onDamaged === undefined) throw error
      onDamaged(error)
    })
    if (descriptor === undefined) continue
    const path = source.dataPath(block)
    const data = compressedData(fs, path, block, descriptor) ?? new DataWindow(fs, path)
    cursors.push({ block, data, descriptor, index: firstRecordFrom(descriptor, startUs) })
  }
  let previousUs = -1n
  for (;;) {
    let first: (typeof cursors)[number] | undefined
    for (const cursor of cursors) {
      const timestampUs = cursor.descriptor.timestampsUs[cursor.index]
      if (timestampUs === undefined || timestampUs >= stopUs) continue
      if (first === undefined || timestampUs < (first.descriptor.timestampsUs[first.index] as bigint))
        first = cursor
    }
    if (first === undefined) return
    const timestampUs = first.descriptor.timestampsUs[first.index] as bigint
    if (timestampUs !== previousUs)
      yield storedRecord(first.data, source, first.block, first.descriptor, first.index)
    previousUs = timestampUs
    first.index += 1
  }
}

function compressedData(
  fs: FileSystem,
  path: string,
  { compression }: IndexEntry,
  { sizeBytes }: Descriptor,
): CompressedData | undefined {
  return compression === COMPRESSION_ZSTD ? new CompressedData(fs, path, sizeBytes) : undefined
}

function storedRecord(
  data: Pick<DataWindow, 'read'>,
  source: BlockSource,
  block: IndexEntry,
  descriptor: Descriptor,
  index: number,
): StoredRecord {
  const from = descriptor.recordFromBytes[index] as number
  const record = decodeRecord(descriptor.bytes, from, descriptor.recordToBytes[index])
  const { bucket, entry } = source.name
  const state = recordStateName(record.state)
  return {
    bucket,
    entry,
    timestampUs: record.timestampUs,
    // An upload that nobody finishes any more counts as failed (W20).
    state: state === 'started' ? 'errored' : state,
    labels: record.labels,
    contentType: record.contentType,
    contentBytes: record.endBytes - record.beginBytes,
    contentChecksum: record.contentCrc32,
    read: () => readContent(data, source, source.dataPath(block), record),
  }
}

async function readContent(
  data: Pick<DataWindow, 'read'>,
  source: BlockSource,
  path: string,
  record: DecodedRecord,
): Promise<Uint8Array> {
  const { bucket, entry } = source.name
  const facts = { path, bucket, entry, timestampUs: record.timestampUs, atBytes: record.beginBytes }
  const where = `${bucket}/${entry} at ${record.timestampUs}`
  if (record.state !== 1)
    throw new StorageError('ERR_RECORD_STATE', `${where}: the upload was not finished`, facts)
  const lengthBytes = record.endBytes - record.beginBytes
  let bytes: Uint8Array
  try {
    bytes = lengthBytes === 0 ? new Uint8Array(0) : await data.read(record.beginBytes, lengthBytes)
  } catch (cause) {
    if (cause instanceof FileSystemError && cause.code === 'ERR_NOT_FOUND') {
      throw new StorageError('ERR_CORRUPT', `${where}: data file is missing`, facts, cause)
    }
    throw cause
  }
  if (bytes.byteLength < lengthBytes)
    throw new StorageError('ERR_CORRUPT', `${where}: data file is too short`, facts)
  if (record.contentCrc32 !== undefined && crc32(bytes) !== record.contentCrc32) {
    throw new StorageError('ERR_CORRUPT', `${where}: content does not match its CRC-32`, facts)
  }
  return bytes
}
