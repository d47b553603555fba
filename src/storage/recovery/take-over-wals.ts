import type { Logger } from '../../base/logger.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { writeAll } from '../../fs/write-all.ts'
import type { OpenBlock } from '../block/block.ts'
import { checkDescriptor } from '../block/block-content.ts'
import type { BlockManager } from '../block/block-manager.ts'
import { loadOpenBlock } from '../block/load-block.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { indexEntryOf } from '../codec/index-entry.ts'
import type { Entry } from '../entry.ts'
import { parseBlockFileName } from '../paths.ts'
import { scanWal, walEntryType, walStopMarker } from '../wal/wal-codec.ts'

/** What is needed of the store that is being opened. */
export interface TakeOverContext {
  readonly fs: FileSystem
  readonly logger: Logger
  readonly entries: Iterable<Entry>
  readonly manager: BlockManager
  readonly fold: (block: OpenBlock) => Promise<unknown>
  /** Path that names of files kept aside are appended to. */
  readonly quarantine: string
}

/**
 * WALs that neither checkpoint nor log know were left by ReductStore: their blocks are closed before anything is
 * written to them, so that no WAL is left that the log does not explain. Nothing of this is in the log: each step can
 * be repeated.
 * @returns how many files were kept aside
 * @throws {StorageError} `ERR_CORRUPT` when the descriptor below such a WAL cannot be decoded
 */
export async function takeOverWals(context: TakeOverContext): Promise<number> {
  const { fs, logger } = context
  let quarantined = 0
  for (const entry of context.entries) {
    for (const item of (await fs.list(entry.paths.walDirectory)) ?? []) {
      const file = parseBlockFileName(item.name)
      if (file?.kind !== 'wal' || entry.open.has(Number(file.blockId))) continue
      if (file.blockId > BigInt(Number.MAX_SAFE_INTEGER)) continue
      logger.info({ entry: entry.name, blockId: String(file.blockId) }, 'WAL left by ReductStore taken over')
      if (await takeOverWal(entry, Number(file.blockId), context)) quarantined += 1
    }
  }
  return quarantined
}

/** @returns whether the WAL was kept aside */
async function takeOverWal(entry: Entry, id: number, context: TakeOverContext): Promise<boolean> {
  const { fs, manager, fold } = context
  const wal = (await fs.readFile(entry.paths.wal(id))) ?? new Uint8Array(0)
  const { entries } = scanWal(wal)
  if (entries.some(({ type }) => type === walEntryType.removeBlock)) {
    await finishRemoval(fs, entry, id)
    return false
  }
  if (entries.length === 0) return closeWithoutEntries(entry, id, wal, context)
  const block = await loadOpenBlock(fs, entry, id)
  // The descriptor is about to change, so the index must not hold its CRC (W1).
  await list(fs, entry, entry.indexEntryOf(block))
  manager.adopt(block)
  await fold(block)
  return false
}

/** ReductStore was removing the block: its WAL stays until everything else of the block is gone. */
async function finishRemoval(fs: FileSystem, entry: Entry, id: number): Promise<void> {
  const { paths } = entry
  await unlist(fs, entry, id)
  await fs.unlink(paths.descriptor(id))
  await fs.unlink(paths.data(id))
  await fs.syncDirectories([paths.directory])
  await fs.unlink(paths.wal(id))
  await fs.syncDirectories([paths.walDirectory])
}

/**
 * ReductStore was killed before, or while, it logged the first record: the descriptor has everything. Without one there
 * is no block, and a data file that may be there belongs to nobody. Bytes of a torn entry are kept aside.
 */
async function closeWithoutEntries(
  entry: Entry,
  id: number,
  wal: Uint8Array,
  { fs, logger, quarantine }: TakeOverContext,
): Promise<boolean> {
  const { paths, name } = entry
  const path = paths.descriptor(id)
  const descriptor = await fs.readFile(path)
  if (descriptor !== undefined && descriptor.byteLength > 0) {
    await list(fs, entry, indexEntryOf(BigInt(id), checkDescriptor(descriptor, path, undefined)))
  } else {
    await unlist(fs, entry, id)
    await fs.unlink(path)
    await fs.syncDirectories([paths.directory])
  }
  const isEmpty = wal.every((byte) => byte === 0 || byte === walStopMarker)
  if (isEmpty) {
    await fs.unlink(paths.wal(id))
  } else {
    const aside = `${quarantine}${encodeURIComponent(`${name.bucket}/${name.entry}`)}-${id}.wal`
    await fs.rename(paths.wal(id), aside)
    await fs.syncDirectories([aside.slice(0, aside.lastIndexOf('/'))])
    logger.warn({ entry: name, blockId: id, path: aside }, 'WAL without a whole entry kept aside')
  }
  await fs.syncDirectories([paths.walDirectory])
  return !isEmpty
}

async function list(fs: FileSystem, entry: Entry, listed: IndexEntry): Promise<void> {
  await writeAll(fs, 'projection', [entry.indexFile.append(listed)])
  await fs.syncFiles([entry.indexFile.file])
  entry.index.set(listed)
}

async function unlist(fs: FileSystem, { index, indexFile }: Entry, id: number): Promise<void> {
  index.delete(BigInt(id))
  await indexFile.rewrite(fs, index.blocks)
}
