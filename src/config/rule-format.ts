import { parseDocument } from 'yaml'
import {
  bytes,
  choice,
  count,
  duration,
  flag,
  isoTime,
  isMap,
  isText,
  list,
  optional,
  simple,
  topic,
  type ConfigValue,
  type Fault,
  type Format,
} from './format.ts'
import { defaultRule } from '../mapping/default-rule.ts'
import { quota } from './quota-format.ts'
import { nearestName } from './nearest.ts'
import { bucket, constants, entry, filter, jsonLabels, timeSource } from './rule-fields.ts'
import { ruleContradictions } from './rule-contradictions.ts'

const DAY_MS = 86_400_000
const MIB = 1024 * 1024
const GIB = 1024 * MIB

/** A list of rules, or YAML or JSON text of one. */
export const rules: Format = {
  allowed: 'a list of rules, or YAML or JSON text of one',
  read(raw) {
    const items = isText(raw) ? parseText(raw) : raw
    if (!Array.isArray(items)) return { faults: [{ path: '', value: raw, allowed: rules.allowed }] }
    const readings = items.map((item, index) => readFields(item, `[${index}]`, ruleFields))
    const faults = readings.flatMap((reading, index) =>
      'faults' in reading ? reading.faults : ruleContradictions(reading.fields as never, `[${index}]`),
    )
    if (faults.length > 0) return { faults }
    return { value: readings.map((reading) => ('fields' in reading ? reading.fields : {})) }
  },
  show: (value) => JSON.stringify(value),
}

/** A field with its default, or a group of fields. */
type FieldTree = { readonly [name: string]: RuleField | FieldTree }
interface RuleField {
  readonly format: Format
  /** `undefined`: the field must be there. */
  readonly default: ConfigValue | Readonly<Record<string, string>> | undefined
}

const contentType = simple('a media type such as application/json', (raw) =>
  isText(raw) && /^[!-+\--~]([ -+\--~]{0,250}[!-+\--~])?$/.test(raw) ? raw : undefined,
)

const hundredYearsMs = 36_525 * DAY_MS

/** A bound in time: milliseconds since 1970 or a time with zone. */
const timeMs = simple('milliseconds since 1970, or a time with zone such as 2020-01-01T00:00:00Z', (raw) => {
  const value = isText(raw) ? Date.parse(isoTime(raw) ?? '') : raw
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= 2 * hundredYearsMs
    ? value
    : undefined
})

const header = simple('a header name, or *', (raw) => (isText(raw) && raw !== '' ? raw : undefined))

const ruleFields: FieldTree = {
  topics: { format: list(topic, { min: 1 }), default: undefined },
  exclude: { format: list(topic), default: defaultRule.exclude },
  bucket: { format: bucket, default: defaultRule.bucket },
  entry: { format: entry, default: defaultRule.entry },
  entries: {
    max: { format: count(1, 1_000_000), default: defaultRule.entries.max },
    beyond: { format: choice('quarantine', 'hold'), default: defaultRule.entries.beyond },
  },
  filters: { format: list(filter), default: defaultRule.filters },
  tombstones: { format: choice('store', 'skip', 'quarantine'), default: defaultRule.tombstones },
  contentBytesMax: { format: optional(bytes(1, GIB)), default: defaultRule.contentBytesMax },
  contentType: { format: contentType, default: defaultRule.contentType },
  labels: {
    constants: { format: constants, default: defaultRule.labels.constants },
    headers: { format: list(header), default: defaultRule.labels.headers },
    key: { format: flag, default: defaultRule.labels.key },
    json: { format: jsonLabels, default: defaultRule.labels.json },
    valuesMax: { format: optional(count(1, 100_000)), default: defaultRule.labels.valuesMax },
  },
  timestamp: {
    sources: { format: list(timeSource, { min: 1 }), default: defaultRule.timestamp.sources },
    minMs: { format: timeMs, default: defaultRule.timestamp.minMs },
    aheadMsMax: { format: duration(0, hundredYearsMs), default: defaultRule.timestamp.aheadMsMax },
    outside: { format: choice('next', 'quarantine', 'hold'), default: defaultRule.timestamp.outside },
  },
  limits: {
    quota: { format: optional(quota), default: defaultRule.limits.quota },
    blockBytesMax: { format: optional(bytes(MIB, 4 * GIB)), default: defaultRule.limits.blockBytesMax },
    blockRecordsMax: { format: optional(count(16, 65_536)), default: defaultRule.limits.blockRecordsMax },
  },
}

function readFields(
  raw: unknown,
  path: string,
  tree: FieldTree,
): { readonly fields: Record<string, unknown> } | { readonly faults: readonly Fault[] } {
  const names = Object.keys(tree)
  if (!isMap(raw)) {
    return { faults: [{ path, value: raw, allowed: `a map with the keys ${names.join(', ')}` }] }
  }
  const faults: Fault[] = Object.keys(raw)
    .filter((name) => !names.includes(name))
    .map((name) => ({
      path: `${path}.${name}`,
      value: undefined,
      allowed: `one of ${names.join(', ')}`,
      problem: unknownKey(name, names),
    }))
  const fields: Record<string, unknown> = {}
  for (const [name, node] of Object.entries(tree)) {
    const given = raw[name] ?? undefined
    const reading = isField(node)
      ? readField(node, given, `${path}.${name}`)
      : readFields(given ?? {}, `${path}.${name}`, node)
    if ('faults' in reading) faults.push(...reading.faults)
    else fields[name] = 'fields' in reading ? reading.fields : reading.value
  }
  return faults.length > 0 ? { faults } : { fields }
}

function readField(field: RuleField, given: unknown, path: string): { value: unknown } | { faults: Fault[] } {
  if (given === undefined && field.default !== undefined) return { value: field.default }
  const reading = field.format.read(given)
  if (!('faults' in reading)) return reading
  return { faults: reading.faults.map((fault) => ({ ...fault, path: `${path}${fault.path}` })) }
}

function isField(node: RuleField | FieldTree): node is RuleField {
  return 'format' in node && typeof (node as RuleField).format.read === 'function'
}

/** What to say of a key that does not exist. */
export function unknownKey(name: string, names: readonly string[]): string {
  const meant = nearestName(name, names)
  return meant === undefined ? 'there is no such key' : `there is no such key; did you mean ${meant}?`
}

function parseText(raw: string): unknown {
  const document = parseDocument(raw)
  return document.errors.length > 0 ? undefined : (document.toJS() as unknown)
}
