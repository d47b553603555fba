import { entryBytesMax, segmentBytesMax, type EntryName } from '../storage/index.ts'
import type { EntryNames } from './entry-names.ts'
import {
  fieldsIn,
  fillEntryTemplate,
  hasFixedPath,
  legalBucket,
  parseEntryTemplate,
  pathPattern,
  type EntryTemplate,
} from './entry-template.ts'
import { fieldName, type FieldReader } from './field.ts'
import type { MapHold, Rejection } from './rejection.ts'
import type { MappingRule } from './rule.ts'

export interface TargetObserver {
  /** A rule has made four fifths of the entries that it may make; once a rule. */
  entriesNearLimit(event: { readonly entry: string; readonly count: number; readonly max: number }): void
}

/** The bucket and entries of one rule, for all its topics. */
export class RuleTargets {
  readonly bucket: EntryTemplate
  readonly entry: EntryTemplate
  readonly isFixed: boolean
  readonly #rule: MappingRule
  readonly #names: EntryNames
  readonly #observer: TargetObserver
  /** Entries of the rule; counted when the first message asks. */
  #count: number | undefined
  #isNearLimit = false

  constructor(rule: MappingRule, names: EntryNames, observer: TargetObserver) {
    this.#rule = rule
    this.#names = names
    this.#observer = observer
    this.bucket = parseEntryTemplate(rule.bucket)
    this.entry = parseEntryTemplate(rule.entry)
    this.isFixed = hasFixedPath(rule)
  }

  /** Where a message goes. With a fixed template it is the same for all messages of a partition. */
  of(topic: string, partition: number, fields: FieldReader, timeUs: number): EntryName | Rejection | MapHold {
    const unfit = this.isFixed ? undefined : this.#unfit(fields)
    if (unfit !== undefined) return unfit
    const values = { topic, partition, fields, timeUs }
    const bucket = legalBucket(fillEntryTemplate(this.bucket, values))
    const entry = fillEntryTemplate(this.entry, values)
    const path = `${bucket}/${entry}`
    const known = this.#names.known(path, topic)
    if (known === undefined) return tooLong(bucket, entry) ?? this.#add({ bucket, entry }, topic)
    if (!('ownedBy' in known)) return known
    return {
      held: 'entry-conflict',
      detail: `entry ${path} belongs to topic ${known.ownedBy}: give one of them another entry or bucket`,
    }
  }

  #unfit(fields: FieldReader): Rejection | undefined {
    for (const source of [...fieldsIn(this.bucket), ...fieldsIn(this.entry)]) {
      const field = fields.read(source)
      if (field === undefined) continue
      if ('unreadable' in field)
        return {
          rejected: 'json-unreadable',
          detail: `${fieldName(source)} of the entry: ${field.unreadable}`,
        }
      if ('type' in field && field.type === 'long text')
        return { rejected: 'entry-name-too-long', detail: `${fieldName(source)} is longer than 4096` }
    }
    return undefined
  }

  #add(name: EntryName, topic: string): EntryName | Rejection | MapHold {
    if (this.isFixed) return this.#names.add(name, topic)
    const { max, beyond } = this.#rule.entries
    this.#count ??= this.#names.count(pathPattern(this.#rule))
    if (this.#count >= max) {
      const detail = `rule ${this.#rule.bucket}/${this.#rule.entry} has its ${max} entries, and ${name.bucket}/${name.entry} would be one more`
      return beyond === 'hold'
        ? { held: 'too-many-entries', detail }
        : { rejected: 'too-many-entries', detail }
    }
    this.#count += 1
    if (!this.#isNearLimit && this.#count >= max * NEAR_LIMIT) {
      this.#isNearLimit = true
      this.#observer.entriesNearLimit({
        entry: `${this.#rule.bucket}/${this.#rule.entry}`,
        count: this.#count,
        max,
      })
    }
    return this.#names.add(name, topic)
  }
}

const NEAR_LIMIT = 0.8

function tooLong(bucket: string, entry: string): Rejection | undefined {
  const bytes = Math.max(...[bucket, ...entry.split('/')].map((segment) => segment.length))
  const detail =
    bytes > segmentBytesMax
      ? `a part of the name has ${bytes} bytes, ${segmentBytesMax} may be`
      : `the name has ${entry.length} bytes, ${entryBytesMax} may be`
  const fits = bytes <= segmentBytesMax && entry.length <= entryBytesMax
  return fits ? undefined : { rejected: 'entry-name-too-long', detail }
}
