import { type Gap, type GapClass, type SpilledGaps, gapOffsets } from './gap.ts'
import { CLASS_CODES, LedgerReader, LedgerWriter } from './ledger-bytes.ts'
import { LedgerError } from './ledger-error.ts'
import type { PartitionFacts } from './partition-facts.ts'

/*
 * Ledger bytes. No checksum: the frame or checkpoint around them has one. `v` is a LEB128 varint of up to 53
 * bits, `s` a varint length and so many bytes of UTF-8.
 *
 *   delta:     u8 0x44 'D' | u8 version | s cluster id | v partitions, each:
 *                s topic | v partition | v flags | further fields | v incarnation | v from | v next - from | v records | gaps
 *   snapshot:  u8 0x53 'S' | u8 version | v partitions, each:
 *                s cluster id | s topic | v partition | v flags | further fields | v incarnation | v next | v records
 *                | v classes, each: u8 class, v offsets | v gap ranges forgotten | gaps
 *   gaps:      v count, each: u8 class | [s store id, class elsewhere only] | v from - previous next | v length
 *              (the first `from` counts from 0; ascending, not overlapping)
 *
 * Flags announce further fields, in the order of their bits; a bit that is not here is a newer release's, and the bytes
 * are refused:
 *
 *   1 topic id:     s
 *   2 leader epoch: v
 *   4 hold:         u8 reason | v offset
 *   8 revision:     nothing; in a delta only
 *  16 spilled gaps: v edition | v pages | v ranges; in a snapshot only
 */
const DELTA_KIND = 0x44
const SNAPSHOT_KIND = 0x53

/** One step of a partition: `records` stored and `gaps` together are every offset from `fromOffset` to `nextOffset`. */
export interface Advance extends PartitionFacts {
  readonly topic: string
  readonly partition: number
  /** The next offset so far; 0 for a partition that is not known yet. */
  readonly fromOffset: number
  readonly nextOffset: number
  /** How many offsets of the step are stored, wherever. */
  readonly records: number
  /** Ascending, not overlapping. */
  readonly gaps: readonly Gap[]
  /** Rises when offsets start anew (a topic made again); the position is then forgotten. 0 unless told. */
  readonly incarnation?: number
  /** Not a step: the offsets lie before the next one and counted as stored, and those of `gaps` are not. */
  readonly isRevision?: boolean
}

export interface DecodedDelta {
  readonly clusterId: string
  readonly advances: readonly DecodedAdvance[]
}

export interface DecodedAdvance extends Advance {
  readonly incarnation: number
}

export interface LedgerKey {
  readonly clusterId: string
  readonly topic: string
  readonly partition: number
}

/** What a snapshot holds about one partition. */
export interface LedgerRow extends LedgerKey, PartitionFacts {
  readonly incarnation: number
  readonly nextOffset: number
  /** Offsets below `nextOffset` that are stored. */
  readonly records: number
  /** Offsets below `nextOffset` that are not, by class; complete also where `gaps` is not. */
  readonly gapOffsets: ReadonlyMap<GapClass, number>
  /** In memory: all that are a loss, and the newest benign ones. */
  readonly gaps: readonly Gap[]
  /** Older ones; `undefined`: none. */
  readonly spilled?: SpilledGaps | undefined
  /** How many ranges nobody lists any more: releases before there were files for them, and repairs, have dropped them. */
  readonly gapRangesForgotten: number
}

/** @throws {LedgerError} `ERR_LEDGER_CONTIGUITY` when an advance does not add up */
export function encodeDelta(clusterId: string, advances: readonly Advance[]): Uint8Array {
  const out = new LedgerWriter(DELTA_KIND)
  out.text(clusterId)
  out.number(advances.length)
  for (const advance of advances) {
    checkAdvance(advance)
    out.text(advance.topic)
    out.number(advance.partition)
    out.facts(advance)
    out.number(advance.incarnation ?? 0)
    out.number(advance.fromOffset)
    out.number(advance.nextOffset - advance.fromOffset)
    out.number(advance.records)
    out.gaps(advance.gaps)
  }
  return out.finish()
}

/** @throws {LedgerError} */
export function decodeDelta(bytes: Uint8Array): DecodedDelta {
  const source = new LedgerReader(bytes, DELTA_KIND)
  const clusterId = source.text()
  const advances: DecodedAdvance[] = []
  const seen = new Set<string>()
  for (let left = source.number(); left > 0; left--) {
    const topic = source.text()
    const partition = source.number()
    const { isRevision, spilled, ...facts } = source.facts()
    if (spilled !== undefined)
      throw new LedgerError('ERR_LEDGER_FORMAT', `a delta has spilled gaps of ${topic}/${partition}`)
    const incarnation = source.number()
    const fromOffset = source.number()
    const nextOffset = fromOffset + source.number()
    const records = source.number()
    const gaps = source.gaps()
    const range = { fromOffset, nextOffset, records, gaps }
    const advance = { topic, partition, ...facts, incarnation, ...range, ...(isRevision && { isRevision }) }
    checkAdvance(advance)
    const name = `${topic}/${partition}`
    if (seen.has(name)) throw contiguity(advance, 'is named twice in one delta')
    seen.add(name)
    advances.push(advance)
  }
  source.end()
  return { clusterId, advances }
}

export function encodeSnapshot(rows: readonly LedgerRow[]): Uint8Array {
  const out = new LedgerWriter(SNAPSHOT_KIND)
  out.number(rows.length)
  for (const row of rows) {
    out.text(row.clusterId)
    out.text(row.topic)
    out.number(row.partition)
    out.facts(row)
    out.number(row.incarnation)
    out.number(row.nextOffset)
    out.number(row.records)
    out.number(row.gapOffsets.size)
    for (const [gapClass, offsets] of row.gapOffsets) {
      out.byte(CLASS_CODES[gapClass])
      out.number(offsets)
    }
    out.number(row.gapRangesForgotten)
    out.gaps(row.gaps)
  }
  return out.finish()
}

/** @throws {LedgerError} */
export function decodeSnapshot(bytes: Uint8Array): LedgerRow[] {
  const source = new LedgerReader(bytes, SNAPSHOT_KIND)
  const rows: LedgerRow[] = []
  for (let left = source.number(); left > 0; left--) {
    const clusterId = source.text()
    const topic = source.text()
    const partition = source.number()
    const { isRevision, ...facts } = source.facts()
    if (isRevision)
      throw new LedgerError('ERR_LEDGER_FORMAT', `a snapshot has a revision of ${topic}/${partition}`)
    const incarnation = source.number()
    const nextOffset = source.number()
    const records = source.number()
    const offsetsByClass = new Map<GapClass, number>()
    let missing = 0
    for (let classes = source.number(); classes > 0; classes--) {
      const gapClass = source.gapClass()
      const offsets = source.number()
      if (offsetsByClass.has(gapClass)) {
        throw new LedgerError('ERR_LEDGER_FORMAT', `${topic}/${partition} names a class of gaps twice`)
      }
      offsetsByClass.set(gapClass, offsets)
      missing += offsets
    }
    const gapRangesForgotten = source.number()
    const gaps = source.gaps()
    if (records + missing !== nextOffset) {
      throw new LedgerError(
        'ERR_LEDGER_CONTIGUITY',
        `${topic}/${partition}: ${records} records and ${missing} missing offsets do not make ${nextOffset}`,
      )
    }
    rows.push({
      clusterId,
      topic,
      partition,
      ...facts,
      incarnation,
      nextOffset,
      records,
      gapOffsets: offsetsByClass,
      gaps,
      gapRangesForgotten,
    })
  }
  source.end()
  return rows
}

function checkAdvance(advance: Advance): void {
  const { fromOffset, nextOffset, records, gaps } = advance
  let position = fromOffset
  for (const gap of gaps) {
    if (gap.fromOffset < position || gap.nextOffset <= gap.fromOffset) {
      throw contiguity(advance, 'has gaps that overlap, or are empty or out of order')
    }
    position = gap.nextOffset
  }
  if (position > nextOffset) throw contiguity(advance, 'has a gap beyond its end')
  if (records + gapOffsets(gaps) !== nextOffset - fromOffset) {
    throw contiguity(advance, `does not account for every offset with ${records} records and its gaps`)
  }
}

function contiguity(advance: Advance, why: string): LedgerError {
  const { topic, partition, fromOffset, nextOffset } = advance
  return new LedgerError(
    'ERR_LEDGER_CONTIGUITY',
    `the step of ${topic}/${partition} from ${fromOffset} to ${nextOffset} ${why}`,
  )
}
