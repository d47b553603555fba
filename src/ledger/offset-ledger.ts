import type { FileSystem } from '../fs/file-system.ts'
import { type Gap, type GapClass, isBenign, type SpilledGaps } from './gap.ts'
import { gapFileOf } from './gap-files.ts'
import { LedgerFiles, type PagesToWrite } from './ledger-files.ts'
import { encodePage, PAGE_BYTES } from './gap-page.ts'
import { LedgerError } from './ledger-error.ts'
import {
  type Advance,
  type DecodedAdvance,
  type LedgerKey,
  type LedgerRow,
  decodeDelta,
  decodeSnapshot,
  encodeSnapshot,
} from './ledger-codec.ts'
import type { HoldMark } from './partition-facts.ts'

/** Newest benign ranges in memory per partition; older ones go to its file, so that memory stays bounded. */
const BENIGN_RANGES_MAX = 256

/**
 * Which offsets of which partition are stored: the authority on where consumption resumes. Rides in the commit log
 * as its companion (`restore`, `apply`, `snapshot`, `spill`), so its value is always that of the last durable frame.
 *
 * Invariant, per partition: offsets below `nextOffset` = `records` stored + the offsets of all gaps.
 */
export class OffsetLedger {
  readonly #rows = new Map<string, Row>()
  readonly #files = new LedgerFiles()
  /** What partitions were before their offsets began anew, until a snapshot has been spilled. */
  #former: readonly Row[] = []
  #formerToSpill: readonly Row[] = []
  /** Of the last snapshot: pages that it counts and that are not on disk yet. */
  #toSpill: readonly Spill[] = []
  #unwrittenPages = 0

  /** @throws {LedgerError} `ERR_LEDGER_FORMAT` */
  restore(snapshot: Uint8Array | undefined): void {
    this.replace(snapshot === undefined ? [] : decodeSnapshot(snapshot))
  }

  /** Forgets everything and has these rows, with the pages that they have not written yet. */
  replace(rows: readonly LedgerRow[]): void {
    this.#rows.clear()
    for (const row of rows) this.#rows.set(nameOf(row), new Row(row))
    this.#former = []
    this.#formerToSpill = []
    this.#toSpill = []
    this.#countUnwritten()
  }

  /**
   * Takes a delta whole or not at all.
   * @throws {LedgerError} `ERR_LEDGER_CONTIGUITY` when a step does not begin where the partition is
   */
  apply(delta: Uint8Array): void {
    const { clusterId, advances } = decodeDelta(delta)
    for (const advance of advances) this.#check(clusterId, advance)
    for (const advance of advances) {
      const key = { clusterId, topic: advance.topic, partition: advance.partition }
      const name = nameOf(key)
      let row = this.#rows.get(name)
      if (advance.isRevision) {
        if (row?.hasGaps(advance) === false) row.revise(advance)
        continue
      }
      if (row === undefined || advance.incarnation > row.incarnation) {
        if (row !== undefined && row.nextOffset > 0) this.#former = [...this.#former, row]
        row = new Row(unknownRow(key, advance.incarnation))
        this.#rows.set(name, row)
      }
      this.#unwrittenPages += row.advance(advance)
    }
  }

  /** `spill` is to follow, before anything relies on the snapshot. */
  snapshot(): Uint8Array {
    const rows = [...this.#rows.values()]
    this.#formerToSpill = this.#former
    this.#toSpill = [...rows, ...this.#former].flatMap((row) => row.toSpill() ?? [])
    return encodeSnapshot(rows)
  }

  /**
   * Makes durable the pages that the last snapshot counts, and the rows that it has no more. Pages lie behind those of the snapshot before: until the new one
   * is durable they mean nothing, and are written again.
   */
  async spill(fs: FileSystem, directory: string): Promise<void> {
    const spills = this.#toSpill
    const former = this.#formerToSpill
    if (spills.length === 0 && former.length === 0) return
    await this.#files.write(fs, directory, spills, former)
    for (const { row, pages } of spills) row.wrote(pages.length)
    this.#toSpill = []
    this.#former = this.#former.filter((row) => !former.includes(row))
    this.#formerToSpill = []
    this.#countUnwritten()
  }

  /** Bytes that wait for the next snapshot. */
  get unspilledBytes(): number {
    return this.#unwrittenPages * PAGE_BYTES
  }

  /** `undefined` for a partition that this store has never begun. The value changes as deltas are applied. */
  position(key: LedgerKey): LedgerRow | undefined {
    return this.#rows.get(nameOf(key))
  }

  /** Sorted by cluster, topic, partition. */
  positions(): LedgerRow[] {
    return [...this.#rows.values()].sort(
      (a, b) =>
        compareText(a.clusterId, b.clusterId) || compareText(a.topic, b.topic) || a.partition - b.partition,
    )
  }

  /** Rows of partitions that began anew, as far as no snapshot has been spilled since. */
  get former(): readonly LedgerRow[] {
    return this.#former
  }

  #countUnwritten(): void {
    this.#unwrittenPages = 0
    for (const { spilled } of [...this.#rows.values(), ...this.#former])
      this.#unwrittenPages += spilled?.unwritten.length ?? 0
  }

  #check(clusterId: string, advance: DecodedAdvance): void {
    const { topic, partition, fromOffset, incarnation } = advance
    const row = this.#rows.get(nameOf({ clusterId, topic, partition }))
    if (advance.isRevision) {
      if (row?.incarnation === incarnation && (row.counts(advance) || row.hasGaps(advance))) return
      const range = `${fromOffset} to ${advance.nextOffset}`
      throw new LedgerError('ERR_LEDGER_CONTIGUITY', `${topic}/${partition} does not have ${range} as stored`)
    }
    const isAnew = row === undefined || incarnation > row.incarnation
    const expected = isAnew ? 0 : row.nextOffset
    if (fromOffset === expected && (isAnew || incarnation === row.incarnation)) return
    throw new LedgerError(
      'ERR_LEDGER_CONTIGUITY',
      `a step of ${topic}/${partition} begins at ${fromOffset} (incarnation ${incarnation}), ` +
        `but ${expected} (incarnation ${row?.incarnation ?? 0}) is next`,
    )
  }
}

interface Spill extends PagesToWrite {
  readonly row: Row
}

class Row implements LedgerRow {
  readonly clusterId: string
  readonly topic: string
  readonly partition: number
  readonly incarnation: number
  readonly gapOffsets: Map<GapClass, number>
  gaps: Gap[]
  spilled: SpilledGaps | undefined
  nextOffset: number
  records: number
  readonly gapRangesForgotten: number
  topicId: string | undefined
  leaderEpoch: number | undefined
  hold: HoldMark | undefined
  readonly #unwritten: Uint8Array[]
  #benignRanges: number

  constructor(row: LedgerRow) {
    this.clusterId = row.clusterId
    this.topic = row.topic
    this.partition = row.partition
    this.incarnation = row.incarnation
    this.gapOffsets = new Map(row.gapOffsets)
    this.gaps = [...row.gaps]
    this.#unwritten = [...(row.spilled?.unwritten ?? [])]
    this.spilled = row.spilled && { ...row.spilled, unwritten: this.#unwritten }
    this.nextOffset = row.nextOffset
    this.records = row.records
    this.gapRangesForgotten = row.gapRangesForgotten
    this.topicId = row.topicId
    this.leaderEpoch = row.leaderEpoch
    this.hold = row.hold
    this.#benignRanges = this.gaps.filter((gap) => isBenign(gap.class)).length
  }

  /** @returns how many pages it has filled */
  advance({ nextOffset, records, gaps, topicId, leaderEpoch, hold }: Advance): number {
    this.topicId = topicId ?? this.topicId
    if (nextOffset > this.nextOffset || leaderEpoch !== undefined) this.leaderEpoch = leaderEpoch
    this.nextOffset = nextOffset
    this.records += records
    this.hold = hold
    let pages = 0
    for (const gap of gaps) {
      this.#count(gap)
      pages += this.list(gap)
    }
    return pages
  }

  toSpill(): Spill | undefined {
    if (this.spilled === undefined || this.#unwritten.length === 0) return undefined
    const { edition, pages } = this.spilled
    const firstPage = pages - this.#unwritten.length
    return { row: this, file: gapFileOf(this, edition), firstPage, pages: [...this.#unwritten] }
  }

  /** The first so many pages that were not written are, now. */
  wrote(pages: number): void {
    this.#unwritten.splice(0, pages)
  }

  /** Whether all offsets of the range are stored, as far as is known. */
  counts({ fromOffset, nextOffset }: Pick<Advance, 'fromOffset' | 'nextOffset'>): boolean {
    const isFree = this.gaps.every((gap) => gap.nextOffset <= fromOffset || gap.fromOffset >= nextOffset)
    return isFree && nextOffset <= this.nextOffset && nextOffset - fromOffset <= this.records
  }

  /** Whether all these gaps are listed: a revision that is made twice changes nothing. */
  hasGaps({ gaps }: Pick<Advance, 'gaps'>): boolean {
    return gaps.every(({ class: gapClass, fromOffset, nextOffset }) =>
      this.gaps.some(
        (listed) =>
          listed.class === gapClass && listed.fromOffset <= fromOffset && listed.nextOffset >= nextOffset,
      ),
    )
  }

  /** Of a range that counts as stored, `gaps` are not. */
  revise({ gaps }: Advance): void {
    for (const gap of gaps) {
      this.records -= gap.nextOffset - gap.fromOffset
      this.#count(gap)
      const behind = this.gaps.findIndex((listed) => listed.fromOffset > gap.fromOffset)
      this.gaps.splice(behind === -1 ? this.gaps.length : behind, 0, gap)
      if (isBenign(gap.class)) this.#benignRanges += 1
    }
  }

  #count({ class: gapClass, fromOffset, nextOffset }: Gap): void {
    const offsets = nextOffset - fromOffset
    this.gapOffsets.set(gapClass, (this.gapOffsets.get(gapClass) ?? 0) + offsets)
  }

  /** Lists a gap behind all others. @returns how many pages that has filled */
  list(gap: Gap): number {
    this.#append(gap)
    let pages = 0
    for (; this.#benignRanges > BENIGN_RANGES_MAX; pages++) this.#fillPage()
    return pages
  }

  #append(gap: Gap): void {
    const last = this.gaps.at(-1)
    if (
      last !== undefined &&
      last.nextOffset === gap.fromOffset &&
      last.class === gap.class &&
      last.storeId === gap.storeId
    ) {
      this.gaps[this.gaps.length - 1] = { ...last, nextOffset: gap.nextOffset }
      return
    }
    this.gaps.push(gap)
    if (isBenign(gap.class)) this.#benignRanges += 1
  }

  /** Moves the oldest benign ranges into a page; the newest stay, so that the next gap may go on with it. */
  #fillPage(): void {
    const { edition, pages, ranges } = this.spilled ?? { edition: 0, pages: 0, ranges: 0 }
    const oldest = this.gaps.filter((gap) => isBenign(gap.class)).slice(0, BENIGN_RANGES_MAX)
    const page = encodePage({ owner: gapFileOf(this, edition), pageNumber: pages }, oldest)
    let left = page.ranges
    this.gaps = this.gaps.filter((gap) => !isBenign(gap.class) || left-- <= 0)
    this.#benignRanges -= page.ranges
    this.#unwritten.push(page.bytes)
    this.spilled = {
      edition,
      pages: pages + 1,
      ranges: ranges + page.ranges,
      unwritten: this.#unwritten,
    }
  }
}

/**
 * A row with other gaps in its pages, in another file.
 * @param row its pages do not matter
 * @param spilled ascending, older than the benign ones that the row lists
 */
export function spillAnew(row: LedgerRow, edition: number, spilled: Iterable<Gap>): LedgerRow {
  const anew = new Row({ ...row, gaps: [], spilled: { edition, pages: 0, ranges: 0, unwritten: [] } })
  let listed = 0
  for (const gap of spilled) {
    for (; listed < row.gaps.length && row.gaps[listed]!.fromOffset < gap.fromOffset; listed++)
      anew.list(row.gaps[listed]!)
    anew.list(gap)
  }
  for (const gap of row.gaps.slice(listed)) anew.list(gap)
  return anew
}

/** A partition of which nothing is known. */
export function unknownRow(key: LedgerKey, incarnation: number): LedgerRow {
  return {
    ...key,
    incarnation,
    nextOffset: 0,
    records: 0,
    gapOffsets: new Map(),
    gaps: [],
    gapRangesForgotten: 0,
  }
}

function nameOf({ clusterId, topic, partition }: LedgerKey): string {
  return `${clusterId}/${topic}/${partition}`
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
