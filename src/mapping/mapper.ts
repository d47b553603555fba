import type { EntryName } from '../storage/index.ts'
import { EntryNames, type ExistingEntry } from './entry-names.ts'
import { RuleTargets } from './entry-target.ts'
import type { MapperObserver } from './mapper-observer.ts'
import { silentMapperObserver } from './mapper-observer.ts'
import type { KafkaMessage } from './message.ts'
import { messageFilter, type MessageFilter } from './filter.ts'
import { FieldReader } from './field.ts'
import { RecordLabels } from './record-labels.ts'
import type { MapHold, MapOutcome, Rejection, Skip } from './rejection.ts'
import type { MappingRule } from './rule.ts'
import { ruleName } from './rule-name.ts'
import { pointersOf } from './rule-pointers.ts'
import { OUT_OF_BOUNDS, TimePolicy, type TimeReading } from './time-policy.ts'
import { ruleFinder } from './topic-pattern.ts'

/** Makes records of messages. No I/O, no clock. */
export interface Mapper {
  /** `undefined` when no rule names the topic. Keep what is returned: making it is not cheap. */
  forPartition(topic: string, partition: number): PartitionMapper | undefined
}

/** The rule of a topic, worked out for one partition. */
export interface PartitionMapper {
  readonly rule: MappingRule
  /** As people call it. */
  readonly ruleName: string
  /**
   * `content` of the record is `message.value`, not a copy.
   * @param arrivalMs - milliseconds since the epoch
   * @param explain - hears what is decided on the way
   */
  map(message: KafkaMessage, arrivalMs: number, explain?: Explain): MapOutcome
  /** Why none of these messages, which were fetched together, is to be mapped now. */
  holdOf(messages: readonly KafkaMessage[], arrivalMs: number): MapHold | undefined
}

/** One decision, for people. */
export type Explain = (step: 'tombstone' | 'size' | 'filter' | 'time' | 'label', what: string) => void

export interface MapperOptions {
  /** What the store has: it counts in `entries.max`, and no other topic gets it. */
  readonly existing?: Iterable<ExistingEntry>
  readonly observer?: MapperObserver
}

/** @param rules - checked by the configuration, the default rule among them if it is wanted; first match wins */
export function createMapper(rules: readonly MappingRule[], options: MapperOptions = {}): Mapper {
  const findRule = ruleFinder(rules)
  const observer = options.observer ?? silentMapperObserver
  const names = new EntryNames(options.existing)
  const targets = new Map<MappingRule, RuleTargets>()
  return {
    forPartition(topic, partition) {
      const rule = findRule(topic)
      if (rule === undefined) return undefined
      let target = targets.get(rule)
      if (target === undefined) targets.set(rule, (target = new RuleTargets(rule, names, observer)))
      const name = ruleName(rules.indexOf(rule), rules.length)
      return new RulePartitionMapper(rule, name, topic, partition, target, observer)
    },
  }
}

const EMPTY = new Uint8Array(0)

class RulePartitionMapper implements PartitionMapper {
  readonly rule: MappingRule
  readonly ruleName: string
  readonly #topic: string
  readonly #partition: number
  readonly #targets: RuleTargets
  readonly #fields: FieldReader
  readonly #filters: readonly MessageFilter[]
  readonly #time: TimePolicy
  readonly #labels: RecordLabels
  /** Of every message, where it does not depend on them. */
  #target: EntryName | Rejection | MapHold | undefined

  constructor(
    rule: MappingRule,
    name: string,
    topic: string,
    partition: number,
    targets: RuleTargets,
    observer: MapperObserver,
  ) {
    this.rule = rule
    this.ruleName = name
    this.#topic = topic
    this.#partition = partition
    this.#targets = targets
    this.#fields = new FieldReader(pointersOf(rule, targets))
    this.#filters = rule.filters.map(messageFilter)
    this.#time = new TimePolicy(rule.timestamp)
    this.#labels = new RecordLabels(rule, topic, partition, targets.entry, observer)
  }

  map(message: KafkaMessage, arrivalMs: number, explain?: Explain): MapOutcome {
    const fields = this.#fields
    fields.begin(message)
    const unwanted = this.#unwanted(message, explain)
    if (unwanted !== undefined) return unwanted

    const onReading = explain && ((reading: TimeReading) => explain('time', readingText(reading)))
    const sourceIndex = this.#time.decide(message, fields, arrivalMs, onReading)
    if (sourceIndex < 0) return this.#timeless(sourceIndex)
    const { timeUs } = this.#time
    const target = this.#target ?? this.#targetOf(timeUs)
    if ('rejected' in target || 'held' in target) return target
    const labels = this.#labels.of(message, fields, this.#time.names[sourceIndex] as string, explain)
    if ('rejected' in labels) return labels
    return {
      target,
      timestampUs: timeUs,
      labels,
      contentType: this.rule.contentType,
      content: message.value ?? EMPTY,
    }
  }

  holdOf(messages: readonly KafkaMessage[], arrivalMs: number): MapHold | undefined {
    if (this.rule.timestamp.outside !== 'hold' || messages.length === 0) return undefined
    const lastUs = this.#time.lastUs(arrivalMs)
    let firstUs = Infinity
    for (const message of messages) {
      this.#fields.begin(message)
      const timeUs = this.#time.firstTimeUs(message, this.#fields, arrivalMs)
      if (timeUs === undefined || timeUs <= lastUs) return undefined
      firstUs = Math.min(firstUs, timeUs)
    }
    const { aheadMsMax } = this.rule.timestamp
    return {
      held: 'clock',
      detail:
        `all ${messages.length} messages fetched from offset ${messages[0]?.offset ?? 0} on are more than ` +
        `${aheadMsMax} ms ahead of the clock here: it goes on by itself when the clock is there`,
      untilMs: Math.ceil(firstUs / 1000) - aheadMsMax,
    }
  }

  #targetOf(timeUs: number): EntryName | Rejection | MapHold {
    const target = this.#targets.of(this.#topic, this.#partition, this.#fields, timeUs)
    if (this.#targets.isFixed) this.#target = target
    return target
  }

  #unwanted(message: KafkaMessage, explain: Explain | undefined): Rejection | Skip | undefined {
    const { tombstones, contentBytesMax } = this.rule
    if (message.value === null) {
      explain?.('tombstone', `rule says ${tombstones}`)
      if (tombstones === 'skip') return { skipped: 'tombstone' }
      if (tombstones === 'quarantine')
        return { rejected: 'tombstone', detail: 'the rule wants no tombstones' }
    } else if (contentBytesMax !== null && message.value.byteLength > contentBytesMax) {
      return {
        rejected: 'content-too-large',
        detail: `the value has ${message.value.byteLength} bytes, ${contentBytesMax} may be`,
      }
    }
    for (const filter of this.#filters) {
      const verdict = filter.check(this.#fields)
      if (typeof verdict !== 'string')
        return { rejected: 'json-unreadable', detail: `${filter.name}: ${verdict.unreadable}` }
      explain?.('filter', `${filter.name}: ${verdict}`)
      if (verdict === 'stop') return { skipped: 'filter' }
    }
    return undefined
  }

  #timeless(why: number): Rejection {
    const sources = this.#time.names.join(', ')
    return why === OUT_OF_BOUNDS
      ? { rejected: 'time-out-of-bounds', detail: `of ${sources}` }
      : { rejected: 'no-time', detail: `in ${sources}` }
  }
}

function readingText({ source, timeUs, fault }: TimeReading): string {
  const time = timeUs === undefined ? '' : ` ${timeUs} us`
  return `${source}:${time} ${fault ?? 'taken'}`
}
