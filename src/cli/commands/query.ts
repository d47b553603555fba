import {
  isTakenAway,
  type BatchOptions,
  type EntryInfo,
  type RecordReader,
  type StoredRecord,
} from '../../storage/index.ts'
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

/** Batches of all entries together, each of which holds several. */
const BATCHES_BYTES = 8 * 1024 * 1024
const BATCH_BYTES_MAX = 1024 * 1024
/** Of more entries at once contents are read one by one. */
const READ_ALONG_MAX = 64

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
    const entries = selectEntries(await reader.entries({ attachments: true }), pattern)
    let count = 0
    if (limit === 0) return
    // Where few records are wanted, the contents of the others are not read.
    const contents = options.payload === true && filter.length === 0 && limit === Infinity
    for await (const batch of batchesOf(reader, entries, { ...range, contents })) {
      for (const record of batch) {
        if (isTakenAway(record) || !matchesLabels(record.labels, filter)) continue
        await show(record, options, context)
        count += 1
        if (count === limit) return
      }
      // The contents of a batch are gone with the next one.
      if (contents) await context.stdout.flush()
    }
  })
}

/** Entries that end before the range or begin after it are not opened. */
function batchesOf(
  reader: RecordReader,
  entries: readonly EntryInfo[],
  range: BatchOptions,
): AsyncIterable<readonly StoredRecord[]> {
  const { startUs = 0n, stopUs } = range
  const within = entries.filter(
    ({ oldestUs, latestUs }) =>
      (latestUs === undefined || latestUs >= startUs) &&
      (stopUs === undefined || oldestUs === undefined || oldestUs < stopUs),
  )
  const contents = range.contents === true && within.length <= READ_ALONG_MAX
  const batchBytes = Math.min(BATCH_BYTES_MAX, Math.floor(BATCHES_BYTES / within.length))
  return mergeByTime(within.map((name) => reader.batches(name, { ...range, contents, batchBytes })))
}

async function show(
  record: StoredRecord,
  { json, payload }: QueryOptions,
  { stdout }: Context,
): Promise<void> {
  if (json === true)
    await stdout.line(recordToJson(record, payload === true ? await contentOf(record) : undefined))
  else if (payload === true) await stdout.write(await contentOf(record))
  else await stdout.line(recordLine(record))
}

async function contentOf(record: StoredRecord): Promise<Uint8Array> {
  return record.content ?? (await record.read())
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
