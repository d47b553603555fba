import type { Checkpoint, CheckpointBlock } from '../commitlog/log-file.ts'
import type { FrameHeader, ParsedRecords } from '../commitlog/frame.ts'

/** A records item of a valid frame, with the file that holds its content. */
export interface LoggedItem extends ParsedRecords {
  readonly sequence: number
  readonly logPath: string
  /** First byte of the inline content in the log file. */
  readonly contentInLogBytes: number
}

export interface LoggedFrame extends FrameHeader {
  readonly chain: bigint
  readonly items: readonly LoggedItem[]
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
export interface BlockFacts {
  readonly bucket: string
  readonly entry: string
  readonly blockId: number
  readonly checkpointed: CheckpointBlock | undefined
  /** Sequence of the checkpoint. */
  readonly checkpointSequence: number
  readonly items: readonly LoggedItem[]
  readonly wal: { readonly validEndBytes: number; readonly endsWithMarker: boolean } | undefined
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
