/** One look at a partition. */
export interface ProgressFacts {
  readonly nowMs: number
  readonly acceptedOffset: number
  readonly durableOffset: number
  /** How far it is read again for what is owed. */
  readonly rereadOffset: number
  /** `undefined` when the broker could not be asked: then only what is accepted counts as known. */
  readonly highWatermark: number | undefined
  /** Paused, held, or between two generations: not moving is right. */
  readonly isExempt: boolean
}

/** Since when a partition has had work and not moved. */
export interface Stall {
  readonly acceptedOffset: number
  readonly durableOffset: number
  readonly rereadOffset: number
  readonly sinceMs: number
}

/** The stall after one more look; `undefined` when there is none. */
export function nextStall(previous: Stall | undefined, facts: ProgressFacts): Stall | undefined {
  const { acceptedOffset, durableOffset, rereadOffset, nowMs } = facts
  const known = Math.max(acceptedOffset, facts.highWatermark ?? 0)
  if (facts.isExempt || known <= durableOffset) return undefined
  const hasMoved =
    previous === undefined ||
    previous.acceptedOffset !== acceptedOffset ||
    previous.durableOffset !== durableOffset ||
    previous.rereadOffset !== rereadOffset
  return hasMoved ? { acceptedOffset, durableOffset, rereadOffset, sinceMs: nowMs } : previous
}

/** What else has moved within the limit. */
export interface Movement {
  /** The store has changed something. */
  readonly inStore: boolean
  /** A partition has, whichever. */
  readonly inPartitions: boolean
}

/**
 * What a partition gets more of while it waits for others: thousands of new entries in one group take the store minutes,
 * and so does one round of fetches over thousands of partitions.
 */
const WAITING_FACTOR = 10

export function isStuck(
  stall: Stall | undefined,
  nowMs: number,
  limitMs: number,
  movement: Movement,
): stall is Stall {
  if (stall === undefined) return false
  const isInStore = stall.acceptedOffset > stall.durableOffset
  const isWaiting = isInStore ? movement.inStore : movement.inPartitions
  return nowMs - stall.sinceMs >= limitMs * (isWaiting ? WAITING_FACTOR : 1)
}
