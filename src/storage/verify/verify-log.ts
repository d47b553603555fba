import type { FileSystem } from '../../fs/file-system.ts'
import { decodeRecord, recordStateNumber } from '../codec/record-codec.ts'
import { Damage } from '../damage.ts'
import { StorageError } from '../errors.ts'
import type { LogCompanion } from '../options.ts'
import { EntryPaths, type StorePaths } from '../paths.ts'
import type { EntryName, LabelList } from '../record.ts'
import { returnedMessage } from '../recovery/returned-records.ts'
import type { LoggedFrame } from '../recovery/facts.ts'
import type { OwedRecord } from '../recovery/owed-content.ts'
import { readEntries } from '../recovery/read-entries.ts'
import { planRecovery, type RecoveryPlan } from '../recovery/recover.ts'
import { readFormat, type StoreFormat } from '../store-files.ts'
import { scanWal, walEntryType } from '../wal/wal-codec.ts'
import type { Found } from './report.ts'
import { blockKey } from './subject.ts'

/** What the next open makes of log and checkpoint. */
export interface LogVerdict {
  /** Also where `format` cannot be read: somebody has opened it. */
  readonly isStore: boolean
  readonly identity: StoreFormat | undefined
  /** Checkpoint and log can be read to the end. */
  readonly isWhole: boolean
  /** As a `Subject` has it. */
  readonly redoneFromBytes: ReadonlyMap<string, number>
  readonly nameless: ReadonlySet<string>
  readonly damage: Damage
  /** What the open would do, in order, for people. */
  readonly steps: readonly string[]
}

/** A record that the log brings, whether it is in its block yet or not. */
export interface LoggedRecord extends EntryName {
  readonly labels: LabelList
}

export interface LogListener {
  /** Gets the value of the last group, where checkpoint and log can be read to the end. */
  readonly companion?: LogCompanion | undefined
  /** Called with every record of the groups behind the checkpoint, but for such as have no content. */
  readonly visitLogged?: ((record: LoggedRecord) => void) | undefined
  /** Called with every record whose content ReductStore has cut off, behind the last call of `companion`. */
  readonly visitOwed?: ((record: OwedRecord) => void) | undefined
}

const PLAN_WORDS = {
  open: 'bring up to date and keep open',
  folded: 'list as sealed',
  merge: 'insert what ReductStore does not have into',
  removed: 'forget what ReductStore has removed, of',
  change: 'carry a removal or replacement out in',
} as const

/** Checksums of `format`, checkpoint and log, and the plan of the recovery; nobody else may be writing. */
export async function verifyLog(
  fs: FileSystem,
  paths: StorePaths,
  found: Found,
  { companion, visitLogged, visitOwed }: LogListener = {},
): Promise<LogVerdict> {
  let verdict: LogVerdict = {
    isStore: true,
    identity: undefined,
    isWhole: false,
    redoneFromBytes: new Map(),
    nameless: new Set(),
    damage: new Damage(paths.root),
    steps: [],
  }
  try {
    const identity = await readFormat(fs, paths)
    verdict = { ...verdict, isStore: identity !== undefined, identity }
    if (identity === undefined) return verdict
    const plan = await planRecovery(fs, paths)
    const [first] = plan.owed
    if (first !== undefined) {
      const { bucket, entry, timestampUs } = first
      const count = plan.owed.length
      found(
        'recoverable',
        paths.owed,
        `ReductStore has cut off the content of ${count} ${count === 1 ? 'record' : 'records'}, the first ` +
          `in ${bucket}/${entry} at ${timestampUs}: the next run reads it again from Kafka`,
      )
    }
    for (const returned of plan.returned)
      found(
        'recoverable',
        new EntryPaths(paths.root, returned).descriptor(returned.blockId),
        returnedMessage(returned),
      )
    for (const message of plan.faults) found('damaged', paths.sediment, message)
    for (const { path, message } of plan.lost) found('damaged', path, message)
    const { log, damage } = plan
    if (log.frames.length > 0) {
      const message = `${log.frames.length} groups are not covered by a checkpoint`
      found('recoverable', paths.logDirectory, message)
    }
    const nameless = new Set(plan.nameless.map((block) => blockKey(block, block.blockId)))
    verdict = { ...verdict, damage, redoneFromBytes: redoneFromBytes(plan), nameless, steps: stepsOf(plan) }
    if (log.damage.length > 0) return verdict
    companion?.restore(log.checkpoint.companion)
    for (const frame of log.frames) for (const delta of frame.deltas) companion?.apply(delta)
    if (visitLogged !== undefined) for (const frame of log.frames) await visitFrame(fs, frame, visitLogged)
    if (visitOwed !== undefined) for (const record of plan.owed) visitOwed(record)
    return { ...verdict, isWhole: true }
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'ERR_CORRUPT') throw error
    found('damaged', error.facts.path ?? paths.sediment, error.message)
    return verdict
  }
}

function stepsOf({ log, blocks, damage, nameless }: RecoveryPlan): string[] {
  const steps = damage.places.map(
    ({ bucket, entry }) => `keep what the log has for ${bucket}/${entry ?? ''} until it can be read`,
  )
  if (log.tornTailBytes > 0) {
    steps.push(
      `drop ${log.tornTailBytes} bytes of an unfinished group at the end of the log: it was never acknowledged`,
    )
  }
  for (const { bucket, entry, blockId } of nameless)
    steps.push(`remove the data file of ${bucket}/${entry} block ${blockId}: its group was never finished`)
  if (log.frames.length > 0) steps.push(`redo ${log.frames.length} groups of ${log.logBytes} log bytes`)
  for (const { facts, plan } of blocks) {
    if (plan.kind !== 'damaged')
      steps.push(`${PLAN_WORDS[plan.kind]} ${facts.bucket}/${facts.entry} block ${facts.blockId}`)
  }
  return steps
}

function redoneFromBytes({ blocks }: RecoveryPlan): Map<string, number> {
  const fromBytes = new Map<string, number>()
  for (const { facts, plan } of blocks) {
    if (plan.kind === 'damaged' || facts.items.length === 0) continue
    const inline = facts.items.filter((item) => !item.direct).map((item) => item.blkAtBytes)
    fromBytes.set(blockKey(facts, facts.blockId), Math.min(...inline))
  }
  return fromBytes
}

async function visitFrame(
  fs: FileSystem,
  { items }: LoggedFrame,
  visit: (record: LoggedRecord) => void,
): Promise<void> {
  for (const item of items) {
    const { bucket, entry } = item.block
    const bytes = await readEntries(fs, item)
    for (const { type, payloadFromBytes, payloadToBytes } of scanWal(bytes).entries) {
      if (type !== walEntryType.writeRecord) continue
      const { state, labels } = decodeRecord(bytes, payloadFromBytes, payloadToBytes)
      if (state === recordStateNumber.finished) visit({ bucket, entry, labels })
    }
  }
}
