import type { RuleTargets } from './entry-target.ts'
import { fieldsIn } from './entry-template.ts'
import type { FieldSource } from './field.ts'
import type { MappingRule } from './rule.ts'

/** Every place in the JSON value that a rule asks for. */
export function pointersOf(
  rule: MappingRule,
  { bucket, entry }: Pick<RuleTargets, 'bucket' | 'entry'>,
): string[] {
  const sources: FieldSource[] = [
    ...rule.filters,
    ...rule.timestamp.sources.filter((source) => typeof source !== 'string'),
    ...fieldsIn(bucket),
    ...fieldsIn(entry),
  ]
  const pointers = sources.flatMap((source) => ('json' in source ? [source.json] : []))
  return [...pointers, ...Object.values(rule.labels.json)]
}
