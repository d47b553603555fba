import type { Clock } from '../../base/clock.ts'
import { SourceError } from '../source.ts'
import { TokenError } from '../security/token.ts'
import { CONNECT_TIMEOUT_MS, type ClientOptions } from './client.ts'
import { refusalOf } from './group-errors.ts'
import { rawMetadata } from './hardening.ts'
import { causes, errorText, type Cluster } from './internals.ts'
import { probe } from './probe.ts'
import type { Topology } from './topology.ts'

const RETRY_MS = 250
const RETRY_MAX_MS = 2_000
const UNKNOWN_TOPIC_CODE = 3
const TOPIC_AUTHORIZATION_CODE = 29

/** Told of each failure that is tried again. */
export type Note = (trouble: SourceError) => void

/** What brokers told when they were reached. */
export interface Reached {
  readonly clusterId: string
  /** How many partitions each topic had. */
  readonly partitions: ReadonlyMap<string, number>
}

export interface ReachingParts {
  readonly options: ClientOptions
  /** Names, which must exist, and patterns. */
  readonly topics: readonly (string | RegExp)[]
  readonly connect: () => Promise<void>
  readonly cluster: Cluster
  /** Gets the topics that are there. */
  readonly topology: Topology
  readonly clock: Clock
}

/**
 * Resolves when a broker answered and every named topic exists; retries until `signal` says that nobody waits: then
 * `undefined`.
 *
 * @throws {SourceError} what trying again would not change
 */
export function reachBrokers(
  parts: ReachingParts,
  note: Note,
  signal: AbortSignal,
): Promise<Reached | undefined> {
  const { options, connect, clock } = parts
  const { brokers, tls, login } = options
  const attempt = async (): Promise<Reached> => {
    await probe(brokers, { tls, timeoutMs: CONNECT_TIMEOUT_MS, signal })
    // kafkajs would ask for a token many times before it says that there is none.
    if (login?.mechanism === 'oauthbearer') await login.token()
    await connect()
    return findTopics(parts)
  }
  return patiently(attempt, { options, clock, note, signal })
}

/** Until `attempt` has worked or nobody waits. @throws {SourceError} what trying again would not change */
export async function patiently<Result>(
  attempt: () => Promise<Result>,
  {
    options,
    clock,
    note,
    signal,
  }: {
    readonly options: ClientOptions
    readonly clock: Clock
    readonly note: Note
    readonly signal: AbortSignal
  },
): Promise<Result | undefined> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      return await attempt()
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal !== undefined) throw refusal
      const isKnown = error instanceof SourceError
      note(isKnown ? error : new SourceError('ERR_BROKER', troubleOf(error, options), error))
    }
    await clock.sleep(Math.min(RETRY_MS * 2 ** failures, RETRY_MAX_MS), signal)
  }
  return undefined
}

function troubleOf(error: unknown, { brokers, login }: ClientOptions): string {
  if (error instanceof TokenError) return `no token for the login: ${error.message}`
  const text = `no connection to ${brokers.join(', ')}: ${errorText(error)}`
  // It has answered the probe, which comes before any login.
  const hangsUp = causes(error).some(({ name }) => name === 'KafkaJSConnectionClosedError')
  return login === undefined && hangsUp
    ? `${text}, as brokers do that want a login: set kafka.sasl.mechanism`
    : text
}

/** Fills the subscription. @throws {SourceError} `ERR_TOPIC` when named topics do not exist, `ERR_REFUSED` */
async function findTopics({ topics, cluster, topology }: ReachingParts): Promise<Reached> {
  const names = topics.filter((topic) => typeof topic === 'string')
  const broker = await cluster.brokerPool.findConnectedBroker()
  const metadata = await rawMetadata(broker, names.length === topics.length ? names : [])
  const found = topology.matching(metadata)
  const known = new Map(metadata.topicMetadata.map((topic) => [topic.topic, topic.topicErrorCode]))
  const refused = names.find((name) => known.get(name) === TOPIC_AUTHORIZATION_CODE)
  if (refused !== undefined)
    throw new SourceError('ERR_REFUSED', `topic ${refused} may not be read; give our user the right to it`)
  const missing = names.filter((name) => (known.get(name) ?? UNKNOWN_TOPIC_CODE) === UNKNOWN_TOPIC_CODE)
  if (missing.length > 0)
    throw new SourceError('ERR_TOPIC', `topics that do not exist: ${missing.join(', ')}`)
  for (const name of [...names, ...found]) topology.topics.add(name)
  const partitions = new Map(
    metadata.topicMetadata.map(({ topic, partitionMetadata }) => [topic, partitionMetadata.length]),
  )
  return { clusterId: metadata.clusterId, partitions }
}
