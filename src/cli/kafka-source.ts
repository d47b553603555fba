import { readFileSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Settings } from '../config/settings.ts'
import { KafkajsSource, type KafkajsSourceOptions } from '../kafka/kafkajs/kafkajs-source.ts'
import { topicExpression } from '../mapping/topic-pattern.ts'
import { UsageError } from './usage-error.ts'

type KafkaSettings = Settings['kafka']

/** @throws {UsageError} when a certificate or key cannot be read */
export function createSource(settings: KafkaSettings, clock: Clock, logger: Logger): KafkajsSource {
  const ssl = tlsOptions(settings.ssl)
  const sasl = saslOptions(settings.sasl)
  return new KafkajsSource({
    brokers: settings.brokers,
    clientId: settings.clientId,
    groupId: settings.groupId,
    ...(settings.groupInstanceId === undefined ? {} : { groupInstanceId: settings.groupInstanceId }),
    topics: settings.topics.map((topic) => topicExpression(topic) ?? topic),
    startTimeoutMs: settings.startTimeoutMs,
    sessionTimeoutMs: settings.sessionTimeoutMs,
    maxBytes: settings.fetchBytesMax,
    maxBytesPerPartition: settings.fetchPartitionBytesMax,
    maxWaitMs: settings.fetchWaitMs,
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
    clock,
    logger,
  })
}

function tlsOptions(ssl: KafkaSettings['ssl']): KafkajsSourceOptions['ssl'] {
  if (!ssl.enabled) return undefined
  return {
    rejectUnauthorized: ssl.rejectUnauthorized,
    ...(ssl.caFile === undefined ? {} : { ca: readPem('kafka.ssl.caFile', ssl.caFile) }),
    ...(ssl.certFile === undefined ? {} : { cert: readPem('kafka.ssl.certFile', ssl.certFile) }),
    ...(ssl.keyFile === undefined ? {} : { key: readPem('kafka.ssl.keyFile', ssl.keyFile) }),
  }
}

function saslOptions({ mechanism, username, password }: KafkaSettings['sasl']): KafkajsSourceOptions['sasl'] {
  if (mechanism === undefined) return undefined
  return { mechanism, username: username ?? '', password: password ?? '' }
}

function readPem(key: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError(
      `${key} = ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
