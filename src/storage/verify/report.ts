export interface Finding {
  /** `recoverable`: the next open mends it. `damaged`: acknowledged data is gone or wrong. */
  readonly severity: 'recoverable' | 'damaged'
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
  /** A writer has the directory: its open blocks were left out. */
  readonly isLive: boolean
  readonly buckets: number
  readonly entries: number
  readonly blocks: number
  readonly records: number
  readonly contentBytes: number
  /** Records whose content matched its CRC-32, and those that carry none. */
  readonly contentChecked: number
  readonly contentUnchecked: number
  /** By bucket and entry; one that cannot be read at all is not here but in `findings`. */
  readonly byEntry: readonly EntryReport[]
  /** What the next open would do, in order, for people. */
  readonly plan: readonly string[]
}
