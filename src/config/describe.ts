import type { ConfigValue } from './format.ts'
import { showValue, type LoadedSettings } from './load.ts'
import { schemaKeys } from './schema.ts'

export interface SettingLine {
  readonly key: string
  /** As one would write it; `***` for a secret that is set, empty for none. */
  readonly value: string
  readonly source: string
  readonly variable: string
}

/** Every setting with its source, in the order of the documentation; for `config show`. */
export function describeSettings({ settings, sources }: LoadedSettings): SettingLine[] {
  return schemaKeys().map(({ key, variable }) => ({
    key,
    value: showValue(key, valueAt(settings, key)),
    source: sources.get(key) ?? 'default',
    variable,
  }))
}

function valueAt(settings: object, key: string): ConfigValue {
  let node: unknown = settings
  for (const name of key.split('.')) node = (node as Record<string, unknown>)[name]
  if (typeof node === 'object' && node !== null && 'timestampMs' in node) {
    return new Date(node.timestampMs as number).toISOString()
  }
  return (node ?? null) as ConfigValue
}
