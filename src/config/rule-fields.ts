import { parseEntryTemplate, QUARANTINE_BUCKET, type EntryTemplate } from '../mapping/entry-template.ts'
import type { FieldSource } from '../mapping/field.ts'
import type { Filter } from '../mapping/filter.ts'
import { isJsonPointer } from '../mapping/json-pointer.ts'
import { isReservedLabel } from '../mapping/label-names.ts'
import { labelText } from '../mapping/label-text.ts'
import { linearPattern } from '../mapping/linear-pattern.ts'
import { PatternError } from '../mapping/pattern-parser.ts'
import type { TimeSource } from '../mapping/rule.ts'
import { timeFormats } from '../mapping/time-text.ts'
import { isMap, isText, simple, type Fault, type Format, type Reading } from './format.ts'

/** Longer templates make no sense: a segment has 255 characters. */
const TEMPLATE_LENGTH_MAX = 512

const PLACES = '{topic}, {partition}, {key}, {header:NAME}, {json:/pointer}, {yyyy}, {MM}, {dd}, {HH}'

export const bucket = simple(
  `letters, digits, - and _, but neither wal nor ${QUARANTINE_BUCKET}, and of ${PLACES}`,
  (raw) =>
    isText(raw) && raw.length <= 255 && raw !== QUARANTINE_BUCKET && templateOf(raw)?.length === 1
      ? raw
      : undefined,
)

export const entry = simple(
  `segments separated by /, of letters, digits, - and _ and of ${PLACES}; no segment wal`,
  (raw) => (isText(raw) && templateOf(raw) !== undefined ? raw : undefined),
)

/** `undefined` for what is no template, or names what cannot be a name. */
function templateOf(raw: string): EntryTemplate | undefined {
  if (raw.length > TEMPLATE_LENGTH_MAX || !TEMPLATE.test(raw)) return undefined
  const template = parseEntryTemplate(raw)
  const isNamed = template.every(([first, ...rest]) => !isWal(first) || rest.length > 0)
  const hasPointers = template.flat().every((token) => token.kind !== 'json' || isJsonPointer(token.json))
  return isNamed && hasPointers ? template : undefined
}

function isWal(token: EntryTemplate[number][number] | undefined): boolean {
  return token?.kind === 'literal' && token.text === 'wal'
}

const PIECE = String.raw`(?:[A-Za-z0-9_-]|\{(?:topic|partition|key|yyyy|MM|dd|HH|header:[^{}/]+|json:[^{}]*)\})+`
const TEMPLATE = new RegExp(`^${PIECE}(?:/${PIECE})*$`)

const labelNames =
  'a label name of letters, digits, - and _; not offset, topic, partition, key, nor beginning with kafka-, ts_ or h_'

export const constants = labelMap(
  'label names with values',
  'text of 1 to 1024 printable ASCII characters, no blank or quotation mark at its start, no blank at its end, no quotation mark together with a comma',
  (value) => isText(value) && labelText(Buffer.from(value)) !== undefined,
)

const pointers = 'a JSON pointer such as /device/id'

export const jsonLabels = labelMap(
  'label names with JSON pointers',
  pointers,
  (value) => isText(value) && isJsonPointer(value),
)

function labelMap(allowed: string, values: string, isValue: (value: unknown) => boolean): Format {
  return {
    allowed,
    read(raw): Reading {
      if (!isMap(raw)) return { faults: [{ path: '', value: raw, allowed }] }
      const faults = Object.entries(raw).flatMap(([name, value]): Fault[] => [
        ...(isLabelName(name) ? [] : [{ path: `.${name}`, value: undefined, allowed: labelNames }]),
        ...(isValue(value) ? [] : [{ path: `.${name}`, value, allowed: values }]),
      ])
      return faults.length > 0 ? { faults } : { value: { ...raw } as never }
    },
    show: (value) => JSON.stringify(value),
  }
}

function isLabelName(name: string): boolean {
  return /^[A-Za-z0-9_-]{1,128}$/.test(name) && !isReservedLabel(name)
}

export const timeSource = simple(
  `record, arrival, or { header: NAME } or { json: /pointer } with format: one of ${timeFormats.join(', ')}`,
  (raw) => {
    if (raw === 'record' || raw === 'arrival') return raw
    if (!isMap(raw)) return undefined
    const { format, ...rest } = raw
    const source = fieldSource(rest)
    const found = timeFormats.find((one) => one === format)
    if (source === undefined || 'key' in source || found === undefined) return undefined
    return asValue({ ...source, format: found } satisfies TimeSource)
  },
  showJson,
)

export const filter = simple(
  '{ header: NAME }, { json: /pointer } or { key: true } with equals (a text or a list of them), exists (true or false) or matches (a pattern), and not: true for the opposite',
  (raw) => (isMap(raw) ? asValue(filterOf(raw)) : undefined),
  showJson,
)

function filterOf({
  not,
  equals,
  exists,
  matches,
  ...rest
}: Readonly<Record<string, unknown>>): Filter | undefined {
  const source = fieldSource(rest)
  const tests = [equals, exists, matches].filter((test) => test !== undefined)
  if (source === undefined || tests.length !== 1 || (not !== undefined && typeof not !== 'boolean'))
    return undefined
  const opposite = not === true ? { not } : {}
  if (exists !== undefined)
    return typeof exists === 'boolean' ? { ...source, exists, ...opposite } : undefined
  if (matches !== undefined)
    return isText(matches) && isPattern(matches) ? { ...source, matches, ...opposite } : undefined
  const texts = Array.isArray(equals) ? (equals as unknown[]) : [equals]
  return texts.length > 0 && texts.every(isText) ? { ...source, equals: texts, ...opposite } : undefined
}

/** One field and nothing else. Its name may be a label's value. */
function fieldSource(raw: Readonly<Record<string, unknown>>): FieldSource | undefined {
  const [[kind, value] = [], ...others] = Object.entries(raw)
  if (others.length > 0) return undefined
  if (kind === 'key') return value === true ? { key: true } : undefined
  if (!isText(value) || labelText(Buffer.from(`x${value}`)) === undefined) return undefined
  if (kind === 'header') return value === '' ? undefined : { header: value }
  return kind === 'json' && isJsonPointer(value) ? { json: value } : undefined
}

function isPattern(text: string): boolean {
  try {
    linearPattern(text)
    return true
  } catch (error) {
    if (error instanceof PatternError) return false
    throw error
  }
}

/** Values of the configuration are lists and scalars, and these maps. */
function asValue(value: object | undefined): never {
  return value as never
}

function showJson(value: unknown): string {
  return JSON.stringify(value)
}
