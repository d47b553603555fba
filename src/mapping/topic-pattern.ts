import type { MappingRule } from './rule.ts'

/**
 * A test for topic names: `orders` is that name, `/^sensor-/` a regular expression that may match anywhere in it.
 * @throws {SyntaxError} for an expression that does not compile
 */
function topicPattern(patterns: readonly string[]): (topic: string) => boolean {
  const names = new Set(patterns.filter((pattern) => !isExpression(pattern)))
  const expressions = patterns.filter(isExpression).map((pattern) => new RegExp(pattern.slice(1, -1)))
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

function isExpression(pattern: string): boolean {
  return pattern.length >= 2 && pattern.startsWith('/') && pattern.endsWith('/')
}
