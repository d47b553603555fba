import { type Gap, type GapClass, isBenign } from './gap.ts'
import { LedgerError } from './ledger-error.ts'
import {
  type Advance,
  type DecodedAdvance,
  type LedgerRow,
  decodeDelta,
  decodeSnapshot,
  encodeSnapshot,
} from './ledger-codec.ts'
import type { HoldMark } from './partition-facts.ts'

/** Newest benign ranges listed per partition; older ones are only counted, so that memory stays bounded. */
const BENIGN_RANGES_MAX = 256

export interface LedgerKey {
  readonly clusterId: string
  readonly topic: string
  readonly partition: number
}

/**
 * Which offsets of which partition are stored: the authority on where consumption resumes. Rides in the commit log
 * as its companion (`restore`, `apply`, `snapshot`), so its value is always that of the last durable frame.
 *
 * Invariant, per partition: offsets below `nextOffset` = `records` stored + the offsets of all gaps.
 */
export class OffsetLedger {
  readonly #rows = new Map<string, Row>()

  /** @throws {LedgerError} `ERR_LEDGER_FORMAT` */
  restore(snapshot: Uint8Array | undefined): void {
    this.#rows.clear()
    if (snapshot === undefined) return
    for (const row of decodeSnapshot(snapshot)) this.#rows.set(nameOf(row), new Row(row))
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
        row?.revise(advance)
        continue
      }
      if (row === undefined || advance.incarnation > row.incarnation) {
        row = new Row(unknownRow(key, advance.incarnation))
        this.#rows.set(name, row)
      }
      row.advance(advance)
    }
  }

  snapshot(): Uint8Array {
    return encodeSnapshot([...this.#rows.values()])
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

  #check(clusterId: string, advance: DecodedAdvance): void {
    const { topic, partition, fromOffset, incarnation } = advance
    const row = this.#rows.get(nameOf({ clusterId, topic, partition }))
    if (advance.isRevision) {
      if (row?.incarnation === incarnation && row.counts(advance)) return
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

class Row implements LedgerRow {
  readonly clusterId: string
  readonly topic: string
  readonly partition: number
  readonly incarnation: number
  readonly gapOffsets: Map<GapClass, number>
  readonly gaps: Gap[]
  nextOffset: number
  records: number
  gapRangesForgotten: number
  topicId: string | undefined
  leaderEpoch: number | undefined
  hold: HoldMark | undefined
  #benignRanges: number

  constructor(row: LedgerRow) {
    this.clusterId = row.clusterId
    this.topic = row.topic
    this.partition = row.partition
    this.incarnation = row.incarnation
    this.gapOffsets = new Map(row.gapOffsets)
    this.gaps = [...row.gaps]
    this.nextOffset = row.nextOffset
    this.records = row.records
    this.gapRangesForgotten = row.gapRangesForgotten
    this.topicId = row.topicId
    this.leaderEpoch = row.leaderEpoch
    this.hold = row.hold
    this.#benignRanges = this.gaps.filter((gap) => isBenign(gap.class)).length
  }

  advance({ nextOffset, records, gaps, topicId, leaderEpoch, hold }: Advance): void {
    this.topicId = topicId ?? this.topicId
    if (nextOffset > this.nextOffset || leaderEpoch !== undefined) this.leaderEpoch = leaderEpoch
    this.nextOffset = nextOffset
    this.records += records
    this.hold = hold
    for (const gap of gaps) this.#note(gap)
  }

  /** Whether all offsets of the range are stored, as far as is known. */
  counts({ fromOffset, nextOffset }: Pick<Advance, 'fromOffset' | 'nextOffset'>): boolean {
    const isFree = this.gaps.every((gap) => gap.nextOffset <= fromOffset || gap.fromOffset >= nextOffset)
    return isFree && nextOffset <= this.nextOffset && nextOffset - fromOffset <= this.records
  }

  /** Of a range that counts as stored, `gaps` are not. */
  revise({ gaps }: Advance): void {
    for (const gap of gaps) {
      const offsets = gap.nextOffset - gap.fromOffset
      this.records -= offsets
      this.gapOffsets.set(gap.class, (this.gapOffsets.get(gap.class) ?? 0) + offsets)
      const behind = this.gaps.findIndex((listed) => listed.fromOffset > gap.fromOffset)
      this.gaps.splice(behind === -1 ? this.gaps.length : behind, 0, gap)
      if (isBenign(gap.class)) this.#benignRanges += 1
    }
  }

  #note(gap: Gap): void {
    const offsets = gap.nextOffset - gap.fromOffset
    this.gapOffsets.set(gap.class, (this.gapOffsets.get(gap.class) ?? 0) + offsets)
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
    if (!isBenign(gap.class)) return
    this.#benignRanges += 1
    if (this.#benignRanges <= BENIGN_RANGES_MAX) return
    this.gaps.splice(
      this.gaps.findIndex((listed) => isBenign(listed.class)),
      1,
    )
    this.#benignRanges -= 1
    this.gapRangesForgotten += 1
  }
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
