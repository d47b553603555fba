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
    readonly keyPassphraseFile: string | undefined
    readonly serverName: string | undefined
    readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
    readonly rejectUnauthorized: boolean
  }
  readonly sasl: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512' | 'oauthbearer' | undefined
    readonly username: string | undefined
    readonly password: string | undefined
    readonly passwordFile: string | undefined
    readonly oauth: OauthSettings
  }
  readonly start: StartPosition
  readonly onDeleted: 'continue' | 'hold'
  readonly deadLetterTopic: string | undefined
  readonly startTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly fetchBytesMax: number
  readonly fetchPartitionBytesMax: number
  readonly fetchWaitMs: number
  readonly commitIntervalMs: number
}

/** Exactly one of `tokenCommand` (not empty) and `tokenEndpoint` with OAUTHBEARER. */
interface OauthSettings {
  readonly tokenCommand: readonly string[]
  readonly tokenEndpoint: string | undefined
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
  readonly clientSecretFile: string | undefined
  readonly scope: string | undefined
  readonly caFile: string | undefined
  readonly timeoutMs: number
  /** `name=value`. */
  readonly extensions: readonly string[]
}

/** Where a partition without a ledger begins. */
export type StartPosition = 'earliest' | 'latest' | 'committed' | { readonly timestampMs: number }

interface StorageSettings extends StorageLimits {
  /** Of buckets that do not exist yet. */
  readonly bucket: Pick<BucketSettings, 'blockBytesMax' | 'blockRecordsMax'>
  /** Consumption pauses while less is free beyond what recovery needs. */
  readonly spaceReserveBytes: number
}
