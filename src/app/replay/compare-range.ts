import type { SourceRecord, TopicPartition } from '../../kafka/source.ts'
import { gapOffsets, type Gap, type GapClass } from '../../ledger/gap.ts'
import type { LedgerRow } from '../../ledger/ledger-codec.ts'
import { QUARANTINE_BUCKET } from '../../mapping/entry-template.ts'
import { unmapRecord } from '../../mapping/unmap.ts'
import { readQuarantined } from '../../sink/quarantine.ts'
import { StorageError, type EntryName, type RecordReader, type StoredRecord } from '../../storage/index.ts'
import { GapCursor } from './gap-cursor.ts'
import { OffsetIndex } from './offset-index.ts'
import { RecordCursor } from './record-cursor.ts'

/** Offsets that one index holds; a longer range is compared in parts. */
const WINDOW_OFFSETS = 4 * 1024 * 1024
/** Offsets that are named of each kind. */
const NAMED_MAX = 8

/** What of a range is the same in Kafka and in the store. */
export interface RangeReport extends TopicPartition {
  readonly fromOffset: number
  readonly toOffset: number
  /** Messages of Kafka that are stored byte for byte: key, value, headers, time. */
  equal: number
  /** Of those, in quarantine. */
  quarantined: number
  different: number
  /** Messages of Kafka that the ledger calls stored, and that are not. */
  missing: number
  /** Messages of Kafka that are not stored, and why. */
  readonly inGaps: Partial<Record<GapClass, number>>
  /** Messages of Kafka behind the next offset. */
  notYet: number
  /** Stored, and none of Kafka's at their offset: compacted, aborted or deleted since. */
  onlyInStore: number
  /** Stored, and older than what Kafka holds. */
  expiredInKafka: number
  /** Stored more than once. */
  duplicates: number
  /** The first ones, each with what about it. */
  readonly differentOffsets: { readonly offset: number; readonly what: string }[]
  readonly missingOffsets: number[]
  readonly onlyInStoreOffsets: number[]
}

export interface CompareOptions {
  readonly reader: RecordReader
  readonly row: LedgerRow
  /** All gaps of the row, ascending, in pieces. */
  readonly gaps: AsyncIterable<readonly Gap[]>
  readonly fromOffset: number
  readonly toOffset: number
  /** What Kafka holds. */
  readonly lowWatermark: number
  readonly read: (fromOffset: number, toOffset: number) => AsyncIterable<Piece>
  /** Hears of each message that is missing. */
  readonly onMissing?: (record: SourceRecord) => Promise<void>
  readonly onProgress?: (offset: number, report: RangeReport) => void
}

interface Piece {
  readonly records: readonly SourceRecord[]
  readonly nextOffset: number
}

/** Holds every message that Kafka has of a range against the store. Nothing is changed. */
export async function compareRange(options: CompareOptions): Promise<RangeReport> {
  const { row, fromOffset, toOffset } = options
  const report: RangeReport = {
    topic: row.topic,
    partition: row.partition,
    fromOffset,
    toOffset,
    equal: 0,
    quarantined: 0,
    different: 0,
    missing: 0,
    inGaps: {},
    notYet: 0,
    onlyInStore: 0,
    expiredInKafka: 0,
    duplicates: 0,
    differentOffsets: [],
    missingOffsets: [],
    onlyInStoreOffsets: [],
  }
  const gaps = new GapCursor(options.gaps)
  try {
    for (let from = fromOffset; from < toOffset; from += WINDOW_OFFSETS)
      await compareWindow(options, gaps, report, from, Math.min(from + WINDOW_OFFSETS, toOffset))
  } finally {
    await gaps.close()
  }
  return report
}

/** How many messages the ledger counts as filtered without knowing any more which. @param gaps that can be read */
export async function unlistedFiltered(row: LedgerRow, gaps: AsyncIterable<readonly Gap[]>): Promise<number> {
  let unlisted = row.gapOffsets.get('filtered') ?? 0
  for await (const piece of gaps) unlisted -= gapOffsets(piece.filter((gap) => gap.class === 'filtered'))
  return unlisted
}

async function compareWindow(
  { reader, row, lowWatermark, read, onMissing, onProgress }: CompareOptions,
  gaps: GapCursor,
  report: RangeReport,
  fromOffset: number,
  toOffset: number,
): Promise<void> {
  const index = new OffsetIndex(fromOffset, toOffset)
  await index.fill(reader, row)
  report.duplicates += index.duplicates
  const cursors = new Map<EntryName, RecordCursor>()
  const find = (name: EntryName, timestampUs: bigint): Promise<StoredRecord | undefined> => {
    const cursor = cursors.get(name) ?? new RecordCursor(reader, name)
    cursors.set(name, cursor)
    return cursor.get(timestampUs)
  }
  for await (const { records, nextOffset } of read(Math.max(fromOffset, lowWatermark), toOffset)) {
    for (const record of records) {
      const { offset } = record
      if (offset >= toOffset) break
      const stored = index.take(offset)
      if (stored !== undefined) {
        const what = await difference(find, stored.name, stored.timestampUs, record)
        if (what === undefined) report.equal += 1
        else note(report, { offset, what })
        if (what === undefined && stored.name.bucket === QUARANTINE_BUCKET) report.quarantined += 1
        continue
      }
      const gap = await gaps.find(offset)
      if (gap !== undefined) report.inGaps[gap.class] = (report.inGaps[gap.class] ?? 0) + 1
      else if (offset >= row.nextOffset) report.notYet += 1
      else {
        report.missing += 1
        if (report.missingOffsets.length < NAMED_MAX) report.missingOffsets.push(offset)
        await onMissing?.(record)
      }
    }
    onProgress?.(Math.min(nextOffset, toOffset), report)
  }
  for (const cursor of cursors.values()) await cursor.close()
  for (const offset of index.unseen()) {
    if (offset < lowWatermark) report.expiredInKafka += 1
    else {
      report.onlyInStore += 1
      if (report.onlyInStoreOffsets.length < NAMED_MAX) report.onlyInStoreOffsets.push(offset)
    }
  }
}

function note(report: RangeReport, different: RangeReport['differentOffsets'][number]): void {
  report.different += 1
  if (report.differentOffsets.length < NAMED_MAX) report.differentOffsets.push(different)
}

/** What is not the same, for people; `undefined`: nothing. */
async function difference(
  find: (name: EntryName, timestampUs: bigint) => Promise<StoredRecord | undefined>,
  name: EntryName,
  timestampUs: bigint,
  expected: SourceRecord,
): Promise<string | undefined> {
  let found: Pick<SourceRecord, 'key' | 'value' | 'headers' | 'timestampMs'> | undefined
  try {
    const stored = await find(name, timestampUs)
    if (stored === undefined) return 'removed meanwhile'
    const content = await stored.read()
    found =
      name.bucket === QUARANTINE_BUCKET
        ? readQuarantined(stored.labels, content)?.record
        : unmapRecord({ entry: name.entry, timestampUs, labels: stored.labels, content })
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return error.message
  }
  if (found === undefined) return 'its labels do not say what it was'
  const parts = [
    ...(isSame(found.key, expected.key) ? [] : ['key']),
    ...(isSame(found.value, expected.value) ? [] : ['value']),
    ...(areSame(found.headers, expected.headers) ? [] : ['headers']),
    ...(found.timestampMs === expected.timestampMs ? [] : ['time']),
  ]
  return parts.length === 0 ? undefined : `other ${parts.join(', ')}`
}

function areSame(found: SourceRecord['headers'], expected: SourceRecord['headers']): boolean {
  return (
    found.length === expected.length &&
    expected.every(
      ({ name, value }, index) => isSame(found[index]!.name, name) && isSame(found[index]!.value, value),
    )
  )
}

function isSame(found: Uint8Array | null, expected: Uint8Array | null): boolean {
  return found === null || expected === null ? found === expected : Buffer.compare(found, expected) === 0
}
