import { assert } from '../base/assert.ts'

/** A piece of an entry template such as `{topic}/p{partition}`. */
type TemplateToken =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'topic' }
  | { readonly kind: 'partition' }
  | { readonly kind: 'key' }
  | { readonly kind: 'header'; readonly name: string }

/** The tokens of each segment between the slashes. */
export type EntryTemplate = readonly (readonly TemplateToken[])[]

/** Values that fill a template. A key or header that is null or missing counts as empty. */
export interface TemplateValues {
  readonly topic: string
  readonly partition: number
  readonly key: string
  readonly header: (name: string) => string
}

/** A segment is a directory; file systems allow 255 bytes. */
export const segmentBytesMax = 255

/** The template as data. The configuration has checked it, so a mistake here is our own. */
export function parseEntryTemplate(template: string): EntryTemplate {
  return template.split('/').map((segment) => {
    assert(segment.length > 0, `empty segment in the entry template ${template}`)
    const pieces = segment.match(/\{[^{}]*\}|[^{}]+|[{}]/g) ?? []
    return pieces.map((piece) => parseToken(piece, template))
  })
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

/** Whether every record of a partition goes into the same entry. */
export function isFixed(template: EntryTemplate): boolean {
  return template.flat().every((token) => token.kind !== 'key' && token.kind !== 'header')
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

function parseToken(piece: string, template: string): TemplateToken {
  if (piece === '{topic}') return { kind: 'topic' }
  if (piece === '{partition}') return { kind: 'partition' }
  if (piece === '{key}') return { kind: 'key' }
  const header = /^\{header:(.+)\}$/.exec(piece)
  if (header) return { kind: 'header', name: header[1] as string }
  assert(!/[{}]/.test(piece), `unknown placeholder ${piece} in the entry template ${template}`)
  return { kind: 'literal', text: piece }
}

function fillToken(token: TemplateToken, values: TemplateValues): string {
  switch (token.kind) {
    case 'literal':
      return token.text
    case 'topic':
      return values.topic
    case 'partition':
      return String(values.partition)
    case 'key':
      return values.key
    case 'header':
      return values.header(token.name)
  }
}
