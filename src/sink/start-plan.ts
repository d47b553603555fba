import type { Gap } from '../ledger/gap.ts'
import { parseCommitMetadata } from './commit-metadata.ts'

/** Where a partition begins that this store does not know yet. */
export type StartPolicy =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  /** The group's committed offset, whoever wrote it; the earliest where there is none. */
  | { readonly kind: 'committed' }
  | { readonly kind: 'time'; readonly timestampMs: number }

export type HoldReason =
  | 'ledger-behind' // this store committed more than its ledger knows: damaged, or an old copy
  | 'log-truncated' // the partition ends before the position: truncated, or made again
  | 'undecodable' // a record batch is damaged
  | 'damaged-block' // a record belongs into a block of the store that is damaged
  | 'quota' // its bucket is full by its quota; ends by itself when there is room
  | 'clock' // all messages that are next are ahead of our clock; ends by itself when it is there
  | 'too-many-entries' // a message needs an entry more than its rule may make
  | 'entry-conflict' // a message belongs into an entry of another topic
  | 'no-rule' // no mapping rule takes the topic, or it would share an entry with another
  | 'stopping' // the sink is ending

export interface StartFacts {
  /** Next offset by the ledger and what is under way to it; `undefined` for a partition never begun. */
  readonly knownOffset: number | undefined
  readonly lowWatermark: number
  readonly highWatermark: number
  readonly committedOffset: number | undefined
  readonly committedMetadata: string
  readonly self: { readonly clusterId: string; readonly groupId: string; readonly storeId: string }
  readonly start: StartPolicy
  /** The first offset at or after the time of a `time` policy; `undefined` when there is none yet. */
  readonly offsetAtTime?: number | undefined
}

export type StartPlan = {
  /** A commit is there that no store of this group wrote, and it is not followed. */
  readonly isForeignCommitIgnored: boolean
} & (
  | {
      readonly kind: 'start'
      readonly offset: number
      /** From the known offset (or 0) to `offset`, to be made durable with the first step. */
      readonly gaps: readonly Gap[]
    }
  | { readonly kind: 'hold'; readonly reason: HoldReason; readonly detail: string }
)

/**
 * Where a partition begins after an assignment. The ledger decides; a committed offset moves it only when another
 * store of this group wrote it. No disk, no broker: every case is a row of a table test.
 */
export function planStart(facts: StartFacts): StartPlan {
  const { knownOffset, committedOffset } = facts
  const author = commitAuthor(facts)
  const known = knownOffset ?? 0
  const isBeginning = knownOffset === undefined
  const gaps: Gap[] = []
  let position = known
  let isCommitFollowed = false

  if (author === 'self' && committedOffset! > known) {
    return {
      kind: 'hold',
      reason: 'ledger-behind',
      detail: `this store committed ${committedOffset}, but its ledger ends at ${known}`,
      isForeignCommitIgnored: false,
    }
  }
  if (author !== undefined && author !== 'self' && author !== 'foreign' && committedOffset! > known) {
    gaps.push({
      class: 'elsewhere',
      fromOffset: known,
      nextOffset: committedOffset!,
      storeId: author.storeId,
    })
    position = committedOffset!
  } else if (isBeginning) {
    position = policyOffset(facts)
    isCommitFollowed = facts.start.kind === 'committed'
    if (position > 0) gaps.push({ class: 'before-start', fromOffset: 0, nextOffset: position })
  }

  const isForeignCommitIgnored = author === 'foreign' && !isCommitFollowed && committedOffset !== knownOffset
  const range = planInRange(position, facts)
  if (range.kind === 'hold') return { ...range, isForeignCommitIgnored }
  return { ...range, gaps: [...gaps, ...range.gaps], isForeignCommitIgnored }
}

/**
 * What to do about a position that the partition may not have. Below what Kafka holds the data is gone, and waiting
 * would lose more: a gap is recorded. Above it, somebody must look.
 */
export function planInRange(
  position: number,
  { lowWatermark, highWatermark }: Pick<StartFacts, 'lowWatermark' | 'highWatermark'>,
):
  | { readonly kind: 'start'; readonly offset: number; readonly gaps: readonly Gap[] }
  | { readonly kind: 'hold'; readonly reason: HoldReason; readonly detail: string } {
  if (position > highWatermark) {
    const detail = `next is ${position}, but the partition ends at ${highWatermark}`
    return { kind: 'hold', reason: 'log-truncated', detail }
  }
  if (position >= lowWatermark) return { kind: 'start', offset: position, gaps: [] }
  const gap: Gap = { class: 'deleted', fromOffset: position, nextOffset: lowWatermark }
  return { kind: 'start', offset: lowWatermark, gaps: [gap] }
}

/** Who wrote the committed offset; `undefined` when there is none. */
function commitAuthor(facts: StartFacts): 'self' | 'foreign' | { readonly storeId: string } | undefined {
  if (facts.committedOffset === undefined) return undefined
  const metadata = parseCommitMetadata(facts.committedMetadata)
  const { clusterId, groupId, storeId } = facts.self
  if (metadata?.clusterId !== clusterId || metadata.groupId !== groupId) return 'foreign'
  return metadata.storeId === storeId ? 'self' : { storeId: metadata.storeId }
}

function policyOffset({ start, lowWatermark, highWatermark, ...facts }: StartFacts): number {
  switch (start.kind) {
    case 'earliest':
      return lowWatermark
    case 'latest':
      return highWatermark
    case 'committed':
      return facts.committedOffset ?? lowWatermark
    case 'time':
      return Math.min(Math.max(facts.offsetAtTime ?? highWatermark, lowWatermark), highWatermark)
  }
}
