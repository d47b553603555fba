import { readFileSync } from 'node:fs'
import { parseDocument } from 'yaml'
import { ConfigError, type ConfigProblem } from './config-error.ts'
import { isMap, type ConfigValue } from './format.ts'
import { defaultRule } from '../mapping/default-rule.ts'
import { unknownKey } from './rule-format.ts'
import { createSchema, schemaKeys, type ConfigKey } from './schema.ts'
import { findContradictions } from './contradictions.ts'
import type { Settings, StartPosition } from './settings.ts'

export interface ConfigSources {
  /** Path of a YAML file. */
  readonly file?: string
  /** The environment; only names that begin with `SEDIMENT_` are looked at. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** `key=value` of each `--set`. */
  readonly set: readonly string[]
  /** The text of a file; throws when it cannot be read. */
  readonly readFile?: (path: string) => string
}

export interface LoadedSettings {
  readonly settings: Settings
  /** Where the value of each key comes from: `default`, `file …`, `variable …` or `flag …`. */
  readonly sources: ReadonlyMap<string, string>
}

/**
 * Puts the configuration together: defaults, then the file, then the environment, then the flags.
 * @throws {ConfigError} with everything that is wrong in any of them, also in values that a later one replaces
 */
export function loadSettings(given: ConfigSources): LoadedSettings {
  const findings = [readFile(given), readEnvironment(given.env), readFlags(given.set)]
  const problems = findings.flatMap((finding) => finding.problems)
  const config = createSchema()
  const sources = new Map(schemaKeys().map(({ key }) => [key, 'default']))
  for (const { key, raw, source } of findings.flatMap((finding) => finding.assignments)) {
    const reading = key.format.read(raw)
    if ('faults' in reading) {
      for (const fault of reading.faults) {
        const value = key.isSecret ? '***' : showRaw(fault.value)
        const allowed = fault.problem ?? `must be ${fault.allowed}`
        problems.push({ key: `${key.key}${fault.path}`, value, allowed, source })
      }
    } else config.set(key.key, reading.value)
    sources.set(key.key, source)
  }
  problems.push(...contradictions(config, sources, problems))
  if (problems.length > 0) throw new ConfigError(problems)
  config.validate({ allowed: 'strict' })
  return { settings: toSettings(config.getProperties()), sources }
}

/** Where a value was refused a default stands: what that contradicts says nothing. */
function contradictions(
  config: ReturnType<typeof createSchema>,
  sources: ReadonlyMap<string, string>,
  problems: readonly ConfigProblem[],
): ConfigProblem[] {
  const valueOf = (key: string): ConfigValue => config.get(key) as ConfigValue
  const isRefused = (key: string): boolean =>
    problems.some((problem) => problem.key === '' || problem.key.replace(/\[.*/, '') === key)
  return findContradictions(valueOf)
    .filter(({ keys }) => !keys.some(isRefused))
    .map(({ keys: [key = ''], allowed }) => ({
      key,
      value: showValue(key, valueOf(key)),
      allowed,
      source: sources.get(key) ?? 'default',
    }))
}

/** The value as one would write it, `***` for a secret. */
export function showValue(key: string, value: ConfigValue): string {
  const found = schemaKeys().find((one) => one.key === key)
  if (found?.isSecret === true && value !== null) return '***'
  return found ? found.format.show(value) : String(value)
}

interface Assignment {
  readonly key: ConfigKey
  readonly raw: unknown
  readonly source: string
}

interface Findings {
  readonly assignments: readonly Assignment[]
  readonly problems: readonly ConfigProblem[]
}

const keyNames = schemaKeys().map(({ key }) => key)
const keysByName = new Map(schemaKeys().map((key) => [key.key, key]))
const keysByVariable = new Map(schemaKeys().map((key) => [key.variable, key]))
const sections = new Set(
  keyNames.flatMap((key) => {
    const path = key.split('.')
    return path.slice(0, -1).map((_, index) => path.slice(0, index + 1).join('.'))
  }),
)

function readFile({ file, readFile: readText = readUtf8 }: ConfigSources): Findings {
  if (file === undefined) return { assignments: [], problems: [] }
  const source = `file ${file}`
  const unusable = (allowed: string): Findings => ({
    assignments: [],
    problems: [{ key: '', value: undefined, allowed, source }],
  })
  let content: string
  try {
    content = readText(file)
  } catch (cause) {
    return unusable(`cannot be read: ${messageOf(cause)}`)
  }
  const document = parseDocument(content)
  const fault = document.errors[0]
  if (fault) return unusable(`must be YAML: ${fault.message.split('\n')[0] ?? ''}`)
  let root: unknown
  try {
    root = document.toJS()
  } catch {
    // The message names the alias, which may be a secret that was not quoted.
    return unusable('must be YAML: an alias (*name) has no anchor (&name); quote a text that begins with *')
  }
  if (root === null || root === undefined) return { assignments: [], problems: [] }
  if (!isMap(root)) return unusable(`must be a map with the keys ${topLevelKeys()}`)
  const assignments: Assignment[] = []
  const problems: ConfigProblem[] = []
  walkFile(root, '', source, assignments, problems)
  return { assignments, problems }
}

function walkFile(
  node: Readonly<Record<string, unknown>>,
  prefix: string,
  source: string,
  assignments: Assignment[],
  problems: ConfigProblem[],
): void {
  for (const [name, raw] of Object.entries(node)) {
    const path = `${prefix}${name}`
    const key = keysByName.get(path)
    if (key) assignments.push({ key, raw, source })
    else if (!sections.has(path)) {
      problems.push({ key: path, value: undefined, allowed: unknownKey(path, keyNames), source })
    } else if (isMap(raw)) walkFile(raw, `${path}.`, source, assignments, problems)
    else if (raw !== null) {
      const below = schemaKeys().filter((one) => one.key.startsWith(`${path}.`))
      const names = below.map((one) => one.key).join(', ')
      problems.push({
        key: path,
        value: below.some((one) => one.isSecret) ? undefined : showRaw(raw),
        allowed: `must be a map, for the keys ${names}`,
        source,
      })
    }
  }
}

function readEnvironment(env: ConfigSources['env']): Findings {
  const assignments: Assignment[] = []
  const problems: ConfigProblem[] = []
  for (const [variable, raw] of Object.entries(env)) {
    if (raw === undefined || !variable.startsWith('SEDIMENT_') || isFromKubernetes(variable)) continue
    const source = `variable ${variable}`
    const key = keysByVariable.get(variable)
    if (key) assignments.push({ key, raw, source })
    else {
      const allowed = unknownKey(variable, [...keysByVariable.keys()])
      problems.push({ key: variable, value: undefined, allowed: allowed.replace('key', 'variable'), source })
    }
  }
  return { assignments, problems }
}

/** Kubernetes gives such variables to every pod beside a Service named `sediment`. */
function isFromKubernetes(variable: string): boolean {
  return /^SEDIMENT_(SERVICE_|PORT)/.test(variable)
}

function readFlags(set: readonly string[]): Findings {
  const assignments: Assignment[] = []
  const problems: ConfigProblem[] = []
  for (const flag of set) {
    const equals = flag.indexOf('=')
    const name = equals === -1 ? flag : flag.slice(0, equals)
    const source = `flag --set ${name}`
    const key = keysByName.get(name)
    if (key?.isSecret === true && equals !== -1 && equals < flag.length - 1) {
      const allowed = `must not stand on a command line, which everybody can read; give ${key.key}File, or the variable ${key.variable}`
      problems.push({ key: name, value: '***', allowed, source })
    } else if (key && equals !== -1) assignments.push({ key, raw: flag.slice(equals + 1), source })
    else {
      const missing = equals === -1 ? '=' : name === '' ? 'key' : undefined
      const allowed = missing
        ? `must be written key=value: the ${missing} is missing`
        : unknownKey(name, keyNames)
      problems.push({ key: name, value: undefined, allowed, source })
    }
  }
  return { assignments, problems }
}

function toSettings(properties: Record<string, unknown>): Settings {
  const plain = withUndefined(properties) as Settings & { kafka: { start: string } }
  const withStart = { ...plain.kafka, start: startPosition(plain.kafka.start) }
  return deepFreeze({
    ...plain,
    kafka: withStart,
    mapping: { rules: [...plain.mapping.rules, defaultRule] },
  })
}

function startPosition(start: string): StartPosition {
  if (start === 'earliest' || start === 'latest' || start === 'committed') return start
  return { timestampMs: Date.parse(start) }
}

function withUndefined(value: unknown): unknown {
  if (value === null) return undefined
  if (Array.isArray(value) || !isMap(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, withUndefined(child)]))
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}

function showRaw(raw: unknown): string | undefined {
  if (raw === undefined) return undefined
  const shown = typeof raw === 'string' ? JSON.stringify(raw) : (JSON.stringify(raw) ?? typeof raw)
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown
}

function topLevelKeys(): string {
  return [...new Set(keyNames.map((key) => key.split('.')[0]))].join(', ')
}

function messageOf(cause: unknown): string {
  return isMap(cause) && typeof cause['message'] === 'string' ? cause['message'] : String(cause)
}

function readUtf8(path: string): string {
  return readFileSync(path, 'utf8')
}
