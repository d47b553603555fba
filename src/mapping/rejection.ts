import type { RecordWrite } from '../storage/index.ts'

type RejectionCause =
  | 'labels-too-large' // key, headers, constants and JSON labels together exceed `labelBytesMax`
  | 'entry-name-too-long' // a segment of the name, made of what a message says, exceeds `segmentBytesMax`, or the entry's `entryBytesMax`
  | 'content-too-large' // the value exceeds `contentBytesMax` of the rule
  | 'tombstone' // the rule wants none
  | 'no-time' // none of the rule's sources of the time has one
  | 'time-out-of-bounds' // and the rule takes no other source then
  | 'json-unreadable' // a filter or the entry needs a field of a value that is no JSON, or too large or deep to look at
  | 'too-many-entries' // the rule may not make one more

/** A message that cannot be stored as its rule asks. A value, not an error: the sink decides what becomes of it. */
export interface Rejection {
  readonly rejected: RejectionCause
  /** What exactly, for people. */
  readonly detail: string
}

/** A message that its rule does not want stored. */
export interface Skip {
  readonly skipped: 'filter' | 'tombstone'
}

/** A message that nothing may pass by: its partition is held. */
export interface MapHold {
  readonly held: 'too-many-entries' | 'entry-conflict' | 'clock'
  readonly detail: string
  /** The hold ends by itself at this time, in milliseconds since 1970; without it, with a restart. */
  readonly untilMs?: number
}

export type MapOutcome = RecordWrite | Rejection | Skip | MapHold
