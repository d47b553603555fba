import { legalSegment, parseEntryTemplate, type EntryTemplate } from './entry-template.ts'
import type { MappingRule } from './rule.ts'
import { ruleFinder } from './topic-pattern.ts'

/** Topics whose messages could meet in one entry, such as `a.b` and `a_b`. */
export interface EntryConflict {
  readonly bucket: string
  /** The entry template of the rule of the first topic. */
  readonly entry: string
  readonly topics: readonly [string, string]
}

/**
 * Every pair of topics that could be mapped to one entry, whatever their partitions, keys and headers are. Topics
 * that no rule names are left out. Such topics must not be consumed together: offsets of one entry would collide.
 */
export function findEntryConflicts(
  rules: readonly MappingRule[],
  topics: readonly string[],
): EntryConflict[] {
  const findRule = ruleFinder(rules)
  const conflicts: EntryConflict[] = []
  const byFirstSegment = new Map<string | undefined, MappedTopic[]>()
  const openStart: MappedTopic[] = []
  const all: MappedTopic[] = []
  for (const topic of new Set(topics)) {
    const rule = findRule(topic)
    if (!rule) continue
    const mapped = { topic, rule, pattern: entryPattern(parseEntryTemplate(rule.entry), topic) }
    const start = fixedText(mapped.pattern[0] ?? [])
    const sameStart = byFirstSegment.get(start) ?? []
    const rivals = start === undefined ? all : [...sameStart, ...openStart]
    for (const rival of rivals) {
      if (rival.rule.bucket === rule.bucket && meet(rival.pattern, mapped.pattern)) {
        conflicts.push({ bucket: rule.bucket, entry: rival.rule.entry, topics: [rival.topic, topic] })
      }
    }
    all.push(mapped)
    if (start === undefined) openStart.push(mapped)
    else byFirstSegment.set(start, [...sameStart, mapped])
  }
  return conflicts
}

interface MappedTopic {
  readonly topic: string
  readonly rule: MappingRule
  readonly pattern: EntryPattern
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
      const accepts = token.kind === 'partition' ? DIGIT : ANY
      // A key may be empty beside other text; a partition has a digit at least.
      const once = accepts === DIGIT ? [{ accepts, repeats: false }] : []
      return [...once, { accepts, repeats: true }]
    })
  })
}

function legalCharacters(text: string): string {
  return legalSegment(`${text}x`).slice(0, -1)
}

function literal(text: string): Atom[] {
  return [...text].map((accepts) => ({ accepts, repeats: false }))
}

function fixedText(segment: readonly Atom[]): string | undefined {
  return segment.some((atom) => atom.accepts.length > 1)
    ? undefined
    : segment.map((atom) => atom.accepts).join('')
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
