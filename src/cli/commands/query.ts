import type { EntryInfo, RecordReader, StoredRecord, TimeRange } from '../../storage/index.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { selectEntries } from '../entry-pattern.ts'
import { labelObject, matchesLabels, parseLabelFilter } from '../labels.ts'
import { mergeByTime } from '../merge-by-time.ts'
import { withReader } from '../open-store.ts'
import { formatBytes } from '../quantities.ts'
import { recordToJson } from '../record-json.ts'
import { formatTimeUs, parseRange } from '../time-argument.ts'
import { UsageError } from '../usage-error.ts'

export interface QueryOptions extends ConfigurationOptions {
  readonly start?: string
  readonly stop?: string
  readonly label?: readonly string[]
  readonly limit?: string
  readonly json?: boolean
  readonly payload?: boolean
}

/** Writes the records of one or more entries by time: a line each, JSON a line, or their contents alone. */
export async function query(pattern: string, options: QueryOptions, context: Context): Promise<void> {
  const range = parseRange(options, context.nowUs())
  const filter = parseLabelFilter(options.label ?? [])
  const limit = parseLimit(options.limit)
  await withReader(dataPathOf(options, context), async (reader) => {
    const entries = selectEntries(await reader.entries(), pattern)
    let count = 0
    if (limit === 0) return
    for await (const record of recordsOf(reader, entries, range)) {
      if (!matchesLabels(record.labels, filter)) continue
      await show(record, options, context)
      count += 1
      if (count === limit) break
    }
  })
}

/** Entries that end before the range or begin after it are not opened. */
function recordsOf(
  reader: RecordReader,
  entries: readonly EntryInfo[],
  range: TimeRange,
): AsyncIterable<StoredRecord> {
  const { startUs = 0n, stopUs } = range
  const within = entries.filter(
    ({ oldestUs, latestUs }) =>
      (latestUs === undefined || latestUs >= startUs) &&
      (stopUs === undefined || oldestUs === undefined || oldestUs < stopUs),
  )
  return mergeByTime(within.map((name) => reader.records(name, range)))
}

async function show(
  record: StoredRecord,
  { json, payload }: QueryOptions,
  { stdout }: Context,
): Promise<void> {
  if (json === true)
    await stdout.line(recordToJson(record, payload === true ? await record.read() : undefined))
  else if (payload === true) await stdout.write(await record.read())
  else await stdout.line(recordLine(record))
}

function recordLine({ timestampUs, bucket, entry, contentBytes, contentType, labels }: StoredRecord): string {
  const pairs = Object.entries(labelObject(labels)).map(([name, value]) => `${name}=${value}`)
  const place = `${formatTimeUs(timestampUs)}  ${bucket}/${entry}`
  return `${place}  ${formatBytes(contentBytes)}  ${contentType}  ${pairs.join(' ')}`
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return Infinity
  if (!/^\d{1,15}$/.test(text))
    throw new UsageError(`not a limit: ${JSON.stringify(text)}; write --limit 100`)
  return Number(text)
}
