import type { Clock } from '../../base/clock.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { CommitLog } from '../commitlog/commit-log.ts'
import { forgetAhead } from '../commitlog/content-ahead.ts'
import { decodeCheckpoint, type Checkpoint } from '../commitlog/log-file.ts'
import { Damage } from '../damage.ts'
import { StorageError } from '../errors.ts'
import type { RecoveryEvent } from '../observer.ts'
import type { LogCompanion } from '../options.ts'
import type { StorePaths } from '../paths.ts'
import type { EntryName } from '../record.ts'
import { requireSpace } from '../store-files.ts'
import { applyPlans, byEntry } from './apply.ts'
import type { BlockName, LogFacts } from './facts.ts'
import { checkpointBefore, onlyOf } from './waiting-frames.ts'
import { findMissingContent, type LostContent, type MissingContent } from './missing-content.ts'
import { findNamelessContent, removeNamelessContent } from './nameless-content.ts'
import { joinOwed, readOwed, writeOwed, type OwedRecord } from './owed-content.ts'
import { planBlock, type PlannedBlock } from './plan.ts'
import { findReturnedByRewrites, type ReturnedRecords } from './returned-records.ts'
import { scanBlocks } from './scan-blocks.ts'
import { scanLog } from './scan-log.ts'

export interface Recovery {
  /** A new file behind the last durable frame; the first log that the next checkpoint must name. */
  readonly log: CommitLog
  readonly blocks: readonly PlannedBlock[]
  /** What was read of the log; entries of `damage` have not got it. */
  readonly facts: LogFacts
  readonly damage: Damage
  readonly owed: readonly OwedRecord[]
  readonly event: Omit<RecoveryEvent, 'quarantined'>
}

/** Everything that the log asks for, and every reason not to touch the directory. */
export interface RecoveryPlan {
  readonly log: LogFacts
  readonly blocks: readonly PlannedBlock[]
  /** Why nothing of the log may be believed. */
  readonly faults: readonly string[]
  /** Entries that have to wait: they are left out of `blocks`. */
  readonly damage: Damage
  /** Content that was durable and is gone: reading its record is an error, and no other record is harmed. */
  readonly lost: readonly LostContent[]
  /** Records whose content ReductStore has cut off, those of earlier visits among them. */
  readonly owed: readonly OwedRecord[]
  /** Acknowledged, and ReductStore has them not. */
  readonly returned: readonly ReturnedRecords[]
  /** Their data files go: no group that became durable names them. */
  readonly nameless: readonly BlockName[]
}

/** @throws {StorageError} `ERR_CORRUPT` */
export async function readCheckpoint(fs: FileSystem, paths: StorePaths): Promise<Checkpoint> {
  const bytes = await fs.readFile(paths.checkpoint)
  if (bytes === undefined) {
    throw new StorageError('ERR_CORRUPT', `${paths.checkpoint} is missing`, { path: paths.checkpoint })
  }
  return decodeCheckpoint(bytes)
}

/** Scan and plan: reads only. */
export async function planRecovery(fs: FileSystem, paths: StorePaths): Promise<RecoveryPlan> {
  const damage = new Damage(paths.root)
  const log = await scanLog(fs, paths, await readCheckpoint(fs, paths))
  const known = await readOwed(fs, paths)
  if (log.damage.length > 0)
    return { log, blocks: [], faults: log.damage, damage, lost: [], owed: known, returned: [], nameless: [] }
  const planned = [await planEntries(fs, paths, log, known, damage)]
  const faults = planned.flatMap(({ blocks }) => blocks.flatMap(faultOfLog))
  for (const frames of log.checkpoint.waiting) {
    const kept = await scanLog(fs, paths, checkpointBefore(frames), frames.endLog)
    for (const entry of kept.damage.length > 0 ? frames.entries : [])
      damage.note(entry, unusable(entry, kept.damage))
    planned.push(await planEntries(fs, paths, onlyOf(kept, frames.entries), known, damage))
  }
  const owed = joinOwed(
    known,
    planned.flatMap((one) => one.owed),
  )
  const blocks = planned.flatMap((one) => one.blocks).filter(({ facts }) => damage.of(facts) === undefined)
  const named = blocks.map(({ facts }) => facts)
  return {
    log,
    blocks,
    faults,
    damage,
    lost: planned.flatMap((one) => one.lost),
    owed,
    returned: planned.flatMap((one) => one.returned),
    nameless: await findNamelessContent(fs, paths, log, named, damage),
  }
}

/** A block that is damaged takes its entry along, and no other: `damage` says so, and its frames wait. */
async function planEntries(
  fs: FileSystem,
  paths: StorePaths,
  log: LogFacts,
  known: readonly OwedRecord[],
  damage: Damage,
): Promise<MissingContent> {
  const facts = await scanBlocks(fs, paths.root, log, damage)
  const blocks = facts.map((block): PlannedBlock => ({ facts: block, plan: planBlock(block) }))
  for (const entryBlocks of byEntry(blocks)) {
    const { bucket, entry } = (entryBlocks[0] as PlannedBlock).facts
    const faults = entryBlocks.flatMap(({ facts: { blockId }, plan }) =>
      plan.kind === 'damaged' ? [`block ${blockId}: ${plan.why}`] : [],
    )
    if (faults.length > 0) damage.note({ bucket, entry }, unusable({ bucket, entry }, faults))
  }
  const sound = blocks.filter(({ facts }) => damage.of(facts) === undefined)
  const unsound = blocks.filter((block) => !sound.includes(block))
  const found = await findMissingContent(fs, paths.root, sound, known, damage)
  const returned = await findReturnedByRewrites(fs, paths.root, sound, damage)
  return { ...found, blocks: [...unsound, ...found.blocks], returned: [...found.returned, ...returned] }
}

function faultOfLog({ facts, plan }: PlannedBlock): string[] {
  const isLogLost = plan.kind === 'damaged' && plan.isLogLost === true
  return isLogLost ? [`${facts.bucket}/${facts.entry} block ${facts.blockId}: ${plan.why}`] : []
}

function unusable({ bucket, entry }: EntryName, faults: readonly string[]): StorageError {
  const why = `entry ${bucket}/${entry} cannot get what the log has for it: ${faults.join('; ')}`
  return new StorageError('ERR_CORRUPT', why, { bucket, entry })
}

/** Bytes that carrying out the plan may take: the log's last frame, WALs written afresh, content written again. */
function spaceNeeded({ log, blocks }: RecoveryPlan): number {
  let bytes = log.frames.at(-1)?.bytes ?? 0
  for (const { plan } of blocks) {
    if (plan.kind !== 'open') continue
    bytes += plan.keepWalBytes
    for (const item of plan.entries) bytes += item.entriesBytes + item.contentBytes
  }
  return bytes
}

/**
 * Brings ReductStore's files to the state of checkpoint and log (R1 to R9). The caller loads the store, writes the
 * checkpoint (R10) and only then shows records.
 *
 * The log goes first (R3): its last frame, which may only be in the page cache, is written again into a new file
 * and synced before any block is touched; every older frame is proven durable by it.
 *
 * An entry that is damaged or cannot be read keeps waiting for its frames, and stops nothing else.
 *
 * @param onPlan called before any block is touched: what the plan finds, a later start may not find any more
 * @throws {StorageError} `ERR_CORRUPT`, when checkpoint or log are not as they should be, or `ERR_NO_SPACE`: before
 *   anything was written
 */
export async function recover(
  fs: FileSystem,
  paths: StorePaths,
  generation: number,
  companion: LogCompanion | undefined,
  clock: Clock,
  onPlan: (plan: RecoveryPlan) => void,
): Promise<Recovery> {
  const startedMs = clock.monotonicMs()
  const plan = await planRecovery(fs, paths)
  if (plan.faults.length > 0) {
    throw new StorageError('ERR_CORRUPT', `${paths.root} is damaged: ${plan.faults.join('; ')}`, {
      path: paths.root,
    })
  }
  const { checkpoint, frames, logNumberMax } = plan.log
  const last = frames.at(-1)
  // First of all: on a full disk their bytes are what the rest needs.
  await removeNamelessContent(fs, paths, plan.nameless, plan.damage)
  await requireSpace(fs, paths, spaceNeeded(plan))
  const before = last === undefined ? checkpoint : { sequence: last.sequence - 1, chain: last.previousChain }
  const log = await CommitLog.begin(fs, paths, generation, logNumberMax + 1, before)
  if (last !== undefined) {
    // Its padding may be missing in the file; the next frame has to begin behind it all the same.
    const frame = new Uint8Array(last.bytes)
    frame.set(await fs.read(last.logPath, last.atBytes, last.bytes))
    await log.append(frame, { sequence: last.sequence, chain: last.chain })
  }
  await forgetAhead(fs, paths)
  onPlan(plan)
  if (plan.owed.length > 0) await writeOwed(fs, paths, plan.owed)
  await applyPlans(fs, paths.root, plan.blocks, plan.damage)

  companion?.restore(checkpoint.companion)
  for (const frame of frames) for (const delta of frame.deltas) companion?.apply(delta)
  return {
    log,
    blocks: plan.blocks.filter(({ facts }) => plan.damage.of(facts) === undefined),
    facts: plan.log,
    damage: plan.damage,
    owed: plan.owed,
    event: {
      durationMs: clock.monotonicMs() - startedMs,
      frames: frames.length,
      blocksRedone: plan.blocks.length,
      logBytes: plan.log.logBytes,
      tornTailBytes: plan.log.tornTailBytes,
    },
  }
}
