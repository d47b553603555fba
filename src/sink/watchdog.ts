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

export function isStuck(stall: Stall | undefined, nowMs: number, limitMs: number): stall is Stall {
  return stall !== undefined && nowMs - stall.sinceMs >= limitMs
}
