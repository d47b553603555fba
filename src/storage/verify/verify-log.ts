import type { FileSystem } from '../../fs/file-system.ts'
import { Damage } from '../damage.ts'
import { StorageError } from '../errors.ts'
import type { StorePaths } from '../paths.ts'
import { planRecovery } from '../recovery/recover.ts'
import { readFormat } from '../store-files.ts'
import type { Found } from './report.ts'
import { blockKey } from './subject.ts'

/** What the next open makes of log and checkpoint. */
export interface LogVerdict {
  /** Also where `format` cannot be read: somebody has opened it. */
  readonly isStore: boolean
  /** As a `Subject` has it. */
  readonly redoneFromBytes: ReadonlyMap<string, number>
  readonly damage: Damage
  /** What the open would do, in order, for people. */
  readonly steps: readonly string[]
}

const PLAN_WORDS = {
  open: 'bring up to date and keep open',
  folded: 'list as sealed',
  merge: 'insert what ReductStore does not have into',
  change: 'carry a removal or replacement out in',
} as const

/** Checksums of `format`, checkpoint and log, and the plan of the recovery; nobody else may be writing. */
export async function verifyLog(fs: FileSystem, paths: StorePaths, found: Found): Promise<LogVerdict> {
  const steps: string[] = []
  const redoneFromBytes = new Map<string, number>()
  let damage = new Damage(paths.root)
  let isStore = true
  try {
    isStore = (await readFormat(fs, paths)) !== undefined
    if (!isStore) return { isStore, redoneFromBytes, damage, steps }
    const { log, blocks, faults, damage: unreadable } = await planRecovery(fs, paths)
    damage = unreadable
    for (const message of faults) found('damaged', paths.sediment, message)
    for (const { bucket, entry } of damage.places)
      steps.push(`keep what the log has for ${bucket}/${entry ?? ''} until it can be read`)
    if (log.tornTailBytes > 0) {
      steps.push(
        `drop ${log.tornTailBytes} bytes of an unfinished group at the end of the log: it was never acknowledged`,
      )
    }
    if (log.frames.length > 0) {
      steps.push(`redo ${log.frames.length} groups of ${log.logBytes} log bytes`)
      found('recoverable', paths.logDirectory, `${log.frames.length} groups are not covered by a checkpoint`)
    }
    for (const { facts, plan } of blocks) {
      if (plan.kind === 'damaged') continue
      steps.push(`${PLAN_WORDS[plan.kind]} ${facts.bucket}/${facts.entry} block ${facts.blockId}`)
      if (facts.items.length === 0) continue
      const inline = facts.items.filter((item) => !item.direct).map((item) => item.blkAtBytes)
      redoneFromBytes.set(blockKey(facts, facts.blockId), Math.min(...inline))
    }
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'ERR_CORRUPT') throw error
    found('damaged', error.facts.path ?? paths.sediment, error.message)
  }
  return { isStore, redoneFromBytes, damage, steps }
}
