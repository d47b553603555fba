import {
  Api,
  assertKafkajsVersion,
  ConnectionClass,
  ConsumerGroupClass,
  KafkaJSNonRetriableError,
  RequestQueueClass,
  requests,
  RunnerClass,
  send,
  sendUnjudged,
  type Broker,
  type Cluster,
  type ConsumerGroup,
  type Metadata,
  type RequestQueue,
} from './internals.ts'
import { findCoordinator } from './joining.ts'
import { assembleResponses } from './response-assembly.ts'

/** What a source does in place of kafkajs' own consumer group. */
export interface GroupHooks {
  /** One turn of the fetch loop of a broker; it must come back within a heartbeat or so. */
  fetch(group: ConsumerGroup, nodeId: string): Promise<void>
  /** Every way into the group leads through here; `join` does what kafkajs would have done. */
  joinAndSync(group: ConsumerGroup, join: () => Promise<void>): Promise<void>
  heartbeat(group: ConsumerGroup, beat: () => Promise<void>): Promise<void>
}

/** Keyed by cluster, which kafkajs makes one of per consumer: other consumers in this process stay as they are. */
const hooksOf = new WeakMap<Cluster, GroupHooks>()

const RETRY_PENDING_MS = 10
/** When this share of a session is over, the next request logs in again. */
const SESSION_SHARE = 0.85
let isHardened = false

/**
 * Changes the classes of kafkajs, once per process and before anything connects. Consumers without hooks keep
 * working as before.
 *
 * @throws {Error} when kafkajs is not the one release this was written against
 */
export function harden(): void {
  if (isHardened) return
  assertKafkajsVersion()
  isHardened = true

  const group = ConsumerGroupClass.prototype
  const { fetch, joinAndSync, heartbeat } = group
  group.fetch = async function (nodeId) {
    const hooks = hooksOf.get(this.cluster)
    if (hooks === undefined) return fetch.call(this, nodeId)
    await hooks.fetch(this, nodeId)
    return []
  }
  group.joinAndSync = function () {
    const join = () => joinAndSync.call(this)
    return hooksOf.get(this.cluster)?.joinAndSync(this, join) ?? join()
  }
  group.heartbeat = function (options) {
    const beat = () => heartbeat.call(this, options)
    return hooksOf.get(this.cluster)?.heartbeat(this, beat) ?? beat()
  }
  const runner = RunnerClass.prototype
  const { fetch: fetchOf } = runner
  // The original answers with nothing, at once: loops that were made anew for other brokers while the consumer stopped then
  // turn for ever, and let nothing else run.
  runner.fetch = function (nodeId) {
    if (this.running || !hooksOf.has(this.consumerGroup.cluster)) return fetchOf.call(this, nodeId)
    return Promise.reject(new Error('the consumer has stopped'))
  }
  const connection = ConnectionClass.prototype
  const { processData } = connection
  connection.processData = function (bytes) {
    // While it logs in, kafkajs keeps what it is given: the bytes must be its own.
    if (this.authHandlers) processData.call(this, Buffer.from(bytes))
    else assembleResponses(this, bytes)
  }
  connection.isAuthenticated = function () {
    const sessionMs = Number(this.sessionLifetime.toString())
    return this.authenticatedAt !== null && isSessionYoung(this.authenticatedAt, sessionMs)
  }
  RequestQueueClass.prototype.scheduleCheckPendingRequests = scheduleCheckPendingRequests
}

/**
 * The original logs in again 10 s before the session ends: with sessions of 10 s and less at every request, which
 * brokers answer by closing the connection.
 */
function isSessionYoung([seconds, nanoseconds]: readonly [number, number], sessionMs: number): boolean {
  if (sessionMs === 0) return true
  const [sinceSeconds, sinceNanoseconds] = process.hrtime([seconds, nanoseconds])
  return sinceSeconds * 1e3 + sinceNanoseconds / 1e6 < sessionMs * SESSION_SHARE
}

/** The original re-arms itself for ever with a delay below zero, which costs 6 % of a core while idle. */
function scheduleCheckPendingRequests(this: RequestQueue): void {
  if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return
  const throttledMs = this.throttledUntil - Date.now()
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    },
    throttledMs > 0 ? throttledMs : RETRY_PENDING_MS,
  )
}

/** Puts `hooks` in charge of the consumer that owns `cluster`. Must be called before it connects. */
export function attach(cluster: Cluster, hooks: GroupHooks, groupInstanceId: string | undefined): void {
  hooksOf.set(cluster, hooks)
  // Nothing of ours asks for a default position; if kafkajs ever does, it must not get one silently.
  cluster.defaultOffset = () => {
    throw new KafkaJSNonRetriableError('a consumer position was to be reset silently')
  }
  cluster.findGroupCoordinator = ({ groupId }) => findCoordinator(cluster, groupId)
  changeBrokers(cluster, (broker) => {
    broker.metadata = (topics) => tolerantMetadata(broker, topics)
    if (groupInstanceId !== undefined) makeStatic(broker, groupInstanceId)
  })
}

/** For a cluster without hooks: topics that are gone are left out of its metadata. Before it connects. */
export function tolerateMissingTopics(cluster: Cluster): void {
  changeBrokers(cluster, (broker) => {
    broker.metadata = (topics) => tolerantMetadata(broker, topics)
  })
}

function changeBrokers({ brokerPool }: Cluster, change: (broker: Broker) => void): void {
  const createBroker = brokerPool.createBroker
  brokerPool.createBroker = (options) => {
    const broker = createBroker(options)
    change(broker)
    return broker
  }
}

/** Metadata as the broker tells it, topics with an error and partitions without a leader included. */
export function rawMetadata(broker: Broker, topics: readonly string[]): Promise<Metadata> {
  return sendUnjudged<Metadata>(broker, 'Metadata', { topics, allowAutoTopicCreation: false })
}

/** The original fails as a whole when one topic is gone or one partition has no leader. */
async function tolerantMetadata(broker: Broker, topics: readonly string[]): Promise<Metadata> {
  const metadata = await rawMetadata(broker, topics)
  return { ...metadata, topicMetadata: metadata.topicMetadata.filter((topic) => topic.topicErrorCode === 0) }
}

/** Static membership: kafkajs knows the wire format, but never passes the id; and a static member never leaves. */
function makeStatic(broker: Broker, groupInstanceId: string): void {
  const ask = (apiKey: number, name: string, values: object) =>
    send(broker, broker.lookupRequest(apiKey, requests[name])({ ...values, groupInstanceId }))
  broker.joinGroup = ({ memberId = '', protocolType = 'consumer', ...rest }) =>
    ask(Api.JoinGroup, 'JoinGroup', { memberId, protocolType, ...rest })
  broker.syncGroup = (values) => ask(Api.SyncGroup, 'SyncGroup', values)
  broker.heartbeat = (values) => ask(Api.Heartbeat, 'Heartbeat', values)
  broker.leaveGroup = () => Promise.resolve()
}
