import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { sharedAbort } from '../../base/shared-abort.ts'
import type {
  AbsentOffsets,
  AssignedPartition,
  CheckedPlace,
  DamagedBatch,
  LogPlace,
  SourceBatch,
  SourceHandler,
  StartDecision,
  TopicPartition,
} from '../source.ts'
import { SourceError } from '../source.ts'
import { heldBytes } from '../held-bytes.ts'
import { partitionName } from '../topic-partition.ts'
import { Doorbell } from './doorbell.ts'
import { FetchBudget, type Allowance } from './fetch-budget.ts'
import { FETCH_BY_ID_VERSION, fetchByIdRequest } from './fetch-by-id.ts'
import {
  FETCH_VERSION,
  FetchError,
  fetchRequest,
  isStaleMetadata,
  type FetchedPartition,
  type ReadLimits,
} from './fetch-protocol.ts'
import { Api, errorText, send, type Cluster } from './internals.ts'
import { decodeRecordSet, type DecodedRecordSet } from './record-set.ts'
import { ResponseLease, responseMemory } from './response-memory.ts'

/** Batches of one partition that wait for the handler, the one it is looking at included. */
const QUEUED_BATCHES_MAX = 2
const RETRY_MS = 250
const RETRY_MAX_MS = 3_000
/** A damaged batch may have been damaged on the way: it is fetched this often before it counts as damaged there. */
const DECODE_ATTEMPTS = 3
const ABANDON_HANDLERS_MS = 5_000

export interface FetchLoopOptions {
  readonly handler: SourceHandler
  readonly limits: ReadLimits
  readonly clock: Clock
  readonly logger: Logger
  /** At least 0, below 1. */
  readonly random?: () => number
  leaderOf(partition: TopicPartition): number | undefined
  /** New metadata may cure what just happened. */
  refreshMetadata(): void
  /** Low and high watermark, asked now. */
  edges(partition: TopicPartition): Promise<{ low: number; high: number }>
  /** What the leader says of a place; `undefined` when it cannot be asked. @throws {SourceError} `ERR_BROKER`: ask again */
  check(partition: TopicPartition, place: LogPlace): Promise<CheckedPlace | undefined>
  /**
   * The broker refuses what it gave before: resolves when the topic is still the same one, rejects with `ERR_BROKER` to be
   * asked again. For another topic of the name the generation is ended.
   */
  confirmTopic(partition: TopicPartition): Promise<void>
  /** Says more of what is missing. @throws {SourceError} `ERR_BROKER`: ask again */
  explain(topic: string, absent: readonly AbsentOffsets[]): Promise<readonly AbsentOffsets[]>
  /** The handler rejected: the source cannot go on. */
  failed(error: unknown): void
}

interface PartitionState extends TopicPartition {
  /** What it was when it was assigned; `undefined` where brokers do not tell. */
  topicId: string | undefined
  /** The next offset to ask for; what is queued lies before it. */
  position: number
  /** Of the record before `position`; `undefined` when it is not known, or has been checked to go on there. */
  leaderEpoch: number | undefined
  /** `waiting`: no start decided; `asking`: out of range or damaged, the handler decides. */
  phase: 'waiting' | 'ready' | 'asking' | 'held'
  /** The broker has refused it: nothing that comes is taken before the topic is known to be the same. */
  isSuspect: boolean
  /** Of this generation. A question that was asked before the last one is of no use. */
  seeks: number
  isPaused: boolean
  isFetching: boolean
  isDelivering: boolean
  readonly queue: SourceBatch[]
  retryAtMs: number
  failures: number
  /**
   * Raised when its data arrives: those served longest ago are asked for first. Begins at random, or restarts would serve
   * the same ones first, again and again.
   */
  turn: number
}

/** What one answer lies in, and how much of it may be decoded. */
interface AnswerMemory {
  readonly lease: ResponseLease
  readonly allowance: Allowance
}

/** One generation of the group. */
interface Generation {
  readonly epoch: number
  readonly partitions: ReadonlyMap<string, PartitionState>
  readonly ending: AbortController
  readonly deliveries: Set<Promise<void>>
}

/**
 * Fetches the partitions of one group generation and hands their batches to the handler: in order within a
 * partition, side by side between partitions. While the handler looks at batches the next response is fetched
 * already, as long as there is room for it in `maxBytes` of memory, beside the batches that are out with the handler. A partition that is held,
 * paused or slow stops no other. Positions live here alone; kafkajs has none.
 */
export class FetchLoop {
  private readonly options: FetchLoopOptions
  private readonly bell: Doorbell
  private generation: Generation | undefined
  private readonly budget: FetchBudget
  private turn = 0

  constructor(options: FetchLoopOptions) {
    this.options = options
    this.bell = new Doorbell(options.clock)
    this.budget = new FetchBudget(options.limits.maxBytes)
  }

  /** Memory of batches that the handler has not accepted yet. */
  get fetchedBytes(): number {
    return this.budget.heldBytes
  }

  /** Begins a generation; nothing is fetched until `begin` says where. The one before must be closed. */
  open(epoch: number, partitions: readonly TopicPartition[]): void {
    const { random = Math.random } = this.options
    const states = partitions.map(({ topic, partition }): PartitionState => ({
      topic,
      partition,
      topicId: undefined,
      position: 0,
      leaderEpoch: undefined,
      phase: 'waiting',
      isSuspect: false,
      seeks: 0,
      isPaused: false,
      isFetching: false,
      isDelivering: false,
      queue: [],
      retryAtMs: 0,
      failures: 0,
      turn: random(),
    }))
    this.generation = {
      epoch,
      partitions: new Map(states.map((state) => [partitionName(state), state])),
      ending: sharedAbort(),
      deliveries: new Set(),
    }
  }

  /** Where to start some partitions, in their order; the others wait on. Ignored when `epoch` is over. */
  begin(
    epoch: number,
    partitions: readonly Pick<AssignedPartition, 'topic' | 'partition' | 'topicId'>[],
    decisions: readonly StartDecision[],
  ): void {
    const { generation } = this
    if (generation?.epoch !== epoch) return
    for (const [index, partition] of partitions.entries()) {
      const decision = decisions[index]
      if (decision === undefined) throw new Error('the handler decided fewer partitions than it was assigned')
      const state = generation.partitions.get(partitionName(partition))
      if (state === undefined) continue
      state.topicId = partition.topicId
      const isSought = decision.kind === 'start' && state.seeks > 0
      this.decide(state, isSought ? { kind: 'start', offset: state.position } : decision)
    }
    this.bell.ring()
  }

  /** The generation is about to end: fetches and handlers stop waiting. */
  interrupt(): void {
    this.generation?.ending.abort()
    this.bell.ring()
  }

  /** Ends the generation: after this the handler gets no batch of it, and none is with it any more. */
  async close(): Promise<void> {
    const { generation } = this
    if (generation === undefined) return
    this.interrupt()
    const settled = Promise.allSettled(generation.deliveries).then(() => true)
    const given = new AbortController()
    const late = this.options.clock.sleep(ABANDON_HANDLERS_MS, given.signal).then(() => false)
    if (!(await Promise.race([settled, late]))) {
      this.options.logger.warn(
        { epoch: generation.epoch },
        'a batch handler ignored that its generation ended',
      )
    }
    given.abort()
    this.generation = undefined
    this.budget.clear()
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const state of this.statesOf(partitions)) {
      state.isPaused = true
      this.dropQueue(state)
    }
    this.bell.ring()
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const state of this.statesOf(partitions)) state.isPaused = false
    this.bell.ring()
  }

  /** Goes on from there, whatever was decided or is being asked about where it was. */
  seek(partition: TopicPartition, offset: number): void {
    for (const state of this.statesOf([partition])) {
      this.dropQueue(state)
      state.position = offset
      state.leaderEpoch = undefined
      state.seeks++
      if (state.phase !== 'waiting') state.phase = 'ready'
    }
    this.bell.ring()
  }

  /** Fetches once from one broker and queues what came. Resolves within about `maxWaitMs`. */
  async fetchFrom(cluster: Cluster, nodeId: string): Promise<void> {
    const { limits } = this.options
    const { generation } = this
    if (generation === undefined || generation.ending.signal.aborted) return this.bell.wait(limits.maxWaitMs)
    const { wanted, hasBusy } = this.selectPartitions(generation, Number(nodeId))
    const room = wanted.length === 0 ? undefined : this.budget.open()
    if (room === undefined) return this.bell.wait(limits.maxWaitMs)
    const rung = this.bell.rung
    const asked = wanted.map(({ topic, partition, position, topicId }) => ({
      topic,
      partition,
      position,
      topicId,
    }))
    for (const state of wanted) state.isFetching = true
    try {
      const broker = await cluster.findBroker({ nodeId })
      const spoken = broker.versions?.[Api.Fetch]?.maxVersion ?? FETCH_VERSION
      if (spoken < FETCH_VERSION) {
        throw new SourceError(
          'ERR_DEAD',
          `broker ${nodeId} is older than Kafka 2.3, which is the oldest supported`,
        )
      }
      // Partitions that wait for the handler must not wait for data of the others, too.
      const answer = {
        maxWaitMs: hasBusy ? 0 : limits.maxWaitMs,
        maxBytes: room.askedBytes,
        maxBytesPerPartition: Math.min(limits.maxBytesPerPartition, room.askedBytes),
      }
      const byId = spoken >= FETCH_BY_ID_VERSION ? asked.filter(hasTopicId) : []
      const request =
        byId.length === asked.length ? fetchByIdRequest(byId, answer) : fetchRequest(asked, answer)
      const response = await unlessAborted(send(broker, request), generation.ending.signal)
      if (response === undefined) return
      if (response.errorCode !== FetchError.none) throw new Error(`fetch error ${response.errorCode}`)
      const lease = new ResponseLease(() => responseMemory.giveBack(response.memory))
      const letGo = lease.hold()
      const { allowance } = room
      const hasData = await this.take(generation, asked, response.partitions, { lease, allowance })
      letGo()
      const recordBytes = response.partitions.reduce((sum, { recordSet }) => sum + recordSet.length, 0)
      this.budget.learn(recordBytes, allowance.wantedBytes)
      if (hasBusy && !hasData && this.bell.rung === rung) await this.bell.wait(limits.maxWaitMs)
    } finally {
      room.close()
      for (const state of wanted) state.isFetching = false
    }
  }

  private selectPartitions(
    generation: Generation,
    nodeId: number,
  ): { wanted: PartitionState[]; hasBusy: boolean } {
    const nowMs = this.options.clock.monotonicMs()
    const wanted: PartitionState[] = []
    let hasBusy = false
    for (const state of generation.partitions.values()) {
      if (state.phase !== 'ready' || state.isPaused || state.isFetching) continue
      if (this.options.leaderOf(state) !== nodeId) continue
      if (state.queue.length >= QUEUED_BATCHES_MAX || state.retryAtMs > nowMs) hasBusy = true
      else wanted.push(state)
    }
    wanted.sort((a, b) => a.turn - b.turn)
    return { wanted, hasBusy }
  }

  /** Queues what a response brought for positions that are still the wanted ones. */
  private async take(
    generation: Generation,
    asked: readonly { readonly topic: string; readonly partition: number; readonly position: number }[],
    fetched: readonly FetchedPartition[],
    memory: AnswerMemory,
  ): Promise<boolean> {
    const positions = new Map(asked.map((position) => [partitionName(position), position.position]))
    const taken = await Promise.all(
      fetched.map(async (part) => {
        const state = generation.partitions.get(partitionName(part))
        const position = positions.get(partitionName(part))
        if (state === undefined || position === undefined) return false
        if (part.errorCode !== FetchError.none) {
          this.refused(generation, state, position, part.errorCode)
          return false
        }
        if (state.isSuspect) {
          this.delay(state)
          void this.confirm(generation, state, position)
          return false
        }
        if (part.recordSet.length === 0) {
          state.failures = 0
          return false
        }
        return this.takeRecords(generation, state, position, part, memory)
      }),
    )
    return taken.includes(true)
  }

  private async takeRecords(
    generation: Generation,
    state: PartitionState,
    position: number,
    part: FetchedPartition,
    { lease, allowance }: AnswerMemory,
  ): Promise<boolean> {
    const { decompressedBytesMax } = this.options.limits
    const decoded = await decodeRecordSet(part.recordSet, position, part.highWatermark, part.aborted, {
      decompressedBytesMax,
      allowance,
    })
    const isPutOff = decoded.nextOffset === position && decoded.error === undefined
    if (isPutOff) return true
    const absent = await this.explained(state, decoded)
    const isWanted = state.position === position && state.phase === 'ready' && !state.isPaused
    if (!isWanted || generation.ending.signal.aborted) return false
    state.turn = ++this.turn
    if (absent === undefined) {
      this.delay(state)
      return false
    }
    if (decoded.nextOffset > position) {
      if (this.hasOtherLeader(generation, state, decoded)) return false
      state.position = decoded.nextOffset
      state.leaderEpoch = decoded.leaderEpoch
      state.failures = 0
      const batch: SourceBatch = {
        topic: state.topic,
        partition: state.partition,
        fromOffset: position,
        nextOffset: decoded.nextOffset,
        records: decoded.records,
        absent,
        bytes: decoded.bytes,
        highWatermark: part.lastStableOffset < 0 ? part.highWatermark : part.lastStableOffset,
        leaderEpoch: decoded.leaderEpoch,
        ...(decoded.isView ? { release: lease.hold() } : {}),
      }
      state.queue.push(batch)
      this.budget.hold(heldBytes(batch))
      this.deliver(generation, state)
    }
    if (decoded.error !== undefined && decoded.damaged !== undefined)
      this.damaged(generation, state, decoded.error, decoded.damaged)
    return true
  }

  /**
   * Whether other leaders wrote what comes next than what was read: then it waits until the log is known to lead from the
   * one to the other.
   */
  private hasOtherLeader(
    generation: Generation,
    state: PartitionState,
    { leaderEpoch: next }: DecodedRecordSet,
  ): boolean {
    const { position: offset, leaderEpoch } = state
    if (leaderEpoch === undefined || next === undefined || next === leaderEpoch) return false
    void this.ask(generation, state, async () => {
      this.delay(state)
      const place = await this.options.check(state, { offset, leaderEpoch })
      state.retryAtMs = 0
      if (place === undefined || place.endOffset >= offset) return { kind: 'start', offset }
      const { handler } = this.options
      const hold = { kind: 'hold', reason: 'the log was cut below what has been read' } as const
      return handler.truncated?.({ topic: state.topic, partition: state.partition }, place) ?? hold
    })
    return true
  }

  /** `undefined` when the brokers did not say; never rejects. */
  private async explained(
    { topic, partition }: TopicPartition,
    { absent }: DecodedRecordSet,
  ): Promise<readonly AbsentOffsets[] | undefined> {
    if (absent.length === 0) return absent
    try {
      return await this.options.explain(topic, absent)
    } catch (error) {
      this.options.logger.warn({ topic, partition, error: errorText(error) }, 'missing offsets wait for why')
      return undefined
    }
  }

  private deliver(generation: Generation, state: PartitionState): void {
    if (state.isDelivering) return
    const delivery = this.deliverQueue(generation, state)
    generation.deliveries.add(delivery)
    void delivery.finally(() => generation.deliveries.delete(delivery))
  }

  /** Never rejects. */
  private async deliverQueue(generation: Generation, state: PartitionState): Promise<void> {
    const { signal } = generation.ending
    state.isDelivering = true
    try {
      while (state.queue.length > 0 && !signal.aborted) {
        const batch = state.queue[0]!
        await this.options.handler.batch(batch, generation.epoch, signal)
        if (this.generation !== generation) return
        state.queue.shift()
        this.budget.letGo(heldBytes(batch))
        this.bell.ring()
      }
    } catch (error) {
      if (!signal.aborted) this.options.failed(error)
    } finally {
      state.isDelivering = false
    }
  }

  /** Forgets what is queued, apart from the batch that the handler has already. */
  private dropQueue(state: PartitionState): void {
    const dropped = state.queue.splice(state.isDelivering ? 1 : 0)
    const first = dropped[0]
    if (first !== undefined) {
      state.position = first.fromOffset
      // The batch before is with the handler, or nothing was dropped.
      state.leaderEpoch = state.queue[0]?.leaderEpoch
    }
    for (const batch of dropped) this.budget.letGo(heldBytes(batch))
  }

  private refused(generation: Generation, state: PartitionState, position: number, errorCode: number): void {
    if (state.position !== position || state.phase !== 'ready') return
    this.delay(state)
    if (isStaleMetadata(errorCode)) {
      state.isSuspect = true
      this.options.refreshMetadata()
      void this.confirm(generation, state, position)
      return
    }
    const facts = { topic: state.topic, partition: state.partition, position, errorCode }
    if (errorCode !== FetchError.offsetOutOfRange) {
      return this.options.logger.warn(facts, 'the broker refuses to be read from')
    }
    state.isSuspect = true
    void this.ask(generation, state, async () => {
      await this.options.confirmTopic(state)
      state.isSuspect = false
      const { low, high } = await this.options.edges(state)
      // A follower that has just become the leader may be behind for a moment.
      if (low <= position && position <= high)
        return { kind: 'start', offset: position, leaderEpoch: state.leaderEpoch }
      return this.options.handler.outOfRange(state, position, low, high)
    })
  }

  /** Reading goes on at `position` when the topic is still the same one; else it is asked for again. Never rejects. */
  private async confirm(generation: Generation, state: PartitionState, position: number): Promise<void> {
    if (state.position !== position || state.phase !== 'ready') return
    const { failures } = state
    await this.ask(generation, state, async () => {
      await this.options.confirmTopic(state)
      state.isSuspect = false
      return { kind: 'start', offset: position, leaderEpoch: state.leaderEpoch }
    })
    // Only records that come end them.
    state.failures = failures
  }

  private damaged(
    generation: Generation,
    state: PartitionState,
    error: SourceError,
    batch: DamagedBatch,
  ): void {
    const facts = { topic: state.topic, partition: state.partition, position: state.position }
    this.options.logger.warn(
      { ...facts, error: error.message },
      'fetched a record batch that cannot be decoded',
    )
    this.delay(state)
    const isSound = batch.decompressedBytes !== undefined
    if (!isSound && state.failures < DECODE_ATTEMPTS) return
    const offset = state.position
    void this.ask(generation, state, () => {
      const { handler } = this.options
      return (
        handler.undecodable?.(state, offset, error, batch) ??
        Promise.resolve({ kind: 'hold' as const, reason: `${error.code}: ${error.message}` })
      )
    })
  }

  /** Stops fetching a partition until `decide` has said how it goes on. Never rejects. */
  private async ask(
    generation: Generation,
    state: PartitionState,
    decide: () => Promise<StartDecision>,
  ): Promise<void> {
    state.phase = 'asking'
    const { seeks } = state
    try {
      const decision = await decide()
      if (this.generation !== generation || state.seeks !== seeks) return
      this.decide(state, decision)
      this.bell.ring()
    } catch (error) {
      // Watermarks could not be asked: fetching again leads back here.
      if (error instanceof SourceError && error.code === 'ERR_BROKER') {
        if (state.seeks === seeks) state.phase = 'ready'
      } else if (!generation.ending.signal.aborted) this.options.failed(error)
    }
  }

  private decide(state: PartitionState, decision: StartDecision): void {
    const { topic, partition } = state
    if (decision.kind === 'hold') {
      state.phase = 'held'
      this.options.logger.error({ topic, partition, reason: decision.reason }, 'partition is held')
      return
    }
    if (!Number.isSafeInteger(decision.offset) || decision.offset < 0) {
      throw new Error(`${partitionName(state)} cannot start at offset ${decision.offset}`)
    }
    state.position = decision.offset
    state.leaderEpoch = decision.leaderEpoch
    state.failures = 0
    state.phase = 'ready'
  }

  private delay(state: PartitionState): void {
    state.retryAtMs =
      this.options.clock.monotonicMs() + Math.min(RETRY_MS * 2 ** state.failures, RETRY_MAX_MS)
    state.failures++
  }

  private statesOf(partitions: readonly TopicPartition[]): PartitionState[] {
    return partitions.flatMap((partition) => this.generation?.partitions.get(partitionName(partition)) ?? [])
  }
}

function hasTopicId<Asked extends { readonly topicId: string | undefined }>(
  asked: Asked,
): asked is Asked & { readonly topicId: string } {
  return asked.topicId !== undefined
}

/** `undefined` as soon as `signal` is aborted, whatever `promise` does later. */
async function unlessAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
): Promise<Value | undefined> {
  if (signal.aborted) {
    promise.catch(() => {})
    return undefined
  }
  let stop = (): void => {}
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
    promise.catch(() => {})
  }
}
