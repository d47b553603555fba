import { findEntryConflicts } from '../mapping/entry-conflicts.ts'
import type { MappingRule } from '../mapping/rule.ts'
import { ruleFinder, topicExpression } from '../mapping/topic-pattern.ts'
import { AppError } from './app-error.ts'

/**
 * What can be known before anything is opened: topics given by name have a rule, and no two of them share an entry.
 * Topics that match an expression are looked at when they appear.
 *
 * @throws {AppError}
 */
export function checkTopics(rules: readonly MappingRule[], topics: readonly string[]): void {
  const names = topics.filter((topic) => topicExpression(topic) === undefined)
  const findRule = ruleFinder(rules)
  const orphan = names.find((name) => findRule(name) === undefined)
  if (orphan !== undefined) {
    throw new AppError('ERR_NO_RULE', `kafka.topics names ${orphan}, but no rule of mapping.rules takes it`)
  }
  const conflict = findEntryConflicts(rules, names).find(({ isCertain }) => isCertain)
  if (conflict !== undefined) {
    const [first, second] = conflict.topics
    throw new AppError(
      'ERR_ENTRY_CONFLICT',
      `topics ${first} and ${second} would share entries of bucket ${conflict.bucket} (${conflict.entry}); give one of them a rule with another entry or bucket`,
    )
  }
}
