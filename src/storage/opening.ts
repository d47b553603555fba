import { dirname } from 'node:path'
import { inParallel } from '../base/in-parallel.ts'
import { atomicWrite } from '../fs/atomic-write.ts'
import { FileSystemError, type FileSystem } from '../fs/file-system.ts'
import type { BlockManager } from './block/block-manager.ts'
import { loadOpenBlock } from './block/load-block.ts'
import type { Catalogue } from './catalogue.ts'
import { checkpointOf } from './commitlog/checkpointer.ts'
import type { CommitLog } from './commitlog/commit-log.ts'
import { encodeCheckpoint } from './commitlog/log-file.ts'
import { StorageError } from './errors.ts'
import type { StorageOptions } from './options.ts'
import type { StorePaths } from './paths.ts'
import { byEntry } from './recovery/apply.ts'
import type { Recovery } from './recovery/recover.ts'
import { makeRoot } from './store-files.ts'

/** Steps of opening a store, in the order in which `Storage.open` takes them. */

const ENTRIES_ADOPTED_AT_ONCE = 8

export async function makeDirectories(fs: FileSystem, paths: StorePaths): Promise<void> {
  await makeRoot(fs, paths)
  // At every start: that the name is there does not say that it is durable.
  await fs.syncDirectories([dirname(paths.root)]).catch((error: unknown) => {
    if (!(error instanceof FileSystemError) || error.code !== 'ERR_READ_ONLY') throw error
  })
  await fs.makeDirectory(paths.sediment)
}

export async function adoptOpenBlocks(
  fs: FileSystem,
  recovery: Recovery,
  catalogue: Catalogue,
  manager: BlockManager,
): Promise<void> {
  await inParallel(ENTRIES_ADOPTED_AT_ONCE, byEntry(recovery.blocks), async (blocks) => {
    for (const { facts, plan } of blocks) {
      if (plan.kind !== 'open') continue
      const entry = catalogue.find(facts)
      if (entry === undefined)
        throw new StorageError('ERR_CORRUPT', `entry ${facts.bucket}/${facts.entry} is missing`, facts)
      const block = await loadOpenBlock(fs, entry, facts.blockId)
      entry.index.set(entry.indexEntryOf(block))
      manager.adopt(block)
    }
  })
}

/** Blocks that no frame has given a place. */
export async function clearStaged(fs: FileSystem, paths: StorePaths): Promise<void> {
  for (const { name } of (await fs.list(paths.staged)) ?? []) await fs.unlink(`${paths.staged}/${name}`)
}

/** R10: a checkpoint at the last frame, and only then the older logs go. */
export async function finishRecovery(
  fs: FileSystem,
  paths: StorePaths,
  log: CommitLog,
  manager: BlockManager,
  options: StorageOptions,
): Promise<void> {
  const checkpoint = checkpointOf(log, manager, options.companion)
  await atomicWrite(fs, paths.checkpoint, 'log', encodeCheckpoint(checkpoint))
  await log.dropOlder()
}
