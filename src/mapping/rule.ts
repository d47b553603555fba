import type { FieldSource } from './field.ts'
import type { Filter } from './filter.ts'
import type { TimeFormat } from './time-text.ts'

/** What becomes of the messages of a topic. First rule that matches wins. All pure data, from the configuration. */
export interface MappingRule {
  /** Topic names, or regular expressions written `/…/`. */
  readonly topics: readonly string[]
  readonly exclude: readonly string[]
  /** As one segment of an entry. */
  readonly bucket: string
  /**
   * `{topic}` and `{partition}`, `{key}`, `{header:NAME}`, `{json:/pointer}`, and of the record's time in UTC `{yyyy}`,
   * `{MM}`, `{dd}`, `{HH}`; segments separated by `/`.
   */
  readonly entry: string
  /** Entries whose names are made of messages or times. */
  readonly entries: {
    /** Most of them that there may be by this rule, those that the store has included. */
    readonly max: number
    /** What becomes of a message that needs one more: its partition is held, or it goes to quarantine. */
    readonly beyond: 'hold' | 'quarantine'
  }
  /** All must pass; a message that does not is not stored (gap `filtered`). */
  readonly filters: readonly Filter[]
  readonly tombstones: 'store' | 'skip' | 'quarantine'
  /** Larger values go to quarantine; `null`: none are too large. */
  readonly contentBytesMax: number | null
  readonly contentType: string
  readonly labels: {
    readonly constants: Readonly<Record<string, string>>
    /** Headers that become labels; `*` for all. */
    readonly headers: readonly string[]
    /** The key as label `key` where it is printable ASCII. */
    readonly key: boolean
    /** Labels and where in the JSON value their text is. */
    readonly json: Readonly<Record<string, string>>
    /** Most values of one label of a message in a partition, since the process began; `null`: any number. */
    readonly valuesMax: number | null
  }
  readonly timestamp: TimePolicyRule
  /** Of the bucket, where it is made new; `null`: as every new bucket. */
  readonly limits: {
    /** `none`, or `fifo:` or `hard:` and bytes. */
    readonly quota: string | null
    readonly blockBytesMax: number | null
    readonly blockRecordsMax: number | null
  }
}

/** Where the time of a record comes from. */
export interface TimePolicyRule {
  /** The first with a time within the bounds counts; a message without one goes to quarantine. */
  readonly sources: readonly TimeSource[]
  readonly minMs: number
  /** How far a record may be ahead of its arrival. */
  readonly aheadMsMax: number
  /**
   * What becomes of a message with a time outside: the next source counts, or it goes to quarantine. `hold`: as `next`,
   * but its partition is held while every message of a fetched batch is ahead, for it may be our clock that is wrong.
   */
  readonly outside: 'next' | 'quarantine' | 'hold'
}

export type TimeSource =
  | 'record' // the time of the Kafka record
  | 'arrival' // when we mapped it
  | (Exclude<FieldSource, { key: true }> & { readonly format: TimeFormat })
