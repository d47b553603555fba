import { runLength } from '../../base/runs.ts'
import { loadGaps, NO_GAPS, type DamagedGaps, type GapDisk, type RowGaps } from '../../ledger/gap-files.ts'
import type { LedgerRow } from '../../ledger/ledger-codec.ts'
import { compareWithRecords, type Offsets } from '../../ledger/reconcile.ts'
import type { Finding, Note } from '../../storage/index.ts'
import { firstRanges, offsetsAre, placeText } from './offset-text.ts'
import { PartitionOffsets, type OffsetPlace } from './stored-offsets.ts'

/** A finding about offsets of a partition. */
interface LedgerFinding extends Finding {
  readonly topic: string
  readonly partition: number
  /** How many. */
  readonly offsets: number
  /** The first of them, `[from, next)`. */
  readonly ranges: readonly (readonly [fromOffset: number, nextOffset: number])[]
  /** Some of their records, where they are there. */
  readonly places: readonly OffsetPlace[]
}

/** Memory for the gap ranges of one partition, as they lie in its file. */
export const GAP_BYTES_MAX = 64 * 1024 * 1024
export const TOO_MANY_GAPS = 'it has too many gap ranges'

export interface LedgerVerdict {
  readonly findings: readonly LedgerFinding[]
  readonly notes: readonly Note[]
}

export interface LedgerCheckOptions {
  readonly dataPath: string
  readonly disk: GapDisk
  /** Records may have been removed, evicted or moved: then what is missing proves nothing. */
  readonly hasRemovals: boolean
}

/**
 * Holds the ledger against the records that are there. A record that the ledger does not have, and one that is there
 * twice, is always a finding. One that the ledger has and that is missing is one only while nothing was ever removed from
 * the store: what a removal takes leaves no trace of its own.
 */
export async function checkLedger(
  rows: readonly LedgerRow[],
  stored: readonly PartitionOffsets[],
  options: LedgerCheckOptions,
): Promise<LedgerVerdict> {
  const findings: LedgerFinding[] = []
  const notes: Note[] = []
  const rowsByName = new Map<string, LedgerRow[]>()
  for (const row of rows) rowsByName.set(nameOf(row), [...(rowsByName.get(nameOf(row)) ?? []), row])
  const byName = new Map(stored.map((offsets) => [nameOf(offsets), offsets]))
  for (const [name, ofName] of rowsByName) {
    const [row] = ofName as [LedgerRow, ...LedgerRow[]]
    const offsets = byName.get(name) ?? new PartitionOffsets(row.topic, row.partition)
    const check = new PartitionCheck(offsets, options, findings, notes)
    const obstacle = obstacleOf(ofName, offsets)
    if (offsets.isGivenUp) check.note(`not held against the ledger: ${obstacle}`)
    else if (obstacle !== undefined) check.note(`only offsets without any record are looked for: ${obstacle}`)
    for (const one of ofName) {
      const gaps = await loadGaps(one, options.disk, GAP_BYTES_MAX)
      if (gaps === undefined) check.note(`not held against the ledger: ${TOO_MANY_GAPS}`)
      if (gaps?.damaged !== undefined) check.cannotRead(gaps.damaged)
      if (gaps === undefined || offsets.isGivenUp) continue
      if (obstacle === undefined) check.holdAgainst(row, gaps)
      else check.holdAgainstAny(one, gaps)
    }
    if (obstacle !== undefined && !offsets.isGivenUp) check.areBehindAll(ofName)
  }
  for (const [name, offsets] of byName) {
    const check = new PartitionCheck(offsets, options, findings, notes)
    const ofName = rowsByName.get(name) ?? []
    if (offsets.isGivenUp || obstacleOf(ofName, offsets) === undefined) check.findDuplicates()
    if (ofName.length === 0) check.isUnknown()
  }
  return { findings, notes }
}

/** Why records of a partition do not prove what its row should be. */
export function obstacleOf(
  rows: readonly LedgerRow[],
  { isGivenUp }: Pick<PartitionOffsets, 'isGivenUp'>,
): string | undefined {
  if (isGivenUp) return 'its offsets are too scattered over entries'
  if (rows.length > 1) return 'records do not say of which cluster they are, and the ledger has several'
  if (rows.some(({ incarnation }) => incarnation > 0))
    return 'its offsets began anew, and records do not say which they are'
  return undefined
}

class PartitionCheck {
  readonly #offsets: PartitionOffsets
  readonly #options: LedgerCheckOptions
  readonly #path: string
  readonly #findings: LedgerFinding[]
  readonly #notes: Note[]

  constructor(
    offsets: PartitionOffsets,
    options: LedgerCheckOptions,
    findings: LedgerFinding[],
    notes: Note[],
  ) {
    const [entry = '.sediment/checkpoint'] = offsets.entries
    this.#path = `${options.dataPath}/${entry}`
    this.#offsets = offsets
    this.#options = options
    this.#findings = findings
    this.#notes = notes
  }

  holdAgainst(row: LedgerRow, gaps: RowGaps): void {
    const { missing, missingOffsets, unlistedOffsets, inGaps, inUnknownGaps } = compareWithRecords(
      row,
      gaps,
      this.#offsets,
    )
    const lost = missingOffsets - unlistedOffsets
    if (lost > 0) this.#areMissing(missing, missingOffsets, unlistedOffsets)
    this.#areBeyond(row)
    this.#damaged(inGaps, 'there, but the ledger says why there is nothing')
    if (lost < 0) this.#damaged(missing, `not there, but ${unlistedOffsets} should be by the ledger's gaps`)
    const surprising = runLength(inUnknownGaps.runs())
    if (surprising > 0)
      this.note(
        `${offsetsAre(surprising, firstRanges(inUnknownGaps.runs()))} there, though unknown to the ledger`,
      )
  }

  /**
   * Where a record does not say of which row, or of which incarnation, it is: what none of all records has is missing for
   * each row that counts it.
   */
  holdAgainstAny(row: LedgerRow, gaps: RowGaps): void {
    const { missing, missingOffsets, unlistedOffsets } = compareWithRecords(row, gaps, this.#offsets)
    if (missingOffsets > unlistedOffsets) this.#areMissing(missing, missingOffsets, unlistedOffsets)
  }

  /** Then what all rows end before is too much. */
  areBehindAll(rows: readonly LedgerRow[]): void {
    // An earlier incarnation may have come further.
    if (rows.some(({ incarnation }) => incarnation > 0)) return
    this.#areBeyond(rows.reduce((one, other) => (other.nextOffset > one.nextOffset ? other : one)))
  }

  cannotRead({ path, message }: DamagedGaps): void {
    const { topic, partition } = this.#offsets
    this.#findings.push({
      severity: 'damaged',
      path,
      message: `${nameOf(this.#offsets)}: ${message}`,
      topic,
      partition,
      offsets: 0,
      ranges: [],
      places: [],
    })
  }

  findDuplicates(): void {
    const { duplicates, duplicatePlaces } = this.#offsets
    if (duplicates === 0) return
    const [first] = duplicatePlaces
    const words = duplicates === 1 ? 'one record is' : `${duplicates} records are`
    this.#find(
      `${words} stored again: ${duplicatePlaces.map(placeText).join(', ')}${duplicates > duplicatePlaces.length ? ', …' : ''}; ` +
        `see all of one with: sediment query ${first?.bucket} --label offset=${first?.offset}`,
      duplicates,
      duplicatePlaces.map(({ offset }) => [offset, offset + 1]),
      duplicatePlaces,
    )
  }

  isUnknown(): void {
    const { last } = this.#offsets
    if (this.#options.hasRemovals)
      this.note('has records, but the ledger has no such partition: renamed, or not in it any more')
    else
      this.#damaged(
        this.#offsets,
        'there, but the ledger has no such partition: a start would store the like again',
        last === undefined ? [] : [last],
      )
  }

  note(words: string): void {
    this.#notes.push({ path: this.#path, message: `${nameOf(this.#offsets)}: ${words}` })
  }

  #areBeyond(row: LedgerRow): void {
    const { last } = this.#offsets
    this.#damaged(
      compareWithRecords(row, NO_GAPS, this.#offsets).beyond,
      `there, but the ledger ends at ${row.nextOffset}: a start would store the like again`,
      last === undefined ? [] : [last],
    )
  }

  #areMissing(missing: Offsets, missingOffsets: number, unlistedOffsets: number): void {
    const among =
      unlistedOffsets === 0 ? '' : `, ${unlistedOffsets} of them gaps that the ledger only counts any more`
    if (this.#options.hasRemovals)
      this.note(
        `${offsetsAre(missingOffsets, firstRanges(missing.runs()))} not there${among}: ` +
          'removed, evicted or moved, or lost; what removals take leaves nothing to tell it from loss',
      )
    else
      this.#damaged(missing, `acknowledged and not there${among}; nothing was ever removed from this store`)
  }

  #damaged(offsets: Offsets, words: string, places: readonly OffsetPlace[] = []): void {
    const count = runLength(offsets.runs())
    if (count === 0) return
    const ranges = firstRanges(offsets.runs())
    const at = places.length === 0 ? '' : `; ${places.map(placeText).join(', ')}`
    this.#find(`${offsetsAre(count, ranges)} ${words}${at}`, count, ranges, places)
  }

  #find(
    words: string,
    offsets: number,
    ranges: LedgerFinding['ranges'],
    places: readonly OffsetPlace[],
  ): void {
    const { topic, partition } = this.#offsets
    const message = `${nameOf(this.#offsets)}: ${words}`
    this.#findings.push({
      severity: 'damaged',
      path: this.#path,
      message,
      topic,
      partition,
      offsets,
      ranges,
      places,
    })
  }
}

function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`
}
