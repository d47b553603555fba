import { isAttachment, type DamagedPlace, type EntryInfo } from '../../storage/index.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { selectEntries } from '../entry-pattern.ts'
import { withReader } from '../open-store.ts'
import { formatBytes, formatCount } from '../quantities.ts'
import { formatTable } from '../table.ts'
import { formatTimeUs } from '../time-argument.ts'

export interface LsOptions extends ConfigurationOptions {
  readonly json?: boolean
}

/** Lists entries: a table, or one JSON object a line. What is damaged is named on standard error. */
export async function ls(pattern: string | undefined, options: LsOptions, context: Context): Promise<void> {
  const damaged: DamagedPlace[] = []
  const all = await withReader(dataPathOf(options, context), (reader) =>
    reader.entries({ attachments: true, onDamaged: (place) => damaged.push(place) }),
  )
  const entries =
    pattern === undefined ? all.filter((entry) => !isAttachment(entry)) : selectEntries(all, pattern)
  if (options.json === true) {
    for (const entry of entries) await context.stdout.line(entryToJson(entry))
  } else if (entries.length === 0) {
    context.note('the directory has no entries yet')
  } else {
    await context.stdout.lines(entryTable(entries))
  }
  for (const { error } of damaged) context.note(`damaged: ${error.message}`)
}

function entryTable(entries: readonly EntryInfo[]): string[] {
  const time = (timeUs: bigint | undefined): string => (timeUs === undefined ? '-' : formatTimeUs(timeUs))
  return formatTable(
    [
      { title: 'ENTRY', align: 'left' },
      { title: 'RECORDS', align: 'right' },
      { title: 'SIZE', align: 'right' },
      { title: 'BLOCKS', align: 'right' },
      { title: 'OLDEST', align: 'left' },
      { title: 'LATEST', align: 'left' },
    ],
    entries.map((entry) => [
      `${entry.bucket}/${entry.entry}`,
      formatCount(entry.recordCount),
      formatBytes(entry.bytes),
      formatCount(entry.blockCount),
      time(entry.oldestUs),
      time(entry.latestUs),
    ]),
  )
}

/** Times are integers of any size, `null` where there is no record. */
function entryToJson({ oldestUs, latestUs, ...rest }: EntryInfo): string {
  const { bucket, entry, blockCount, recordCount, bytes } = rest
  const facts = JSON.stringify({ bucket, entry, blockCount, recordCount, bytes })
  return `${facts.slice(0, -1)},"oldestUs":${oldestUs ?? null},"latestUs":${latestUs ?? null}}`
}
