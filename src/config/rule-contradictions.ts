import { timeSourceName } from '../mapping/time-policy.ts'
import type { MappingRule } from '../mapping/rule.ts'
import type { Fault } from './format.ts'

/** What of a rule is allowed by itself, but not together. */
export function ruleContradictions({ timestamp, labels }: MappingRule, path: string): Fault[] {
  const faults: Fault[] = []
  const names = timestamp.sources.map(timeSourceName)
  const afterArrival = names.indexOf('arrival') + 1
  if (afterArrival > 0 && afterArrival < names.length) {
    const problem = 'every message has an arrival: a source behind it is never asked'
    const value = timestamp.sources[afterArrival]
    faults.push({ path: `${path}.timestamp.sources[${afterArrival}]`, value, allowed: 'no source', problem })
  }
  // Readers over HTTP do not tell upper from lower case.
  const seen = new Set(Object.keys(labels.constants).map((name) => name.toLowerCase()))
  for (const name of Object.keys(labels.json)) {
    if (seen.has(name.toLowerCase())) {
      const problem = 'the label is there already'
      faults.push({
        path: `${path}.labels.json.${name}`,
        value: undefined,
        allowed: 'another name',
        problem,
      })
    }
    seen.add(name.toLowerCase())
  }
  return faults
}
