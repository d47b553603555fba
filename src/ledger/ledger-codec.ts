import { type Gap, type GapClass, gapOffsets } from './gap.ts'
import { LedgerError } from './ledger-error.ts'

/*
 * Ledger bytes. No checksum: the frame or checkpoint around them has one. `v` is a LEB128 varint of up to 53
 * bits, `s` a varint length and so many bytes of UTF-8.
 *
 *   delta:     u8 0x44 'D' | u8 version | s cluster id | v partitions, each:
 *                s topic | v partition | v flags | v incarnation | v from | v next - from | v records | gaps
 *   snapshot:  u8 0x53 'S' | u8 version | v partitions, each:
 *                s cluster id | s topic | v partition | v flags | v incarnation | v next | v records
 *                | v classes, each: u8 class, v offsets | v gap ranges forgotten | gaps
 *   gaps:      v count, each: u8 class | [s store id, class elsewhere only] | v from - previous next | v length
 *              (the first `from` counts from 0; ascending, not overlapping)
 *
 * Flags announce further fields (topic id, leader epoch). None is defined yet: a set bit is a newer release's.
 */
const DELTA_KIND = 0x44
const SNAPSHOT_KIND = 0x53
const VERSION = 1

/** Values are on disk: append, never renumber. */
const CLASS_CODES: Readonly<Record<GapClass, number>> = {
  'before-start': 1,
  elsewhere: 2,
  control: 3,
  aborted: 4,
  compacted: 5,
  deleted: 6,
  filtered: 7,
  quarantined: 8,
  unknown: 9,
}
const CLASSES = new Map(Object.entries(CLASS_CODES).map(([name, code]) => [code, name as GapClass]))

/** One step of a partition: `records` stored and `gaps` together are every offset from `fromOffset` to `nextOffset`. */
export interface Advance {
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
}

export interface DecodedDelta {
  readonly clusterId: string
  readonly advances: readonly Required<Advance>[]
}

/** What a snapshot holds about one partition. */
export interface LedgerRow {
  readonly clusterId: string
  readonly topic: string
  readonly partition: number
  readonly incarnation: number
  readonly nextOffset: number
  /** Offsets below `nextOffset` that are stored. */
  readonly records: number
  /** Offsets below `nextOffset` that are not, by class; complete also where `gaps` is not. */
  readonly gapOffsets: ReadonlyMap<GapClass, number>
  readonly gaps: readonly Gap[]
  /** How many benign ranges `gaps` no longer lists. */
  readonly gapRangesForgotten: number
}

/** @throws {LedgerError} `ERR_LEDGER_CONTIGUITY` when an advance does not add up */
export function encodeDelta(clusterId: string, advances: readonly Advance[]): Uint8Array {
  const out = new Writer(DELTA_KIND)
  out.text(clusterId)
  out.number(advances.length)
  for (const advance of advances) {
    checkAdvance(advance)
    out.text(advance.topic)
    out.number(advance.partition)
    out.number(0)
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
  const source = new Reader(bytes, DELTA_KIND)
  const clusterId = source.text()
  const advances: Required<Advance>[] = []
  const seen = new Set<string>()
  for (let left = source.number(); left > 0; left--) {
    const topic = source.text()
    const partition = source.number()
    source.flags()
    const incarnation = source.number()
    const fromOffset = source.number()
    const nextOffset = fromOffset + source.number()
    const records = source.number()
    const advance = { topic, partition, incarnation, fromOffset, nextOffset, records, gaps: source.gaps() }
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
  const out = new Writer(SNAPSHOT_KIND)
  out.number(rows.length)
  for (const row of rows) {
    out.text(row.clusterId)
    out.text(row.topic)
    out.number(row.partition)
    out.number(0)
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
  const source = new Reader(bytes, SNAPSHOT_KIND)
  const rows: LedgerRow[] = []
  for (let left = source.number(); left > 0; left--) {
    const clusterId = source.text()
    const topic = source.text()
    const partition = source.number()
    source.flags()
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

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

class Writer {
  #bytes = new Uint8Array(256)
  #length = 0

  constructor(kind: number) {
    this.byte(kind)
    this.byte(VERSION)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new LedgerError('ERR_LEDGER_FORMAT', `${value} is no number the ledger can hold`)
    }
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  text(value: string): void {
    const bytes = encoder.encode(value)
    this.number(bytes.length)
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  gaps(gaps: readonly Gap[]): void {
    this.number(gaps.length)
    let position = 0
    for (const gap of gaps) {
      this.byte(CLASS_CODES[gap.class])
      if (gap.class === 'elsewhere') this.text(gap.storeId ?? '')
      this.number(gap.fromOffset - position)
      this.number(gap.nextOffset - gap.fromOffset)
      position = gap.nextOffset
    }
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array, kind: number) {
    this.#bytes = bytes
    if (this.byte() !== kind) throw this.#broken('not the kind of ledger bytes expected')
    const version = this.byte()
    if (version !== VERSION) throw this.#broken(`version ${version} is not known here`)
  }

  byte(): number {
    const value = this.#bytes[this.#at]
    if (value === undefined) throw this.#broken('ends too early')
    this.#at += 1
    return value
  }

  number(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break
        return value
      }
      scale *= 0x80
    }
    throw this.#broken('a number is too large')
  }

  text(): string {
    const length = this.number()
    if (this.#at + length > this.#bytes.length) throw this.#broken('ends too early')
    const bytes = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    try {
      return decoder.decode(bytes)
    } catch {
      throw this.#broken('a name is not UTF-8')
    }
  }

  flags(): void {
    const flags = this.number()
    if (flags !== 0) throw this.#broken(`flags ${flags} are not known here`)
  }

  gapClass(): GapClass {
    const code = this.byte()
    const gapClass = CLASSES.get(code)
    if (gapClass === undefined) throw this.#broken(`gap class ${code} is not known here`)
    return gapClass
  }

  gaps(): Gap[] {
    const gaps: Gap[] = []
    let position = 0
    for (let left = this.number(); left > 0; left--) {
      const gapClass = this.gapClass()
      const storeId = gapClass === 'elsewhere' ? this.text() : undefined
      const fromOffset = position + this.number()
      const nextOffset = fromOffset + this.number()
      if (nextOffset <= fromOffset || !Number.isSafeInteger(nextOffset)) throw this.#broken('an empty gap')
      gaps.push({ class: gapClass, fromOffset, nextOffset, ...(storeId !== undefined && { storeId }) })
      position = nextOffset
    }
    return gaps
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw this.#broken('has bytes beyond its end')
  }

  #broken(why: string): LedgerError {
    return new LedgerError('ERR_LEDGER_FORMAT', `ledger bytes cannot be read: ${why} (at byte ${this.#at})`)
  }
}
