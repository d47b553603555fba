import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Settings } from '../config/settings.ts'
import { KafkajsSource } from '../kafka/kafkajs/kafkajs-source.ts'
import { topicExpression } from '../mapping/topic-pattern.ts'
import type { Context } from './context.ts'
import { loginFrom } from './credentials/login.ts'
import { tlsFromFiles } from './credentials/tls-files.ts'

type KafkaSettings = Settings['kafka']

/**
 * @param env what a token command gets, without our own variables
 * @throws {UsageError} when a certificate, a key or a secret cannot be read
 */
export function createSource(
  settings: KafkaSettings,
  env: Context['env'],
  clock: Clock,
  logger: Logger,
): KafkajsSource {
  const tls = tlsFromFiles(settings.ssl, logger)
  const login = loginFrom(settings.sasl, env, clock, logger)
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
    ...(tls === undefined ? {} : { tls }),
    ...(login === undefined ? {} : { login }),
    clock,
    logger,
  })
}
