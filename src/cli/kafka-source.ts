import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Settings } from '../config/settings.ts'
import type { DeadLetterTopic } from '../kafka/dead-letters.ts'
import type { ClientOptions } from '../kafka/kafkajs/client.ts'
import { DeadLetterProducer } from '../kafka/kafkajs/dead-letter-producer.ts'
import { KafkajsSource } from '../kafka/kafkajs/kafkajs-source.ts'
import { topicExpression } from '../mapping/topic-pattern.ts'
import type { Context } from './context.ts'
import { loginFrom } from './credentials/login.ts'
import { tlsFromFiles } from './credentials/tls-files.ts'

type KafkaSettings = Settings['kafka']

/** Connects as the source does. @throws as `createSource` */
export function createDeadLetters(
  settings: KafkaSettings,
  env: Context['env'],
  clock: Clock,
  logger: Logger,
): DeadLetterTopic | undefined {
  const { deadLetterTopic: topic } = settings
  return topic === undefined
    ? undefined
    : new DeadLetterProducer({ ...clientOptions(settings, env, clock, logger), topic, clock })
}

/**
 * @param env what a token command gets, without our own variables
 * @throws {UsageError} when a certificate, a key or a secret cannot be read
 */
export function createSource(
  { kafka: settings, memory }: Pick<Settings, 'kafka' | 'memory'>,
  env: Context['env'],
  clock: Clock,
  logger: Logger,
): KafkajsSource {
  return new KafkajsSource({
    ...clientOptions(settings, env, clock, logger),
    groupId: settings.groupId,
    ...(settings.groupInstanceId === undefined ? {} : { groupInstanceId: settings.groupInstanceId }),
    topics: settings.topics.map((topic) => topicExpression(topic) ?? topic),
    startTimeoutMs: settings.startTimeoutMs,
    sessionTimeoutMs: settings.sessionTimeoutMs,
    maxBytes: settings.fetchBytesMax,
    maxBytesPerPartition: settings.fetchPartitionBytesMax,
    maxWaitMs: settings.fetchWaitMs,
    decompressedBytesMax: memory.budgetBytes,
    clock,
  })
}

function clientOptions(
  { brokers, clientId, ssl, sasl }: KafkaSettings,
  env: Context['env'],
  clock: Clock,
  logger: Logger,
): ClientOptions {
  const tls = tlsFromFiles(ssl, logger)
  const login = loginFrom(sasl, env, clock, logger)
  return {
    brokers,
    clientId,
    ...(tls === undefined ? {} : { tls }),
    ...(login === undefined ? {} : { login }),
    logger,
  }
}
