import type { MappingRule } from '../mapping/rule.ts'
import type { BucketSettings, StorageLimits } from '../storage/index.ts'

/** The whole configuration, checked, complete and frozen. Sizes in bytes, durations in milliseconds. */
export interface Settings {
  /** As written; relative to the working directory. */
  readonly dataPath: string
  readonly kafka: KafkaSettings
  readonly mapping: { readonly rules: readonly MappingRule[] }
  readonly storage: StorageSettings
  readonly memory: { readonly budgetBytes: number }
  readonly http: { readonly host: string; readonly port: number }
  readonly log: { readonly level: 'error' | 'warn' | 'info' | 'debug'; readonly format: 'json' | 'text' }
  readonly shutdown: { readonly deadlineMs: number }
}

interface KafkaSettings {
  readonly brokers: readonly string[]
  /** Names, or regular expressions written `/…/`. */
  readonly topics: readonly string[]
  readonly groupId: string
  readonly groupInstanceId: string | undefined
  readonly clientId: string
  readonly ssl: {
    readonly enabled: boolean
    readonly caFile: string | undefined
    readonly certFile: string | undefined
    readonly keyFile: string | undefined
    readonly rejectUnauthorized: boolean
  }
  readonly sasl: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512' | undefined
    readonly username: string | undefined
    readonly password: string | undefined
  }
  readonly start: StartPosition
  readonly startTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly fetchBytesMax: number
  readonly fetchPartitionBytesMax: number
  readonly fetchWaitMs: number
  readonly commitIntervalMs: number
}

/** Where a partition without a ledger begins. */
export type StartPosition = 'earliest' | 'latest' | 'committed' | { readonly timestampMs: number }

interface StorageSettings extends StorageLimits {
  /** Of buckets that do not exist yet. */
  readonly bucket: Pick<BucketSettings, 'blockBytesMax' | 'blockRecordsMax'>
  /** Consumption pauses while less is free beyond what recovery needs. */
  readonly spaceReserveBytes: number
}
