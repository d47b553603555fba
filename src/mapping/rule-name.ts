/**
 * What people call a rule: `mapping.rules[2]`, or `default` for the one behind those of the configuration.
 * @param ruleCount of all rules, the default one included
 */
export function ruleName(index: number, ruleCount: number): string {
  return index === ruleCount - 1 ? 'default' : `mapping.rules[${index}]`
}
