import { fieldName, type FieldReader } from './field.ts'
import type { KafkaMessage } from './message.ts'
import type { TimePolicyRule, TimeSource } from './rule.ts'
import { timeTextToUs } from './time-text.ts'

/** Why a source of a time was not taken. */
export type TimeFault =
  | 'missing'
  | 'no text' // an object, an array, or too long
  | 'no time' // not in the format of the source
  | 'json unreadable'
  | 'before the bounds'
  | 'after the bounds'

/** What one source said. */
export interface TimeReading {
  readonly source: string
  /** Microseconds since 1970, also out of bounds; `undefined` where it is none. */
  readonly timeUs: number | undefined
  /** `undefined`: it is taken. */
  readonly fault: TimeFault | undefined
}

/** What the policy comes to: a source, by its index, or why there is none. */
const NO_SOURCE = -1
export const OUT_OF_BOUNDS = -2

/** The name of a source, in the label `ts_source` and in explanations. */
export function timeSourceName(source: TimeSource): string {
  return typeof source === 'string' ? source : fieldName(source)
}

/** Which of its sources gives a message its time. */
export class TimePolicy {
  readonly names: readonly string[]
  readonly #rule: TimePolicyRule
  readonly #minUs: number
  /** Of the last `decide` that found a source: microseconds since 1970. */
  timeUs = 0

  constructor(rule: TimePolicyRule) {
    this.#rule = rule
    this.names = rule.sources.map(timeSourceName)
    this.#minUs = Math.max(0, rule.minMs) * 1000
  }

  /**
   * The index of the source that is taken, with its time in `timeUs`, or `NO_SOURCE` or `OUT_OF_BOUNDS`. The arrival is
   * always within the bounds.
   *
   * @param onReading - hears what every source said until one was taken
   */
  decide(
    message: KafkaMessage,
    reader: FieldReader,
    arrivalMs: number,
    onReading?: (reading: TimeReading) => void,
  ): number {
    const { sources, outside } = this.#rule
    // By far the most messages have a time of their own, and are asked for nothing else.
    if (sources[0] === 'record' && onReading === undefined) {
      const timeUs = message.timestampMs * 1000
      if (timeUs >= this.#minUs && timeUs <= this.lastUs(arrivalMs)) {
        this.timeUs = timeUs
        return 0
      }
    }
    for (let index = 0; index < sources.length; index++) {
      const source = sources[index] as TimeSource
      const { timeUs, fault } = this.#read(source, message, reader, arrivalMs)
      onReading?.({ source: this.names[index] as string, timeUs, fault })
      if (fault === undefined) {
        this.timeUs = timeUs as number
        return index
      }
      if (outside === 'quarantine' && (fault === 'before the bounds' || fault === 'after the bounds'))
        return OUT_OF_BOUNDS
    }
    return NO_SOURCE
  }

  /** The time that the first source with one gives, whatever the bounds are; `undefined` where none has. */
  firstTimeUs(message: KafkaMessage, reader: FieldReader, arrivalMs: number): number | undefined {
    for (const source of this.#rule.sources) {
      const { timeUs } = this.#read(source, message, reader, arrivalMs)
      if (timeUs !== undefined) return timeUs
    }
    return undefined
  }

  /** The last microsecond within the bounds. */
  lastUs(arrivalMs: number): number {
    return (Math.floor(arrivalMs) + this.#rule.aheadMsMax) * 1000 + 999
  }

  #read(
    source: TimeSource,
    message: KafkaMessage,
    reader: FieldReader,
    arrivalMs: number,
  ): { readonly timeUs: number | undefined; readonly fault: TimeFault | undefined } {
    if (source === 'arrival') return { timeUs: Math.floor(arrivalMs) * 1000, fault: undefined }
    if (source === 'record') {
      return message.timestampMs === -1 ? MISSING : this.#bounded(message.timestampMs * 1000, arrivalMs)
    }
    const field = reader.read(source)
    if (field === undefined) return MISSING
    if ('unreadable' in field) return UNREADABLE
    if ('type' in field) return NO_TEXT
    const timeUs = timeTextToUs(field.text, source.format)
    return timeUs === undefined ? NO_TIME : this.#bounded(timeUs, arrivalMs)
  }

  #bounded(timeUs: number, arrivalMs: number): { timeUs: number; fault: TimeFault | undefined } {
    if (timeUs < this.#minUs) return { timeUs, fault: 'before the bounds' }
    return { timeUs, fault: timeUs > this.lastUs(arrivalMs) ? 'after the bounds' : undefined }
  }
}

const MISSING = { timeUs: undefined, fault: 'missing' } as const
const NO_TEXT = { timeUs: undefined, fault: 'no text' } as const
const NO_TIME = { timeUs: undefined, fault: 'no time' } as const
const UNREADABLE = { timeUs: undefined, fault: 'json unreadable' } as const
