import kafkajs, { type Consumer } from 'kafkajs'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import {
  SourceError,
  type KafkaSource,
  type RefusedCommit,
  type SourceHandler,
  type SourceRecord,
  type TopicPartition,
  type UnreadablePartition,
} from '../source.ts'
import { partitionName } from '../topic-partition.ts'
import { assignedFacts, firstOffsetAt, watermarksOf, type Edges, type KnownEdges } from './broker-facts.ts'
import { createClient, type ClientOptions } from './client.ts'
import { commitOffsets, type Commit } from './commit-offsets.ts'
import { CleanupPolicies } from './cleanup-policies.ts'
import { Doorbell } from './doorbell.ts'
import { Epochs } from './epochs.ts'
import { FetchLoop } from './fetch-loop.ts'
import { HalfMadeJoin } from './half-made-join.ts'
import { attach, harden, type GroupHooks } from './hardening.ts'
import { Identity, type KnownPartitions } from './identity.ts'
import { asksToRejoin, isConnectionTrouble, refusalOf, rejoinError } from './group-errors.ts'
import { beatOrLook } from './heartbeat.ts'
import { errorText, type Broker, type Cluster, type ConsumerGroup } from './internals.ts'
import { joinPatiently } from './joining.ts'
import { KnownTopics } from './known-topics.ts'
import { pinnedAssigner } from './pinned-assigner.ts'
import { patiently, reachBrokers, type Note, type Reached } from './reaching.ts'
import { readRange, type RangePiece } from './read-range.ts'
import { recordAt } from './record-at.ts'
import { addStartOffsets } from './start-offsets.ts'
import { Topology } from './topology.ts'

const { PartitionAssigners } = kafkajs

const REQUEST_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_MS = 15_000
/** How long a fetch loop that is no longer wanted sleeps until kafkajs has noticed. */
const STOPPING_TURN_MS = 10
const RETRY_MS = 250
const RETRY_MAX_MS = 2_000
/** A broker that has not told watermarks by then keeps those of its own partitions only. */
const WATERMARKS_MS = 3_000

export interface KafkajsSourceOptions extends ClientOptions {
  readonly groupId: string
  /** Makes the membership static: a restart keeps the partitions, and `stop` does not leave the group. */
  readonly groupInstanceId?: string
  /** Names, which must exist at start, and patterns, whose topics may come later. */
  readonly topics: readonly (string | RegExp)[]
  readonly startTimeoutMs: number
  readonly sessionTimeoutMs: number
  /** Of one fetch response; also how much memory may be out with the handler before fetching waits. */
  readonly maxBytes: number
  readonly maxBytesPerPartition: number
  /** What one record batch may become; a larger one is held as damaged. */
  readonly decompressedBytesMax: number
  /** How long a broker waits for data, and the longest that a fetch loop sleeps. */
  readonly maxWaitMs: number
  /** How soon new topics and partitions are seen. Default: a minute. */
  readonly metadataMaxAgeMs?: number
  readonly clock: Clock
}

/**
 * kafkajs 2.2.4 for connections, security and the group protocol; fetching, decoding and positions are ours. One
 * instance lives once: `start`, then `stop`.
 */
export class KafkajsSource implements KafkaSource {
  private readonly options: KafkajsSourceOptions
  private readonly logger: Logger
  private readonly clock: Clock
  private readonly bell: Doorbell
  private readonly halfMade: HalfMadeJoin
  private handler: SourceHandler | undefined
  private consumer: Consumer | undefined
  private cluster: Cluster | undefined
  private topology: Topology | undefined
  private identity: Identity | undefined
  private knownTopics: KnownTopics | undefined
  private loop: FetchLoop | undefined
  private epochs: Epochs | undefined
  /** Of the partitions being read, those whose watermarks nobody told when last asked. */
  private silent: readonly UnreadablePartition[] = []
  /** What brokers told at the start. */
  private reached: Reached | undefined
  private readonly failuresByNode = new Map<string, number>()
  private firstJoin: { resolve(): void; reject(error: Error): void; failed(error: unknown): void } | undefined
  private isStopping = false
  private stopped: Promise<void> | undefined
  private hasFailed = false

  constructor(options: KafkajsSourceOptions) {
    this.options = options
    this.logger = options.logger
    this.clock = options.clock
    this.bell = new Doorbell(options.clock)
    this.halfMade = new HalfMadeJoin(options.logger)
  }

  get clusterId(): string {
    return this.reached?.clusterId ?? ''
  }

  get fetchedBytes(): number {
    return this.loop?.fetchedBytes ?? 0
  }

  async probe(): Promise<void> {
    this.prepare()
    await this.withinStartTimeout((note, signal) => this.reach(note, signal))
  }

  async start(handler: SourceHandler): Promise<void> {
    this.handler = handler
    this.prepare()
    this.loop = this.createLoop(handler)
    this.epochs = this.createEpochs(handler, this.loop)
    await this.withinStartTimeout((note, signal) => this.connect(note, signal))
  }

  /**
   * The first offset with a record at or after this time; `undefined` when there is none yet. Waits for brokers that
   * do not answer. @throws {SourceError} `ERR_BROKER` when stopped meanwhile
   */
  async offsetAtTime(partition: TopicPartition, timestampMs: number): Promise<number | undefined> {
    for (let failures = 0; ; failures++) {
      const { cluster, topology } = this.connected()
      try {
        return await firstOffsetAt(cluster, topology.leaderOf(partition), partition, timestampMs)
      } catch (error) {
        this.logger.warn({ error: errorText(error) }, 'waiting for the offset of a time')
        topology.refreshSoon()
        await this.clock.sleep(Math.min(RETRY_MS * 2 ** failures, RETRY_MAX_MS))
      }
    }
  }

  /**
   * The committed record at one offset, after `probe` and without joining the group; `undefined` when there is none.
   * @throws {SourceError}
   */
  async recordAt(place: TopicPartition, offset: number): Promise<SourceRecord | undefined> {
    const { cluster, topology } = this.connected()
    cluster.targetTopics.add(place.topic)
    await cluster.refreshMetadata()
    return recordAt(cluster, topology.leaderOf(place), place, offset, this.options)
  }

  /** After `probe` and without joining the group: what of each partition of a topic can be read. @throws {SourceError} */
  async readableRanges(topic: string): Promise<readonly Edges[]> {
    const { cluster, topology } = this.connected()
    cluster.targetTopics.add(topic)
    await cluster.refreshMetadata()
    const partitions = cluster
      .findTopicPartitionMetadata(topic)
      .map(({ partitionId: partition }) => ({ topic, partition }))
    const leaderOf = (partition: TopicPartition): number | undefined => topology.leaderOf(partition)
    const asked = {
      leaderOf,
      partitions,
      high: 'readable',
      answerMs: REQUEST_TIMEOUT_MS,
      clock: this.clock,
    } as const
    const { known, unreadable } = await watermarksOf(cluster, asked)
    if (unreadable[0] !== undefined) throw unanswered(unreadable[0])
    return known
  }

  /** Which topic has the name now, after `probe`; `undefined` where the brokers do not say. @throws {SourceError} */
  async topicId(topic: string): Promise<string | undefined> {
    this.connected()
    const topics = await this.identity?.topics([topic], REQUEST_TIMEOUT_MS)
    return topics?.get(topic)?.topicId
  }

  /** Records of a range of `readableRanges`. @throws {SourceError} */
  readRange(place: TopicPartition, fromOffset: number, toOffset: number): AsyncGenerator<RangePiece> {
    const { cluster, topology } = this.connected()
    const { options: limits, clock } = this
    const leaderOf = (partition: TopicPartition): number | undefined => topology.leaderOf(partition)
    return readRange({ cluster, leaderOf, limits, clock }, place, fromOffset, toOffset)
  }

  async commit(offsets: readonly Commit[], epoch: number): Promise<readonly RefusedCommit[]> {
    const membership = this.epochs?.present
    if (membership?.epoch !== epoch) {
      throw new SourceError('ERR_STALE_EPOCH', `epoch ${epoch} is over, the last one is ${this.epochs?.last}`)
    }
    if (offsets.length === 0) return []
    return commitOffsets(this.options.groupId, membership, offsets, (group) => this.coordinatorOf(group))
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.loop?.pause(partitions)
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.loop?.resume(partitions)
  }

  seek(partition: TopicPartition, offset: number): void {
    this.loop?.seek(partition, offset)
  }

  get unreadable(): readonly UnreadablePartition[] {
    const assigned = new Set(this.epochs?.assigned.map(partitionName))
    const silent = this.silent.filter((partition) => assigned.has(partitionName(partition)))
    return [...(this.epochs?.unreadable ?? []), ...silent]
  }

  async watermarks(): Promise<readonly Edges[]> {
    const { topology } = this.connected()
    const assigned = this.epochs?.assigned ?? []
    const { known, unreadable } = await this.edgesOf(assigned, 'readable', WATERMARKS_MS)
    // There is nothing to be read of a topic that is gone.
    this.nowSilent(unreadable.filter((partition) => topology.leaderOf(partition) !== undefined))
    const first = unreadable[0]
    if (known.length === 0 && first !== undefined) throw unanswered(first)
    return known
  }

  private nowSilent(silent: readonly UnreadablePartition[]): void {
    const first = silent[0]
    if (first !== undefined && silent.length !== this.silent.length) {
      this.logger.warn(
        { partitions: silent.length, first: partitionName(first), reason: first.reason },
        'partitions that were read have no leader that answers; the others are read on',
      )
    }
    this.silent = silent
  }

  stop(): Promise<void> {
    this.stopped ??= this.isStopping ? Promise.resolve() : this.endMembership()
    return this.stopped
  }

  private async endMembership(): Promise<void> {
    this.isStopping = true
    this.bell.ring()
    await this.epochs?.close()
    await this.leave()
  }

  private prepare(): void {
    if (this.consumer !== undefined) return
    harden()
    this.consumer = this.createConsumer()
  }

  /** `work` notes what it fails with and tries again; the last of it is thrown when the time is over. */
  private async withinStartTimeout(work: (note: Note, signal: AbortSignal) => Promise<void>): Promise<void> {
    const giveUp = new AbortController()
    let trouble: SourceError | undefined
    const note = (error: SourceError): void => {
      trouble = error
    }
    const late = this.clock.sleep(this.options.startTimeoutMs, giveUp.signal).then(() => {
      if (giveUp.signal.aborted) return
      throw trouble ?? new SourceError('ERR_BROKER', `no answer from ${this.options.brokers.join(', ')}`)
    })
    const done = work(note, giveUp.signal)
    done.catch(() => {})
    try {
      await Promise.race([done, late])
    } catch (error) {
      this.isStopping = true
      this.bell.ring()
      await this.epochs?.close()
      await this.leave()
      throw error
    } finally {
      giveUp.abort()
    }
  }

  private createConsumer(): Consumer {
    const { options } = this
    const client = createClient(options, REQUEST_TIMEOUT_MS)
    const consumer = client.consumer({
      groupId: options.groupId,
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: this.rebalanceTimeoutMs,
      heartbeatInterval: Math.min(3_000, Math.floor(options.sessionTimeoutMs / 4)),
      maxWaitTimeInMs: options.maxWaitMs,
      // Metadata is refreshed by `Topology`.
      metadataMaxAge: 0x7fff_ffff,
      allowAutoTopicCreation: false,
      partitionAssigners: [
        (config) => {
          const cluster = config.cluster as unknown as Cluster
          this.adopt(cluster)
          return pinnedAssigner(cluster, () => this.handler?.claims?.() ?? { store: '', partitions: [] })
        },
        PartitionAssigners.roundRobin,
      ],
      retry: {
        initialRetryTime: 100,
        factor: 0.2,
        multiplier: 2,
        maxRetryTime: 3_000,
        retries: 1_000_000,
        restartOnFailure: () => Promise.resolve(!this.isStopping),
      },
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) this.fail(payload.error)
    })
    return consumer
  }

  private adopt(cluster: Cluster): void {
    const { options, clock, logger } = this
    this.cluster = cluster
    this.topology = new Topology({
      cluster,
      patterns: options.topics,
      maxAgeMs: options.metadataMaxAgeMs ?? 60_000,
      clock,
      logger,
      cameBack: () => this.epochs?.again(),
      refreshed: () => void this.knownTopics!.lookForOthers(),
    })
    const { topology } = this
    const leaderOf = (partition: TopicPartition): number | undefined => topology.leaderOf(partition)
    this.identity = new Identity({ cluster, leaderOf, clock, logger })
    this.knownTopics = new KnownTopics({
      identity: this.identity,
      leaderOf,
      assigned: () => this.epochs?.assigned ?? [],
      again: () => this.epochs?.again(),
      logger,
    })
    const hooks: GroupHooks = {
      fetch: (group, nodeId) => this.fetch(group, nodeId),
      joinAndSync: (group, join) => this.joinAndSync(group, join),
      heartbeat: (group, beat) => this.heartbeat(group, beat),
    }
    attach(cluster, hooks, options.groupInstanceId)
  }

  private createLoop(handler: SourceHandler): FetchLoop {
    const { options, clock, logger } = this
    const { topology, cluster } = this.connected()
    const policies = new CleanupPolicies(cluster, clock, logger)
    return new FetchLoop({
      handler,
      limits: options,
      clock,
      logger,
      leaderOf: (partition) => topology.leaderOf(partition),
      refreshMetadata: () => topology.refreshSoon(),
      edges: async (partition) => {
        const { known, unreadable } = await this.edgesOf([partition], 'log-end', REQUEST_TIMEOUT_MS)
        if (unreadable[0] !== undefined) throw unanswered(unreadable[0])
        return known[0]!
      },
      check: (partition, place) => this.identity!.checkOne(partition, place, REQUEST_TIMEOUT_MS),
      confirmTopic: (partition) => this.knownTopics!.confirm(partition),
      explain: (topic, absent) => policies.explain(topic, absent),
      failed: (error) => this.fail(error),
    })
  }

  private createEpochs(handler: SourceHandler, loop: FetchLoop): Epochs {
    const { clock, logger } = this
    const { topology } = this.connected()
    return new Epochs({
      handler,
      loop,
      clock,
      logger,
      drainMs: Math.floor(Math.min(this.rebalanceTimeoutMs, this.options.sessionTimeoutMs) / 2),
      look: (group, partitions, answerMs) => this.look(handler, group, partitions, answerMs),
      refreshMetadata: () => topology.refreshSoon(),
      failed: (error) => this.fail(error),
    })
  }

  /** What the handler is told of partitions when they are assigned. */
  private async look(
    handler: SourceHandler,
    group: ConsumerGroup,
    partitions: readonly TopicPartition[],
    answerMs: number,
  ): Promise<KnownPartitions> {
    const edges = await this.edgesOf(partitions, 'readable', answerMs)
    const facts = await assignedFacts(await this.coordinatorOf(group), this.options.groupId, edges.known)
    const identified = await this.identity!.add(facts, (partition) => handler.lastRead?.(partition), answerMs)
    const { cluster, topology } = this.connected()
    const { known, unreadable } = await addStartOffsets(cluster, identified.known, {
      leaderOf: (partition) => topology.leaderOf(partition),
      startTimeMs: (partition) => handler.startTimeMs?.(partition),
      answerMs,
      clock: this.clock,
    })
    this.knownTopics!.told(known)
    return {
      known: known.map((partition) => (this.isNew(partition) ? { ...partition, isNew: true } : partition)),
      unreadable: [...edges.unreadable, ...identified.unreadable, ...unreadable],
    }
  }

  private isNew({ topic, partition }: TopicPartition): boolean {
    return partition >= (this.reached?.partitions.get(topic) ?? 0)
  }

  /** Resolves when a broker answered and every named topic exists, or nobody waits. @throws {SourceError} */
  private async reach(note: Note, signal: AbortSignal): Promise<void> {
    const { options, clock, consumer, cluster, topology } = this
    const connect = (): Promise<void> => consumer!.connect()
    const parts = { options, topics: options.topics, connect, cluster: cluster!, topology: topology!, clock }
    this.reached ??= await reachBrokers(parts, note, signal)
  }

  /** Resolves when the group was joined for the first time. */
  private async connect(note: Note, signal: AbortSignal): Promise<void> {
    await this.reach(note, signal)
    if (signal.aborted) return
    const consumer = this.consumer!
    const notJoined = `group ${this.options.groupId} could not be joined`
    const failed = (error: unknown): void => {
      note(new SourceError('ERR_BROKER', `${notJoined}: ${errorText(error)}`, error))
    }
    const joined = new Promise<void>((resolve, reject) => (this.firstJoin = { resolve, reject, failed }))
    joined.catch(() => {})
    note(new SourceError('ERR_BROKER', notJoined))
    const topics = [...this.topology!.topics]
    const { options, clock } = this
    const subscribe = (): Promise<void> => consumer.subscribe({ topics, fromBeginning: true })
    await patiently(subscribe, { options, clock, note, signal })
    if (signal.aborted) return
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: () => Promise.resolve() })
    await joined
  }

  /** Hook: one turn of the loop that kafkajs runs per broker. Heartbeats follow each turn. */
  private async fetch(group: ConsumerGroup, nodeId: string): Promise<void> {
    const { topology, loop, cluster } = this
    if (this.isStopping) return this.clock.sleep(STOPPING_TURN_MS)
    if (this.hasFailed) return this.bell.wait(this.options.maxWaitMs)
    topology!.refreshIfDue()
    if (this.epochs!.present !== undefined && topology!.hasGrown(group)) {
      this.logger.info({}, 'topics or partitions have been added')
      loop!.interrupt()
      throw rejoinError()
    }
    try {
      await loop!.fetchFrom(cluster!, nodeId)
      this.failuresByNode.delete(nodeId)
    } catch (error) {
      if (error instanceof SourceError && error.code === 'ERR_DEAD') return this.fail(error)
      const failures = this.failuresByNode.get(nodeId) ?? 0
      this.failuresByNode.set(nodeId, failures + 1)
      this.logger.warn({ broker: nodeId, error: errorText(error) }, 'fetching failed; trying again')
      topology!.refreshSoon()
      await this.bell.wait(
        Math.min(RETRY_MS * 2 ** failures, RETRY_MAX_MS, this.options.sessionTimeoutMs / 4),
      )
    }
  }

  /** Hook: a coordinator that cannot be reached is looked for, while the membership lasts on. */
  private async heartbeat(group: ConsumerGroup, beat: () => Promise<void>): Promise<void> {
    await beatOrLook(group, {
      beat,
      isToLook: (error) => {
        if (asksToRejoin(error)) this.loop?.interrupt()
        return !this.isStopping && isConnectionTrouble(error)
      },
      find: () => this.cluster!.findGroupCoordinator({ groupId: this.options.groupId }),
      wait: () => this.clock.sleep(RETRY_MS),
      logger: this.logger,
    })
  }

  /** Hook: ends the present epoch, joins, begins the next. */
  private async joinAndSync(group: ConsumerGroup, join: () => Promise<void>): Promise<void> {
    await this.epochs!.join(group, async () => {
      this.topology!.forgetGone()
      const topics = [...this.topology!.topics]
      group.topicsSubscribed = topics
      group.topicConfigurations = Object.fromEntries(topics.map((topic) => [topic, { fromBeginning: true }]))
      await joinPatiently(() => this.halfMade.complete(group, join), {
        wait: (durationMs) => this.bell.wait(durationMs),
        isOver: () => this.isStopping,
        failed: (error) => this.firstJoin?.failed(error),
        logger: this.logger,
      })
    })
    this.logger.info(
      { epoch: this.epochs!.last, generation: group.generationId },
      'joined the consumer group',
    )
    this.firstJoin?.resolve()
  }

  private async edgesOf(
    partitions: readonly TopicPartition[],
    high: 'readable' | 'log-end',
    answerMs: number,
  ): Promise<KnownEdges> {
    const { cluster, topology } = this.connected()
    const leaderOf = (partition: TopicPartition): number | undefined => topology.leaderOf(partition)
    return watermarksOf(cluster, { leaderOf, partitions, high, answerMs, clock: this.clock })
  }

  /** @throws {SourceError} `ERR_BROKER` before the start and after the end */
  private connected(): { cluster: Cluster; topology: Topology } {
    const { cluster, topology } = this
    if (cluster === undefined || topology === undefined || this.isStopping) {
      throw new SourceError('ERR_BROKER', 'not connected')
    }
    return { cluster, topology }
  }

  private async coordinatorOf(group: ConsumerGroup): Promise<Broker> {
    if (group.coordinator?.isConnected()) return group.coordinator
    group.coordinator = await this.cluster!.findGroupCoordinator({ groupId: this.options.groupId })
    return group.coordinator
  }

  /** The source is of no use any more. Told once, and not after `stop`. */
  private fail(cause: unknown): void {
    if (this.hasFailed || this.isStopping) return
    this.hasFailed = true
    this.loop?.interrupt()
    const refusal = refusalOf(cause)
    const error =
      refusal ??
      (cause instanceof SourceError
        ? cause
        : new SourceError('ERR_DEAD', `the Kafka client has stopped: ${errorText(cause)}`, cause))
    if (this.firstJoin !== undefined && this.epochs!.last === 0) {
      this.firstJoin.reject(
        error.code === 'ERR_BROKER' || error.code === 'ERR_REFUSED'
          ? error
          : new SourceError('ERR_BROKER', error.message, error),
      )
    } else {
      this.handler!.failed(error)
    }
  }

  private async leave(): Promise<void> {
    const given = new AbortController()
    const late = this.clock.sleep(STOP_TIMEOUT_MS, given.signal).then(() => {
      if (!given.signal.aborted) this.logger.warn({}, 'the Kafka client did not stop in time')
    })
    const left = this.consumer?.disconnect().catch((error: unknown) => {
      this.logger.warn({ error: errorText(error) }, 'the Kafka client did not stop cleanly')
    })
    await Promise.race([left, late])
    given.abort()
  }

  private get rebalanceTimeoutMs(): number {
    return this.options.sessionTimeoutMs * 2
  }
}

function unanswered({ reason, ...partition }: UnreadablePartition): SourceError {
  return new SourceError('ERR_BROKER', `watermarks of ${partitionName(partition)} are not known: ${reason}`)
}
