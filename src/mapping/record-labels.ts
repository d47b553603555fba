import { assert } from '../base/assert.ts'
import { identityIn, type EntryTemplate } from './entry-template.ts'
import type { FieldReader } from './field.ts'
import {
  hasShape,
  headerChoice,
  headerShape,
  pushHeaderLabels,
  type HeaderChoice,
  type HeaderShape,
} from './headers.ts'
import { isReservedLabel, labelBytesMax, labels as ours } from './label-names.ts'
import { asBuffer, labelText, legalLabelText } from './label-text.ts'
import type { Explain } from './mapper.ts'
import type { MapperObserver } from './mapper-observer.ts'
import type { KafkaMessage } from './message.ts'
import type { Rejection } from './rejection.ts'
import type { MappingRule } from './rule.ts'
import { ValueGuard } from './value-guard.ts'

/** The labels of the records of one partition. */
export class RecordLabels {
  readonly #rule: MappingRule
  /** The same for every record. */
  readonly #fixed: readonly string[]
  readonly #json: readonly (readonly [label: string, pointer: string])[]
  readonly #choice: HeaderChoice
  readonly #admits: ((label: string, value: string) => boolean) | undefined
  /** What was refused for the message at hand. */
  #limited: string[] = []
  #shape: HeaderShape

  constructor(
    rule: MappingRule,
    topic: string,
    partition: number,
    entry: EntryTemplate,
    observer: MapperObserver,
  ) {
    const { constants, json, headers, valuesMax } = rule.labels
    const taken = [...Object.keys(constants), ...Object.keys(json)]
    for (const name of taken) assert(!isReservedLabel(name), `the label ${name} of a rule is reserved`)
    const held = identityIn(entry, topic)
    this.#rule = rule
    this.#fixed = [
      ...(held.topic ? [] : [ours.topic, topic]),
      ...(held.partition ? [] : [ours.partition, String(partition)]),
      ...Object.entries(constants).flat(),
    ]
    this.#json = Object.entries(json)
    this.#choice = headerChoice(headers, taken)
    this.#shape = headerShape([], this.#choice)
    if (valuesMax !== null) {
      const guard = new ValueGuard(valuesMax, (label) =>
        observer.labelFull({ topic, partition, label, valuesMax }),
      )
      this.#admits = (label, value) => {
        const isAdmitted = guard.admits(label, value)
        if (!isAdmitted) this.#limited.push(label)
        return isAdmitted
      }
    }
  }

  /** @param timeSource - where the time is from */
  of(
    message: KafkaMessage,
    fields: FieldReader,
    timeSource: string,
    explain: Explain | undefined,
  ): string[] | Rejection {
    const labels = [ours.offset, String(message.offset)]
    for (const text of this.#fixed) labels.push(text)
    this.#pushKey(labels, message.key)
    if (message.value === null) labels.push(ours.valueState, 'null')
    if (timeSource !== 'record') {
      labels.push(ours.timestampSource, timeSource)
      if (message.timestampMs !== -1) labels.push(ours.timestampRecord, String(message.timestampMs))
    }
    if (this.#json.length > 0) this.#pushJson(labels, fields, explain)
    if (message.headers.length > 0) this.#pushHeaders(labels, message)
    if (this.#limited.length > 0) {
      labels.push(ours.limited, this.#limited.join(','))
      explain?.('label', `left off for too many values: ${this.#limited.join(', ')}`)
      this.#limited = []
    }
    const bytes = textLength(labels)
    if (bytes <= labelBytesMax) return labels
    return { rejected: 'labels-too-large', detail: `the labels have ${bytes} bytes, ${labelBytesMax} may be` }
  }

  #pushKey(labels: string[], key: Uint8Array | null): void {
    if (key === null) return
    if (key.byteLength === 0) {
      labels.push(ours.keyState, 'empty')
      return
    }
    const text = this.#rule.labels.key ? labelText(key) : undefined
    if (text === undefined || this.#admits?.(ours.key, text) === false)
      labels.push(ours.key64, asBuffer(key).toString('base64url'))
    else labels.push(ours.key, text)
  }

  #pushJson(labels: string[], fields: FieldReader, explain: Explain | undefined): void {
    for (const [label, pointer] of this.#json) {
      const field = fields.json(pointer)
      const text = field !== undefined && 'text' in field ? legalLabelText(field.text) : undefined
      if (text !== undefined && this.#admits?.(label, text) !== false) labels.push(label, text)
      else if (text === undefined)
        explain?.('label', `${label}: ${field === undefined ? 'missing' : Object.values(field).join()}`)
    }
  }

  #pushHeaders(labels: string[], message: KafkaMessage): void {
    if (!hasShape(message.headers, this.#shape)) this.#shape = headerShape(message.headers, this.#choice)
    pushHeaderLabels(labels, message.headers, this.#shape, this.#admits)
  }
}

/** Label names and values are ASCII: characters are bytes. */
function textLength(texts: readonly string[]): number {
  let length = 0
  for (const text of texts) length += text.length
  return length
}
