import type { OpenBlock } from '../block/block.ts'
import type { Entry } from '../entry.ts'
import type { RecordWrite } from '../record.ts'
import type { BlockChange } from './block-change.ts'

/** What callers hand over: stored as one atom. */
export interface Submission {
  readonly writes: readonly RecordWrite[]
  /** Goes to the log companion together with the writes. */
  readonly delta?: Uint8Array
  /**
   * Submissions of one stream are stored without holes: behind one that was refused all later ones of the same stream
   * are refused too, for the same reason. Who begins anew makes a new object.
   */
  readonly stream?: object
}

/** A submission waiting for its frame. */
export interface PendingSubmission extends Submission {
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** The records of one group that go into one block, in order. Arrays run in parallel. */
export interface BlockGroup {
  readonly block: OpenBlock
  readonly blkAtBytes: number
  contentBytes: number
  readonly writes: RecordWrite[]
  readonly slotsUs: number[]
}

/** Entries for the WAL of an open block that come without inline content: changed labels, the states of an upload. */
export interface EntriesEdit {
  readonly block: OpenBlock
  /** Whole WAL entries, without stop marker. */
  readonly entries: Uint8Array
  /** How many records they add. */
  readonly recordCount: number
  /** Content of theirs that is in the data file already; its sync is part of the frame. */
  readonly direct?: { readonly blkAtBytes: number; readonly contentBytes: number }
}

/** A change of a block, and the entry it is of. */
export interface EntryChange {
  readonly entry: Entry
  readonly change: BlockChange
}

/** What a frame does besides storing records. */
export interface Edits {
  readonly entries?: readonly EntriesEdit[]
  readonly changes?: readonly EntryChange[]
}

/** Where a built block group lies in the frame buffer. */
export interface BuiltBlock {
  readonly block: OpenBlock
  readonly direct: boolean
  readonly walAtBytes: number
  readonly blkAtBytes: number
  /** Entries with the 0xFF behind them. */
  readonly entries: Uint8Array
  /** Empty when the content is `scattered`. */
  readonly content: Uint8Array
  /** Direct content that does not fit behind its frame, piece by piece where the writes have it. */
  readonly scattered: readonly Uint8Array[]
}

/** A frame ready to be written, and what to do once it is durable. */
export interface BuiltGroup {
  readonly sequence: number
  readonly chain: bigint
  /** The frame with its padding. */
  readonly frame: Uint8Array
  readonly blocks: readonly BuiltBlock[]
  readonly changes: readonly EntryChange[]
  readonly submissions: readonly PendingSubmission[]
  readonly recordCount: number
  readonly contentBytes: number
  readonly directBytes: number
  readonly builtAtMs: number
  /** Gives the buffer back; after projection. */
  readonly release: () => void
}
