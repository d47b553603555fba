import { dirname } from 'node:path'
import { inParallel } from '../base/in-parallel.ts'
import { atomicWrite } from '../fs/atomic-write.ts'
import { FileSystemError, type FileSystem } from '../fs/file-system.ts'
import type { OpenBlock } from './block/block.ts'
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
import { waitingFrames } from './recovery/waiting-frames.ts'
import type { Recovery } from './recovery/recover.ts'
import { makeRoot } from './store-files.ts'

/** Steps of opening a store, in the order in which `openStore` takes them. */

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
    const open = blocks.filter(({ plan }) => plan.kind === 'open')
    const name = open[0]?.facts
    if (name === undefined || recovery.damage.of(name) !== undefined) return
    const entry = catalogue.find(name)
    if (entry === undefined)
      throw new StorageError('ERR_CORRUPT', `entry ${name.bucket}/${name.entry} is missing`, name)
    const loaded: OpenBlock[] = []
    await recovery.damage.contain(name, async () => {
      for (const { facts } of open) loaded.push(await loadOpenBlock(fs, entry, facts.blockId))
    })
    if (recovery.damage.of(name) !== undefined) return
    for (const block of loaded) {
      entry.index.set(entry.indexEntryOf(block))
      manager.adopt(block)
    }
  })
  catalogue.forgetDamaged()
}

/**
 * Blocks that no frame has given a place; frames that wait may name some. And a mark of removals that was not
 * finished: nothing was removed yet.
 */
export async function clearStaged(fs: FileSystem, paths: StorePaths, log: CommitLog): Promise<void> {
  const unfinished = `${paths.removals}.tmp`
  if ((await fs.fileBytes(unfinished)) !== undefined) await fs.unlink(unfinished)
  if (log.waiting.length > 0) return
  for (const { name } of (await fs.list(paths.staged)) ?? []) await fs.unlink(`${paths.staged}/${name}`)
}

/** What could not be carried out stays in the log: its last frame too, which the new file begins with. */
export async function keepWaiting({ log, facts, damage }: Recovery): Promise<void> {
  log.waiting = waitingFrames(facts, damage, log)
  if (log.waiting.some(({ endLog }) => endLog > log.fileNumber)) await log.roll()
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
  await options.companion?.spill?.(fs, paths.gaps)
  await atomicWrite(fs, paths.checkpoint, 'log', encodeCheckpoint(checkpoint))
  await log.dropOlder()
}
