import { describeSettings } from '../../config/describe.ts'
import { ConfigError } from '../../config/config-error.ts'
import { checkTopics } from '../../app/check-topics.ts'
import { loadConfiguration, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { formatTable } from '../table.ts'

/** Says everything that is wrong, or that nothing is. @returns the exit code */
export async function configCheck(options: ConfigurationOptions, context: Context): Promise<number> {
  try {
    const { settings } = loadConfiguration(options, context)
    checkTopics(settings.mapping.rules, settings.kafka.topics)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const line of error.message.split('\n')) context.note(`sediment: ${line}`)
    return exitCodes.usage
  }
  await context.stdout.line('the configuration is fine')
  return exitCodes.ok
}

export interface ConfigShowOptions extends ConfigurationOptions {
  readonly json?: boolean
}

/** Every setting with its value and where it comes from; secrets are masked. */
export async function configShow(options: ConfigShowOptions, context: Context): Promise<void> {
  const lines = describeSettings(loadConfiguration(options, context))
  if (options.json === true) {
    const entries = lines.map(({ key, value, source }) => [key, { value, source }])
    await context.stdout.line(JSON.stringify(Object.fromEntries(entries), null, 2))
    return
  }
  await context.stdout.lines(
    formatTable(
      [
        { title: 'KEY', align: 'left' },
        { title: 'FROM', align: 'left' },
        { title: 'VALUE', align: 'left' },
      ],
      lines.map(({ key, value, source }) => [key, source, value === '' ? '-' : value]),
    ),
  )
}
