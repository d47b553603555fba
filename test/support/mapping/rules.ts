import { defaultRule } from '../../../src/mapping/default-rule.ts'
import { createMapper, type MapperOptions, type PartitionMapper } from '../../../src/mapping/mapper.ts'
import type { MappingRule } from '../../../src/mapping/rule.ts'

/** What differs from the default rule. */
export type RuleChange = {
  readonly [Name in keyof MappingRule]?: MappingRule[Name] extends readonly unknown[] | string | number | null
    ? MappingRule[Name]
    : Partial<MappingRule[Name]>
}

export function ruleWith(change: RuleChange = {}): MappingRule {
  return {
    ...defaultRule,
    ...change,
    entries: { ...defaultRule.entries, ...change.entries },
    labels: { ...defaultRule.labels, ...change.labels },
    timestamp: { ...defaultRule.timestamp, ...change.timestamp },
    limits: { ...defaultRule.limits, ...change.limits },
  }
}

/** The mapper of topic `orders`, partition 3, under one rule. */
export function mapperFor(change: RuleChange, options: MapperOptions = {}): PartitionMapper {
  const mapper = createMapper([ruleWith(change)], options).forPartition('orders', 3)
  if (mapper === undefined) throw new Error('no rule')
  return mapper
}
