/** One look at a partition. */
export interface ProgressFacts {
  readonly nowMs: number
  readonly acceptedOffset: number
  readonly durableOffset: number
  /** `undefined` when the broker could not be asked: then only what is accepted counts as known. */
  readonly highWatermark: number | undefined
  /** Paused, held, or between two generations: not moving is right. */
  readonly isExempt: boolean
}

/** Since when a partition has had work and not moved. */
export interface Stall {
  readonly acceptedOffset: number
  readonly durableOffset: number
  readonly sinceMs: number
}

/** The stall after one more look; `undefined` when there is none. */
export function nextStall(previous: Stall | undefined, facts: ProgressFacts): Stall | undefined {
  const { acceptedOffset, durableOffset, nowMs } = facts
  const known = Math.max(acceptedOffset, facts.highWatermark ?? 0)
  if (facts.isExempt || known <= durableOffset) return undefined
  const hasMoved =
    previous === undefined ||
    previous.acceptedOffset !== acceptedOffset ||
    previous.durableOffset !== durableOffset
  return hasMoved ? { acceptedOffset, durableOffset, sinceMs: nowMs } : previous
}

/** What a store that works on the partition gets more of: thousands of new entries in one group take minutes. */
const WORKING_FACTOR = 10

/** @param isStoreWorking - the store has changed something within `limitMs` */
export function isStuck(
  stall: Stall | undefined,
  nowMs: number,
  limitMs: number,
  isStoreWorking = false,
): stall is Stall {
  if (stall === undefined) return false
  const isInStore = stall.acceptedOffset > stall.durableOffset
  return nowMs - stall.sinceMs >= limitMs * (isStoreWorking && isInStore ? WORKING_FACTOR : 1)
}
