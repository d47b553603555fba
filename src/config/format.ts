import { topicExpression } from '../mapping/topic-pattern.ts'

/** A value as the settings hold it: `null` stands for "not set". */
export type ConfigValue = string | number | boolean | null | readonly unknown[]

export type Reading = { readonly value: ConfigValue } | { readonly faults: readonly Fault[] }

/** `path` is below the key, such as `[1].entry`; empty for the value itself. */
export interface Fault {
  readonly path: string
  readonly value: unknown
  readonly allowed: string
  /** What is wrong, where it is not the value. */
  readonly problem?: string
}

/** Reads what a file, a variable or a flag gives. Reading what was read before gives the same value. */
export interface Format {
  /** What may be written, for people. */
  readonly allowed: string
  read(raw: unknown): Reading
  /** The value as one would write it. */
  show(value: ConfigValue): string
}

export const text: Format = simple('text', (raw) => (isText(raw) && raw !== '' ? raw : undefined))

/** Text that may be missing; an empty text means the same. */
export function optional(format: Format): Format {
  return {
    allowed: `${format.allowed}; empty for none`,
    read: (raw) => (raw === null || raw === '' ? { value: null } : format.read(raw)),
    show: (value) => (value === null ? '' : format.show(value)),
  }
}

export function choice(...options: readonly string[]): Format {
  return simple(`one of ${options.join(', ')}`, (raw) => options.find((option) => option === raw))
}

export const flag: Format = simple('true or false', (raw) => {
  if (raw === true || raw === 'true') return true
  return raw === false || raw === 'false' ? false : undefined
})

export function count(min: number, max: number): Format {
  return simple(`a whole number from ${min} to ${max}`, (raw) => within(quantity(raw, { '': 1 }), min, max))
}

/** Sizes: `8MiB`, `64MB`, or a plain number of bytes. */
export function bytes(min: number, max: number): Format {
  const allowed = `bytes from ${showBytes(min)} to ${showBytes(max)}, such as 8388608, 8MiB or 64MB`
  return simple(allowed, (raw) => within(quantity(raw, byteUnits), min, max), showBytes)
}

/** Durations: `30s`, `500ms`, or a plain number of milliseconds. */
export function duration(minMs: number, maxMs: number): Format {
  const allowed = `a duration from ${showDuration(minMs)} to ${showDuration(maxMs)}, such as 1500 (milliseconds), 500ms, 30s, 5m, 1h or 2d`
  return simple(allowed, (raw) => within(quantity(raw, durationUnits), minMs, maxMs), showDuration)
}

/** A list, or text with commas between the items; a comma inside `/…/` belongs to the expression. */
export function list(item: Format, options: { readonly min: number } = { min: 0 }): Format {
  const plural = `a list${options.min > 0 ? ' (not empty)' : ''} of items, each ${item.allowed}`
  return {
    allowed: plural,
    read(raw) {
      const items = isText(raw) ? splitItems(raw) : raw
      if (!Array.isArray(items) || items.length < options.min) {
        return { faults: [{ path: '', value: raw, allowed: plural }] }
      }
      const readings = items.map((one) => item.read(one))
      const faults = readings.flatMap((reading, index) =>
        'faults' in reading
          ? reading.faults.map((fault) => ({ ...fault, path: `[${index}]${fault.path}` }))
          : [],
      )
      return faults.length > 0
        ? { faults }
        : { value: readings.map((reading) => ('value' in reading ? reading.value : null)) }
    },
    show: (value) => (Array.isArray(value) ? value.map((one: ConfigValue) => item.show(one)).join(',') : ''),
  }
}

export const broker: Format = simple('host:port', (raw) => {
  const parts = isText(raw) ? /^(?:[^\s:,/]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(raw) : null
  return parts && within(Number(parts[1]), 1, 65_535) !== undefined ? (raw as string) : undefined
})

/** Without name and password in it, which would be shown. */
export const httpsUrl: Format = simple('an address that begins with https://, without a login', (raw) => {
  const url = isText(raw) && URL.canParse(raw) ? new URL(raw) : undefined
  return url?.protocol === 'https:' && url.username === '' && url.password === ''
    ? (raw as string)
    : undefined
})

/** Of a SASL login by token (RFC 7628): letters as name, printable text as value. */
export const extension: Format = simple('name=value', (raw) =>
  isText(raw) && /^(?!auth=)[A-Za-z]+=[!-~ ]+$/.test(raw) ? raw : undefined,
)

/** A topic's name, or an expression that may match anywhere in a name. */
export const topic: Format = simple('a topic name, or a regular expression written /…/', (raw) => {
  if (!isText(raw)) return undefined
  try {
    if (topicExpression(raw) !== undefined) return raw
  } catch {
    return undefined
  }
  return isTopicName(raw) ? raw : undefined
})

export const topicName: Format = simple('a topic name', (raw) =>
  isText(raw) && isTopicName(raw) ? raw : undefined,
)

function isTopicName(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,249}$/.test(text) && text !== '.' && text !== '..'
}

/** Where an empty ledger begins; a time is kept as ISO 8601 in UTC. */
export const start: Format = simple(
  'earliest, latest, committed, or a time with zone such as 2026-01-31T08:00:00Z',
  (raw) => {
    if (raw === 'earliest' || raw === 'latest' || raw === 'committed') return raw
    return isText(raw) ? isoTime(raw) : undefined
  },
)

/** The time in UTC, `undefined` unless it is complete and has a zone. */
export function isoTime(raw: string): string | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(raw)) return undefined
  if (!isCalendarDay(raw.slice(0, 10))) return undefined
  const timeMs = Date.parse(raw)
  return Number.isNaN(timeMs) || timeMs < 0 ? undefined : new Date(timeMs).toISOString()
}

/** Whether a `YYYY-MM-DD` is in the calendar: `Date` reads 30 February as 2 March. */
export function isCalendarDay(day: string): boolean {
  const timeMs = Date.parse(day)
  return !Number.isNaN(timeMs) && new Date(timeMs).toISOString().startsWith(day)
}

export function simple(
  allowed: string,
  read: (raw: unknown) => ConfigValue | undefined,
  show: (value: never) => string = String,
): Format {
  return {
    allowed,
    read(raw) {
      const value = read(raw)
      return value === undefined ? { faults: [{ path: '', value: raw, allowed }] } : { value }
    },
    show: (value) => show(value as never),
  }
}

export function isText(raw: unknown): raw is string {
  return typeof raw === 'string'
}

export function isMap(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw)
}

const KIB = 1024

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: KIB,
  MiB: KIB ** 2,
  GiB: KIB ** 3,
  TiB: KIB ** 4,
  Ki: KIB,
  Mi: KIB ** 2,
  Gi: KIB ** 3,
  Ti: KIB ** 4,
}

const durationUnits: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** A whole number of the base unit, `undefined` when it is none. */
function quantity(raw: unknown, units: Readonly<Record<string, number>>): number | undefined {
  if (typeof raw === 'number') return Number.isSafeInteger(raw) ? raw : undefined
  const parts = isText(raw) ? /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(raw) : null
  const unit = parts && Object.hasOwn(units, parts[2] as string) ? units[parts[2] as string] : undefined
  if (!parts || unit === undefined) return undefined
  const value = Number((Number(parts[1]) * unit).toPrecision(15))
  return Number.isSafeInteger(value) ? value : undefined
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined
}

function showBytes(value: number): string {
  return showQuantity(value, [
    ['GiB', KIB ** 3],
    ['MiB', KIB ** 2],
    ['GB', 1e9],
    ['MB', 1e6],
    ['KiB', KIB],
  ])
}

function showDuration(value: number): string {
  return showQuantity(value, [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ])
}

function showQuantity(value: number, units: readonly (readonly [string, number])[]): string {
  const fitting = units.find(([, factor]) => value !== 0 && value % factor === 0)
  return fitting ? `${value / fitting[1]}${fitting[0]}` : String(value)
}

function splitItems(raw: string): string[] {
  if (raw.trim() === '') return []
  return (raw.match(/\s*(?:\/(?:[^/\\]|\\.)*\/|[^,]*)\s*(?:,|$)/g) ?? [])
    .map((item) => item.replace(/,$/, '').trim())
    .filter((item, index, all) => item !== '' || index < all.length - 1)
}
