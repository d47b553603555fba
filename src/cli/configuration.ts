import { resolve } from 'node:path'
import { loadSettings, type LoadedSettings } from '../config/load.ts'
import type { Context } from './context.ts'

/** Options that every command takes. */
export interface ConfigurationOptions {
  readonly config?: string
  readonly set?: readonly string[]
  readonly data?: string
}

/** @throws {ConfigError} */
export function loadConfiguration(
  options: ConfigurationOptions,
  { env }: Pick<Context, 'env'>,
): LoadedSettings {
  const { config, set = [], data } = options
  return loadSettings({
    ...(config === undefined ? {} : { file: config }),
    env,
    set: data === undefined ? set : [...set, `dataPath=${data}`],
  })
}

/**
 * The data directory, absolute: `--data`, else what the configuration says.
 * @throws {ConfigError}
 */
export function dataPathOf(options: ConfigurationOptions, context: Pick<Context, 'env'>): string {
  if (options.data !== undefined) return resolve(options.data)
  // Reading a directory needs no topics, and a configuration without them is one without them only here.
  const set = ['kafka.topics=any', ...(options.set ?? [])]
  return resolve(loadConfiguration({ ...options, set }, context).settings.dataPath)
}
