import { silentLogger } from '../../base/logger.ts'
import type { Settings } from '../../config/settings.ts'
import { systemClock } from '../../fs/system-clock.ts'
import { explainMessage, type Explanation } from '../../mapping/explanation.ts'
import type { KafkaMessage } from '../../mapping/message.ts'
import { ruleName } from '../../mapping/rule-name.ts'
import { loadConfiguration, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { createSource } from '../kafka-source.ts'
import { labelObject } from '../labels.ts'
import { readMessageFile } from '../message-file.ts'
import { formatBytes } from '../quantities.ts'
import { formatTimeUs } from '../time-argument.ts'
import { UsageError } from '../usage-error.ts'
import { wholeNumber } from '../whole-number.ts'

export interface ExplainOptions extends ConfigurationOptions {
  readonly message?: string
  readonly json?: boolean
}

/** Says what a message becomes, and why. Nothing is stored, no group is joined. @returns the exit code */
export async function explain(
  topic: string,
  partitionText: string | undefined,
  offsetText: string | undefined,
  options: ExplainOptions,
  context: Context,
): Promise<number> {
  const partition = wholeNumber('partition', partitionText ?? '0')
  // Of the topics only this one is asked for.
  const set = [...(options.set ?? []), `kafka.topics=${topic}`]
  const { settings } = loadConfiguration({ ...options, set }, context)
  const message =
    options.message === undefined
      ? await fetchMessage(settings, context.env, topic, partition, requireOffset(offsetText))
      : readMessageFile(options.message)
  const { rules } = settings.mapping
  const explanation = explainMessage(rules, { topic, partition }, message, context.nowUs() / 1000)
  const place = { topic, partition, offset: message.offset }
  if (options.json === true) await context.stdout.line(explanationToJson(explanation, place, rules.length))
  else await context.stdout.lines(explanationLines(explanation, place, rules.length))
  return exitCodes.ok
}

interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

async function fetchMessage(
  settings: Settings,
  env: Context['env'],
  topic: string,
  partition: number,
  offset: number,
): Promise<KafkaMessage> {
  const source = createSource(settings, env, systemClock, silentLogger)
  try {
    await source.probe()
    const found = await source.recordAt({ topic, partition }, offset)
    if (found !== undefined) return found
    throw new UsageError(
      `${topic}/${partition} has no message at offset ${offset}: it is a gap there, or offsets begin later or end before`,
    )
  } finally {
    await source.stop()
  }
}

function requireOffset(text: string | undefined): number {
  if (text === undefined) throw new UsageError('give the offset, or a message with --message FILE')
  return wholeNumber('offset', text)
}

function ruleText(index: number | undefined, rules: number): string {
  return index === undefined ? 'none' : ruleName(index, rules)
}

function explanationLines({ ruleIndex, steps, outcome }: Explanation, place: Place, rules: number): string[] {
  return [
    `message   ${place.topic}/${place.partition} offset ${place.offset}`,
    `rule      ${ruleText(ruleIndex, rules)}`,
    ...steps.map(({ step, what }) => `${step.padEnd(9)} ${what}`),
    ...outcomeLines(outcome),
  ]
}

function outcomeLines(outcome: Explanation['outcome']): string[] {
  if (outcome === undefined) return ['outcome   held: no-rule']
  if ('held' in outcome) return [`outcome   held: ${outcome.held}: ${outcome.detail}`]
  if ('skipped' in outcome) return [`outcome   not stored (gap filtered): ${outcome.skipped}`]
  if ('rejected' in outcome) return [`outcome   quarantine: ${outcome.rejected}: ${outcome.detail}`]
  const { target, timestampUs, contentType, content, labels } = outcome
  return [
    `outcome   stored`,
    `entry     ${target.bucket}/${target.entry}`,
    `timestamp ${timestampUs} us, ${formatTimeUs(BigInt(timestampUs))}`,
    `content   ${formatBytes(content.byteLength)}, ${contentType}`,
    ...Object.entries(labelObject(labels)).map(([name, value]) => `label     ${name}=${value}`),
  ]
}

function explanationToJson({ ruleIndex, steps, outcome }: Explanation, place: Place, rules: number): string {
  return JSON.stringify({ ...place, rule: ruleText(ruleIndex, rules), steps, ...outcomeJson(outcome) })
}

function outcomeJson(outcome: Explanation['outcome']): object {
  if (outcome === undefined) return { outcome: 'held', why: 'no-rule' }
  if ('held' in outcome) return { outcome: 'held', why: outcome.held, detail: outcome.detail }
  if ('skipped' in outcome) return { outcome: 'filtered', why: outcome.skipped }
  if ('rejected' in outcome) return { outcome: 'quarantine', why: outcome.rejected, detail: outcome.detail }
  const { target, timestampUs, contentType, content, labels } = outcome
  const contentBytes = content.byteLength
  return { outcome: 'stored', ...target, timestampUs, contentType, contentBytes, labels: labelObject(labels) }
}
