import type { FileSystem } from '../../fs/file-system.ts'
import { firstRecordFrom, type Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { decodeRecord, recordStateName } from '../codec/record-codec.ts'
import { COMPRESSION_ZSTD } from '../block/compressed-block.ts'
import { StorageError } from '../errors.ts'
import type { ReadOptions, StoredRecord } from '../record.ts'
import { blockData, type BlockData } from './block-data.ts'
import type { BlockSource } from './block-source.ts'
import { blocksWithin } from './blocks-within.ts'
import { DataWindow } from './data-window.ts'
import { LISTINGS_MAX, changesTooFast, isGone, locateCurrentRecord } from './locate-record.ts'
import { openContent } from './open-content.ts'
import { readContent } from './record-content.ts'

/** The record at exactly `timestampUs`, the first writer's where blocks overlap (W2). */
export async function getRecord(
  fs: FileSystem,
  given: BlockSource,
  timestampUs: bigint,
): Promise<StoredRecord | undefined> {
  const located = await locateCurrentRecord(given, timestampUs)
  if (located === undefined) return undefined
  const { source, block, descriptor, index } = located
  return storedRecord(fs, blockData(fs, source, block, descriptor), source, block, descriptor, index)
}

/**
 * Ascending by time. Blocks whose ranges overlap, as ReductStore may leave them (W2), are merged; of a time that
 * occurs twice the older block's record counts.
 *
 * Blocks are read as they are when the scan comes to them. Where one was removed, split or written anew meanwhile, the
 * entry is listed anew and the scan goes on behind the last time it has passed: nothing that stays is left out, nothing
 * comes twice. Blocks that begin behind everything of the first listing are not waited for.
 * @throws {StorageError} `ERR_CORRUPT`; `ERR_BUSY` when the entry changes faster than it can be read
 */
export async function* readRecords(
  fs: FileSystem,
  source: BlockSource,
  range: ReadOptions = {},
): AsyncGenerator<StoredRecord> {
  const stopUs = range.stopUs ?? 1n << 64n
  let endUs = 0n
  for (const { id, latestUs } of source.blocks) endUs = [endUs, id, latestUs].reduce(later)
  let fromUs = range.startUs ?? 0n
  let listed = source
  const wanted = (): IndexEntry[] =>
    blocksWithin(listed.blocks, fromUs, stopUs).filter(({ id }) => id <= endUs)
  let blocks = wanted()
  let listings = 1
  for (let at = 0; at < blocks.length;) {
    const together = overlapping(blocks, at)
    const opened = await openTogether(fs, listed, together, { ...range, fromUs, stopUs })
    if (opened === undefined) {
      if (listings++ === LISTINGS_MAX) throw changesTooFast(listed)
      listed = await listed.now()
      blocks = wanted()
      at = 0
      continue
    }
    listings = 1
    try {
      for (const record of inOrder(fs, listed, opened.cursors, stopUs)) {
        if (range.anyState === true || record.state === 'finished') yield record
      }
    } finally {
      opened.release()
    }
    at += together.length
    for (const { descriptor } of opened.cursors)
      fromUs = later(fromUs, (descriptor.timestampsUs.at(-1) ?? -1n) + 1n)
  }
}

function later(one: bigint, other: bigint): bigint {
  return one > other ? one : other
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

interface Cursor {
  readonly block: IndexEntry
  readonly data: BlockData
  readonly descriptor: Descriptor
  index: number
}

/** Reads the descriptors of `blocks` and pins them; `undefined` when the listing that they are of is out of date. */
async function openTogether(
  fs: FileSystem,
  source: BlockSource,
  blocks: readonly IndexEntry[],
  { fromUs, stopUs, onDamaged }: ReadOptions & { fromUs: bigint; stopUs: bigint },
): Promise<{ cursors: Cursor[]; release: () => void } | undefined> {
  const pins = blocks.map((block) => source.pin(block))
  const release = (): void => {
    for (const free of pins) free()
  }
  try {
    const cursors: Cursor[] = []
    if (source.isCurrent()) {
      for (const block of blocks) {
        const descriptor = await source.descriptor(block).catch((error: unknown) => {
          const isDamage = error instanceof StorageError && error.code === 'ERR_CORRUPT'
          // Behind the range: nothing says that it holds anything of it.
          if (isDamage && block.id >= stopUs) return
          if (!isDamage || onDamaged === undefined) throw error
          onDamaged(error)
        })
        if (descriptor === undefined) continue
        const isPlain = block.compression !== COMPRESSION_ZSTD
        const data = isPlain
          ? new DataWindow(fs, source.dataPath(block))
          : blockData(fs, source, block, descriptor)
        cursors.push({ block, data, descriptor, index: firstRecordFrom(descriptor, fromUs) })
      }
    }
    if (source.isCurrent()) return { cursors, release }
  } catch (error) {
    if (!isGone(error)) {
      release()
      throw error
    }
  }
  release()
  return undefined
}

function* inOrder(
  fs: FileSystem,
  source: BlockSource,
  cursors: readonly Cursor[],
  stopUs: bigint,
): Generator<StoredRecord> {
  let previousUs = -1n
  for (;;) {
    let first: Cursor | undefined
    for (const cursor of cursors) {
      const timestampUs = cursor.descriptor.timestampsUs[cursor.index]
      if (timestampUs === undefined || timestampUs >= stopUs) continue
      if (first === undefined || timestampUs < (first.descriptor.timestampsUs[first.index] as bigint))
        first = cursor
    }
    if (first === undefined) return
    const timestampUs = first.descriptor.timestampsUs[first.index] as bigint
    if (timestampUs !== previousUs)
      yield storedRecord(fs, first.data, source, first.block, first.descriptor, first.index)
    previousUs = timestampUs
    first.index += 1
  }
}

function storedRecord(
  fs: FileSystem,
  data: BlockData,
  source: BlockSource,
  block: IndexEntry,
  descriptor: Descriptor,
  index: number,
): StoredRecord {
  const from = descriptor.recordFromBytes[index] as number
  const record = decodeRecord(descriptor.bytes, from, descriptor.recordToBytes[index])
  const { bucket, entry } = source.name
  const isFinished = recordStateName(record.state) === 'finished'
  // An upload that nobody finishes any more counts as failed (W20).
  const unfinished = source.isStarted(record.timestampUs) ? 'started' : 'errored'
  const state = isFinished ? 'finished' : unfinished
  const place = { source, block, record, data, state } as const
  return {
    bucket,
    entry,
    timestampUs: record.timestampUs,
    state,
    labels: record.labels,
    contentType: record.contentType,
    contentBytes: record.endBytes - record.beginBytes,
    contentChecksum: record.contentCrc32,
    read: () => readContent(fs, place),
    open: () => openContent(fs, place),
  }
}
