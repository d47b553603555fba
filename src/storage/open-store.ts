import { loadCrc64 } from '../base/crc64.ts'
import { silentLogger, type Logger } from '../base/logger.ts'
import type { DirectoryLock } from '../fs/file-system.ts'
import { BlockManager } from './block/block-manager.ts'
import { loadColdBlock } from './block/load-block.ts'
import { Catalogue } from './catalogue.ts'
import type { CommitLog } from './commitlog/commit-log.ts'
import { Damage } from './damage.ts'
import { DirtySet } from './dirty-set.ts'
import { settleMove } from './mutation/moving.ts'
import { silentStorageObserver, type RecoveryEvent, type StorageObserver } from './observer.ts'
import { defaultBucketSettings, defaultLimits, type StorageLimits, type StorageOptions } from './options.ts'
import { adoptOpenBlocks, clearStaged, finishRecovery, keepWaiting, makeDirectories } from './opening.ts'
import { storePaths, type StorePaths } from './paths.ts'
import type { BucketSettings } from './record.ts'
import { returnedMessage } from './recovery/returned-records.ts'
import { adoptEntries } from './recovery/adopt/adopt-entries.ts'
import { Quarantine } from './recovery/adopt/quarantine.ts'
import type { OwedRecord } from './recovery/owed-content.ts'
import { readCheckpoint, recover } from './recovery/recover.ts'
import {
  initializeStore,
  lockStore,
  openingError,
  readFormat,
  readGeneration,
  writeOwner,
  type StoreFormat,
} from './store-files.ts'
import { WriteGate } from './write-gate.ts'

/** As given, with defaults for what was left out. */
interface OpenOptions extends StorageOptions {
  readonly fs: WriteGate
  readonly logger: Logger
  readonly observer: StorageObserver
  readonly limits: StorageLimits
  readonly bucketSettings: (bucket: string) => BucketSettings
}

/** A directory that is locked and recovered: a checkpoint covers all of its log. */
export interface OpenedStore {
  readonly options: OpenOptions
  readonly paths: StorePaths
  readonly lock: DirectoryLock
  readonly format: StoreFormat
  readonly log: CommitLog
  readonly catalogue: Catalogue
  readonly manager: BlockManager
  readonly dirty: DirtySet
}

/** For the start only. */
interface RecoveryFindings {
  /** Found by recovery, and left by earlier runs. */
  readonly owed: readonly OwedRecord[]
  readonly event: RecoveryEvent
}

/**
 * Locks and recovers the directory, making it when missing, and hands it to `start`; unlocks it when either fails.
 * @throws {StorageError} see `Storage.open`
 */
export async function openStore<T>(
  given: StorageOptions,
  start: (opened: OpenedStore, findings: RecoveryFindings) => Promise<T>,
): Promise<T> {
  const options: OpenOptions = {
    ...given,
    fs: new WriteGate(given.fs),
    logger: given.logger ?? silentLogger,
    observer: given.observer ?? silentStorageObserver,
    limits: { ...defaultLimits, ...given.limits },
    bucketSettings: given.bucketSettings ?? (() => defaultBucketSettings),
  }
  await loadCrc64()
  const paths = storePaths(options.dataPath)
  let lock: DirectoryLock | undefined
  try {
    await makeDirectories(given.fs, paths)
    lock = await lockStore(options.fs, paths)
    const { opened, findings } = await recoverStore(options, paths, lock)
    return await start(opened, findings)
  } catch (error) {
    await lock?.release()
    throw openingError(error, options.dataPath)
  }
}

async function recoverStore(
  options: OpenOptions,
  paths: StorePaths,
  lock: DirectoryLock,
): Promise<{ opened: OpenedStore; findings: RecoveryFindings }> {
  const { fs, clock, logger, observer } = options
  await settleMove(fs, paths)
  const known = await readFormat(fs, paths)
  const aside = { fs, logger, root: paths.root, directory: paths.quarantine }
  const foreign = new Quarantine({ ...aside, generation: 0 })
  // Before there is a store: an interrupted adoption is begun anew.
  const notTaken = new Damage(paths.root)
  if (known === undefined) await adoptEntries({ fs, paths, logger, quarantine: foreign, damage: notTaken })
  const format = known ?? (await initializeStore(fs, paths, options.randomUuid()))
  const generation =
    Math.max(await readGeneration(fs, paths), (await readCheckpoint(fs, paths)).generation) + 1
  const recovery = await recover(fs, paths, generation, options.companion, clock, ({ lost, returned }) => {
    for (const { path, message } of lost)
      logger.error({ path }, `${message}: it cannot be read any more, and all else goes on`)
    for (const records of returned) {
      const { bucket, entry, blockId } = records
      logger.warn({ bucket, entry, block: blockId }, returnedMessage(records))
    }
  })
  const { log, owed, damage } = recovery
  await writeOwner(fs, paths, generation, clock.nowUs())
  const visit = new Quarantine({ ...aside, generation })
  for (const { error, ...place } of notTaken.places) damage.note(place, error)
  const seen =
    known === undefined
      ? undefined
      : await adoptEntries({ fs, paths, logger, quarantine: visit, damage, known: recovery.blocks })
  const catalogue = new Catalogue({ fs, paths, logger, settingsOfNew: options.bucketSettings, damage })
  await catalogue.load(seen)
  const manager = new BlockManager({
    clock,
    observer,
    load: (entry, cold) =>
      loadColdBlock(fs, entry, cold).catch((error: unknown) => {
        if (!entry.unreadable.has(cold.id)) logger.error({ error }, 'a block cannot take records')
        throw error
      }),
  })
  await adoptOpenBlocks(fs, recovery, catalogue, manager)
  await keepWaiting(recovery)
  await clearStaged(fs, paths, log)
  await finishRecovery(fs, paths, log, manager, options)
  const event = { ...recovery.event, quarantined: foreign.count + visit.count }
  const opened = { options, paths, lock, format, log, catalogue, manager, dirty: new DirtySet() }
  return { opened, findings: { owed, event } }
}
