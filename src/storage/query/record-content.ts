import { crc32 } from '../../base/crc32.ts'
import { FileSystemError, type FileSystem } from '../../fs/file-system.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { decodeRecord, type DecodedRecord } from '../codec/record-codec.ts'
import { StorageError, type StorageErrorCode, type StorageErrorFacts } from '../errors.ts'
import type { RecordState } from '../record.ts'
import { blockData, type BlockData } from './block-data.ts'
import type { BlockSource } from './block-source.ts'
import { LISTINGS_MAX, locateCurrentRecord } from './locate-record.ts'

type PlacedRecord = Omit<DecodedRecord, 'labels' | 'contentType'>

/** Where the content of a record is, as a listing of its entry has it. */
export interface ContentPlace {
  readonly source: BlockSource
  readonly block: IndexEntry
  readonly record: PlacedRecord
  readonly data: BlockData
  /** As it was listed. */
  readonly state: RecordState
}

/**
 * The whole content, checked against its CRC-32. A record that has moved since it was listed is read where it is now.
 * @throws {StorageError} `ERR_RECORD_STATE`, `ERR_NOT_FOUND` when it was removed since, `ERR_CORRUPT`
 */
export async function readContent(fs: FileSystem, place: ContentPlace): Promise<Uint8Array> {
  requireFinished(place)
  const { record } = place
  let from = place
  for (let places = 1; ; places++) {
    const pinned = await pinPlace(fs, from)
    try {
      const bytes = await readPart(fs, pinned.place, 0, record.endBytes - record.beginBytes)
      if (record.contentCrc32 !== undefined && crc32(bytes) !== record.contentCrc32)
        throw await notAsStored(fs, pinned.place, 'content does not match its CRC-32')
      return bytes
    } catch (error) {
      if (!(error instanceof RecordMovedError) || places === LISTINGS_MAX) throw error
      from = error.to
    } finally {
      pinned.release()
    }
  }
}

/** Its bytes are elsewhere by now, the same as before. */
export class RecordMovedError extends StorageError {
  readonly to: ContentPlace

  constructor(message: string, facts: StorageErrorFacts, cause: unknown, to: ContentPlace) {
    super('ERR_NOT_FOUND', message, facts, cause)
    this.to = to
  }
}

/** The place where the record is now, its data file kept until `release`. @throws {StorageError} `ERR_NOT_FOUND` */
export async function pinPlace(
  fs: FileSystem,
  given: ContentPlace,
): Promise<{ place: ContentPlace; release: () => void }> {
  let place = given
  for (;;) {
    const release = place.source.pin(place.block)
    if (place.source.isCurrent()) return { place, release }
    release()
    const found = await locateAgain(fs, place)
    if (found === undefined) throw recordError(place, 'ERR_NOT_FOUND', 'the record was removed')
    place = found
  }
}

/**
 * A part of the content of a pinned place, unchecked.
 * @throws {StorageError} `ERR_CORRUPT` where the data file is missing or too short
 */
export async function readPart(
  fs: FileSystem,
  place: ContentPlace,
  atBytes: number,
  lengthBytes: number,
): Promise<Uint8Array> {
  if (lengthBytes === 0) return new Uint8Array(0)
  let bytes: Uint8Array
  try {
    bytes = await place.data.read(place.record.beginBytes + atBytes, lengthBytes)
  } catch (cause) {
    const isDamaged = cause instanceof StorageError && cause.code === 'ERR_CORRUPT'
    if (isDamaged) throw await notAsStored(fs, place, cause.message, cause)
    if (!(cause instanceof FileSystemError) || cause.code !== 'ERR_NOT_FOUND') throw cause
    throw await notAsStored(fs, place, 'data file is missing', cause)
  }
  // The entry may have gone meanwhile, and another one may have its path.
  if (!place.source.isCurrent()) await place.source.now()
  if (bytes.byteLength < lengthBytes) throw await notAsStored(fs, place, 'data file is too short')
  return bytes
}

/** What to throw where bytes are not what the record says: in a directory it may have been removed since. */
export async function notAsStored(
  fs: FileSystem,
  place: ContentPlace,
  what: string,
  cause?: unknown,
): Promise<StorageError> {
  const found = await locateAgain(fs, place).catch((error: unknown) =>
    error instanceof StorageError && error.code === 'ERR_NOT_FOUND' ? undefined : place,
  )
  const isThere =
    found?.block.id === place.block.id &&
    found.block.crc64 === place.block.crc64 &&
    found.record.beginBytes === place.record.beginBytes
  if (isThere) return recordError(place, 'ERR_CORRUPT', what, {}, cause)
  if (found === undefined) return recordError(place, 'ERR_NOT_FOUND', 'the record was removed', {}, cause)
  const { message, facts } = recordError(place, 'ERR_NOT_FOUND', 'the record was moved: ask for it again')
  return new RecordMovedError(message, facts, cause, found)
}

/** @throws {StorageError} `ERR_RECORD_STATE` */
export function requireFinished(place: ContentPlace): void {
  const { state } = place
  if (state === 'finished') return
  const why =
    state === 'started' ? 'too early, its upload has not finished' : 'its upload failed or was never finished'
  throw recordError(place, 'ERR_RECORD_STATE', why, { state })
}

export function recordError(
  { source, block, record }: ContentPlace,
  code: StorageErrorCode,
  what: string,
  more: StorageErrorFacts = {},
  cause?: unknown,
): StorageError {
  const { bucket, entry } = source.name
  const { timestampUs, beginBytes } = record
  const facts = { path: source.dataPath(block), bucket, entry, timestampUs, atBytes: beginBytes, ...more }
  return new StorageError(code, `${bucket}/${entry} at ${timestampUs}: ${what}`, facts, cause)
}

/**
 * The same record in a new listing; `undefined` when it is not there, or another one is in its place. Without a CRC-32
 * only the record at the very same place counts as the same.
 */
async function locateAgain(
  fs: FileSystem,
  { source: old, block, record, state }: ContentPlace,
): Promise<ContentPlace | undefined> {
  const located = await locateCurrentRecord(await old.now(), record.timestampUs)
  if (located === undefined) return undefined
  const { source, descriptor, index } = located
  const found = decodeRecord(
    descriptor.bytes,
    descriptor.recordFromBytes[index],
    descriptor.recordToBytes[index],
  )
  const isAtPlace = located.block.id === block.id && found.beginBytes === record.beginBytes
  // One without a CRC-32 may have got it since, where it is. Whatever we have put in its place has one from the start.
  const isContent =
    found.contentCrc32 === record.contentCrc32 || (record.contentCrc32 === undefined && isAtPlace)
  const isSame = isContent && found.endBytes - found.beginBytes === record.endBytes - record.beginBytes
  if (!isSame || found.state !== record.state) return undefined
  const data = blockData(fs, source, located.block, descriptor)
  return { source, block: located.block, record: found, data, state }
}
