import { parseDocument } from 'yaml'
import {
  bytes,
  count,
  duration,
  flag,
  isoTime,
  isText,
  list,
  optional,
  simple,
  topic,
  type ConfigValue,
  type Fault,
  type Format,
  type Reading,
} from './format.ts'
import { defaultRule } from '../mapping/default-rule.ts'
import { isReservedLabel } from '../mapping/label-names.ts'
import { labelText } from '../mapping/label-text.ts'
import { quota } from './quota-format.ts'
import { nearestName } from './nearest.ts'

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
    const faults = readings.flatMap((reading) => ('faults' in reading ? reading.faults : []))
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

const bucket = simple('letters, digits, - and _, but not wal', (raw) =>
  isText(raw) && /^[A-Za-z0-9_-]{1,255}$/.test(raw) && raw !== 'wal' ? raw : undefined,
)

const entry = simple(
  'segments separated by /, of letters, digits, - and _ and of {topic}, {partition}, {key}, {header:NAME}; no segment wal',
  (raw) => (isText(raw) && raw.split('/').every(isEntrySegment) ? raw : undefined),
)

function isEntrySegment(segment: string): boolean {
  return (
    /^(?:[A-Za-z0-9_-]|\{topic\}|\{partition\}|\{key\}|\{header:[^{}/]+\})+$/.test(segment) &&
    segment !== 'wal'
  )
}

const contentType = simple('a media type such as application/json', (raw) =>
  isText(raw) && /^[!-+\--~]([ -+\--~]{0,250}[!-+\--~])?$/.test(raw) ? raw : undefined,
)

const constants: Format = {
  allowed: 'label names with values',
  read(raw): Reading {
    if (!isMap(raw)) return { faults: [{ path: '', value: raw, allowed: this.allowed }] }
    const faults = Object.entries(raw).flatMap(([name, value]): Fault[] => [
      ...(isConstantName(name) ? [] : [{ path: `.${name}`, value: undefined, allowed: constantNames }]),
      ...(isConstantValue(value) ? [] : [{ path: `.${name}`, value, allowed: constantValues }]),
    ])
    return faults.length > 0 ? { faults } : { value: { ...raw } as never }
  },
  show: (value) => JSON.stringify(value),
}
const constantNames =
  'a label name of letters, digits, - and _; not offset, topic, partition, key, nor beginning with kafka-, ts_ or h_'
const constantValues =
  'text of 1 to 1024 printable ASCII characters, no blank or quotation mark at its start, no blank at its end, no quotation mark together with a comma'

function isConstantName(name: string): boolean {
  return /^[A-Za-z0-9_-]{1,128}$/.test(name) && !isReservedLabel(name)
}

function isConstantValue(value: unknown): boolean {
  return isText(value) && labelText(Buffer.from(value)) !== undefined
}

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
  contentType: { format: contentType, default: defaultRule.contentType },
  labels: {
    constants: { format: constants, default: defaultRule.labels.constants },
    headers: { format: list(header), default: defaultRule.labels.headers },
    key: { format: flag, default: defaultRule.labels.key },
  },
  timestamp: {
    minMs: { format: timeMs, default: defaultRule.timestamp.minMs },
    aheadMsMax: { format: duration(0, hundredYearsMs), default: defaultRule.timestamp.aheadMsMax },
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

export function isMap(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw)
}

function parseText(raw: string): unknown {
  const document = parseDocument(raw)
  return document.errors.length > 0 ? undefined : (document.toJS() as unknown)
}
