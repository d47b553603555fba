import { resolve } from 'node:path'
import { storedTopics } from '../../app/existing-entries.ts'
import type { ExistingEntry } from '../../mapping/entry-names.ts'
import { ruleName } from '../../mapping/rule-name.ts'
import { planRules, type RulePlan, type TopicPlan } from '../../mapping/rule-plan.ts'
import { topicExpression } from '../../mapping/topic-pattern.ts'
import { StorageError } from '../../storage/index.ts'
import { loadConfiguration, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { withReader } from '../open-store.ts'

export interface PlanOptions extends ConfigurationOptions {
  readonly against?: string
  readonly topic?: readonly string[]
  readonly json?: boolean
}

/**
 * Says what the rules of a configuration would do: for the topics that it and the old one name, that are stored, and
 * that are given. @returns the exit code: 1 when topics would meet in one entry for certain
 */
export async function plan(options: PlanOptions, context: Context): Promise<number> {
  const { settings } = loadConfiguration(options, context)
  const old =
    options.against === undefined
      ? undefined
      : loadConfiguration({ ...options, config: options.against }, context).settings
  const stored = await storedEntries(resolve(settings.dataPath))
  const named = [...settings.kafka.topics, ...(old?.kafka.topics ?? [])].filter(
    (topic) => topicExpression(topic) === undefined,
  )
  const known = stored.flatMap(({ topic }) => (topic === undefined ? [] : [topic]))
  const topics = [...new Set([...named, ...known, ...(options.topic ?? [])])].sort()
  const { rules } = settings.mapping
  const found = planRules(old?.mapping.rules, rules, topics, stored)
  if (options.json === true) await context.stdout.line(JSON.stringify(found))
  else await context.stdout.lines(planLines(found, rules.length, old?.mapping.rules.length))
  return found.conflicts.some(({ isCertain }) => isCertain) ? exitCodes.unexpected : exitCodes.ok
}

/** None where there is no data directory yet. */
async function storedEntries(dataPath: string): Promise<readonly ExistingEntry[]> {
  try {
    return await withReader(dataPath, storedTopics)
  } catch (error) {
    if (error instanceof StorageError && error.code === 'ERR_NOT_A_STORE') return []
    throw error
  }
}

function planLines({ topics, conflicts }: RulePlan, rules: number, rulesBefore = 0): string[] {
  const lines = topics.flatMap((topic) => topicLines(topic, rules, rulesBefore))
  return [
    ...lines,
    ...conflicts.map(
      ({ isCertain, bucket, entry, topics: [first, second] }) =>
        `${isCertain ? 'CONFLICT' : 'possible conflict'}: ${first} and ${second} in ${bucket}/${entry}`,
    ),
    ...(lines.length === 0 ? ['no topic is known: name some with --topic'] : []),
  ]
}

function topicLines(topic: TopicPlan, rules: number, rulesBefore: number): string[] {
  const was = rulesBefore === 0 ? '' : ` (before: ${ruleText(topic.ruleBefore, rulesBefore)})`
  return [
    `${topic.topic}: rule ${ruleText(topic.rule, rules)}${was}`,
    ...topic.changes.map(
      ({ field, before, after }) => `  ${field}: ${JSON.stringify(before)} becomes ${JSON.stringify(after)}`,
    ),
    ...(topic.entriesStored > 0 ? [`  ${topic.entriesStored} entries stored${leftText(topic)}`] : []),
  ]
}

function leftText({ entriesLeft }: TopicPlan): string {
  return entriesLeft === 0 ? '' : `, ${entriesLeft} of them get no more records`
}

function ruleText(index: number | undefined, rules: number): string {
  return index === undefined ? 'none: held' : ruleName(index, rules)
}
