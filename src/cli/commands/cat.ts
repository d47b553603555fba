import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { parseEntryName } from '../entry-pattern.ts'
import { withReader } from '../open-store.ts'
import { parseTime } from '../time-argument.ts'
import { UsageError } from '../usage-error.ts'

/** Writes the content of the record at exactly this time, nothing added. */
export async function cat(
  entryText: string,
  timeText: string,
  options: ConfigurationOptions,
  context: Context,
): Promise<void> {
  const name = parseEntryName(entryText)
  const timestampUs = parseTime(timeText, context.nowUs())
  await withReader(dataPathOf(options, context), async (reader) => {
    const record = await reader.get(name, timestampUs)
    if (record === undefined) {
      throw new UsageError(
        `no record in ${entryText} at ${timestampUs}; see what there is with: sediment query ${entryText}`,
      )
    }
    const content = await record.open()
    try {
      for await (const chunk of content.chunks()) await context.stdout.write(chunk)
    } finally {
      content.close()
    }
  })
}
