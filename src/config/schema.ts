import convict from 'convict'
import {
  broker,
  bytes,
  choice,
  count,
  duration,
  extension,
  flag,
  httpsUrl,
  list,
  optional,
  start,
  text,
  topic,
  topicName,
  type ConfigValue,
  type Format,
} from './format.ts'
import { defaultBucketSettings, defaultLimits } from '../storage/index.ts'
import { rules } from './rule-format.ts'

/** One key of the configuration. */
export interface ConfigKey {
  readonly key: string
  /** The environment variable: `SEDIMENT_` and the key in capitals. */
  readonly variable: string
  readonly format: Format
  readonly default: ConfigValue
  /** One sentence or two for operators. */
  readonly doc: string
  readonly isSecret: boolean
}

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS

const definitions: Readonly<Record<string, readonly [Format, ConfigValue, string]>> = {
  dataPath: [
    text,
    './data',
    'Data directory, made when missing: a ReductStore data directory. One process at a time.',
  ],

  'kafka.brokers': [list(broker, { min: 1 }), ['localhost:9092'], 'Brokers to ask first.'],
  'kafka.topics': [
    list(topic, { min: 1 }),
    [],
    'Topics to consume. Must be given. A named topic that does not exist ends the process at its start; topics that match an expression are picked up as they appear.',
  ],
  'kafka.groupId': [
    text,
    'sediment',
    'Consumer group. Processes of one group share the partitions. A data directory belongs to one group for good.',
  ],
  'kafka.groupInstanceId': [
    optional(text),
    null,
    'Name of this process within the group, stable over restarts, for instance the pod name: a restart then moves no partitions.',
  ],
  'kafka.clientId': [text, 'sediment', 'Name of this client in the logs and quotas of the brokers.'],
  'kafka.ssl.enabled': [flag, false, 'Whether to connect with TLS.'],
  'kafka.ssl.caFile': [
    optional(text),
    null,
    'PEM file with the authorities to trust instead of those of the system.',
  ],
  'kafka.ssl.certFile': [
    optional(text),
    null,
    'PEM file with the client certificate. It, kafka.ssl.keyFile and kafka.ssl.caFile are looked at for every new connection: files that were replaced need no restart.',
  ],
  'kafka.ssl.keyFile': [optional(text), null, 'PEM file with the key of the client certificate.'],
  'kafka.ssl.keyPassphraseFile': [
    optional(text),
    null,
    'File with the passphrase of the key, if it is encrypted.',
  ],
  'kafka.ssl.serverName': [
    optional(text),
    null,
    'Name that the certificates of the brokers must have, and that is sent to them (SNI), instead of the host in kafka.brokers.',
  ],
  'kafka.ssl.minVersion': [
    choice('TLSv1.2', 'TLSv1.3'),
    'TLSv1.2',
    'Oldest version of TLS that is accepted.',
  ],
  'kafka.ssl.rejectUnauthorized': [
    flag,
    true,
    'Whether brokers must show a certificate that can be verified. Only ever off for tests.',
  ],
  'kafka.sasl.mechanism': [
    optional(choice('plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer')),
    null,
    'How to log in. None: no login. `oauthbearer` needs kafka.sasl.oauth.tokenCommand or kafka.sasl.oauth.tokenEndpoint, the others username and password.',
  ],
  'kafka.sasl.username': [optional(text), null, 'User for the login.'],
  'kafka.sasl.password': [
    optional(text),
    null,
    'Password for the login. Better given by kafka.sasl.passwordFile or its variable.',
  ],
  'kafka.sasl.passwordFile': [
    optional(text),
    null,
    'File with the password for the login, instead of kafka.sasl.password; one line end at its end does not count. It is looked at for every login: a password that was replaced needs no restart.',
  ],
  'kafka.sasl.oauth.tokenCommand': [
    list(text),
    [],
    'Program and arguments that print a token: bare, or JSON with `access_token` and `expires_in` (seconds). Run without a shell and without variables that begin with `SEDIMENT_`. It is shown, here and to everybody on the machine: no secrets in it.',
  ],
  'kafka.sasl.oauth.tokenEndpoint': [
    optional(httpsUrl),
    null,
    'Where an OAuth 2 server gives tokens for client credentials, instead of kafka.sasl.oauth.tokenCommand.',
  ],
  'kafka.sasl.oauth.clientId': [optional(text), null, 'Client id for the token endpoint.'],
  'kafka.sasl.oauth.clientSecret': [
    optional(text),
    null,
    'Client secret for the token endpoint. Better given by kafka.sasl.oauth.clientSecretFile or its variable.',
  ],
  'kafka.sasl.oauth.clientSecretFile': [
    optional(text),
    null,
    'File with the client secret, instead of kafka.sasl.oauth.clientSecret; looked at for every token.',
  ],
  'kafka.sasl.oauth.scope': [optional(text), null, 'Scope to ask the token endpoint for.'],
  'kafka.sasl.oauth.caFile': [
    optional(text),
    null,
    'PEM file with the authorities to trust at the token endpoint instead of those of the system.',
  ],
  'kafka.sasl.oauth.timeoutMs': [
    duration(100, 5 * MINUTE_MS),
    10 * SECOND_MS,
    'How long the token command or endpoint may take.',
  ],
  'kafka.sasl.oauth.extensions': [
    list(extension),
    [],
    'SASL extensions to send with the token, as some brokers want them, such as `logicalCluster=lkc-1`.',
  ],
  'kafka.start': [
    start,
    'earliest',
    'Where to begin with a partition that the data directory does not know. What it knows is continued, whatever stands here, and so is what another data directory of the group has committed: after removing a directory, take a new groupId to read again. Topics and partitions that appear while the process runs are read from their first message, also with `latest`.',
  ],
  'kafka.onDeleted': [
    choice('continue', 'hold'),
    'continue',
    'What to do where Kafka has deleted what comes next before it was read. `continue`: a gap is recorded, and reading goes on behind it, before more is deleted. `hold`: the partition is held until `sediment gap accept`, while retention goes on deleting.',
  ],
  'kafka.deadLetterTopic': [
    optional(topicName),
    null,
    'Topic that rejected messages are sent to as well, with their headers and why as `sediment.error.*`, before their offsets count: acknowledged by all in-sync replicas. It must exist and not be consumed here. While it does not take them, their partition waits, visibly. None: they are in quarantine only.',
  ],
  'kafka.startTimeoutMs': [
    duration(SECOND_MS, 10 * MINUTE_MS),
    30 * SECOND_MS,
    'How long to try to reach the brokers at start before the process ends with exit code 3.',
  ],
  'kafka.sessionTimeoutMs': [
    duration(6 * SECOND_MS, 30 * MINUTE_MS),
    45 * SECOND_MS,
    'After this long without a sign of life the group gives the partitions to others. Within the limits of the brokers.',
  ],
  'kafka.fetchBytesMax': [
    bytes(64 * KIB, GIB),
    16 * MIB,
    'The share of memory.budgetBytes for answers of brokers that are on their way and messages that still wait to be accepted: at most half of it. An answer is asked for with half of this, and with less where messages are compressed well. A single larger batch is still fetched.',
  ],
  'kafka.fetchPartitionBytesMax': [
    bytes(16 * KIB, GIB),
    MIB,
    'Most bytes of one partition in one answer. A single larger batch is still fetched.',
  ],
  'kafka.fetchWaitMs': [
    duration(10, 30 * SECOND_MS),
    500,
    'How long a broker may hold its answer back when there is nothing new.',
  ],
  'kafka.commitIntervalMs': [
    duration(100, 5 * MINUTE_MS),
    SECOND_MS,
    'How often durable offsets are committed to Kafka. Only others look at them: restarts continue from the data directory.',
  ],

  'mapping.rules': [
    rules,
    [],
    'Which topics go where, and how. The first rule that matches counts; topics without one get the default rule.',
  ],

  'storage.bucket.blockBytesMax': [
    bytes(MIB, 4 * GIB),
    defaultBucketSettings.blockBytesMax,
    'Size of a block, for buckets that do not exist yet.',
  ],
  'storage.bucket.blockRecordsMax': [
    count(16, 65_536),
    defaultBucketSettings.blockRecordsMax,
    'Records in a block, for buckets that do not exist yet.',
  ],
  'storage.spaceReserveBytes': [
    bytes(0, 1024 * GIB),
    256 * MIB,
    'Consumption pauses while less than this is free beyond what the log may still grow by, and goes on by itself with a quarter of it more (at most 64MiB).',
  ],
  'storage.groupBytesMax': [
    bytes(64 * KIB, 256 * MIB),
    defaultLimits.groupBytesMax,
    'Most bytes that become durable by one sync.',
  ],
  'storage.groupRecordsMax': [
    count(1, 1_000_000),
    defaultLimits.groupRecordsMax,
    'Most records that become durable by one sync.',
  ],
  'storage.directBytesMin': [
    bytes(64 * KIB, GIB),
    defaultLimits.directBytesMin,
    'From this size on what a group holds for one block is written into the block at once, not into the log first, and past the page cache where the file system can.',
  ],
  'storage.directBlocksMax': [
    count(0, 64),
    defaultLimits.directBlocksMax,
    'Most blocks a group may write directly.',
  ],
  'storage.logBytesCheckpoint': [
    bytes(MIB, 16 * GIB),
    defaultLimits.logBytesCheckpoint,
    'Size of the commit log at which a checkpoint is due. More: fewer checkpoints, longer recovery.',
  ],
  'storage.logBytesMax': [
    bytes(2 * MIB, 32 * GIB),
    defaultLimits.logBytesMax,
    'Size of the commit log at which writing waits for the checkpoint.',
  ],
  'storage.idleCheckpointMs': [
    duration(100, 24 * 60 * MINUTE_MS),
    defaultLimits.idleCheckpointMs,
    'A checkpoint is due after this long without writes.',
  ],
  'storage.sealIdleMs': [
    duration(0, 24 * 60 * MINUTE_MS),
    defaultLimits.sealIdleMs,
    'A block that is full, or that another one follows, is sealed after this long without writes.',
  ],
  'storage.walBytesMax': [
    bytes(64 * KIB, GIB),
    defaultLimits.walBytesMax,
    'Size of the write-ahead log of a block at which it is folded into the descriptor. Writing waits for that at twice the size.',
  ],
  'storage.writeCacheBytesMax': [
    bytes(MIB, 64 * GIB),
    defaultLimits.writeCacheBytesMax,
    'Memory for the states of open blocks.',
  ],
  'storage.readCacheBytesMax': [
    bytes(MIB, 64 * GIB),
    defaultLimits.readCacheBytesMax,
    'Memory for descriptors of sealed blocks.',
  ],
  'storage.upkeepBytesPerSecond': [
    bytes(64 * KIB, GIB),
    defaultLimits.upkeepBytesPerSecond,
    'Content that is read a second, in the background, to give records of blocks that ReductStore has saved their CRC-32s.',
  ],

  'memory.budgetBytes': [
    bytes(16 * MIB, 64 * GIB),
    64 * MIB,
    'Memory for messages that are fetched and not yet durable; when it is used up, fetching waits. It is also the most that one compressed record batch may become: a partition with a larger one is held. Beside it the process needs as much again as a single batch is larger than half of kafka.fetchBytesMax, the caches (storage.writeCacheBytesMax, storage.readCacheBytesMax) and about 200 MiB.',
  ],

  'http.host': [
    text,
    '127.0.0.1',
    'Address to listen on for metrics and health. `0.0.0.0` for all, as a container needs.',
  ],
  'http.port': [count(0, 65_535), 8383, 'Port to listen on; 0 takes any free one.'],

  'log.level': [choice('error', 'warn', 'info', 'debug'), 'info', 'What to log: this and what is graver.'],
  'log.format': [choice('json', 'text'), 'json', 'One JSON object a line, or text for people.'],

  'shutdown.deadlineMs': [
    duration(SECOND_MS, 60 * MINUTE_MS),
    25 * SECOND_MS,
    'How long a stop may take, with everything: write, commit, leave the group, fold, close. What is left over is done by the next start. A few seconds less than the grace period of the supervisor.',
  ],
}

const secrets: ReadonlySet<string> = new Set(['kafka.sasl.password', 'kafka.sasl.oauth.clientSecret'])

const keys: readonly ConfigKey[] = Object.entries(definitions).map(([key, [format, value, doc]]) => ({
  key,
  variable: variableName(key),
  format,
  default: value,
  doc,
  isSecret: secrets.has(key),
}))

/** Every key, in the order of the documentation. */
export function schemaKeys(): readonly ConfigKey[] {
  return keys
}

/** The keys as a convict schema, holding defaults only: it reads neither the environment nor the command line. */
export function createSchema(): convict.Config<Record<string, unknown>> {
  const schema: Record<string, unknown> = {}
  for (const { key, variable, format, default: value, doc, isSecret } of keys) {
    let node = schema
    const path = key.split('.')
    for (const name of path.slice(0, -1)) node = (node[name] ??= {}) as Record<string, unknown>
    node[path.at(-1) as string] = {
      doc,
      default: value,
      env: variable,
      sensitive: isSecret,
      format(given: unknown) {
        if ('faults' in format.read(given)) throw new Error(format.allowed)
      },
    }
  }
  return convict(schema as convict.Schema<Record<string, unknown>>, { env: {}, args: [] })
}

function variableName(key: string): string {
  return `SEDIMENT_${key.replaceAll('.', '_').replace(/[A-Z]/g, '_$&').toUpperCase()}`
}
