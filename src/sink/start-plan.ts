import type { CheckedPlace, LogPlace } from '../kafka/source.ts'
import type { Gap } from '../ledger/gap.ts'
import type { HeldFor } from '../ledger/partition-facts.ts'
import { parseCommitMetadata, type CommitMetadata } from './commit-metadata.ts'

/** Where a partition begins that this store does not know yet. */
export type StartPolicy =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  /** The group's committed offset, whoever wrote it; the earliest where there is none. */
  | { readonly kind: 'committed' }
  | { readonly kind: 'time'; readonly timestampMs: number }

/** What to do where Kafka has deleted what comes next. */
export type DeletedPolicy = 'continue' | 'hold'

export type HoldReason =
  | HeldFor // outlives the process: a person accepts it
  | 'damaged-block' // a record belongs into a block of the store that is damaged
  | 'quota' // its bucket is full by its quota; ends by itself when there is room
  | 'clock' // all messages that are next are ahead of our clock; ends by itself when it is there
  | 'too-many-entries' // a message needs an entry more than its rule may make
  | 'entry-conflict' // a message belongs into an entry of another topic
  | 'no-rule' // no mapping rule takes the topic, or it would share an entry with another
  | 'stopping' // the sink is ending

/** Where the log of a partition is, and what is done where it begins behind the position. */
interface RangeFacts {
  readonly lowWatermark: number
  readonly highWatermark: number
  readonly onDeleted: DeletedPolicy
}

interface CommitFacts {
  readonly committedOffset: number | undefined
  readonly committedMetadata: string
  readonly self: { readonly clusterId: string; readonly groupId: string; readonly storeId: string }
  /** Of the topic that has the name now. */
  readonly topicId: string | undefined
  /** Of the partition in the ledger; rises whenever a person has accepted that its offsets begin anew. */
  readonly incarnation: number
  /** The end of what the ledger has, and of what is under way to it, where the leader of its last record is known. */
  readonly read: LogPlace | undefined
}

export interface StartFacts extends RangeFacts, CommitFacts {
  /** Next offset by the ledger and what is under way to it; `undefined` for a partition never begun. */
  readonly knownOffset: number | undefined
  /** Of the topic that the ledger knows by this name. */
  readonly knownTopicId: string | undefined
  /** Of `lastRead`. */
  readonly checked: CheckedPlace | undefined
  readonly start: StartPolicy
  /** The partition has appeared since the process started: all of it is later than `latest`. */
  readonly isNew?: boolean | undefined
  /** The first offset at or after the time of a `time` policy; `undefined` when there is none yet. */
  readonly offsetAtTime?: number | undefined
}

export interface HoldPlan {
  readonly kind: 'hold'
  readonly reason: HeldFor
  /** See `HoldMark`. */
  readonly offset: number
  readonly detail: string
}

interface RangePlan {
  readonly kind: 'start'
  readonly offset: number
  /** From the known offset (or 0) to `offset`, to be made durable with the first step. */
  readonly gaps: readonly Gap[]
}

export type StartPlan = {
  /** A commit is there that no store of this group wrote, and it is not followed. */
  readonly isForeignCommitIgnored: boolean
} & ((RangePlan & { readonly leaderEpoch: number | undefined }) | HoldPlan)

/**
 * Where a partition begins after an assignment. The ledger decides; a committed offset moves it only when another
 * store of this group wrote it. No disk, no broker: every case is a row of a table test.
 */
export function planStart(facts: StartFacts): StartPlan {
  const { knownOffset, committedOffset } = facts
  const known = knownOffset ?? 0
  const isAtCut = isCutAccepted(facts, known)
  const author = isAtCut ? 'foreign' : commitAuthor(facts)
  const checked = isAtCut ? undefined : facts.checked
  const isBeginning = knownOffset === undefined
  const gaps: Gap[] = []
  let position = known
  let isCommitFollowed = false

  const hold = holdFor({ ...facts, checked }, known, author)
  if (hold !== undefined) return { ...hold, isForeignCommitIgnored: false }
  if (isOther(author) && committedOffset! > known) {
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
  // There is nothing of it yet that a hold could keep from going on.
  const range = planInRange(position, isBeginning ? { ...facts, onDeleted: 'continue' } : facts)
  if (range.kind === 'hold') return { ...range, isForeignCommitIgnored }
  const leaderEpoch = checked?.offset === range.offset ? checked.leaderEpoch : undefined
  return { ...range, gaps: [...gaps, ...range.gaps], leaderEpoch, isForeignCommitIgnored }
}

/** Up to where the log is asked to lead: where we have read, or where another store has whose commit we follow. */
export function placeToCheck(knownOffset: number | undefined, facts: CommitFacts): LogPlace | undefined {
  const author = commitAuthor(facts)
  const offset = facts.committedOffset ?? 0
  if (!isOther(author) || author.leaderEpoch === undefined || offset <= (knownOffset ?? 0)) return facts.read
  return { offset, leaderEpoch: author.leaderEpoch }
}

/**
 * Whether it was accepted that the log was cut below what another store has committed. The commit stays there until we have
 * committed more; it is of no use to us, and going on at the cut contradicts nothing that we have.
 */
function isCutAccepted(facts: StartFacts, known: number): boolean {
  const { committedOffset = 0, incarnation, checked, highWatermark } = facts
  if (incarnation === 0 || !isOther(commitAuthor(facts))) return false
  const isCut = checked?.offset === committedOffset && checked.endOffset < checked.offset
  const cutAt = isCut ? planCut(checked).offset : highWatermark
  return committedOffset > cutAt && known === cutAt
}

/** Whatever contradicts the ledger: nothing is read until a person has looked. */
function holdFor(facts: StartFacts, known: number, author: Author): HoldPlan | undefined {
  const { committedOffset, knownTopicId, topicId, incarnation, checked, lowWatermark, highWatermark } = facts
  if (knownTopicId !== undefined && topicId !== undefined && knownTopicId !== topicId) {
    const detail =
      `the topic was deleted and made again: ${known} offsets are known of topic ${knownTopicId}, ` +
      `${topicId} has ${lowWatermark} to ${highWatermark}`
    return { kind: 'hold', reason: 'topic-recreated', offset: 0, detail }
  }
  if (author === 'self' && committedOffset! > known) {
    const detail = `this store committed ${committedOffset}, but its ledger ends at ${known}: ${committedOffset! - known} offsets`
    return { kind: 'hold', reason: 'ledger-behind', offset: committedOffset!, detail }
  }
  if (author === 'later self') {
    const detail = `this store has begun the partition anew, but its ledger is of before that (incarnation ${incarnation})`
    return { kind: 'hold', reason: 'ledger-behind', offset: committedOffset!, detail }
  }
  return checked === undefined || checked.endOffset >= checked.offset ? undefined : planCut(checked)
}

/** A log that was cut below what was read. */
export function planCut({ offset, leaderEpoch, endOffset }: CheckedPlace): HoldPlan {
  const what =
    endOffset < 0
      ? `it does not know the leader epoch ${leaderEpoch}, in which ${offset} was reached`
      : `it was cut at ${endOffset}, but ${offset} was reached: ${offset - endOffset} offsets are others now`
  const detail = `the log is not the one that was read: ${what}`
  return { kind: 'hold', reason: 'log-truncated', offset: Math.max(0, endOffset), detail }
}

/**
 * What to do about a position that the partition may not have. Below what Kafka holds the data is gone, and waiting
 * would lose more: a gap is recorded, unless it is to be held for that. Above it, somebody must look.
 */
export function planInRange(
  position: number,
  { lowWatermark, highWatermark, onDeleted }: RangeFacts,
): RangePlan | HoldPlan {
  if (position > highWatermark) {
    const detail = `next is ${position}, but the partition ends at ${highWatermark}: ${position - highWatermark} offsets`
    return { kind: 'hold', reason: 'log-truncated', offset: highWatermark, detail }
  }
  if (position >= lowWatermark) return { kind: 'start', offset: position, gaps: [] }
  if (onDeleted === 'hold') {
    const detail = `next is ${position}, but the partition begins at ${lowWatermark}: ${lowWatermark - position} offsets were deleted before they were read`
    return { kind: 'hold', reason: 'deleted', offset: lowWatermark, detail }
  }
  const gap: Gap = { class: 'deleted', fromOffset: position, nextOffset: lowWatermark }
  return { kind: 'start', offset: lowWatermark, gaps: [gap] }
}

/**
 * Who wrote the committed offset; `undefined` when there is none that counts. `later self`: this store, when it had begun
 * the partition anew more often than its ledger knows.
 */
type Author = 'self' | 'later self' | 'foreign' | CommitMetadata | undefined

function commitAuthor(facts: CommitFacts): Author {
  if (facts.committedOffset === undefined) return undefined
  const metadata = parseCommitMetadata(facts.committedMetadata)
  const { clusterId, groupId, storeId } = facts.self
  if (metadata?.clusterId !== clusterId || metadata.groupId !== groupId) return 'foreign'
  if (metadata.storeId === storeId) {
    const { incarnation = 0 } = metadata
    if (incarnation < facts.incarnation) return undefined
    return incarnation === facts.incarnation ? 'self' : 'later self'
  }
  // Of the topic that had the name before.
  const isPast =
    metadata.topicId !== undefined && facts.topicId !== undefined && metadata.topicId !== facts.topicId
  return isPast || isOfCutLog(metadata, facts) ? 'foreign' : metadata
}

/** Epochs rise along a log: a place behind ours, but of an earlier leader, is of a log that has been cut since. */
function isOfCutLog({ leaderEpoch }: CommitMetadata, { committedOffset = 0, read }: CommitFacts): boolean {
  if (leaderEpoch === undefined || read === undefined) return false
  return committedOffset > read.offset && leaderEpoch < read.leaderEpoch
}

function isOther(author: Author): author is CommitMetadata {
  return typeof author === 'object'
}

function policyOffset({ start, lowWatermark, highWatermark, isNew, ...facts }: StartFacts): number {
  switch (start.kind) {
    case 'earliest':
      return lowWatermark
    case 'latest':
      return isNew === true ? lowWatermark : highWatermark
    case 'committed':
      return facts.committedOffset ?? lowWatermark
    case 'time':
      return Math.min(Math.max(facts.offsetAtTime ?? highWatermark, lowWatermark), highWatermark)
  }
}
