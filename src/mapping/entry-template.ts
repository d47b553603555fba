import { assert } from '../base/assert.ts'
import { linearPattern, type LinearPattern } from './linear-pattern.ts'
import type { MappingRule } from './rule.ts'
import type { Field, FieldReader, FieldSource } from './field.ts'

/** A part of a record's time in UTC. */
type TimePart = 'yyyy' | 'MM' | 'dd' | 'HH'

/** A piece of an entry template such as `{topic}/p{partition}`. */
type TemplateToken =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'topic' }
  | { readonly kind: 'partition' }
  | { readonly kind: 'key' }
  | { readonly kind: 'header'; readonly header: string }
  | { readonly kind: 'json'; readonly json: string }
  | { readonly kind: 'time'; readonly part: TimePart }

/** The tokens of each segment between the slashes. */
export type EntryTemplate = readonly (readonly TemplateToken[])[]

/** Values that fill a template. What is null, missing or no text counts as empty. */
export interface TemplateValues {
  readonly topic: string
  readonly partition: number
  readonly fields: Pick<FieldReader, 'read'>
  readonly timeUs: number
}

/** The template as data. The configuration has checked it, so a mistake here is our own. */
export function parseEntryTemplate(template: string): EntryTemplate {
  const segments: TemplateToken[][] = [[]]
  // A slash in braces belongs to a pointer.
  for (const piece of template.match(/\{[^{}]*\}|\/|[^{}/]+|[{}]/g) ?? []) {
    if (piece === '/') segments.push([])
    else segments.at(-1)?.push(parseToken(piece, template))
  }
  assert(
    segments.every((segment) => segment.length > 0),
    `empty segment in the entry template ${template}`,
  )
  return segments
}

/** The name of an entry: one segment a template segment, each of them legal (see `legalSegment`). */
export function fillEntryTemplate(template: EntryTemplate, values: TemplateValues): string {
  return template
    .map((segment) => legalSegment(segment.map((token) => fillToken(token, values)).join('')))
    .join('/')
}

/**
 * A name segment that ReductStore accepts: `[A-Za-z0-9_-]`, not empty, so never with a leading dot. The segment
 * `wal` is renamed because stock takes a directory of that name for its write-ahead log.
 */
export function legalSegment(segment: string): string {
  const legal = segment.replace(/[^A-Za-z0-9_-]/g, '_')
  if (legal === '') return '_'
  return legal === 'wal' ? 'wal_' : legal
}

/** Where messages are kept that cannot be mapped: no rule can name it, and none of their limits hold in it. */
export const QUARANTINE_BUCKET = 'quarantine'

/** A bucket made of what a message says may not be the one of the quarantine. */
export function legalBucket(name: string): string {
  return name === QUARANTINE_BUCKET ? `${name}_` : name
}

/** The fields of a message that a template asks for. */
export function fieldsIn(template: EntryTemplate): FieldSource[] {
  return template.flat().flatMap((token): FieldSource[] => {
    if (token.kind === 'header' || token.kind === 'json') return [token]
    return token.kind === 'key' ? [{ key: true }] : []
  })
}

/** Fits the buckets that a rule may name. */
export function bucketPattern({ bucket }: Pick<MappingRule, 'bucket'>): LinearPattern {
  return linearPattern(templateExpression(parseEntryTemplate(bucket)))
}

/** Fits every `bucket/entry` that a rule may name. */
export function pathPattern({ bucket, entry }: Pick<MappingRule, 'bucket' | 'entry'>): LinearPattern {
  return linearPattern(templateExpression(parseEntryTemplate(`${bucket}/${entry}`)))
}

/** Whether every record of a partition goes into the same entry of the same bucket. */
export function hasFixedPath({ bucket, entry }: Pick<MappingRule, 'bucket' | 'entry'>): boolean {
  return parseEntryTemplate(`${bucket}/${entry}`)
    .flat()
    .every(({ kind }) => kind === 'literal' || kind === 'topic' || kind === 'partition')
}

/**
 * What a reader can tell from the entry name alone, by one rule for all templates: without a label `partition` the
 * last segment is the partition, and without a label `topic` everything before it (or the whole name) is the topic.
 */
export function identityIn(template: EntryTemplate, topic: string): { topic: boolean; partition: boolean } {
  const last = template.at(-1) ?? []
  const partition = template.length > 1 && last.length === 1 && last[0]?.kind === 'partition'
  const rest = (partition ? template.slice(0, -1) : template).flat()
  return {
    partition,
    topic: rest.length === 1 && rest[0]?.kind === 'topic' && legalSegment(topic) === topic,
  }
}

const SIMPLE: ReadonlyMap<string, TemplateToken> = new Map([
  ['{topic}', { kind: 'topic' }],
  ['{partition}', { kind: 'partition' }],
  ['{key}', { kind: 'key' }],
  ['{yyyy}', { kind: 'time', part: 'yyyy' }],
  ['{MM}', { kind: 'time', part: 'MM' }],
  ['{dd}', { kind: 'time', part: 'dd' }],
  ['{HH}', { kind: 'time', part: 'HH' }],
])

function parseToken(piece: string, template: string): TemplateToken {
  const simple = SIMPLE.get(piece)
  if (simple !== undefined) return simple
  const [, kind, name = ''] = /^\{(header|json):(.*)\}$/s.exec(piece) ?? []
  if (kind === 'header' && name !== '') return { kind, header: name }
  if (kind === 'json') return { kind, json: name }
  assert(!/[{}]/.test(piece), `unknown placeholder ${piece} in the entry template ${template}`)
  return { kind: 'literal', text: piece }
}

function fillToken(token: TemplateToken, { topic, partition, fields, timeUs }: TemplateValues): string {
  switch (token.kind) {
    case 'literal':
      return token.text
    case 'topic':
      return topic
    case 'partition':
      return String(partition)
    case 'key':
      return fieldText(fields.read({ key: true }))
    case 'header':
    case 'json':
      return fieldText(fields.read(token))
    case 'time':
      return timeText(timeUs, token.part)
  }
}

function templateExpression(template: EntryTemplate): string {
  return `^${template.map((segment) => segment.map(tokenExpression).join('')).join('/')}$`
}

function tokenExpression(token: TemplateToken): string {
  switch (token.kind) {
    case 'literal':
      return token.text
    case 'partition':
      return '\\d+'
    case 'time':
      return `\\d{${token.part.length}}`
    case 'topic':
    case 'key':
    case 'header':
    case 'json':
      return '[A-Za-z0-9_-]*'
  }
}

function fieldText(field: Field | undefined): string {
  return field !== undefined && 'text' in field ? field.text : ''
}

function timeText(timeUs: number, part: TimePart): string {
  const time = new Date(timeUs / 1000)
  switch (part) {
    case 'yyyy':
      return String(time.getUTCFullYear()).padStart(4, '0')
    case 'MM':
      return String(time.getUTCMonth() + 1).padStart(2, '0')
    case 'dd':
      return String(time.getUTCDate()).padStart(2, '0')
    case 'HH':
      return String(time.getUTCHours()).padStart(2, '0')
  }
}
