/**
 * The parts of kafkajs 2.2.4 that have no public door, and what we rely on of them. Everything here is checked
 * against that one release: `assertKafkajsVersion` refuses any other.
 */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { AuthenticationProviderArgs, Authenticator } from 'kafkajs'
import type { PasswordLogin } from '../security/login.ts'

const require = createRequire(import.meta.url)
const KAFKAJS_VERSION = '2.2.4'

export const Api = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  Heartbeat: 12,
  JoinGroup: 11,
  SyncGroup: 14,
  OffsetForLeaderEpoch: 23,
} as const

/** A request as connections send it. `parse` turns the error codes of a decoded response into exceptions. */
export interface ProtocolRequest<Decoded = unknown> {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<unknown>
  }
  readonly response: {
    decode(raw: Buffer): Promise<Decoded>
    parse(decoded: Decoded): Promise<Decoded>
  }
  readonly requestTimeout?: number
  readonly logResponseError?: boolean
}

interface TopicMetadata {
  readonly topicErrorCode: number
  readonly topic: string
  readonly isInternal: boolean
  readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[]
}

export interface Metadata {
  readonly clusterId: string
  readonly topicMetadata: readonly TopicMetadata[]
}

export interface Broker {
  readonly versions: Readonly<
    Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>
  > | null
  readonly connectionPool: { send(request: ProtocolRequest): Promise<unknown> }
  isConnected(): boolean
  disconnect(): Promise<void>
  lookupRequest(apiKey: number, definition: unknown): (values: object) => ProtocolRequest
  metadata(topics: readonly string[]): Promise<Metadata>
  joinGroup(values: { memberId?: string; protocolType?: string }): Promise<unknown>
  syncGroup(values: object): Promise<unknown>
  heartbeat(values: object): Promise<unknown>
  findGroupCoordinator(values: {
    groupId: string
    coordinatorType: number
  }): Promise<{ coordinator: { nodeId: number } }>
  leaveGroup(values: object): Promise<unknown>
  offsetFetch(values: object): Promise<{
    responses: readonly {
      topic: string
      partitions: readonly { partition: number; offset: string; metadata: string | null }[]
    }[]
  }>
  describeConfigs(values: object): Promise<{
    resources: readonly {
      configEntries: readonly { configName: string; configValue: string | null }[]
    }[]
  }>
}

export interface Cluster {
  readonly targetTopics: Set<string>
  readonly brokerPool: {
    readonly metadata: Metadata | null
    createBroker: (this: void, options: object) => Broker
    findConnectedBroker(): Promise<Broker>
  }
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number }[]
  defaultOffset(topicConfiguration: object): number
  findBroker(node: { nodeId: number | string }): Promise<Broker>
  findGroupCoordinator(group: { groupId: string }): Promise<Broker>
  refreshMetadata(): Promise<void>
}

export interface ConsumerGroup {
  readonly cluster: Cluster
  readonly generationId: number
  /** Given with the answer to JoinGroup, an assignment comes later; `null` before the first and where it is not known any more. */
  memberId: string | null
  coordinator: Broker | null
  topicsSubscribed: string[]
  topicConfigurations: Record<string, { fromBeginning: boolean }>
  /** What was known of the subscribed topics when the group was joined. */
  readonly partitionsPerSubscribedTopic: ReadonlyMap<string, readonly number[]>
  assigned(): { topic: string; partitions: number[] }[]
}

/** Class prototypes, to be changed by `harden` alone. */
export interface ConsumerGroupPrototype {
  fetch: (this: ConsumerGroup, nodeId: string) => Promise<unknown[]>
  joinAndSync: (this: ConsumerGroup) => Promise<void>
  heartbeat: (this: ConsumerGroup, options: { interval: number }) => Promise<void>
}

export interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
}

export interface Connection {
  readonly socket: Socket
  /** While it logs in. */
  readonly authHandlers: object | null
  /** `process.hrtime()` of the last login; `null` before it, and without one. */
  readonly authenticatedAt: readonly [number, number] | null
  /** How long the broker lets the login last in milliseconds, a `Long`; 0 for ever. */
  readonly sessionLifetime: { toString(): string }
  readonly requestQueue: {
    fulfillRequest(response: { size: number; correlationId: number; payload: Buffer }): void
  }
}

interface Errors {
  KafkaJSError: new (cause: Error | string, options?: { retriable?: boolean }) => Error
  KafkaJSNonRetriableError: new (cause: Error | string) => Error
  KafkaJSConnectionError: new (cause: string, options: { broker: string }) => Error
  KafkaJSSASLAuthenticationError: new (cause: string) => Error
}

/** What drives the fetch loops of a consumer. */
export interface Runner {
  readonly running: boolean
  readonly consumerGroup: { readonly cluster: Cluster }
}

export const requests = (
  require('kafkajs/src/protocol/requests/index.js') as { requests: Readonly<Record<string, unknown>> }
).requests
export const ConsumerGroupClass = require('kafkajs/src/consumer/consumerGroup.js') as {
  readonly prototype: ConsumerGroupPrototype
}
export const RunnerClass = require('kafkajs/src/consumer/runner.js') as {
  readonly prototype: { fetch: (this: Runner, nodeId: string) => Promise<readonly unknown[]> }
}
export const ConnectionClass = require('kafkajs/src/network/connection.js') as {
  readonly prototype: {
    processData: (this: Connection, bytes: Buffer) => void
    isAuthenticated(this: Connection): boolean
  }
}
export const RequestQueueClass = require('kafkajs/src/network/requestQueue/index.js') as {
  readonly prototype: { scheduleCheckPendingRequests(this: RequestQueue): void }
}
/** The exception for an error code of a broker. */
export const brokerError = (
  require('kafkajs/src/protocol/error.js') as { createErrorFromCode: (errorCode: number) => Error }
).createErrorFromCode
export const {
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSConnectionError,
  KafkaJSSASLAuthenticationError,
} = require('kafkajs/src/errors.js') as Errors

type PasswordProvider = (
  credentials: ReturnType<PasswordLogin['credentials']>,
) => (args: AuthenticationProviderArgs) => Authenticator
/** What kafkajs does for the mechanisms it knows. */
export const passwordProviders: Readonly<Record<PasswordLogin['mechanism'], PasswordProvider>> = {
  plain: require('kafkajs/src/broker/saslAuthenticator/plain.js') as PasswordProvider,
  'scram-sha-256': require('kafkajs/src/broker/saslAuthenticator/scram256.js') as PasswordProvider,
  'scram-sha-512': require('kafkajs/src/broker/saslAuthenticator/scram512.js') as PasswordProvider,
}
const EncoderClass = require('kafkajs/src/protocol/encoder.js') as new (initialBytes: number) => {
  writeBufferInternal(bytes: Buffer): void
}

/** Bytes in the shape that connections want a request body in. */
export function encoded(body: Buffer): unknown {
  const encoder = new EncoderClass(Math.max(body.length, 1))
  encoder.writeBufferInternal(body)
  return encoder
}

export function assertKafkajsVersion(): void {
  const { version } = require('kafkajs/package.json') as { version: string }
  if (version !== KAFKAJS_VERSION) {
    throw new Error(`kafkajs ${KAFKAJS_VERSION} is needed exactly, ${version} is installed`)
  }
}

/** A request of kafkajs' own whose answer is taken as it came: its parser rejects all of it for one partition or topic. */
export function sendUnjudged<Decoded>(
  broker: Broker,
  api: 'ListOffsets' | 'Metadata' | 'OffsetCommit',
  values: object,
): Promise<Decoded> {
  const { response, ...rest } = broker.lookupRequest(
    Api[api],
    requests[api],
  )(values) as ProtocolRequest<Decoded>
  const parse = (decoded: Decoded): Promise<Decoded> => Promise.resolve(decoded)
  return send(broker, { ...rest, response: { decode: (raw) => response.decode(raw), parse } })
}

/** Sends as kafkajs itself does: a connection that was closed underneath makes the broker count as disconnected. */
export async function send<Decoded>(broker: Broker, request: ProtocolRequest<Decoded>): Promise<Decoded> {
  try {
    return (await broker.connectionPool.send(request)) as Decoded
  } catch (error) {
    if (errorName(error) === 'KafkaJSConnectionClosedError') await broker.disconnect()
    throw error
  }
}

export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

/** The name of the broker's error code, such as `REBALANCE_IN_PROGRESS`, where there was one. */
export function errorType(error: unknown): string {
  return error instanceof Error && 'type' in error && typeof error.type === 'string' ? error.type : ''
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** `error` and what caused it, outermost first. */
export function causes(error: unknown): Error[] {
  const chain: Error[] = []
  for (let at = error; at instanceof Error && !chain.includes(at); at = at.cause) chain.push(at)
  return chain
}
