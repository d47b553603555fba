import { dirname } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { inParallel } from '../../base/in-parallel.ts'
import { atomicWrite } from '../../fs/atomic-write.ts'
import { FileSystemError, type FileRef, type FileSystem } from '../../fs/file-system.ts'
import type { BlockManager } from '../block/block-manager.ts'
import type { DirtySet } from '../dirty-set.ts'
import type { StorageObserver } from '../observer.ts'
import type { LogCompanion, StorageLimits } from '../options.ts'
import type { StorePaths } from '../paths.ts'
import { requireOwner } from '../store-files.ts'
import type { CommitLog } from './commit-log.ts'
import { encodeCheckpoint, type Checkpoint } from './log-file.ts'
import type { Projector } from './projector.ts'

/** Syncs at once: a checkpoint in one go stalls groups for up to a second. */
const PARALLEL_SYNCS = 4

/**
 * Makes the projection durable up to one sequence, spread out beside the running groups, and then drops the log it
 * covers (steps C1 to C5 of the protocol in FORMAT.md).
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions
  #running: Promise<void> | undefined
  #lastSequence: number

  constructor(options: CheckpointerOptions) {
    this.#options = options
    this.#lastSequence = options.log.position.sequence
  }

  /** @param idleMs since the last frame; 0 while there is work */
  isDue(idleMs: number): boolean {
    if (this.#running !== undefined) return false
    const { log, limits, companion } = this.#options
    if (log.position.sequence === this.#lastSequence) return false
    if ((companion?.unspilledBytes ?? 0) >= limits.unspilledBytesCheckpoint) return true
    return log.bytes >= limits.logBytesCheckpoint || idleMs >= limits.idleCheckpointMs
  }

  /** C1, between two frames: snapshot and a new log file; the rest goes on by itself. One at a time. */
  async begin(): Promise<void> {
    await this.#running
    const { log, manager, companion, clock } = this.#options
    const startedMs = clock.monotonicMs()
    await log.roll()
    const checkpoint = checkpointOf(log, manager, companion)
    this.#running = this.#finish(checkpoint, startedMs)
      .catch((cause: unknown) => this.#options.poison(cause))
      .finally(() => {
        this.#running = undefined
      })
  }

  /** Resolves at once while the log is below its cap, else when the running checkpoint is done. */
  async logRoom(): Promise<void> {
    const { log, limits } = this.#options
    if (log.bytes >= limits.logBytesMax) await this.#running
  }

  /** Resolves when no checkpoint is running. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** A checkpoint of everything so far, finished when it resolves. Only where no group is built meanwhile. */
  async complete(): Promise<void> {
    await this.settled()
    await this.begin()
    await this.settled()
  }

  async #finish(checkpoint: Checkpoint, startedMs: number): Promise<void> {
    const { fs, dirty, projector, manager, paths, log, companion, observer, clock } = this.#options
    // Behind every projection and fold up to here: their marks are all in the set that is taken.
    const { files, directories } = await projector.run(() => Promise.resolve(dirty.take()))
    const filesSynced = await syncAll(fs, files, directories, (path) => dirty.wasRemoved(path))
    await requireOwner(fs, paths, log.generation)
    await companion?.spill?.(fs, paths.gaps)
    await atomicWrite(fs, paths.checkpoint, 'log', encodeCheckpoint(checkpoint))
    this.#lastSequence = checkpoint.sequence
    dirty.forgetRemoved()
    manager.forgetRetired(checkpoint.sequence)
    const logBytesDropped = await log.drop(checkpoint.firstLog)
    observer.checkpointed({ durationMs: clock.monotonicMs() - startedMs, filesSynced, logBytesDropped })
  }
}

/** The state of now, to be described by a checkpoint. Only between two frames. */
export function checkpointOf(
  log: CommitLog,
  manager: BlockManager,
  companion: LogCompanion | undefined,
): Checkpoint {
  return {
    ...log.position,
    firstLog: log.fileNumber,
    generation: log.generation,
    companion: companion?.snapshot(),
    openBlocks: [...manager.openBlocks].map((block) => block.checkpointed()),
    waiting: log.waiting,
  }
}

export interface CheckpointerOptions {
  readonly fs: FileSystem
  readonly clock: Clock
  readonly observer: StorageObserver
  readonly limits: StorageLimits
  readonly paths: StorePaths
  readonly log: CommitLog
  readonly manager: BlockManager
  readonly projector: Projector
  readonly dirty: DirtySet
  readonly companion: LogCompanion | undefined
  readonly poison: (cause: unknown) => void
}

/**
 * Syncs what still exists. A WAL may be gone since, folded; then its directory is synced instead: otherwise a power
 * cut could bring back its name with bytes that were never synced. Files of a removed block are gone too. Nothing else
 * may be missing.
 */
async function syncAll(
  fs: FileSystem,
  files: ReadonlyMap<string, FileRef>,
  directories: Set<string>,
  wasRemoved: (path: string) => boolean,
): Promise<number> {
  const refs = [...files.values()]
  await inParallel(PARALLEL_SYNCS, refs, async (file) => {
    try {
      await fs.syncFiles([file])
    } catch (error) {
      const isMissing = error instanceof FileSystemError && error.code === 'ERR_NOT_FOUND'
      if (!isMissing || !(file.kind === 'wal' || wasRemoved(file.path))) throw error
      directories.add(dirname(file.path))
    }
  })
  const paths = [...directories]
  await inParallel(PARALLEL_SYNCS, paths, (path) => fs.syncDirectories([path]))
  return refs.length + paths.length
}
