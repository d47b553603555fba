import type { EntryName, RecordWrite } from '../storage/index.ts'
import { EntryNames } from './entry-names.ts'
import {
  fillEntryTemplate,
  identityIn,
  isFixed,
  parseEntryTemplate,
  segmentBytesMax,
  type EntryTemplate,
} from './entry-template.ts'
import {
  hasShape,
  headerChoice,
  headerShape,
  pushHeaderLabels,
  type HeaderChoice,
  type HeaderShape,
} from './headers.ts'
import { isReservedLabel, labelBytesMax, labels as ours } from './label-names.ts'
import { asBuffer, labelText, latin1 } from './label-text.ts'
import type { KafkaMessage } from './message.ts'
import type { Rejection } from './rejection.ts'
import type { MappingRule } from './rule.ts'
import { ruleFinder } from './topic-pattern.ts'
import { assert } from '../base/assert.ts'

/** Makes records of messages. Pure: no I/O, no clock. */
export interface Mapper {
  /** `undefined` when no rule names the topic. Keep what is returned: making it is not cheap. */
  forPartition(topic: string, partition: number): PartitionMapper | undefined
}

/** The rule of a topic, worked out for one partition. */
export interface PartitionMapper {
  readonly rule: MappingRule
  /**
   * `content` of the record is `message.value`, not a copy.
   * @param arrivalMs - milliseconds since the epoch, for messages without a usable time
   */
  map(message: KafkaMessage, arrivalMs: number): RecordWrite | Rejection
}

/** @param rules - checked by the configuration, the default rule among them if it is wanted; first match wins */
export function createMapper(rules: readonly MappingRule[]): Mapper {
  const findRule = ruleFinder(rules)
  const names = new EntryNames()
  return {
    forPartition(topic, partition) {
      const rule = findRule(topic)
      return rule && new RulePartitionMapper(rule, topic, partition, names)
    },
  }
}

const EMPTY = new Uint8Array(0)

class RulePartitionMapper implements PartitionMapper {
  readonly rule: MappingRule
  readonly #target: (message: KafkaMessage) => EntryName | Rejection
  /** Labels that are the same for every record of the partition. */
  readonly #fixedLabels: readonly string[]
  readonly #choice: HeaderChoice
  #shape: HeaderShape

  constructor(rule: MappingRule, topic: string, partition: number, names: EntryNames) {
    this.rule = rule
    const template = parseEntryTemplate(rule.entry)
    const held = identityIn(template, topic)
    for (const name of Object.keys(rule.labels.constants)) {
      assert(!isReservedLabel(name), `the label ${name} of a rule is reserved`)
    }
    this.#fixedLabels = [
      ...(held.topic ? [] : [ours.topic, topic]),
      ...(held.partition ? [] : [ours.partition, String(partition)]),
      ...Object.entries(rule.labels.constants).flat(),
    ]
    this.#target = isFixed(template)
      ? fixedTarget(template, rule.bucket, topic, partition, names)
      : dynamicTarget(template, rule.bucket, topic, partition, names)
    this.#choice = headerChoice(rule.labels.headers, rule.labels.constants)
    this.#shape = headerShape([], this.#choice)
  }

  map(message: KafkaMessage, arrivalMs: number): RecordWrite | Rejection {
    const target = this.#target(message)
    if ('rejected' in target) return target

    const labels = [ours.offset, String(message.offset)]
    for (const text of this.#fixedLabels) labels.push(text)
    this.#pushKey(labels, message.key)
    if (message.value === null) labels.push(ours.valueState, 'null')
    const isOwnTime = this.#isWithinBounds(message.timestampMs, arrivalMs)
    if (!isOwnTime) pushArrival(labels, message.timestampMs)
    if (message.headers.length > 0) this.#pushHeaders(labels, message)

    const labelBytes = textLength(labels)
    if (labelBytes > labelBytesMax) {
      return { rejected: 'labels-too-large', bytes: labelBytes, bytesMax: labelBytesMax }
    }
    return {
      target,
      timestampUs: (isOwnTime ? message.timestampMs : Math.floor(arrivalMs)) * 1000,
      labels,
      contentType: this.rule.contentType,
      content: message.value ?? EMPTY,
    }
  }

  #pushKey(labels: string[], key: Uint8Array | null): void {
    if (key === null) return
    if (key.byteLength === 0) {
      labels.push(ours.keyState, 'empty')
      return
    }
    const text = this.rule.labels.key ? labelText(key) : undefined
    if (text === undefined) labels.push(ours.key64, asBuffer(key).toString('base64url'))
    else labels.push(ours.key, text)
  }

  #pushHeaders(labels: string[], message: KafkaMessage): void {
    if (!hasShape(message.headers, this.#shape)) this.#shape = headerShape(message.headers, this.#choice)
    pushHeaderLabels(labels, message.headers, this.#shape)
  }

  #isWithinBounds(timestampMs: number, arrivalMs: number): boolean {
    const { minMs, aheadMsMax } = this.rule.timestamp
    return timestampMs >= Math.max(0, minMs) && timestampMs <= arrivalMs + aheadMsMax
  }
}

function pushArrival(labels: string[], timestampMs: number): void {
  labels.push(ours.timestampSource, 'arrival')
  if (timestampMs !== -1) labels.push(ours.timestampRecord, String(timestampMs))
}

/** Label names and values are ASCII: characters are bytes. */
function textLength(texts: readonly string[]): number {
  let length = 0
  for (const text of texts) length += text.length
  return length
}

function fixedTarget(
  template: EntryTemplate,
  bucket: string,
  topic: string,
  partition: number,
  names: EntryNames,
): () => EntryName | Rejection {
  const entry = fillEntryTemplate(template, { topic, partition, key: '', header: () => '' })
  const target = tooLong(entry) ?? names.fixed(bucket, entry)
  return () => target
}

function dynamicTarget(
  template: EntryTemplate,
  bucket: string,
  topic: string,
  partition: number,
  names: EntryNames,
): (message: KafkaMessage) => EntryName | Rejection {
  return (message) => {
    const entry = fillEntryTemplate(template, {
      topic,
      partition,
      key: text(message.key),
      header: (name) => text(message.headers.find((header) => latin1(header.name) === name)?.value),
    })
    return tooLong(entry) ?? names.dynamic(bucket, entry)
  }
}

function tooLong(entry: string): Rejection | undefined {
  const bytes = Math.max(...entry.split('/').map((segment) => segment.length))
  return bytes > segmentBytesMax
    ? { rejected: 'entry-name-too-long', bytes, bytesMax: segmentBytesMax }
    : undefined
}

function text(bytes: Uint8Array | null | undefined): string {
  return bytes ? asBuffer(bytes).toString('utf8') : ''
}
