import { common, holes, runLength, type Run } from '../base/runs.ts'
import { type Gap, type GapClass, gapOffsets } from './gap.ts'
import type { LedgerRow } from './ledger-codec.ts'
import { unknownRow, type LedgerKey } from './offset-ledger.ts'
import type { PartitionFacts } from './partition-facts.ts'

/** Ranges of class `unknown` that a rebuilt row lists at most: the newest. Each travels with every checkpoint. */
const UNKNOWN_RANGES_MAX = 1024

/** Ascending runs of offsets, to be gone through more than once. */
export interface Offsets {
  runs(): Iterable<Run>
}

/** Where the records of a partition and its row contradict each other. */
export interface Discrepancy {
  /** Below the next offset, neither stored nor in a gap that the row lists. */
  readonly missing: Offsets
  readonly missingOffsets: number
  /** So many of the missing ones are in gaps that the row only counts: which ones is not known any more. */
  readonly unlistedOffsets: number
  /** Stored, but in a gap; those of class `unknown` apart. */
  readonly inGaps: Offsets
  readonly inUnknownGaps: Offsets
  /** Stored at the next offset or behind it. */
  readonly beyond: Offsets
}

/** Holds a row against the offsets whose records are there. */
export function compareWithRecords(row: LedgerRow, stored: Offsets): Discrepancy {
  const { nextOffset, gaps } = row
  const missing = offsets(() => missingRuns(row, stored, nextOffset))
  const inClass = (isWanted: (gapClass: GapClass) => boolean): Offsets =>
    offsets(() => common(stored.runs(), runsOf(gaps.filter((gap) => isWanted(gap.class)))))
  return {
    missing,
    missingOffsets: runLength(missing.runs()),
    unlistedOffsets: sum(row.gapOffsets.values()) - gapOffsets(gaps),
    inGaps: inClass((gapClass) => gapClass !== 'unknown'),
    inUnknownGaps: inClass((gapClass) => gapClass === 'unknown'),
    beyond: offsets(() => common(stored.runs(), [{ start: nextOffset, end: Infinity }])),
  }
}

/**
 * The row as records prove it: what is stored counts, a gap keeps its reason where nothing is stored, and what neither
 * explains is `unknown`. `undefined` where nothing is known of the partition.
 * @param row as far as it could be read
 */
export function rebuildRow(
  key: LedgerKey,
  row: LedgerRow | undefined,
  stored: Offsets,
): LedgerRow | undefined {
  let storedEnd = 0
  for (const { end } of stored.runs()) storedEnd = end
  const nextOffset = Math.max(row?.nextOffset ?? 0, storedEnd)
  if (nextOffset === 0) return row
  const known = row ?? unknownRow(key, 0)
  const { missingOffsets, unlistedOffsets } = compareWithRecords(known, stored)
  // As many as the row counts and does not list: then they are these.
  const areUnlisted = unlistedOffsets > 0 && missingOffsets === unlistedOffsets
  const unexplained = [...missingRuns(known, stored, nextOffset)].filter(
    ({ start }) => !areUnlisted || start >= known.nextOffset,
  )
  const gaps = [
    ...known.gaps.flatMap((gap) => outside(gap, stored)),
    ...unexplained.map(({ start, end }): Gap => ({ class: 'unknown', fromOffset: start, nextOffset: end })),
  ].sort((a, b) => a.fromOffset - b.fromOffset)
  const counts = areUnlisted ? unlistedByClass(known) : new Map<GapClass, number>()
  for (const gap of gaps) addTo(counts, gap.class, gap.nextOffset - gap.fromOffset)
  const listed = withoutOldestUnknown(gaps)
  return {
    clusterId: key.clusterId,
    topic: key.topic,
    partition: key.partition,
    ...factsOf(known, nextOffset),
    incarnation: known.incarnation,
    nextOffset,
    records: nextOffset - sum(counts.values()),
    gapOffsets: counts,
    gaps: listed,
    gapRangesForgotten: (areUnlisted ? known.gapRangesForgotten : 0) + gaps.length - listed.length,
  }
}

/** What is known of a place in the log, and why it is held there, is of no use for another one. */
function factsOf({ topicId, leaderEpoch, hold, ...row }: LedgerRow, nextOffset: number): PartitionFacts {
  const isSamePlace = nextOffset === row.nextOffset
  return {
    ...(topicId !== undefined && { topicId }),
    ...(isSamePlace && leaderEpoch !== undefined && { leaderEpoch }),
    ...(isSamePlace && hold !== undefined && { hold }),
  }
}

function missingRuns({ gaps }: LedgerRow, stored: Offsets, nextOffset: number): Iterable<Run> {
  return common(holes(stored.runs(), nextOffset), holes(runsOf(gaps), nextOffset))
}

/** The parts of a gap where nothing is stored. */
function outside(gap: Gap, stored: Offsets): Gap[] {
  const free = common(runsOf([gap]), holes(stored.runs(), gap.nextOffset))
  return [...free].map(({ start, end }) => ({ ...gap, fromOffset: start, nextOffset: end }))
}

function withoutOldestUnknown(gaps: readonly Gap[]): readonly Gap[] {
  let surplus = gaps.filter((gap) => gap.class === 'unknown').length - UNKNOWN_RANGES_MAX
  return gaps.filter((gap) => gap.class !== 'unknown' || surplus-- <= 0)
}

function unlistedByClass(row: LedgerRow): Map<GapClass, number> {
  const counts = new Map(row.gapOffsets)
  for (const gap of row.gaps) addTo(counts, gap.class, gap.fromOffset - gap.nextOffset)
  return new Map([...counts].filter(([, count]) => count > 0))
}

function addTo(counts: Map<GapClass, number>, gapClass: GapClass, amount: number): void {
  counts.set(gapClass, (counts.get(gapClass) ?? 0) + amount)
}

function runsOf(gaps: readonly Gap[]): Run[] {
  return gaps.map(({ fromOffset, nextOffset }) => ({ start: fromOffset, end: nextOffset }))
}

function offsets(runs: () => Iterable<Run>): Offsets {
  return { runs }
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}
