import { createReadStream } from 'node:fs'
import {
  attachmentKey,
  attachmentsOf,
  isTakenAway,
  type EntryName,
  type RecordReader,
  type StoredRecord,
} from '../../storage/index.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { withReader, withStore } from '../open-store.ts'
import { formatBytes } from '../quantities.ts'
import { formatTable } from '../table.ts'
import { formatTimeUs } from '../time-argument.ts'
import { UsageError } from '../usage-error.ts'

/** They describe an entry; what is larger is data. Held in memory while it is written. */
const ATTACHMENT_BYTES_MAX = 64 * 1024 * 1024

export interface AttachmentSetOptions extends ConfigurationOptions {
  readonly type: string
}

export interface AttachmentLsOptions extends ConfigurationOptions {
  readonly json?: boolean
}

export interface AttachmentRemovalOptions extends ConfigurationOptions {
  readonly yes?: boolean
}

/** Stores a file, or standard input, under a key of an entry or bucket; what had the key before is removed. */
export async function attachmentSet(
  place: string,
  key: string,
  file: string | undefined,
  { type, ...options }: AttachmentSetOptions,
  context: Context,
): Promise<void> {
  const target = parsePlace(place)
  if (key === '') throw new UsageError('an attachment needs a key that is not empty')
  const content = await contentOf(file, context)
  await withStore(dataPathOf(options, context), async (storage) => {
    await requirePlace(storage, target, place)
    const latestUs = (await attachmentsInfo(storage, target))?.latestUs
    const nowUs = context.nowUs()
    const timestampUs = latestUs === undefined ? nowUs : Math.max(nowUs, Number(latestUs) + 1)
    const begin = { target, timestampUs, labels: ['key', key], contentType: type }
    const writer = await storage.beginRecord({ ...begin, contentBytes: content.byteLength })
    await writer.write(content)
    await writer.finish()
  })
  context.note(`${place} has ${key}: ${formatBytes(content.byteLength)}, ${type}`)
}

/** Lists the attachments of an entry or bucket by key: a table, or one JSON object a line. */
export async function attachmentLs(
  place: string,
  options: AttachmentLsOptions,
  context: Context,
): Promise<void> {
  const target = parsePlace(place)
  await withReader(dataPathOf(options, context), async (reader) => {
    await requirePlace(reader, target, place)
    const shown = [...(await byKey(reader, target))].sort(([a], [b]) => (a < b ? -1 : 1))
    if (options.json === true) for (const [key, record] of shown) await context.stdout.line(json(key, record))
    else if (shown.length === 0) context.note(`${place} has no attachments`)
    else await context.stdout.lines(table(shown))
  })
}

/** Writes the content that has this key, nothing added. */
export async function attachmentCat(
  place: string,
  key: string,
  options: ConfigurationOptions,
  context: Context,
): Promise<void> {
  const target = parsePlace(place)
  await withReader(dataPathOf(options, context), async (reader) => {
    await requirePlace(reader, target, place)
    const shown = await byKey(reader, target)
    const content = await (shown.get(key) ?? noSuch(place, key, [...shown.keys()])).open()
    try {
      for await (const chunk of content.chunks()) await context.stdout.write(chunk)
    } finally {
      content.close()
    }
  })
}

/** Removes everything that has this key, also what was taken away, or whose upload has failed. @returns the exit code */
export async function attachmentRm(
  place: string,
  key: string,
  { yes, ...options }: AttachmentRemovalOptions,
  context: Context,
): Promise<number> {
  const target = parsePlace(place)
  return withStore(dataPathOf(options, context), async (storage) => {
    await requirePlace(storage, target, place)
    const stored = new Set<string>()
    for await (const { labels } of storage.records(target, { anyState: true })) {
      const found = attachmentKey(labels)
      if (found !== undefined) stored.add(found)
    }
    if (!stored.has(key)) noSuch(place, key, [...stored])
    if (yes !== true) {
      context.note(
        `attachment ${key} of ${place} would go for good; nothing was changed, add --yes to remove it`,
      )
      return exitCodes.usage
    }
    await storage.removeRange(target, { where: ({ labels }) => attachmentKey(labels) === key })
    context.note(`attachment ${key} of ${place} is removed`)
    return exitCodes.ok
  })
}

/** @returns the entry with the attachments @throws {UsageError} unless it is `bucket` or `bucket/entry` */
function parsePlace(text: string): EntryName {
  const [bucket = '', ...segments] = text.split('/')
  if (bucket === '' || text.endsWith('/') || text.includes('*'))
    throw new UsageError(`not a bucket or entry: ${JSON.stringify(text)}; write bucket or bucket/entry`)
  return attachmentsOf(bucket, segments.length === 0 ? undefined : segments.join('/'))
}

/** A mistyped name must not make an entry. @throws {UsageError} where neither it nor an entry below it is there */
async function requirePlace(reader: RecordReader, target: EntryName, place: string): Promise<void> {
  const above = target.entry.slice(0, -attachmentsOf('', undefined).entry.length)
  const entries = await reader.entries({ attachments: true })
  const isThere = ({ bucket, entry }: EntryName): boolean =>
    bucket === target.bucket && `${entry}/`.startsWith(above)
  if (!entries.some(isThere))
    throw new UsageError(`there is no ${place}; see what there is with: sediment ls`)
}

async function attachmentsInfo(
  reader: RecordReader,
  { bucket, entry }: EntryName,
): Promise<{ readonly latestUs?: bigint | undefined } | undefined> {
  const infos = await reader.entries({ attachments: true })
  return infos.find((info) => info.bucket === bucket && info.entry === entry)
}

/** The latest of each key, but for what was taken away. */
async function byKey(reader: RecordReader, target: EntryName): Promise<Map<string, StoredRecord>> {
  const shown = new Map<string, StoredRecord>()
  if ((await attachmentsInfo(reader, target)) === undefined) return shown
  for await (const record of reader.records(target)) {
    const key = attachmentKey(record.labels)
    if (key !== undefined && !isTakenAway(record)) shown.set(key, record)
  }
  return shown
}

function noSuch(place: string, key: string, keys: readonly string[]): never {
  const known = keys.length === 0 ? 'it has none' : `it has ${[...keys].sort().slice(0, 5).join(', ')}`
  throw new UsageError(`${place} has no attachment ${JSON.stringify(key)}; ${known}`)
}

async function contentOf(file: string | undefined, { stdin }: Context): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    const source = file === undefined ? stdin : (createReadStream(file) as AsyncIterable<Uint8Array>)
    for await (const chunk of source) {
      bytes += chunk.byteLength
      if (bytes > ATTACHMENT_BYTES_MAX)
        throw new UsageError(`an attachment has ${formatBytes(ATTACHMENT_BYTES_MAX)} at most`)
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${file ?? 'standard input'} cannot be read: ${(error as Error).message}`)
  }
  return Buffer.concat(chunks)
}

function table(shown: readonly (readonly [string, StoredRecord])[]): string[] {
  return formatTable(
    [
      { title: 'KEY', align: 'left' },
      { title: 'SIZE', align: 'right' },
      { title: 'TYPE', align: 'left' },
      { title: 'TIME', align: 'left' },
    ],
    shown.map(([key, { contentBytes, contentType, timestampUs }]) => [
      key,
      formatBytes(contentBytes),
      contentType,
      formatTimeUs(timestampUs),
    ]),
  )
}

/** Times are integers of any size. */
function json(key: string, { contentBytes, contentType, timestampUs }: StoredRecord): string {
  const facts = JSON.stringify({ key, contentBytes, contentType })
  return `${facts.slice(0, -1)},"timestampUs":${timestampUs}}`
}
