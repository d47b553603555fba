import type { PartitionContent } from './kafka-content.ts'
import type { Tenure } from './tenures.ts'

/** What one directory holds, by `topic/partition`, offsets ascending and each once. */
export interface StoreContent {
  readonly store: string
  readonly offsets: ReadonlyMap<string, readonly number[]>
}

/** Offsets that two stores have. */
export interface SharedRange {
  readonly name: string
  readonly stores: readonly [string, string]
  readonly fromOffset: number
  readonly nextOffset: number
}

export interface Verdict {
  readonly missing: readonly string[]
  readonly shared: readonly SharedRange[]
  /** Of `shared`, those that no cut epoch explains: a planned move doubled them. */
  readonly unexplained: readonly SharedRange[]
}

/** Whether the stores together have all that Kafka holds, and which offsets more than one of them has. */
export function judge(
  kafka: ReadonlyMap<string, Pick<PartitionContent, 'crcs'>>,
  stores: readonly StoreContent[],
  tenures: readonly Tenure[],
): Verdict {
  const missing: string[] = []
  const shared: SharedRange[] = []
  for (const [name, { crcs }] of kafka) {
    const held = new Uint8Array(crcs.length)
    for (const { offsets } of stores) for (const offset of offsets.get(name) ?? []) held[offset]!++
    held.forEach((count, offset) => {
      if (count === 0) missing.push(`${name}@${offset}`)
    })
    stores.forEach((one, index) => {
      for (const other of stores.slice(index + 1)) {
        const there = new Set(other.offsets.get(name))
        const both = (one.offsets.get(name) ?? []).filter((offset) => there.has(offset))
        for (const [fromOffset, nextOffset] of runsOf(both))
          shared.push({ name, stores: [one.store, other.store], fromOffset, nextOffset })
      }
    })
  }
  return { missing, shared, unexplained: shared.filter((range) => !isExplained(range, tenures)) }
}

/** Something done to a member, or to a broker. */
export interface Disturbance {
  /** `undefined` for a broker: every store may miss it. */
  readonly store: string | undefined
  readonly startMs: number
  readonly endMs: number
}

/** What a disturbance may cost for so long after it. */
const AFTERMATH_MS = 15_000

/** Epochs that ended before all was committed although nothing had been done to their store or to a broker. */
export function cutWithoutReason(tenures: readonly Tenure[], disturbances: readonly Disturbance[]): Tenure[] {
  return tenures.filter(({ store, end, endMs }) => {
    if (end !== 'cut' || endMs === undefined) return false
    return !disturbances.some(
      (one) =>
        (one.store === undefined || one.store === store) &&
        one.startMs <= endMs &&
        one.endMs + AFTERMATH_MS >= endMs,
    )
  })
}

export function sharedOffsets(ranges: readonly SharedRange[]): number {
  return ranges.reduce((sum, { fromOffset, nextOffset }) => sum + nextOffset - fromOffset, 0)
}

/**
 * One store had the partition in an epoch that was cut, and the other one began within what that had read: behind what
 * was committed, in front of what was stored.
 */
function isExplained({ name, stores, fromOffset }: SharedRange, tenures: readonly Tenure[]): boolean {
  return tenures.some((cut) => {
    const from = cut.offsets.get(name)
    if (cut.end !== 'cut' || from === undefined || !stores.includes(cut.store) || from > fromOffset)
      return false
    return tenures.some((next) => {
      const begin = next.offsets.get(name)
      const isOther = next.store !== cut.store && stores.includes(next.store)
      return (
        isOther && next.startMs >= cut.startMs && begin !== undefined && begin >= from && begin <= fromOffset
      )
    })
  })
}

function runsOf(offsets: readonly number[]): [from: number, next: number][] {
  const runs: [number, number][] = []
  for (const offset of offsets) {
    const last = runs.at(-1)
    if (last?.[1] === offset) last[1] = offset + 1
    else runs.push([offset, offset + 1])
  }
  return runs
}
