import type { RecordResult } from '../../storage/index.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { parseEntryName } from '../entry-pattern.ts'
import { exitCodes } from '../exit-codes.ts'
import { matchesLabels, parseLabelFilter } from '../labels.ts'
import { withStore } from '../open-store.ts'
import { formatCount } from '../quantities.ts'
import { parseRange, parseTime } from '../time-argument.ts'
import { UsageError } from '../usage-error.ts'

export interface RecordRemovalOptions extends ConfigurationOptions {
  readonly start?: string
  readonly stop?: string
  readonly label?: readonly string[]
  readonly all?: boolean
  readonly yes?: boolean
}

/** Removes records of one entry by time and label, or says how many would go. @returns the exit code */
export async function recordRm(
  path: string,
  options: RecordRemovalOptions,
  context: Context,
): Promise<number> {
  const name = parseEntryName(path)
  const { start, stop, label = [], all, yes } = options
  if (start === undefined && stop === undefined && label.length === 0 && all !== true)
    throw new UsageError('which records? give --start, --stop, --label, or --all')
  const range = parseRange(options, context.nowUs())
  const filter = parseLabelFilter(label)
  return withStore(dataPathOf(options, context), async (storage) => {
    if (yes !== true) {
      let count = 0
      for await (const batch of storage.batches(name, { ...range, anyState: true }))
        for (const { labels } of batch) if (matchesLabels(labels, filter)) count += 1
      context.note(
        `${formatCount(count)} records of ${path} would go for good; nothing was changed, add --yes to remove them`,
      )
      return exitCodes.usage
    }
    const removed = await storage.removeRange(name, {
      ...range,
      where: ({ labels }) => matchesLabels(labels, filter),
      progress: (done, total) => context.progress.show(`block ${done} of ${total}`),
    })
    context.progress.clear()
    context.note(`${formatCount(removed)} records of ${path} are removed`)
    return exitCodes.ok
  })
}

/** Sets labels of one record (`name=value`), and removes those without a value (`name=`). */
export async function recordLabel(
  path: string,
  timestamp: string,
  labels: readonly string[],
  options: ConfigurationOptions,
  context: Context,
): Promise<void> {
  const name = parseEntryName(path)
  const timestampUs = parseTime(timestamp, context.nowUs())
  const pairs = parseLabelFilter(labels)
  const set = new Map(pairs.filter(([, value]) => value !== ''))
  const remove = pairs.flatMap(([label, value]) => (value === '' ? [label] : []))
  const [result] = await withStore<readonly RecordResult[]>(dataPathOf(options, context), (storage) =>
    storage.updateLabels(name, [{ timestampUs, set, remove }]),
  )
  if (result?.error !== undefined) throw result.error
  context.note(`labels of ${path} at ${timestampUs} are changed`)
}
