import type { MappingRule } from './rule.ts'

/**
 * A test for topic names: `orders` is that name, `/^sensor-/` a regular expression that may match anywhere in it.
 * @throws {SyntaxError} for an expression that does not compile
 */
function topicPattern(patterns: readonly string[]): (topic: string) => boolean {
  const names = new Set<string>()
  const expressions: RegExp[] = []
  for (const pattern of patterns) {
    const expression = topicExpression(pattern)
    if (expression === undefined) names.add(pattern)
    else expressions.push(expression)
  }
  return (topic) => names.has(topic) || expressions.some((expression) => expression.test(topic))
}

/** The first rule whose topics match and whose exclusions do not. */
export function ruleFinder(rules: readonly MappingRule[]): (topic: string) => MappingRule | undefined {
  const tests = rules.map((rule) => ({
    rule,
    included: topicPattern(rule.topics),
    excluded: topicPattern(rule.exclude),
  }))
  return (topic) => tests.find(({ included, excluded }) => included(topic) && !excluded(topic))?.rule
}

/**
 * The expression that `/…/` stands for; `undefined` for a topic name, which holds no slash.
 * @throws {SyntaxError} when it does not compile
 */
export function topicExpression(pattern: string): RegExp | undefined {
  return /^\/.+\/$/.test(pattern) ? new RegExp(pattern.slice(1, -1)) : undefined
}
