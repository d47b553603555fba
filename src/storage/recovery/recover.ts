import type { Clock } from '../../base/clock.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { CommitLog } from '../commitlog/commit-log.ts'
import { decodeCheckpoint, type Checkpoint } from '../commitlog/log-file.ts'
import { StorageError } from '../errors.ts'
import type { RecoveryEvent } from '../observer.ts'
import type { LogCompanion } from '../options.ts'
import type { StorePaths } from '../paths.ts'
import { requireSpace } from '../store-files.ts'
import { applyPlans, findLostDirectContent, type PlannedBlock } from './apply.ts'
import type { LogFacts } from './facts.ts'
import { planBlock } from './plan.ts'
import { scanBlocks } from './scan-blocks.ts'
import { scanLog } from './scan-log.ts'

export interface Recovery {
  /** A new file behind the last durable frame; the first log that the next checkpoint must name. */
  readonly log: CommitLog
  readonly blocks: readonly PlannedBlock[]
  readonly event: Omit<RecoveryEvent, 'quarantined'>
}

/** Everything that the log asks for, and every reason not to touch the directory. */
export interface RecoveryPlan {
  readonly log: LogFacts
  readonly blocks: readonly PlannedBlock[]
  readonly damage: readonly string[]
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
  const log = await scanLog(fs, paths, await readCheckpoint(fs, paths))
  if (log.damage.length > 0) return { log, blocks: [], damage: log.damage }
  const facts = await scanBlocks(fs, paths.root, log)
  const blocks = facts.map((block) => ({ facts: block, plan: planBlock(block) }))
  const damage = blocks.flatMap(({ facts: block, plan }) =>
    plan.kind === 'damaged' ? [`${block.bucket}/${block.entry} block ${block.blockId}: ${plan.why}`] : [],
  )
  const lost = damage.length > 0 ? [] : await findLostDirectContent(fs, paths.root, blocks)
  return { log, blocks, damage: [...damage, ...lost] }
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
 * @throws {StorageError} `ERR_CORRUPT`, when acknowledged data is not as it should be, or `ERR_NO_SPACE`: before
 *   anything was written
 */
export async function recover(
  fs: FileSystem,
  paths: StorePaths,
  generation: number,
  companion: LogCompanion | undefined,
  clock: Clock,
): Promise<Recovery> {
  const startedMs = clock.monotonicMs()
  const plan = await planRecovery(fs, paths)
  if (plan.damage.length > 0) {
    throw new StorageError('ERR_CORRUPT', `${paths.root} is damaged: ${plan.damage.join('; ')}`, {
      path: paths.root,
    })
  }
  const { checkpoint, frames, logNumberMax } = plan.log
  const last = frames.at(-1)
  await requireSpace(fs, paths, spaceNeeded(plan))
  const before = last === undefined ? checkpoint : { sequence: last.sequence - 1, chain: last.previousChain }
  const log = await CommitLog.begin(fs, paths, generation, logNumberMax + 1, before)
  if (last !== undefined) {
    // Its padding may be missing in the file; the next frame has to begin behind it all the same.
    const frame = new Uint8Array(last.bytes)
    frame.set(await fs.read(last.logPath, last.atBytes, last.bytes))
    await log.append(frame, { sequence: last.sequence, chain: last.chain })
  }
  await applyPlans(fs, paths.root, plan.blocks)

  companion?.restore(checkpoint.companion)
  for (const frame of frames) for (const delta of frame.deltas) companion?.apply(delta)
  return {
    log,
    blocks: plan.blocks,
    event: {
      durationMs: clock.monotonicMs() - startedMs,
      frames: frames.length,
      blocksRedone: plan.blocks.length,
      logBytes: plan.log.logBytes,
      tornTailBytes: plan.log.tornTailBytes,
    },
  }
}
