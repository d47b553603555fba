import type { StoreFormat } from '../store-files.ts'

export interface Finding {
  /** `recoverable`: the next open mends it. `damaged`: acknowledged data is gone or wrong. */
  readonly severity: 'recoverable' | 'damaged'
  readonly path: string
  readonly message: string
}

/** Something that is no fault, and worth knowing. */
export interface Note {
  readonly path: string
  readonly message: string
}

export type Found = (severity: Finding['severity'], path: string, message: string) => void

/** What can be read of one entry. */
export interface EntryReport {
  readonly bucket: string
  readonly entry: string
  readonly blocks: number
  readonly records: number
  readonly contentBytes: number
}

export interface VerifyReport {
  readonly findings: readonly Finding[]
  /** What is in the quarantine, and names that nobody gave meaning to. */
  readonly notes: readonly Note[]
  /** `undefined` for a directory that was never ours, and where `format` cannot be read. */
  readonly identity: StoreFormat | undefined
  /** Checkpoint and log were read to the end, and the companion has their value. */
  readonly isLogWhole: boolean
  /** Records may have left the entry they were written to, by a removal, a quota, or a rename. */
  readonly hasRemovals: boolean
  /** A writer has the directory: its open blocks were left out. */
  readonly isLive: boolean
  readonly buckets: number
  readonly entries: number
  readonly blocks: number
  readonly records: number
  readonly contentBytes: number
  /** Finished records whose content matched its CRC-32, and those that carry none. */
  readonly contentChecked: number
  readonly contentUnchecked: number
  /** By bucket and entry; one that cannot be read at all is not here but in `findings`. */
  readonly byEntry: readonly EntryReport[]
  /** What the next open would do, in order, for people. */
  readonly plan: readonly string[]
}
