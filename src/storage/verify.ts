// CONTRACT ONLY for now.
import type { FileSystem } from '../fs/file-system.ts'

export interface Finding {
  /** `recoverable`: the next open mends it. `damaged`: acknowledged data is gone or wrong. */
  readonly severity: 'recoverable' | 'damaged'
  readonly path: string
  readonly message: string
}

export interface VerifyOptions {
  readonly checkContent: boolean
  readonly progress?: (done: { blocks: number; blocksTotal: number; records: number }) => void
}

export interface VerifyReport {
  readonly findings: readonly Finding[]
  readonly buckets: number
  readonly entries: number
  readonly blocks: number
  readonly records: number
  readonly contentBytes: number
  /** Records whose content matched its CRC-32, and those that carry none. */
  readonly contentChecked: number
  readonly contentUnchecked: number
  /** What the next open would do, in order, for people. */
  readonly plan: readonly string[]
}

export function verifyDirectory(
  _fs: FileSystem,
  _dataPath: string,
  _options: VerifyOptions,
): Promise<VerifyReport> {
  throw new Error('not built')
}
