import type { OpenBlock } from '../block/block.ts'
import { blockIsGone } from '../block/block-content.ts'
import type { BlockManager } from '../block/block-manager.ts'
import { isExtensible } from '../block/placement.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import type { Edits } from '../commitlog/group.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import type { StorePaths } from '../paths.ts'
import type { BlockSource } from '../query/block-source.ts'

/** What mutations need of an open store. */
export interface MutationContext {
  readonly fs: FileSystem
  readonly paths: StorePaths
  /** See `StorageLimits`. */
  readonly holesBytesMin: number
  readonly manager: BlockManager
  /** Runs alone: everything before it is projected, and frames are written only by `commit`. */
  readonly exclusive: <T>(job: (commit: (edits: Edits) => Promise<void>) => Promise<T>) => Promise<T>
  /** The blocks of an entry as of now. */
  readonly source: (entry: Entry) => BlockSource
  /** Folds an open block. @returns whether it is cold now */
  readonly close: (block: OpenBlock) => Promise<boolean>
  /**
   * Makes it durable that the WALs of folded blocks are gone: one that a power cut brought back would be laid over a
   * descriptor that records were removed from.
   */
  readonly syncWalDirectory: (entry: Entry) => Promise<void>
  /** Sequence of the last durable frame. */
  readonly lastFrame: () => number
  /** A name below `staged` that no other file has. */
  readonly newStagedName: () => string
  /** Whether it is still an entry of the store. */
  readonly isKnown: (entry: Entry) => boolean
  /** @throws {StorageError} `ERR_NO_SPACE` when so much cannot be spared, aside and where the entry is */
  readonly requireSpace: (bytes: number, entry: Entry) => Promise<void>
  /** To be waited for before records leave their place, but for another block of their entry. */
  readonly markRemoval: () => Promise<void>
  /** Asks for `rewriteBlocks` when there is time. */
  readonly rewriteLater: (entry: Entry, blockId: number) => void
  /** As `BlockManager.hold`. */
  readonly hold: (entry: Entry, listed: IndexEntry) => Promise<OpenBlock>
}

/** What became of one record; without `error` it was done. */
export interface RecordResult {
  readonly timestampUs: bigint
  readonly error?: StorageError
}

/**
 * The index entry of a block that nothing is being written to, folded if need be. Only in an exclusive job.
 * @throws {StorageError} `ERR_NOT_FOUND` when it is gone, `ERR_RECORD_STATE` while content is being uploaded into it,
 *   `ERR_INVALID` for a block that only ReductStore may change
 */
export async function requireCold(context: MutationContext, entry: Entry, id: bigint): Promise<IndexEntry> {
  const open = entry.open.get(Number(id))
  if (open !== undefined && !(await context.close(open))) {
    throw new StorageError(
      'ERR_RECORD_STATE',
      `block ${entry.paths.data(id)} has an upload that is not finished: try again when it is`,
      { ...entry.name, path: entry.paths.data(id) },
    )
  }
  const cold = entry.index.get(id)
  if (cold === undefined) throw blockIsGone(entry, id)
  requireExtensible(entry, cold)
  return cold
}

/** @throws {StorageError} `ERR_INVALID` for a block that only ReductStore may change */
export function requireExtensible(entry: Entry, listed: IndexEntry): void {
  if (isExtensible(listed)) return
  const path = entry.paths.data(listed.id)
  throw new StorageError(
    'ERR_INVALID',
    `block ${path} was compressed or given up by ReductStore, or has times from 2^53 on: it is only read`,
    { ...entry.name, path },
  )
}

export function recordNotFound({ name }: Entry, timestampUs: bigint): StorageError {
  return new StorageError('ERR_NOT_FOUND', `${name.bucket}/${name.entry} has no record at ${timestampUs}`, {
    ...name,
    timestampUs,
  })
}
