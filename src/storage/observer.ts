export type CacheName = 'write' | 'read'

/** Everything the engine tells the outside. Past tense, plain facts, called synchronously; must not throw. */
export interface StorageObserver {
  cacheHit(cache: CacheName): void
  cacheMissed(cache: CacheName): void
  cacheEvicted(cache: CacheName): void
  /** Called when the size changes noticeably. */
  cacheSized(cache: CacheName, bytes: number, items: number): void
  /**
   * One frame is durable and projected. `durationMs` from build to acknowledgement. Frames without records are reported
   * too: steps over gaps, and the watermark behind the last group.
   */
  groupCommitted(event: { records: number; bytes: number; durationMs: number; directBytes: number }): void
  /** The share of `durationMs` until the frame was durable. */
  groupDurable(event: { durationMs: number; records: number }): void
  blockStarted(): void
  blockSealed(): void
  /** Folded into its descriptor and closed, not sealed: it may be opened again. */
  blockClosed(): void
  blockReopened(): void
  /** Late records had made it too large, or removals left holes: `blocks` stand in its place. */
  blockRewritten(blocks: number): void
  /** Records of a block have got the CRC-32s that ReductStore had dropped, or never known. */
  checksumsAdded(records: number): void
  checkpointed(event: { durationMs: number; filesSynced: number; logBytesDropped: number }): void
  recordLate(): void
  /** `spilledUs` >= 1000: the record left its millisecond. */
  slotSpilled(spilledUs: number): void
  recovered(event: RecoveryEvent): void
  /** A block that its bucket lets go of by its quota. `wasRead`: since this process began. */
  blockEvicted(event: {
    bucket: string
    entry: string
    blockId: number
    records: number
    bytes: number
    wasRead: boolean
  }): void
  /** A submission that does not fit into the quota of this bucket. */
  quotaRefused(event: { bucket: string }): void
}

export interface RecoveryEvent {
  readonly durationMs: number
  readonly frames: number
  readonly blocksRedone: number
  readonly logBytes: number
  readonly tornTailBytes: number
  readonly quarantined: number
}

const nothing = (): void => {}

export const silentStorageObserver: StorageObserver = {
  cacheHit: nothing,
  cacheMissed: nothing,
  cacheEvicted: nothing,
  cacheSized: nothing,
  groupCommitted: nothing,
  groupDurable: nothing,
  blockStarted: nothing,
  blockSealed: nothing,
  blockClosed: nothing,
  blockReopened: nothing,
  blockRewritten: nothing,
  checksumsAdded: nothing,
  checkpointed: nothing,
  recordLate: nothing,
  slotSpilled: nothing,
  recovered: nothing,
  blockEvicted: nothing,
  quotaRefused: nothing,
}
