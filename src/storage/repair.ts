import { loadCrc64 } from '../base/crc64.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { atomicWrite } from '../fs/atomic-write.ts'
import type { FileSystem } from '../fs/file-system.ts'
import { decodeDescriptor } from './codec/descriptor-codec.ts'
import { readBucketSettings } from './bucket-settings.ts'
import { encodeCheckedBucketSettings } from './codec/settings-codec.ts'
import { CommitLog, type LogPosition } from './commitlog/commit-log.ts'
import { encodeCheckpoint, type Checkpoint } from './commitlog/log-file.ts'
import { Damage } from './damage.ts'
import { StorageError } from './errors.ts'
import { defaultBucketSettings, type LogCompanion } from './options.ts'
import {
  BucketPaths,
  EntryPaths,
  logPath,
  parseBlockFileName,
  parseLogName,
  storePaths,
  type StorePaths,
} from './paths.ts'
import { directorySource } from './query/directory-reader.ts'
import { discover } from './query/discover.ts'
import { adoptEntries } from './recovery/adopt/adopt-entries.ts'
import { Quarantine } from './recovery/adopt/quarantine.ts'
import { applyPlans } from './recovery/apply.ts'
import type { BlockFacts, LogFacts } from './recovery/facts.ts'
import { findMissingContent } from './recovery/missing-content.ts'
import { checkpointBefore, onlyOf } from './recovery/waiting-frames.ts'
import { joinOwed, readOwed, writeOwed, type OwedRecord } from './recovery/owed-content.ts'
import { planBlock, salvageBlock, type BlockPlan, type PlannedBlock } from './recovery/plan.ts'
import { readCheckpoint } from './recovery/recover.ts'
import { isPrefix, scanBlocks } from './recovery/scan-blocks.ts'
import { scanLog } from './recovery/scan-log.ts'
import { lockStore, readFormat, readGeneration, writeOwner } from './store-files.ts'
import { readMessage } from './read-message.ts'

export interface RepairOptions {
  readonly dataPath: string
  readonly fs: FileSystem
  readonly clock: Clock
  readonly logger: Logger
  /** What rides along in the log: it is carried on as far as the log can be read. */
  readonly companion: LogCompanion
  readonly progress?: (what: string) => void
  /**
   * Called when every block is as it stays, and before the checkpoint is written: the value that the companion has
   * afterwards is what the checkpoint says. Without it a companion whose checkpoint is lost is lost, too.
   * @param owed records whose content ReductStore has cut off
   */
  readonly completeCompanion?: (owed: readonly OwedRecord[]) => Promise<void>
}

export interface RepairReport {
  /** What was done, in order, for people. */
  readonly steps: readonly string[]
  /** Files kept aside, each with its reason beside it. */
  readonly quarantined: number
}

/**
 * What only a person may allow: makes of a damaged directory one that opens again, with everything in it that can be
 * relied on. Groups of the log are redone as far as it can be read; each block is then taken over by itself, as if
 * ReductStore had left it; what cannot be used, the log included, goes to the quarantine. Nothing is deleted. It can be
 * interrupted and begun again. The caller verifies the directory afterwards.
 * @throws {StorageError} `ERR_NOT_A_STORE`, `ERR_LOCKED`, `ERR_FORMAT`; `ERR_CORRUPT` when `.sediment/format` itself is
 *   damaged
 */
export async function repairDirectory(options: RepairOptions): Promise<RepairReport> {
  const { dataPath, fs, clock, logger, companion } = options
  await loadCrc64()
  const paths = storePaths(dataPath)
  if ((await readFormat(fs, paths)) === undefined) {
    throw new StorageError(
      'ERR_NOT_A_STORE',
      `${dataPath} was not written by Sediment: open it to take it over`,
      {
        path: dataPath,
      },
    )
  }
  const lock = await lockStore(fs, paths)
  try {
    const generation = (await readGeneration(fs, paths)) + 1
    await writeOwner(fs, paths, generation, clock.nowUs())
    const quarantine = new Quarantine({ fs, logger, root: dataPath, directory: paths.quarantine, generation })
    const steps: string[] = []
    const say = (step: string): void => {
      steps.push(step)
      options.progress?.(step)
    }
    await readOwed(fs, paths).catch(async (error: unknown) => {
      if (!(error instanceof StorageError) || error.code !== 'ERR_CORRUPT') throw error
      await quarantine.take(paths.owed, 'does not match its checksum')
    })
    const log = await redoLog(fs, paths, quarantine, companion, say)
    await mendSettings(fs, paths, quarantine, say)
    say('take over every block by itself')
    const progress = (done: number, total: number): void =>
      options.progress?.(`taking over entry ${done} of ${total}`)
    const damage = new Damage(paths.root)
    const lastFrame = log.position?.sequence
    await adoptEntries({ fs, paths, logger, quarantine, progress, damage, lastFrame })
    for (const { error } of damage.places) throw error
    await options.completeCompanion?.(await readOwed(fs, paths))
    const hasCompanion = log.position !== undefined || options.completeCompanion !== undefined
    const position = log.position ?? (await positionBehind(fs, paths))
    const fresh = await CommitLog.begin(fs, paths, generation, (await logNumberMax(fs, paths)) + 1, position)
    const checkpoint = {
      ...position,
      firstLog: fresh.fileNumber,
      generation,
      companion: hasCompanion ? companion.snapshot() : undefined,
      openBlocks: [],
      waiting: [],
    }
    const old = await fs.readFile(paths.checkpoint)
    if (old !== undefined) await quarantine.copy(paths.checkpoint, old, 'replaced by a repair')
    await companion.spill?.(fs, paths.gaps)
    await atomicWrite(fs, paths.checkpoint, 'log', encodeCheckpoint(checkpoint))
    for (const { name } of (await fs.list(paths.logDirectory)) ?? []) {
      const number = parseLogName(name)
      if (number !== undefined && number < fresh.fileNumber)
        await quarantine.take(logPath(paths.logDirectory, number), 'replaced by a repair')
    }
    say(`begin a new log behind group ${position.sequence}; the old one is in the quarantine`)
    return { steps, quarantined: quarantine.count }
  } finally {
    await lock.release()
  }
}

/** Redoes what the log can still say. Without a position nothing of it could be read. */
async function redoLog(
  fs: FileSystem,
  paths: StorePaths,
  quarantine: Quarantine,
  companion: LogCompanion,
  say: (step: string) => void,
): Promise<{ readonly position: LogPosition | undefined }> {
  let checkpoint
  try {
    checkpoint = await readCheckpoint(fs, paths)
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'ERR_CORRUPT') throw error
    companion.restore(undefined)
    await setAside(fs, paths, [], quarantine, say)
    say(`give up the log: ${error.message}; what it said of the offsets of all partitions is lost with it`)
    return { position: undefined }
  }
  const log = await scanLog(fs, paths, checkpoint)
  const waiting = await scanWaiting(fs, paths, checkpoint)
  await setAside(fs, paths, [log, ...waiting], quarantine, say)
  // Nothing is left that cannot be read, and what fails now stops the repair.
  const damage = new Damage(paths.root)
  const facts: BlockFacts[] = []
  for (const one of [...waiting, log]) facts.push(...(await scanBlocks(fs, paths.root, one, damage)))
  const kept = (block: BlockFacts, plan: BlockPlan): Promise<BlockPlan> =>
    keepLongerWal(fs, paths.root, block, plan)
  const blocks: PlannedBlock[] = []
  for (const block of facts) blocks.push({ facts: block, plan: await kept(block, planBlock(block)) })
  for (const damage of log.damage) say(`give up the end of the log: ${damage}`)
  for (const { facts: block, plan } of blocks)
    if (plan.kind === 'damaged')
      say(`keep what can be read of ${block.bucket}/${block.entry} block ${block.blockId}: ${plan.why}`)
  const usable: PlannedBlock[] = []
  for (const { facts: block, plan } of blocks)
    if (plan.kind !== 'damaged') usable.push({ facts: block, plan })
    else if (block.items.length > 0)
      usable.push({ facts: block, plan: await kept(block, salvageBlock(block)) })
  say(`redo ${log.frames.length} groups in ${usable.length} blocks`)
  const known = await readOwed(fs, paths)
  const found = await findMissingContent(fs, paths.root, usable, known, damage)
  await writeOwed(fs, paths, joinOwed(known, found.owed))
  await applyPlans(fs, paths.root, found.blocks, damage)
  for (const { error } of damage.places) throw error
  companion.restore(checkpoint.companion)
  for (const frame of log.frames) for (const delta of frame.deltas) companion.apply(delta)
  const { sequence, chain } = log.frames.at(-1) ?? checkpoint
  return { position: { sequence, chain } }
}

/** What the log has kept for entries that could not be read, as far as it can be read itself. */
async function scanWaiting(fs: FileSystem, paths: StorePaths, { waiting }: Checkpoint): Promise<LogFacts[]> {
  const found: LogFacts[] = []
  for (const frames of waiting) {
    const log = await scanLog(fs, paths, checkpointBefore(frames), frames.endLog)
    found.push(onlyOf(log, frames.entries))
  }
  return found
}

/** Buckets and entries that cannot be read go to the quarantine whole. */
async function setAside(
  fs: FileSystem,
  paths: StorePaths,
  logs: readonly LogFacts[],
  quarantine: Quarantine,
  say: (step: string) => void,
): Promise<void> {
  const damage = new Damage(paths.root)
  const { entries, unreadable } = await discover(fs, paths.root)
  for (const { error, ...place } of unreadable) damage.note(place, error)
  for (const log of logs) await scanBlocks(fs, paths.root, log, damage)
  for (const name of entries) {
    const look = { isForeign: true, isAlone: true }
    await damage.contain(name, () => directorySource(fs, paths.root, name, look))
  }
  for (const { bucket, entry, error } of damage.places) {
    const place = entry === undefined ? bucket : `${bucket}/${entry}`
    say(`keep ${place} aside: ${error.message}`)
    await quarantine.takeTree(`${paths.root}/${place}`, error.message)
  }
}

/** Buckets without settings that can be relied on get those of new ones. */
async function mendSettings(
  fs: FileSystem,
  paths: StorePaths,
  quarantine: Quarantine,
  say: (step: string) => void,
): Promise<void> {
  const { buckets } = await discover(fs, paths.root)
  for (const bucket of buckets) {
    const { damage } = await readBucketSettings(fs, paths.root, bucket)
    if (damage === undefined) continue
    const { settings: path } = new BucketPaths(paths.root, bucket)
    say(`give bucket ${bucket} the settings of a new one, without a quota: ${damage.message}`)
    await quarantine.takeTree(path, damage.message)
    await atomicWrite(fs, path, 'descriptor', encodeCheckedBucketSettings(defaultBucketSettings))
  }
}

/**
 * A WAL that goes on behind what is left of the log stays as it is: groups that cannot be read any more are in it. A longer
 * one of other entries is one that a power cut has brought back.
 */
async function keepLongerWal(
  fs: FileSystem,
  dataPath: string,
  facts: BlockFacts,
  plan: BlockPlan,
): Promise<BlockPlan> {
  const { wal } = facts
  if (plan.kind !== 'open' || wal === undefined) return plan
  const loggedBytes = plan.entries.reduce((sum, item) => sum + item.entriesBytes, 0)
  if (wal.validEndBytes <= plan.keepWalBytes + loggedBytes) return plan
  const path = new EntryPaths(dataPath, facts).wal(facts.blockId)
  const bytes = await fs.read(path, plan.keepWalBytes, loggedBytes)
  return (await isPrefix(fs, bytes, plan.entries)) ? { ...plan, rewrite: false } : plan
}

/** Behind every group that any descriptor names: a later one must not look as if it had been folded already. */
async function positionBehind(fs: FileSystem, paths: StorePaths): Promise<LogPosition> {
  let sequence = 0
  const { entries } = await discover(fs, paths.root)
  for (const name of entries) {
    const entry = new EntryPaths(paths.root, name)
    for (const item of (await fs.list(entry.directory)) ?? []) {
      const file = parseBlockFileName(item.name)
      if (file?.kind !== 'descriptor') continue
      const bytes = await readMessage(fs, entry.descriptor(file.blockId))
      const lastFrame = bytes === undefined ? undefined : decodeDescriptor(bytes).lastFrame
      sequence = Math.max(sequence, lastFrame ?? 0)
    }
  }
  return { sequence: sequence + 1, chain: 0n }
}

async function logNumberMax(fs: FileSystem, paths: StorePaths): Promise<number> {
  const items = (await fs.list(paths.logDirectory)) ?? []
  return Math.max(0, ...items.map(({ name }) => parseLogName(name) ?? 0))
}
