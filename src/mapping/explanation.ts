import { createMapper, type MapperOptions } from './mapper.ts'
import type { KafkaMessage } from './message.ts'
import type { MapOutcome } from './rejection.ts'
import type { MappingRule } from './rule.ts'
import { ruleFinder } from './topic-pattern.ts'

/** What becomes of one message, and why. */
export interface Explanation {
  /** Which of the rules it is, from 0; `undefined`: none takes the topic. */
  readonly ruleIndex: number | undefined
  /** What was decided, in order. */
  readonly steps: readonly { readonly step: string; readonly what: string }[]
  /** `undefined` without a rule: the partition is held. */
  readonly outcome: MapOutcome | undefined
}

/** Maps one message as `sediment run` does, and writes down the decisions. */
export function explainMessage(
  rules: readonly MappingRule[],
  { topic, partition }: { readonly topic: string; readonly partition: number },
  message: KafkaMessage,
  arrivalMs: number,
  options: MapperOptions = {},
): Explanation {
  const rule = ruleFinder(rules)(topic)
  const mapper = createMapper(rules, options).forPartition(topic, partition)
  if (rule === undefined || mapper === undefined)
    return { ruleIndex: undefined, steps: [], outcome: undefined }
  const steps: { step: string; what: string }[] = []
  const hold = mapper.holdOf([message], arrivalMs)
  const outcome = hold ?? mapper.map(message, arrivalMs, (step, what) => void steps.push({ step, what }))
  return { ruleIndex: rules.indexOf(rule), steps, outcome }
}
