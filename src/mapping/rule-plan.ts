import { findEntryConflicts, type EntryConflict } from './entry-conflicts.ts'
import type { ExistingEntry } from './entry-names.ts'
import { pathPattern } from './entry-template.ts'
import type { MappingRule } from './rule.ts'
import { ruleFinder } from './topic-pattern.ts'

/** What other rules would mean for one topic. */
export interface TopicPlan {
  readonly topic: string
  /** Index in the new rules and in those before; `undefined`: none. */
  readonly rule: number | undefined
  readonly ruleBefore: number | undefined
  readonly changes: readonly RuleChange[]
  /** Entries in the store whose latest record is of the topic. */
  readonly entriesStored: number
  /** Those of them that the new rule cannot name: they get no more records. */
  readonly entriesLeft: number
}

interface RuleChange {
  /** Such as `labels.headers`. */
  readonly field: string
  readonly before: unknown
  readonly after: unknown
}

export interface RulePlan {
  readonly topics: readonly TopicPlan[]
  readonly conflicts: readonly EntryConflict[]
}

/**
 * Compares rules topic by topic; nothing is changed.
 * @param before - `undefined`: there is nothing to compare with
 */
export function planRules(
  before: readonly MappingRule[] | undefined,
  after: readonly MappingRule[],
  topics: readonly string[],
  stored: readonly ExistingEntry[],
): RulePlan {
  const findBefore = ruleFinder(before ?? [])
  const findAfter = ruleFinder(after)
  const plans = topics.map((topic): TopicPlan => {
    const [was, is] = [findBefore(topic), findAfter(topic)]
    const entries = stored.filter((entry) => entry.topic === topic)
    const pattern = is && pathPattern(is)
    return {
      topic,
      rule: indexOf(after, is),
      ruleBefore: indexOf(before ?? [], was),
      changes: was === undefined || is === undefined ? [] : changesOf(was, is),
      entriesStored: entries.length,
      entriesLeft: entries.filter(({ bucket, entry }) => pattern?.test(`${bucket}/${entry}`) !== true).length,
    }
  })
  return { topics: plans, conflicts: findEntryConflicts(after, topics) }
}

function indexOf(rules: readonly MappingRule[], rule: MappingRule | undefined): number | undefined {
  return rule && rules.indexOf(rule)
}

/** Which topics a rule takes is seen by its index. */
function changesOf(before: MappingRule, after: MappingRule): RuleChange[] {
  const [was, is] = [fieldsOf(before), fieldsOf(after)]
  return [...is]
    .filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(was.get(field)))
    .map(([field, value]) => ({ field, before: was.get(field), after: value }))
}

function fieldsOf({ topics: _topics, exclude: _exclude, ...rule }: MappingRule): Map<string, unknown> {
  return new Map(
    Object.entries(rule).flatMap(([name, value]): [string, unknown][] =>
      GROUPS.has(name)
        ? Object.entries(value as object).map(([inner, one]) => [`${name}.${inner}`, one])
        : [[name, value]],
    ),
  )
}

const GROUPS: ReadonlySet<string> = new Set(['entries', 'labels', 'timestamp', 'limits'])
