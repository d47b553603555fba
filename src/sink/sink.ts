import { type Logger, silentLogger } from '../base/logger.ts'
import type {
  AssignedPartition,
  CheckedPlace,
  Claim,
  DamagedBatch,
  LogPlace,
  SourceBatch,
  SourceHandler,
  StartDecision,
  TopicPartition,
} from '../kafka/source.ts'
import { place } from '../kafka/topic-partition.ts'
import { Assignment } from './assignment.ts'
import { Committer } from './committer.ts'
import { isDoneWithin } from './deadline.ts'
import { DeadLetters } from './dead-letters.ts'
import { Drainer } from './drainer.ts'
import { Generation } from './generation.ts'
import { Holds } from './holds.ts'
import { Intake } from './intake.ts'
import { Life } from './life.ts'
import { MemoryBudget } from './memory-budget.ts'
import { type SinkObserver, silentSinkObserver } from './observer.ts'
import { defaultSinkLimits, type SinkLimits, type SinkOptions } from './options.ts'
import { OwedOffsets } from './owed-offsets.ts'
import type { PartitionState } from './partition-state.ts'
import { PartitionTable } from './partition-table.ts'
import { ProgressWatch } from './progress-watch.ts'
import { SpaceGate } from './space-gate.ts'
import type { StartFacts } from './start-plan.ts'
import type { DrainReport, PartitionStatus, PauseReason, SinkStatus } from './status.ts'
import { StoreWriter } from './store-writer.ts'
import { SubmissionQueue } from './submission-queue.ts'
import { Uncommitted } from './uncommitted.ts'

/**
 * Takes batches from the source into the store, and tells Kafka what is durable.
 *
 * A batch is accepted when it is mapped and queued, and its handler returns; it is durable later, together with the
 * ledger's step over its offsets, as one atom. Only durable offsets are committed, and only by the generation that
 * owns them. Offsets below `acceptedOffset` of their partition are dropped at the door.
 */
export class Sink implements SourceHandler {
  /** Resolves when the sink is over: with why, as soon as it failed, or `undefined` after `stop`. */
  readonly ended: Promise<Error | undefined>

  readonly #options: SinkOptions
  readonly #limits: SinkLimits
  readonly #logger: Logger
  readonly #observer: SinkObserver
  readonly #life: Life
  readonly #budget: MemoryBudget
  readonly #space: SpaceGate
  readonly #partitions: PartitionTable
  readonly #generation: Generation
  readonly #holds: Holds
  readonly #queue: SubmissionQueue
  readonly #committer: Committer
  readonly #progress: ProgressWatch
  readonly #assignment: Assignment
  readonly #intake: Intake
  readonly #drainer: Drainer
  readonly #deadLetters: DeadLetters | undefined
  readonly #owed: OwedOffsets
  #draining: Promise<DrainReport> | undefined

  constructor(options: SinkOptions) {
    const { source, storage, ledger, clock, groupId } = options
    const limits = { ...defaultSinkLimits, ...options.limits }
    const logger = options.logger ?? silentLogger
    const observer = options.observer ?? silentSinkObserver
    const clusterId = (): string => source.clusterId
    const self = (): StartFacts['self'] => ({
      clusterId: clusterId(),
      groupId,
      storeId: storage.identity.storeId,
    })
    const life = new Life({ source, clock, observer, logger, onFailed: () => this.#failed() })
    const budget = new MemoryBudget(limits.memoryBytesMax)
    const space = new SpaceGate({
      spareBytes: () => storage.spareBytes(),
      underwayBytes: () => budget.usedBytes,
      resumeBytes: limits.spareBytesResume,
      onChange: (isClosed) => this.#spaceChanged(isClosed),
    })
    const partitions = new PartitionTable(({ topic, partition }) =>
      ledger.position({ clusterId: clusterId(), topic, partition }),
    )
    const { stopping } = life
    const generation = new Generation({ partitions, clock, stopping, waits: [space, budget] })
    const holds = new Holds({ source, storage, partitions, space, clock, observer, logger })
    const queue = new SubmissionQueue({
      submit: (submission) => storage.submit(submission),
      inFlightBytesMax: limits.inFlightBytesMax,
      onFailed: (error) => life.fail(error),
    })
    const uncommitted = new Uncommitted({ partitions, self })
    const committer = new Committer({
      source,
      clock,
      observer,
      logger,
      intervalMs: limits.commitIntervalMs,
      bytesMax: limits.commitBytesMax,
      pending: (epoch) => uncommitted.offsets(epoch),
      onCommitted: (offsets) => uncommitted.committed(offsets),
    })
    const writer = new StoreWriter({
      queue,
      ledger,
      clusterId,
      clock,
      observer,
      logger,
      onDurableBytes: (bytes) => committer.noteDurable(bytes),
      onRefused: (state) => holds.refused(state),
    })
    const owed = new OwedOffsets({
      storage,
      ledger,
      clusterId,
      logger,
      recordLoss: (partition, gap) => writer.recordLoss(partition, gap),
    })
    const deadLetters =
      options.deadLetters && new DeadLetters({ to: options.deadLetters, groupId, clock, observer, logger })
    this.#deadLetters = deadLetters
    this.#owed = owed
    this.#options = options
    this.#limits = limits
    this.#logger = logger
    this.#observer = observer
    this.#life = life
    this.#budget = budget
    this.#space = space
    this.#partitions = partitions
    this.#generation = generation
    this.#holds = holds
    this.#queue = queue
    this.#committer = committer
    this.#progress = new ProgressWatch({
      source,
      clock,
      logger,
      answerMs: limits.watermarkPollMs,
      stuckAfterMs: limits.stuckAfterMs,
      partitions: () => partitions.all,
      isExempt: (state) =>
        !generation.isAccepting ||
        state.hold !== undefined ||
        space.isClosed ||
        deadLetters?.waitsFor(state) !== undefined,
      storeChanges: () => storage.changes,
    })
    this.#assignment = new Assignment({
      source,
      self,
      claim: () => storage.claim(clusterId(), groupId),
      start: options.start,
      onDeleted: options.onDeleted ?? 'continue',
      mapper: options.mapper,
      life,
      generation,
      partitions,
      space,
      holds,
      owed,
      writer,
      committer,
      clock,
      observer,
      logger,
    })
    const { submissionBytesMax } = limits
    const wiring = { life, generation, clock, observer, logger }
    this.#intake = new Intake({
      ...wiring,
      source,
      budget,
      space,
      holds,
      owed,
      writer,
      deadLetters,
      submissionBytesMax,
    })
    this.#drainer = new Drainer({ ...wiring, source, partitions, queue, committer, uncommitted })
    this.ended = life.ended
  }

  /** Starts the source. @throws what `KafkaSource.start` throws, or why the sink failed meanwhile */
  async start(): Promise<void> {
    const life = this.#life
    life.begin()
    await life.orFail(this.#space.look())
    await life.orFail(this.#options.source.start(this))
    if (life.failure !== undefined) throw life.failure
    life.background(this.#committer.run(life.stopping))
    life.every(this.#limits.diskPollMs, async () => {
      await this.#space.look()
      this.#holds.look()
    })
    life.every(this.#limits.watermarkPollMs, () => this.#progress.check())
  }

  assigned(partitions: readonly AssignedPartition[], epoch: number): Promise<readonly StartDecision[]> {
    return this.#assignment.assigned(partitions, epoch)
  }

  lastRead(partition: AssignedPartition): LogPlace | undefined {
    return this.#assignment.lastRead(partition)
  }

  startTimeMs(partition: AssignedPartition): number | undefined {
    return this.#assignment.startTimeMs(partition)
  }

  batch(batch: SourceBatch, epoch: number, signal: AbortSignal): Promise<void> {
    return this.#intake.batch(batch, epoch, signal)
  }

  async revoking(epoch: number, deadlineMs: number): Promise<void> {
    if (epoch !== this.#generation.epoch) return
    this.#generation.stopAccepting()
    await this.#drainer.giveBack(epoch, deadlineMs)
    if (epoch === this.#generation.epoch) this.#committer.end()
  }

  outOfRange(partition: TopicPartition, wanted: number, low: number, high: number): Promise<StartDecision> {
    return this.#assignment.outOfRange(partition, wanted, low, high)
  }

  truncated(partition: TopicPartition, cut: CheckedPlace): Promise<StartDecision> {
    return this.#assignment.truncated(partition, cut)
  }

  undecodable(
    partition: TopicPartition,
    offset: number,
    error: Error,
    batch: DamagedBatch,
  ): Promise<StartDecision> {
    return this.#assignment.undecodable(partition, offset, error, batch)
  }

  claims(): { store: string; partitions: Claim[] } {
    const { storage, ledger, source } = this.#options
    const partitions = ledger.positions().filter(({ clusterId }) => clusterId === source.clusterId)
    return { store: storage.identity.storeId, partitions }
  }

  failed(error: Error): void {
    this.#life.fail(error)
  }

  /**
   * For shutdown, before `stop`: accepts nothing more, waits until what is accepted is durable, and commits it, all
   * within `deadlineMs`. Idempotent.
   */
  drain(deadlineMs: number): Promise<DrainReport> {
    this.#draining ??= this.#drainer.drain(deadlineMs)
    return this.#draining
  }

  /**
   * Hands nothing more to the store, from the call on, and stops the source, waiting for it `deadlineMs` at most.
   * Without a `drain` before, what is not durable is delivered again.
   */
  async stop(deadlineMs: number): Promise<void> {
    this.#generation.stopAccepting()
    this.#committer.end()
    this.#life.halt()
    this.#queue.discardQueued()
    if (!(await isDoneWithin(this.#life.stopSource(), deadlineMs, this.#options.clock))) {
      this.#logger.warn({ deadlineMs }, 'the source did not leave the group in time')
    }
    this.#life.over()
  }

  status(): SinkStatus {
    const { usedBytes, bytesMax, waiting } = this.#budget
    const { submissions, records, bytes } = this.#queue
    const { source, clock } = this.#options
    const nowMs = clock.monotonicMs()
    return {
      phase: this.#life.phase,
      failure: this.#life.failure,
      isAssigned: this.#generation.isAccepting,
      epoch: this.#generation.epoch,
      partitions: this.#partitions.all.map((state) => this.#partitionStatus(state, nowMs)),
      paused: [...this.#pausedFor(), ...(waiting > 0 ? (['memory'] as const) : [])],
      memory: { usedBytes, bytesMax, waiting, fetchedBytes: source.fetchedBytes },
      underway: { submissions, records, bytes },
    }
  }

  #partitionStatus(state: PartitionState, nowMs: number): PartitionStatus {
    const { acceptedOffset, durableOffset, committedOffset, highWatermark, lagRecords, hold } = state
    const waitsFor = this.#deadLetters?.waitsFor(state)
    return {
      ...place(state),
      acceptedOffset,
      durableOffset,
      committedOffset,
      highWatermark,
      lagRecords,
      durableLagSeconds: state.marks.ageMs(durableOffset, nowMs) / 1000,
      hold,
      isOwing: this.#owed.isOwed(state),
      waitsFor,
      paused: [
        ...this.#pausedFor(),
        ...(hold === undefined ? [] : (['hold'] as const)),
        ...(waitsFor === undefined ? [] : (['dead-letters'] as const)),
      ],
    }
  }

  #failed(): void {
    this.#generation.stopAccepting()
    this.#committer.end()
    this.#queue.stop()
  }

  #spaceChanged(isClosed: boolean): void {
    const { source } = this.#options
    const partitions = this.#partitions.all.filter(({ hold }) => hold === undefined).map(place)
    const reason: PauseReason = 'disk-space'
    if (isClosed) {
      source.pause(partitions)
      this.#observer.paused({ reason })
    } else {
      source.resume(partitions)
      this.#observer.resumed({ reason })
    }
    const { roomBytes: spareBytes } = this.#space
    const { spareBytesResume } = this.#limits
    this.#logger.warn({ reason, spareBytes, spareBytesResume }, isClosed ? 'paused' : 'resumed')
  }

  /** What keeps every partition from being read. */
  #pausedFor(): PauseReason[] {
    return this.#space.isClosed ? ['disk-space'] : []
  }
}
