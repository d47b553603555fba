import { common, holes, runLength, type Run } from '../base/runs.ts'
import type { Gap, GapClass } from './gap.ts'
import type { RowGaps } from './gap-files.ts'
import type { LedgerKey, LedgerRow } from './ledger-codec.ts'
import { spillAnew, unknownRow } from './offset-ledger.ts'
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

/**
 * Holds a row against the offsets whose records are there.
 * @param gaps all of the row
 */
export function compareWithRecords(row: LedgerRow, gaps: RowGaps, stored: Offsets): Discrepancy {
  const { nextOffset } = row
  const missing = offsets(() => missingRuns(gaps, stored, nextOffset))
  const inClass = (isWanted: (gapClass: GapClass) => boolean): Offsets =>
    offsets(() => common(stored.runs(), runsOf(ofClass(gaps.all(), isWanted))))
  return {
    missing,
    missingOffsets: runLength(missing.runs()),
    unlistedOffsets: sum(row.gapOffsets.values()) - runLength(runsOf(gaps.all())),
    inGaps: inClass((gapClass) => gapClass !== 'unknown'),
    inUnknownGaps: inClass((gapClass) => gapClass === 'unknown'),
    beyond: offsets(() => common(stored.runs(), [{ start: nextOffset, end: Infinity }])),
  }
}

/**
 * The row as records prove it: what is stored counts, a gap keeps its reason where nothing is stored, and what neither
 * explains is `unknown`. `undefined` where nothing is known of the partition.
 * @param row as far as it could be read
 * @param gaps all of the row, as far as they could be read
 */
export function rebuildRow(
  key: LedgerKey,
  row: LedgerRow | undefined,
  gaps: RowGaps,
  stored: Offsets,
): LedgerRow | undefined {
  let storedEnd = 0
  for (const { end } of stored.runs()) storedEnd = end
  const nextOffset = Math.max(row?.nextOffset ?? 0, storedEnd)
  if (nextOffset === 0) return row
  const known = row ?? unknownRow(key, 0)
  const { missingOffsets, unlistedOffsets } = compareWithRecords(known, gaps, stored)
  // As many as the row counts and does not list: then they are these.
  const areUnlisted = unlistedOffsets > 0 && missingOffsets === unlistedOffsets
  const unexplained = [...missingRuns(gaps, stored, nextOffset)].filter(
    ({ start }) => !areUnlisted || start >= known.nextOffset,
  )
  const unknown = unexplained.map(({ start, end }): Gap => ({
    class: 'unknown',
    fromOffset: start,
    nextOffset: end,
  }))
  const listed = [...outside(() => known.gaps, stored, nextOffset), ...unknown].sort(
    (one, other) => one.fromOffset - other.fromOffset,
  )
  const kept = withoutOldestUnknown(listed)
  const spilledLeft = outside(() => gaps.spilled(), stored, nextOffset)
  const counts = new Map([...known.gapOffsets.keys()].map((gapClass): [GapClass, number] => [gapClass, 0]))
  if (areUnlisted)
    for (const [gapClass, amount] of unlistedByClass(known, gaps)) addTo(counts, gapClass, amount)
  for (const gap of listed) addTo(counts, gap.class, gap.nextOffset - gap.fromOffset)
  for (const gap of spilledLeft) addTo(counts, gap.class, gap.nextOffset - gap.fromOffset)
  const unreadable = (known.spilled?.ranges ?? 0) - count(gaps.spilled())
  const rebuilt = {
    clusterId: key.clusterId,
    topic: key.topic,
    partition: key.partition,
    ...factsOf(known, nextOffset),
    incarnation: known.incarnation,
    nextOffset,
    records: nextOffset - sum(counts.values()),
    gapOffsets: new Map([...counts].filter(([, amount]) => amount > 0)),
    gaps: kept,
    gapRangesForgotten:
      (areUnlisted ? known.gapRangesForgotten + unreadable : 0) + listed.length - kept.length,
  }
  if (known.spilled === undefined) return rebuilt
  const areAllLeft = runLength(runsOf(spilledLeft)) === runLength(runsOf(gaps.spilled()))
  if (areAllLeft && gaps.damaged === undefined) return { ...rebuilt, spilled: known.spilled }
  return spillAnew(rebuilt, known.spilled.edition + 1, spilledLeft)
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

function missingRuns(gaps: RowGaps, stored: Offsets, nextOffset: number): Iterable<Run> {
  return common(holes(stored.runs(), nextOffset), holes(runsOf(gaps.all()), nextOffset))
}

/** The parts of gaps below `nextOffset` where nothing is stored; to be gone through more than once. */
function outside(gaps: () => Iterable<Gap>, stored: Offsets, nextOffset: number): Iterable<Gap> {
  return {
    *[Symbol.iterator]() {
      const free = common(runsOf(gaps()), holes(stored.runs(), nextOffset))[Symbol.iterator]()
      let part = free.next()
      for (const gap of gaps())
        for (; part.done !== true && part.value.start < gap.nextOffset; part = free.next())
          yield { ...gap, fromOffset: part.value.start, nextOffset: part.value.end }
    },
  }
}

function withoutOldestUnknown(gaps: readonly Gap[]): readonly Gap[] {
  let surplus = gaps.filter((gap) => gap.class === 'unknown').length - UNKNOWN_RANGES_MAX
  return gaps.filter((gap) => gap.class !== 'unknown' || surplus-- <= 0)
}

function unlistedByClass(row: LedgerRow, gaps: RowGaps): Map<GapClass, number> {
  const counts = new Map(row.gapOffsets)
  for (const gap of gaps.all()) addTo(counts, gap.class, gap.fromOffset - gap.nextOffset)
  return new Map([...counts].filter(([, amount]) => amount > 0))
}

function addTo(counts: Map<GapClass, number>, gapClass: GapClass, amount: number): void {
  counts.set(gapClass, (counts.get(gapClass) ?? 0) + amount)
}

function* runsOf(gaps: Iterable<Gap>): Generator<Run> {
  for (const { fromOffset, nextOffset } of gaps) yield { start: fromOffset, end: nextOffset }
}

function* ofClass(gaps: Iterable<Gap>, isWanted: (gapClass: GapClass) => boolean): Generator<Gap> {
  for (const gap of gaps) if (isWanted(gap.class)) yield gap
}

function count(items: Iterable<unknown>): number {
  let amount = 0
  for (const _ of items) amount += 1
  return amount
}

function offsets(runs: () => Iterable<Run>): Offsets {
  return { runs }
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}
