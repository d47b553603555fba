import kafkajs, { type Kafka as KafkaClient } from 'kafkajs'
import type { ConnectionOptions } from 'node:tls'
import type { Logger } from '../../base/logger.ts'
import type { Login } from '../security/login.ts'
import { logBridge } from './log-bridge.ts'
import { createSocket } from './response-assembly.ts'
import { mechanismOf } from './sasl.ts'

const { Kafka, logLevel } = kafkajs

export const CONNECT_TIMEOUT_MS = 10_000

/** How brokers are reached. */
export interface ClientOptions {
  /** `host:port`. */
  readonly brokers: readonly string[]
  readonly clientId: string
  /** Asked for each new connection; without it connections are plain. */
  readonly tls?: () => ConnectionOptions
  readonly login?: Login
  readonly logger: Logger
}

/** kafkajs, set up so that it gives up soon: whoever asks retries in a loop of its own. */
export function createClient(options: ClientOptions, requestTimeoutMs: number): KafkaClient {
  return new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs,
    retry: { initialRetryTime: 100, factor: 0.2, multiplier: 2, maxRetryTime: 2_000, retries: 6 },
    logLevel: logLevel.WARN,
    logCreator: logBridge(options.logger),
    socketFactory: ({ host, port, onConnect }) =>
      createSocket({ host, port, ...(options.tls === undefined ? {} : { ssl: options.tls() }), onConnect }),
    ...(options.login === undefined ? {} : { sasl: mechanismOf(options.login) }),
  })
}
