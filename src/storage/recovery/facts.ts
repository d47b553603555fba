import type { BlockChange } from '../commitlog/block-change.ts'
import type { Checkpoint, CheckpointBlock } from '../commitlog/log-file.ts'

export interface BlockName {
  readonly bucket: string
  readonly entry: string
  readonly blockId: number
}

/**
 * A records item of a valid frame. Entries and content stay in the log file, which is not changed before recovery is
 * done: there may be millions of items, and all of them are held at once.
 */
export interface LoggedItem {
  /** One object for all items of the block. */
  readonly block: BlockName
  readonly sequence: number
  /** Where the first entry goes in the WAL; 0 restarts it. */
  readonly walAtBytes: number
  /** Where the content goes in the data file. */
  readonly blkAtBytes: number
  /** Content was written and synced into the data file before the frame. */
  readonly direct: boolean
  /** CRC-64 of the descriptor under this WAL when it restarts at 0; `undefined` = there is none. */
  readonly baseCrc64: bigint | undefined
  readonly logPath: string
  /** The WAL entries in the log file; read with `readEntries`. */
  readonly entriesInLogBytes: number
  readonly entriesBytes: number
  /** CRC-32 of the entries as they were when the frame was verified. */
  readonly entriesCrc32: number
  /** First byte of the inline content in the log file; meaningless for direct content. */
  readonly contentInLogBytes: number
  readonly contentBytes: number
  /** Records that it adds to the block; 0 where it changes those that are there. */
  readonly recordCount: number
}

/** A change of a whole block that a valid frame names. */
export interface LoggedChange {
  readonly sequence: number
  readonly change: BlockChange
}

export interface LoggedFrame {
  readonly sequence: number
  readonly previousChain: bigint
  readonly chain: bigint
  readonly items: readonly LoggedItem[]
  /** After the items. */
  readonly changes: readonly LoggedChange[]
  readonly deltas: readonly Uint8Array[]
  readonly logPath: string
  readonly atBytes: number
  readonly bytes: number
}

/** What the commit log holds: facts, no decision. */
export interface LogFacts {
  readonly checkpoint: Checkpoint
  /** In order of sequence, without gaps, the first one behind the checkpoint. */
  readonly frames: readonly LoggedFrame[]
  /** Greatest number of any log file, readable or not. */
  readonly logNumberMax: number
  readonly logBytes: number
  /** Bytes behind the last valid frame of the last file that are not zero padding. */
  readonly tornTailBytes: number
  /** Why the log cannot be trusted; a start must stop. */
  readonly damage: readonly string[]
}

/** A block that checkpoint or frames mention, and what its files show. */
export interface BlockFacts extends BlockName {
  readonly checkpointed: CheckpointBlock | undefined
  /** Sequence of the checkpoint. */
  readonly checkpointSequence: number
  /** The last change of the block as a whole. What came before it was durable in the block's files. */
  readonly change: LoggedChange | undefined
  /** Behind `change`. */
  readonly items: readonly LoggedItem[]
  /** It has no file, none that was written aside for it either, and the index of its entry does not name it; or the entry is gone. */
  readonly isGone: boolean
  /**
   * It has no WAL, and the index has the checksum of its descriptor, as it never has of a block with a WAL of ours. Looked for
   * only where it would be damaged otherwise.
   */
  readonly isClosed: boolean
  readonly wal:
    | {
        readonly validEndBytes: number
        readonly endsWithMarker: boolean
        /** We have begun it. Neither this nor the other where it holds no finished record. */
        readonly isOurs: boolean
        /** ReductStore has begun it. */
        readonly isTheirs: boolean
      }
    | undefined
  readonly descriptor:
    | { readonly state: 'missing' }
    | { readonly state: 'undecodable' }
    | {
        readonly state: 'read'
        readonly crc64: bigint
        readonly recordCount: number
        /** Sequence folded in last; `undefined` = written by ReductStore. */
        readonly lastFrame: number | undefined
        /** Every record of the last incarnation's frames is in it. */
        readonly holdsFrames: boolean
      }
}
