import { firstRecordFrom, type Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { StorageError } from '../errors.ts'
import type { BlockSource } from './block-source.ts'

/** Whoever meets a changed listing so often, without a record in between, gives up. */
export const LISTINGS_MAX = 100

/** A record found, and the block it is in. */
export interface LocatedRecord {
  readonly block: IndexEntry
  readonly descriptor: Descriptor
  /** Of the record in `descriptor`. */
  readonly index: number
}

/**
 * The record at exactly `timestampUs`. Usually the block with the greatest id at or below it has it; where blocks
 * overlap (W2) an older one may, and of blocks that others wrote the next one. A time that no record has costs one
 * descriptor more than one that some record has.
 */
export async function locateRecord(
  source: BlockSource,
  timestampUs: bigint,
): Promise<LocatedRecord | undefined> {
  for (const block of source.covering(timestampUs)) {
    const descriptor = await source.descriptor(block)
    const index = firstRecordFrom(descriptor, timestampUs)
    if (descriptor.timestampsUs[index] === timestampUs) return { block, descriptor, index }
  }
  return undefined
}

/**
 * As `locateRecord`, in the entry as of now: blocks that were removed, split or written anew while they were looked
 * through are listed anew.
 * @throws {StorageError} `ERR_BUSY` when the entry changes faster than it can be read
 */
export async function locateCurrentRecord(
  given: BlockSource,
  timestampUs: bigint,
): Promise<(LocatedRecord & { readonly source: BlockSource }) | undefined> {
  let source = given
  for (let listings = 1; ; listings++) {
    try {
      const located = await locateRecord(source, timestampUs)
      if (located !== undefined) return { ...located, source }
      // It may have gone from one block to another while they were looked through.
      if (source.isCurrent()) return undefined
    } catch (error) {
      if (!isGone(error)) throw error
    }
    if (listings === LISTINGS_MAX) throw changesTooFast(source)
    source = await source.now()
  }
}

/** Whether a block of a listing is not there any more. */
export function isGone(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'ERR_NOT_FOUND'
}

export function changesTooFast({ name }: BlockSource): StorageError {
  return new StorageError(
    'ERR_BUSY',
    `${name.bucket}/${name.entry} is being changed faster than it can be read: try again`,
    name,
  )
}
