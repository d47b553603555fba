import { bytes, count } from '../../config/format.ts'
import { parseQuota, showQuota } from '../../config/quota-format.ts'
import type { BucketInfo, BucketSettings, EntryInfo, Storage } from '../../storage/index.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { parseEntryName } from '../entry-pattern.ts'
import { exitCodes } from '../exit-codes.ts'
import { withStore } from '../open-store.ts'
import { formatBytes, formatCount } from '../quantities.ts'
import { formatTable } from '../table.ts'
import { formatTimeUs } from '../time-argument.ts'
import { UsageError } from '../usage-error.ts'

export interface BucketOptions extends ConfigurationOptions {
  readonly json?: boolean
}

export interface BucketSettingsOptions extends BucketOptions {
  readonly quota?: string
  readonly blockBytes?: string
  readonly blockRecords?: string
}

export interface RemovalOptions extends ConfigurationOptions {
  readonly yes?: boolean
}

/** Buckets with usage and settings: a table, or one JSON object a line. */
export async function bucketLs(options: BucketOptions, context: Context): Promise<void> {
  const buckets = await withStore(dataPathOf(options, context), (storage) =>
    Promise.resolve(storage.buckets()),
  )
  await printBuckets(buckets, options, context)
}

export async function bucketShow(name: string, options: BucketOptions, context: Context): Promise<void> {
  await withStore(dataPathOf(options, context), async (storage) => {
    storage.bucketSettings(name)
    await printBuckets(
      storage.buckets().filter((bucket) => bucket.name === name),
      options,
      context,
    )
  })
}

export async function bucketCreate(
  name: string,
  options: BucketSettingsOptions,
  context: Context,
): Promise<void> {
  const settings = settingsOf(options)
  await withStore(dataPathOf(options, context), (storage) => storage.createBucket(name, settings))
  context.note(`bucket ${name} is made`)
}

export async function bucketSet(
  name: string,
  options: BucketSettingsOptions,
  context: Context,
): Promise<void> {
  const changes = settingsOf(options)
  if (Object.keys(changes).length === 0)
    throw new UsageError('nothing to change: give --quota, --block-bytes or --block-records')
  await withStore(dataPathOf(options, context), (storage) => storage.changeBucketSettings(name, changes))
  context.note(`settings of bucket ${name} are changed; a fifo quota is kept from the next start on`)
}

export async function bucketRename(
  from: string,
  to: string,
  options: ConfigurationOptions,
  context: Context,
): Promise<void> {
  await withStore(dataPathOf(options, context), (storage) => storage.renameBucket(from, to))
  context.note(`bucket ${from} is ${to} now`)
}

export async function bucketRm(name: string, options: RemovalOptions, context: Context): Promise<number> {
  return withStore(dataPathOf(options, context), async (storage) => {
    storage.bucketSettings(name)
    const gone = await entriesOf(storage, ({ bucket }) => bucket === name)
    if (options.yes !== true) return refuse(`bucket ${name}`, gone, context)
    await storage.removeBucket(name)
    context.note(`bucket ${name} is removed`)
    return exitCodes.ok
  })
}

export async function entryRename(
  from: string,
  to: string,
  options: ConfigurationOptions,
  context: Context,
): Promise<void> {
  const name = parseEntryName(from)
  await withStore(dataPathOf(options, context), (storage) => storage.renameEntry(name, to))
  context.note(`${from} is ${name.bucket}/${to} now, with everything below it`)
}

export async function entryRm(path: string, options: RemovalOptions, context: Context): Promise<number> {
  const name = parseEntryName(path)
  return withStore(dataPathOf(options, context), async (storage) => {
    const gone = await entriesOf(
      storage,
      ({ bucket, entry }) =>
        bucket === name.bucket && (entry === name.entry || entry.startsWith(`${name.entry}/`)),
    )
    if (options.yes !== true && gone.length > 0) return refuse(path, gone, context)
    await storage.removeEntry(name)
    context.note(`${path} is removed, with everything below it`)
    return exitCodes.ok
  })
}

function entriesOf(storage: Storage, isMeant: (info: EntryInfo) => boolean): Promise<EntryInfo[]> {
  return storage.entries({ attachments: true }).then((infos) => infos.filter(isMeant))
}

/** Says what would go. */
function refuse(what: string, gone: readonly EntryInfo[], context: Context): number {
  const records = gone.reduce((sum, { recordCount }) => sum + recordCount, 0)
  const size = gone.reduce((sum, info) => sum + info.bytes, 0)
  const oldest = gone.flatMap(({ oldestUs }) => (oldestUs === undefined ? [] : [oldestUs]))
  const latest = gone.flatMap(({ latestUs }) => (latestUs === undefined ? [] : [latestUs]))
  const from = oldest.reduce<bigint | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined)
  const to = latest.reduce<bigint | undefined>((a, b) => (a === undefined || b > a ? b : a), undefined)
  const range = from === undefined || to === undefined ? '' : `, ${formatTimeUs(from)} to ${formatTimeUs(to)}`
  const entries = `${formatCount(gone.length)} ${gone.length === 1 ? 'entry' : 'entries'}`
  context.note(
    `${what} would go for good: ${entries}, ${formatCount(records)} records, ${formatBytes(size)}${range}; nothing was changed, add --yes to remove it`,
  )
  return exitCodes.usage
}

function settingsOf({ quota, blockBytes, blockRecords }: BucketSettingsOptions): Partial<BucketSettings> {
  const parsed = quota === undefined ? undefined : parseQuota(quota)
  if (quota !== undefined && parsed === undefined)
    throw new UsageError(`--quota ${quota}: none, or fifo: or hard: and a size, such as fifo:10GB`)
  return {
    ...(parsed && { quota: parsed }),
    ...(blockBytes !== undefined && {
      blockBytesMax: amount('--block-bytes', blockBytes, bytes(1, 4 * 1024 ** 3)),
    }),
    ...(blockRecords !== undefined && {
      blockRecordsMax: amount('--block-records', blockRecords, count(1, 1_000_000)),
    }),
  }
}

function amount(flag: string, text: string, format: ReturnType<typeof bytes>): number {
  const reading = format.read(text)
  if ('faults' in reading || typeof reading.value !== 'number')
    throw new UsageError(`${flag} ${text}: ${format.allowed}`)
  return reading.value
}

async function printBuckets(
  buckets: readonly BucketInfo[],
  options: BucketOptions,
  context: Context,
): Promise<void> {
  if (options.json === true) {
    for (const { name, usedBytes, oldestUs, settings } of buckets) {
      const facts = JSON.stringify({ bucket: name, usedBytes, ...settings })
      await context.stdout.line(`${facts.slice(0, -1)},"oldestUs":${oldestUs ?? null}}`)
    }
    return
  }
  await context.stdout.lines(
    formatTable(
      [
        { title: 'BUCKET', align: 'left' },
        { title: 'SIZE', align: 'right' },
        { title: 'QUOTA', align: 'left' },
        { title: 'BLOCK SIZE', align: 'right' },
        { title: 'BLOCK RECORDS', align: 'right' },
        { title: 'OLDEST', align: 'left' },
      ],
      buckets.map(({ name, usedBytes, oldestUs, settings }) => [
        name,
        formatBytes(usedBytes),
        showQuota(settings.quota),
        formatBytes(settings.blockBytesMax),
        formatCount(settings.blockRecordsMax),
        oldestUs === undefined ? '-' : formatTimeUs(oldestUs),
      ]),
    ),
  )
}
