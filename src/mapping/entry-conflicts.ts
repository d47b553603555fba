import { legalSegment, parseEntryTemplate, type EntryTemplate } from './entry-template.ts'
import type { MappingRule } from './rule.ts'
import { ruleFinder } from './topic-pattern.ts'

/** Topics whose messages could meet in one entry, such as `a.b` and `a_b`. */
export interface EntryConflict {
  /** False where keys, headers or JSON fields decide: whoever comes second to an entry is held then. */
  readonly isCertain: boolean
  /** The bucket and entry template of the rule of the first topic. */
  readonly bucket: string
  readonly entry: string
  readonly topics: readonly [string, string]
}

/**
 * Every pair of topics that could be mapped to one entry, whatever their partitions, keys and headers are. Topics
 * that no rule names are left out. Topics that meet for certain must not be consumed together.
 */
export function findEntryConflicts(
  rules: readonly MappingRule[],
  topics: readonly string[],
): EntryConflict[] {
  const entries = new TopicEntries(rules)
  return [...new Set(topics)].flatMap((topic) => {
    const conflicts = entries.conflictsOf(topic)
    entries.add(topic)
    return conflicts
  })
}

/**
 * Topics and the entries that they may be mapped to. Topics whose entries differ in a segment that is fixed are never
 * compared: with the usual templates one more topic costs the same however many there are.
 */
export class TopicEntries {
  private readonly findRule: (topic: string) => MappingRule | undefined
  /** By which segments are fixed: there are as many shapes as rules, at most. */
  private readonly shapes = new Map<string, Shape>()

  constructor(rules: readonly MappingRule[]) {
    this.findRule = ruleFinder(rules)
  }

  add(topic: string): void {
    const mapped = this.mapped(topic)
    if (mapped === undefined) return
    const key = mapped.fixed.map((text) => (text === undefined ? '*' : '/')).join('')
    const shape = this.shapes.get(key)
    if (shape === undefined) this.shapes.set(key, new Shape(mapped))
    else shape.add(mapped)
  }

  /** Those of the topics that are there already, and what they could share with `topic`. */
  conflictsOf(topic: string): EntryConflict[] {
    const mapped = this.mapped(topic)
    if (mapped === undefined) return []
    return [...this.shapes.values()]
      .flatMap((shape) => shape.rivalsOf(mapped))
      .filter((rival) => rival.topic !== topic && meet(rival.pattern, mapped.pattern))
      .map((rival) => ({
        isCertain: !isOpen(rival.pattern) && !isOpen(mapped.pattern),
        bucket: rival.rule.bucket,
        entry: rival.rule.entry,
        topics: [rival.topic, topic],
      }))
  }

  private mapped(topic: string): MappedTopic | undefined {
    const rule = this.findRule(topic)
    if (rule === undefined) return undefined
    // The bucket is a segment like any other.
    const template = [...parseEntryTemplate(rule.bucket), ...parseEntryTemplate(rule.entry)]
    const pattern = entryPattern(template, topic)
    const starts = pattern.map(startOf)
    const fixed = pattern.map((segment, index) =>
      starts[index]!.length === segment.length ? starts[index]!.join('') : undefined,
    )
    return { topic, rule, pattern, fixed, starts: starts.map((characters) => characters.join('')) }
  }
}

/** Topics whose entries have the same segments fixed. */
class Shape {
  private readonly topics: MappedTopic[]
  private readonly sample: MappedTopic
  /** By the segments that a rival has fixed, too, and what stands there. */
  private readonly indexes = new Map<
    string,
    { places: readonly number[]; found: Map<string, MappedTopic[]> }
  >()

  constructor(first: MappedTopic) {
    this.topics = [first]
    this.sample = first
  }

  add(mapped: MappedTopic): void {
    this.topics.push(mapped)
    for (const { places, found } of this.indexes.values()) collect(found, places, mapped)
  }

  /** Those that differ from `mapped` neither in a segment that is fixed in both, nor in how a segment starts. */
  rivalsOf(mapped: MappedTopic): MappedTopic[] {
    const { fixed } = this.sample
    if (fixed.length !== mapped.fixed.length) return []
    const places = [...fixed.keys()].filter(
      (place) => fixed[place] !== undefined && mapped.fixed[place] !== undefined,
    )
    let index = this.indexes.get(places.join())
    if (index === undefined) {
      index = { places, found: new Map() }
      for (const topic of this.topics) collect(index.found, places, topic)
      this.indexes.set(places.join(), index)
    }
    const found = index.found.get(keyAt(places, mapped)) ?? []
    return found.filter(({ starts }) =>
      starts.every((start, place) => {
        const other = mapped.starts[place]!
        return start.startsWith(other) || other.startsWith(start)
      }),
    )
  }
}

function collect(found: Map<string, MappedTopic[]>, places: readonly number[], mapped: MappedTopic): void {
  const key = keyAt(places, mapped)
  const list = found.get(key)
  if (list === undefined) found.set(key, [mapped])
  else list.push(mapped)
}

function keyAt(places: readonly number[], { fixed }: MappedTopic): string {
  return places.map((place) => fixed[place]).join('/')
}

interface MappedTopic {
  readonly topic: string
  readonly rule: MappingRule
  readonly pattern: EntryPattern
  /** Of each segment its text, where it is always the same. */
  readonly fixed: readonly (string | undefined)[]
  /** Of each segment the text it always starts with. */
  readonly starts: readonly string[]
}

/** One character of a name, `DIGIT` or `ANY`; `repeats` means none or more of it. */
interface Atom {
  readonly accepts: string
  readonly repeats: boolean
}
const DIGIT = 'digit'
const ANY = 'any'

type EntryPattern = readonly (readonly Atom[])[]

function entryPattern(template: EntryTemplate, topic: string): EntryPattern {
  return template.map((segment) => {
    const isFixed = segment.every((token) => token.kind === 'literal' || token.kind === 'topic')
    const text = segment.map((token) => (token.kind === 'literal' ? token.text : topic)).join('')
    if (isFixed) return literal(legalSegment(text))
    return segment.flatMap((token): Atom[] => {
      if (token.kind === 'literal') return literal(legalCharacters(token.text))
      if (token.kind === 'topic') return literal(legalCharacters(topic))
      if (token.kind === 'time') return [...token.part].map(() => ({ accepts: DIGIT, repeats: false }))
      const accepts = token.kind === 'partition' ? DIGIT : ANY
      // A key may be empty beside other text; a partition has a digit at least.
      const once = accepts === DIGIT ? [{ accepts, repeats: false }] : []
      return [...once, { accepts, repeats: true }]
    })
  })
}

/** Whether messages decide what stands there. */
function isOpen(pattern: EntryPattern): boolean {
  return pattern.flat().some((atom) => atom.accepts === ANY)
}

function legalCharacters(text: string): string {
  return legalSegment(`${text}x`).slice(0, -1)
}

function literal(text: string): Atom[] {
  return [...text].map((accepts) => ({ accepts, repeats: false }))
}

/** The characters that a segment always starts with. */
function startOf(segment: readonly Atom[]): string[] {
  const open = segment.findIndex((atom) => atom.accepts === DIGIT || atom.accepts === ANY)
  return (open < 0 ? segment : segment.slice(0, open)).map((atom) => atom.accepts)
}

/** Whether some name fits both patterns. */
function meet(left: EntryPattern, right: EntryPattern): boolean {
  return (
    left.length === right.length && left.every((segment, index) => segmentsMeet(segment, right[index] ?? []))
  )
}

function segmentsMeet(left: readonly Atom[], right: readonly Atom[]): boolean {
  const dead = new Set<number>()
  const meetFrom = (leftIndex: number, rightIndex: number): boolean => {
    const state = leftIndex * (right.length + 1) + rightIndex
    if (dead.has(state)) return false
    const a = left[leftIndex]
    const b = right[rightIndex]
    const doesMeet =
      (!a && !b) ||
      (a?.repeats === true && meetFrom(leftIndex + 1, rightIndex)) ||
      (b?.repeats === true && meetFrom(leftIndex, rightIndex + 1)) ||
      (a !== undefined &&
        b !== undefined &&
        !(a.repeats && b.repeats) &&
        overlap(a.accepts, b.accepts) &&
        meetFrom(leftIndex + (a.repeats ? 0 : 1), rightIndex + (b.repeats ? 0 : 1)))
    if (!doesMeet) dead.add(state)
    return doesMeet
  }
  return meetFrom(0, 0)
}

function overlap(a: string, b: string): boolean {
  if (a === b || a === ANY || b === ANY) return true
  if (a === DIGIT) return /^\d$/.test(b)
  return b === DIGIT && /^\d$/.test(a)
}
