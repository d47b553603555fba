import type { BlockChange } from '../commitlog/block-change.ts'
import type { BlockFacts, LoggedChange, LoggedItem } from './facts.ts'

/** What is to become of one block. Content of every frame is written again in all cases. */
export type BlockPlan =
  | OpenPlan
  /** Its descriptor holds everything; listed with the descriptor's CRC. */
  | { readonly kind: 'folded' }
  /** ReductStore saved it since: what is missing is inserted at its present end. */
  | { readonly kind: 'merge'; readonly entries: readonly LoggedItem[] }
  /** ReductStore has removed it since, and the log holds nothing of it. */
  | { readonly kind: 'removed' }
  /** A change of the whole block is carried out, again perhaps. */
  | { readonly kind: 'change'; readonly logged: LoggedChange }
  /** Nothing is done about it: a person must look. `isLogLost`: not the block is damaged, but the log. */
  | { readonly kind: 'damaged'; readonly why: string; readonly isLogLost?: true }

/** Stays open: its WAL becomes `keepWalBytes` of what is there plus `entries`. */
export interface OpenPlan {
  readonly kind: 'open'
  readonly keepWalBytes: number
  readonly entries: readonly LoggedItem[]
  readonly rewrite: boolean
  /** Times of records of `entries` whose content is owed: they are written as failed. */
  readonly failedUs?: ReadonlySet<bigint>
}

/** Decides on one block; touches no disk, so that every crash picture is one row of a table test. */
export function planBlock(facts: BlockFacts): BlockPlan {
  return facts.change !== undefined && facts.items.length === 0
    ? planChange(facts, facts.change)
    : planItems(facts)
}

/**
 * A change that was acknowledged is in the files, durable or not. Where ReductStore has saved the block since it was
 * decided on, it was not: what ReductStore made of the block stays.
 */
function planChange({ descriptor, isGone }: BlockFacts, logged: LoggedChange): BlockPlan {
  const { change, sequence } = logged
  if (descriptor.state === 'undecodable') {
    return change.kind === 'drop'
      ? { kind: 'change', logged }
      : { kind: 'damaged', why: 'descriptor cannot be decoded' }
  }
  // One of its two files may be in its place, and the other not. What has no file anywhere ReductStore has removed.
  if (change.kind === 'adopt') return isGone ? { kind: 'removed' } : { kind: 'change', logged }
  if (descriptor.state === 'missing') {
    if (change.kind === 'drop') return { kind: 'change', logged }
    return isGone ? { kind: 'removed' } : { kind: 'damaged', why: 'descriptor is missing' }
  }
  const isAsDecided = descriptor.crc64 === change.baseCrc64
  if (!isAsDecided && descriptor.lastFrame === undefined) return { kind: 'folded' }
  if (change.kind === 'drop') return { kind: 'change', logged }
  if (isFoldedUpTo(descriptor.lastFrame, sequence)) return { kind: 'folded' }
  return isAsDecided
    ? { kind: 'change', logged }
    : { kind: 'damaged', why: 'descriptor is not the one that was to be changed' }
}

function planItems(facts: BlockFacts): BlockPlan {
  const { items, checkpointed, descriptor } = facts
  // ReductStore folds every WAL that it finds: beside a descriptor that it has saved since, a WAL is not the one to go on.
  const isForeign = isSavedByServer(facts) || facts.wal?.isTheirs === true
  const wal = isForeign ? undefined : facts.wal
  const restartAt = items.findLastIndex((item) => item.walAtBytes === 0)
  const restarts = restartAt !== -1
  const entries = restarts ? items.slice(restartAt) : items
  if (!restarts && checkpointed === undefined) {
    return { kind: 'damaged', why: 'a frame continues a block that neither checkpoint nor log begins' }
  }
  const keepWalBytes = restarts ? 0 : (checkpointed?.walBytes ?? 0)
  let endBytes = keepWalBytes
  for (const item of entries) {
    if (item.walAtBytes !== endBytes) return { kind: 'damaged', why: 'frames of the block do not join' }
    endBytes += item.entriesBytes
  }
  if (descriptor.state === 'undecodable') return { kind: 'damaged', why: 'descriptor cannot be decoded' }
  const lastSequence = entries.at(-1)?.sequence
  const isOurFold = descriptor.state === 'read' && isFoldedUpTo(descriptor.lastFrame, lastSequence)
  const isComplete =
    descriptor.state === 'read' &&
    (isOurFold ||
      (descriptor.holdsFrames && (restarts || descriptor.recordCount >= (checkpointed?.recordCount ?? 0))))
  if (isRotten(facts, restarts ? entries[0] : undefined)) {
    return { kind: 'damaged', why: 'descriptor is not the one that was there when the WAL was begun' }
  }

  if (isRemovedByServer(facts)) {
    // What the log still has of it comes back: of that, ReductStore may have seen nothing.
    return entries.length > 0 ? { kind: 'merge', entries } : { kind: 'removed' }
  }
  const baseCrc64 = restarts ? (entries[0] as LoggedItem).baseCrc64 : checkpointed?.baseCrc64
  if (descriptor.state === 'missing' && baseCrc64 !== undefined) {
    return { kind: 'damaged', why: 'descriptor is missing' }
  }
  if (restarts) {
    if (isForeign && !isOurFold) return { kind: 'merge', entries }
    if (wal === undefined && isComplete) return { kind: 'folded' }
    return { kind: 'open', keepWalBytes: 0, entries, rewrite: true }
  }

  if (wal === undefined) {
    if (isForeign && !isOurFold && entries.length > 0) return { kind: 'merge', entries }
    if (isComplete) return { kind: 'folded' }
    if (isForeign) return { kind: 'merge', entries }
    // ReductStore folds labels that change nothing into the very descriptor that was there.
    if (facts.isClosed) return entries.length > 0 ? { kind: 'merge', entries } : { kind: 'folded' }
    const what = descriptor.state === 'read' ? 'WAL is' : 'WAL and descriptor are'
    return { kind: 'damaged', why: `${what} missing` }
  }
  if (wal.validEndBytes < keepWalBytes) {
    return isComplete
      ? { kind: 'folded' }
      : {
          kind: 'damaged',
          why: `WAL is readable for ${wal.validEndBytes} bytes, the checkpoint made ${keepWalBytes} durable`,
        }
  }
  if (wal.validEndBytes > endBytes) {
    return {
      kind: 'damaged',
      why: 'WAL holds entries that the log does not know: the end of the log was lost',
      isLogLost: true,
    }
  }
  return {
    kind: 'open',
    keepWalBytes,
    entries,
    rewrite: entries.length > 0 || !wal.endsWithMarker || wal.validEndBytes !== keepWalBytes,
  }
}

/**
 * For a repair: of a damaged block all that was logged, behind what can be read of its WAL. Adoption then decides what
 * that and the descriptor are worth.
 */
export function salvageBlock({ items, wal }: BlockFacts): BlockPlan {
  const restartAt = items.findLastIndex((item) => item.walAtBytes === 0)
  const entries = restartAt === -1 ? items : items.slice(restartAt)
  const keepWalBytes = restartAt === -1 ? (wal?.validEndBytes ?? 0) : 0
  return { kind: 'open', keepWalBytes, entries, rewrite: entries.length > 0 }
}

/** A fold or merge of ours puts everything up to its frame into the descriptor. */
function isFoldedUpTo(lastFrame: number | undefined, sequence: number | undefined): boolean {
  return lastFrame !== undefined && sequence !== undefined && lastFrame >= sequence
}

/**
 * While a block has a WAL the index holds no CRC of its descriptor; checkpoint and frames do. Another descriptor is
 * right only when ReductStore wrote it, or a fold since: then it names a later frame.
 */
function isRotten(facts: BlockFacts, restart: LoggedItem | undefined): boolean {
  const { checkpointed, descriptor } = facts
  if (descriptor.state !== 'read' || descriptor.lastFrame === undefined) return false
  if (restart !== undefined) {
    return descriptor.crc64 !== restart.baseCrc64 && descriptor.lastFrame < restart.sequence
  }
  if (checkpointed === undefined || checkpointed.isFolding) return false
  return descriptor.crc64 !== checkpointed.baseCrc64 && descriptor.lastFrame < facts.checkpointSequence
}

/** Nothing is left of a block that has been there: when ReductStore removes one, its name goes from the index first. */
function isRemovedByServer({ items, checkpointed, isGone }: BlockFacts): boolean {
  const restart = items.findLast((item) => item.walAtBytes === 0)
  const hasBeen = restart === undefined ? checkpointed !== undefined : restart.baseCrc64 !== undefined
  return hasBeen && isGone
}

/** ReductStore has saved the block since our WAL of it was begun. */
export function isSavedByServer({ items, checkpointed, descriptor }: BlockFacts): boolean {
  if (descriptor.state !== 'read' || descriptor.lastFrame !== undefined) return false
  const restart = items.findLast((item) => item.walAtBytes === 0)
  return descriptor.crc64 !== (restart === undefined ? checkpointed?.baseCrc64 : restart.baseCrc64)
}

export interface PlannedBlock {
  readonly facts: BlockFacts
  readonly plan: BlockPlan
}

export function isChange(plan: BlockPlan, kind: BlockChange['kind']): boolean {
  return plan.kind === 'change' && plan.logged.change.kind === kind
}
