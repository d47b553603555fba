import type { Clock } from '../base/clock.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { heldBytes } from '../kafka/held-bytes.ts'
import type {
  AssignedPartition,
  CheckedPlace,
  Claim,
  LogPlace,
  SourceBatch,
  SourceHandler,
  SourceRecord,
  StartDecision,
  TopicPartition,
} from '../kafka/source.ts'
import { place } from '../kafka/topic-partition.ts'
import type { LedgerRow } from '../ledger/ledger-codec.ts'
import type { MapHold } from '../mapping/rejection.ts'
import { encodeCommitMetadata } from './commit-metadata.ts'
import { Committer, type OffsetToCommit } from './committer.ts'
import { cutBatch, type Piece, type RecordFate } from './cut-batch.ts'
import { isDoneWithin } from './deadline.ts'
import { MemoryBudget } from './memory-budget.ts'
import { type SinkObserver, silentSinkObserver } from './observer.ts'
import { defaultSinkLimits, type SinkLimits, type SinkOptions } from './options.ts'
import { OwedOffsets } from './owed-offsets.ts'
import type { PartitionRecordMapper, PartitionState } from './partition-state.ts'
import { PartitionTable } from './partition-table.ts'
import { ProgressWatch } from './progress-watch.ts'
import { quarantinedRecord } from './quarantine.ts'
import {
  type HoldPlan,
  type HoldReason,
  placeToCheck,
  planCut,
  planInRange,
  planStart,
  type StartPlan,
} from './start-plan.ts'
import type { DrainReport, PartitionStatus, PauseReason, SinkPhase, SinkStatus } from './status.ts'
import { SpaceGate } from './space-gate.ts'
import { type Step, StoreWriter } from './store-writer.ts'
import { SubmissionQueue } from './submission-queue.ts'

/** A drain keeps this share of its time, at most so many milliseconds, for the commit. */
const COMMIT_SHARE = 0.25
const COMMIT_RESERVE_MS = 5000
const COMMIT_RETRY_MS = 200
const REACHED_POLL_MS = 50
const NO_RULE =
  'no mapping rule takes this topic, or it would share an entry with another: give it a rule of its own'

/** Reasons to hold a partition that was read until then. */
const heldOnTheWay: ReadonlySet<HoldReason> = new Set([
  'damaged-block',
  'quota',
  'clock',
  'too-many-entries',
  'entry-conflict',
])

const stoppingHold: StartDecision = { kind: 'hold', reason: 'stopping' satisfies HoldReason }

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
  readonly #clock: Clock
  readonly #budget: MemoryBudget
  readonly #space: SpaceGate
  readonly #partitions: PartitionTable
  readonly #queue: SubmissionQueue
  readonly #writer: StoreWriter
  readonly #owed: OwedOffsets
  readonly #committer: Committer
  readonly #progress: ProgressWatch
  readonly #stopping = new AbortController()
  #phase: SinkPhase = 'idle'
  #failure: Error | undefined
  #epoch = -1
  #isAccepting = false
  #isClaimed = false
  #draining: Promise<DrainReport> | undefined
  #sourceStopped: Promise<void> | undefined
  readonly #rejectionsLogged = new Set<string>()
  #end: (failure: Error | undefined) => void = () => {}

  constructor(options: SinkOptions) {
    const { source, storage, ledger, clock } = options
    const limits = { ...defaultSinkLimits, ...options.limits }
    const logger = options.logger ?? silentLogger
    const observer = options.observer ?? silentSinkObserver
    this.#options = options
    this.#limits = limits
    this.#logger = logger
    this.#observer = observer
    this.#clock = clock
    this.#budget = new MemoryBudget(limits.memoryBytesMax)
    this.#space = new SpaceGate({
      spareBytes: () => storage.spareBytes(),
      underwayBytes: () => this.#budget.usedBytes,
      resumeBytes: limits.spareBytesResume,
      onChange: (isClosed) => this.#spaceChanged(isClosed),
    })
    this.#partitions = new PartitionTable((partition) => this.#row(partition))
    this.#queue = new SubmissionQueue({
      submit: (submission) => storage.submit(submission),
      inFlightBytesMax: limits.inFlightBytesMax,
      onFailed: (error) => this.#fail(error),
    })
    this.#committer = new Committer({
      source,
      clock,
      observer,
      intervalMs: limits.commitIntervalMs,
      bytesMax: limits.commitBytesMax,
      pending: (epoch) => this.#offsetsToCommit(epoch),
      onCommitted: (offsets) => this.#committed(offsets),
    })
    this.#writer = new StoreWriter({
      queue: this.#queue,
      ledger,
      clusterId: () => source.clusterId,
      clock,
      observer,
      logger,
      onDurableBytes: (bytes) => this.#committer.noteDurable(bytes),
      onRefused: (state) => this.#refused(state),
    })
    this.#owed = new OwedOffsets({
      storage,
      ledger,
      clusterId: () => source.clusterId,
      logger,
      recordLoss: (partition, gap) => this.#writer.recordLoss(partition, gap),
    })
    this.#progress = new ProgressWatch({
      source,
      clock,
      logger,
      answerMs: limits.watermarkPollMs,
      stuckAfterMs: limits.stuckAfterMs,
      partitions: () => this.#partitions.all,
      isExempt: (state) => !this.#isAccepting || state.hold !== undefined || this.#space.isClosed,
      storeChanges: () => storage.changes,
    })
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  /** Starts the source. @throws what `KafkaSource.start` throws, or why the sink failed meanwhile */
  async start(): Promise<void> {
    this.#phase = 'running'
    await this.#orFail(this.#space.look())
    await this.#orFail(this.#options.source.start(this))
    if (this.#failure !== undefined) throw this.#failure
    const { signal } = this.#stopping
    this.#background(this.#committer.run(signal))
    const lookAround = async (): Promise<void> => {
      await this.#space.look()
      this.#lookAtHolds()
    }
    this.#background(this.#every(this.#limits.diskPollMs, lookAround))
    this.#background(this.#every(this.#limits.watermarkPollMs, () => this.#progress.check()))
  }

  async assigned(partitions: readonly AssignedPartition[], epoch: number): Promise<readonly StartDecision[]> {
    this.#epoch = epoch
    this.#stopAccepting()
    this.#committer.end()
    const isOver = (): boolean => this.#phase !== 'running' || this.#epoch !== epoch
    const allStopping = partitions.map(() => stoppingHold)
    if (isOver()) return allStopping
    if (!this.#isClaimed) {
      await this.#orFail(this.#options.storage.claim(this.#options.source.clusterId, this.#options.groupId))
      this.#isClaimed = true
    }
    const plans = await this.#orFail(Promise.all(partitions.map((partition) => this.#plan(partition))))
    if (isOver()) return allStopping

    const begun = partitions.map((partition) => this.#partitions.nextOffset(partition) !== undefined)
    const states = this.#partitions.assign(partitions)
    const decisions = states.map((state, i) => this.#begin(state, partitions[i]!, plans[i]!))
    // The source pauses nothing in a new generation.
    if (this.#space.isClosed) this.#options.source.pause(partitions.map(place))
    const steps = states.flatMap((state, i) => this.#firstStep(state, plans[i]!, begun[i] === true))
    await this.#writer.recordSteps(steps)
    const starts = await this.#orFail(
      Promise.all(decisions.map((decision, i) => this.#fromOwed(partitions[i]!, decision))),
    )
    if (this.#failure !== undefined) throw this.#failure
    if (isOver()) return allStopping

    this.#committer.begin(epoch)
    this.#isAccepting = true
    const held = decisions.filter((decision) => decision.kind === 'hold').length
    this.#observer.partitionsAssigned({ partitions: partitions.length, held, epoch })
    this.#logger.info({ partitions: partitions.length, held, epoch }, 'partitions assigned')
    return starts
  }

  /** A partition with owed offsets is read from the first of them on. */
  async #fromOwed(
    partition: TopicPartition & { readonly lowWatermark: number },
    decision: StartDecision,
  ): Promise<StartDecision> {
    if (decision.kind === 'hold' || !this.#owed.isOwed(partition)) return decision
    const offset = await this.#owed.begin(partition, partition.lowWatermark)
    return offset === undefined || offset >= decision.offset ? decision : { kind: 'start', offset }
  }

  lastRead(partition: AssignedPartition): LogPlace | undefined {
    const read = this.#partitions.lastRead(partition)
    return placeToCheck(read, this.#partitions.nextOffset(partition), this.#commitFacts(partition))
  }

  async batch(batch: SourceBatch, epoch: number, signal: AbortSignal): Promise<void> {
    const state = this.#accepting(batch, epoch)
    if (state === undefined) return
    state.sawHighWatermark(Math.max(batch.highWatermark, batch.nextOffset), this.#clock.monotonicMs())
    if (this.#owed.isOwed(batch)) {
      await this.#orFail(this.#payOwed(batch, state))
      if (this.#accepting(batch, epoch) !== state) return
    }
    if (batch.nextOffset <= state.acceptedOffset) {
      this.#duplicatesDropped(state, batch.records.length)
      return
    }
    const { stream } = state
    if (!(await this.#takeMemory(batch, epoch, signal))) return
    if (state.stream !== stream) {
      // While it waited the partition was held and went on from an earlier offset: this comes again.
      this.#budget.release(heldBytes(batch))
      return
    }
    let isHeld = false
    try {
      isHeld = this.#accept(batch, state)
    } catch (error) {
      throw this.#fail(error)
    } finally {
      if (!isHeld) this.#budget.release(heldBytes(batch))
    }
  }

  async revoking(epoch: number, deadlineMs: number): Promise<void> {
    if (epoch !== this.#epoch) return
    this.#stopAccepting()
    await this.#settle(deadlineMs)
    if (epoch === this.#epoch) this.#committer.end()
  }

  async outOfRange(
    partition: TopicPartition,
    wanted: number,
    low: number,
    high: number,
  ): Promise<StartDecision> {
    const state = await this.#reached(partition, wanted)
    if (state === undefined) return stoppingHold
    const { onDeleted = 'continue' } = this.#options
    const plan = planInRange(state.acceptedOffset, { lowWatermark: low, highWatermark: high, onDeleted })
    const facts = { ...place(partition), wanted, low, high, decision: plan.kind }
    this.#logger.warn(facts, 'position is out of range')
    if (plan.kind === 'hold') return this.#holdForGood(state, plan)
    if (plan.gaps.length > 0) {
      await this.#writer.recordSteps([{ state, gaps: plan.gaps, nextOffset: plan.offset }])
    }
    const decision = { kind: 'start', offset: state.acceptedOffset } as const
    const start = await this.#orFail(this.#fromOwed({ ...place(partition), lowWatermark: low }, decision))
    if (this.#failure !== undefined) throw this.#failure
    return start
  }

  async truncated(partition: TopicPartition, cut: CheckedPlace): Promise<StartDecision> {
    const state = await this.#reached(partition, cut.offset)
    return state === undefined ? stoppingHold : this.#holdForGood(state, planCut(cut))
  }

  /** The record batch at `offset` is damaged, again and again: held, so that nothing is skipped. */
  async undecodable(partition: TopicPartition, offset: number, error: Error): Promise<StartDecision> {
    const state = await this.#reached(partition, offset)
    return state === undefined ? stoppingHold : this.#hold(state, 'undecodable', error.message)
  }

  claims(): { store: string; partitions: Claim[] } {
    const { storage, ledger, source } = this.#options
    const partitions = ledger.positions().filter(({ clusterId }) => clusterId === source.clusterId)
    return { store: storage.identity.storeId, partitions }
  }

  failed(error: Error): void {
    this.#fail(error)
  }

  /**
   * For shutdown, before `stop`: accepts nothing more, waits until what is accepted is durable, and commits it, all
   * within `deadlineMs`. Idempotent.
   */
  drain(deadlineMs: number): Promise<DrainReport> {
    this.#draining ??= this.#drain(deadlineMs)
    return this.#draining
  }

  /**
   * Hands nothing more to the store, from the call on, and stops the source, waiting for it `deadlineMs` at most.
   * Without a `drain` before, what is not durable is delivered again.
   */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopAccepting()
    this.#committer.end()
    this.#stopping.abort()
    this.#queue.discardQueued()
    if (!(await isDoneWithin(this.#stopSource(), deadlineMs, this.#clock))) {
      this.#logger.warn({ deadlineMs }, 'the source did not leave the group in time')
    }
    if (this.#failure !== undefined) return
    this.#phase = 'stopped'
    this.#end(undefined)
  }

  status(): SinkStatus {
    const { usedBytes, bytesMax, waiting } = this.#budget
    const { submissions, records, bytes } = this.#queue
    const nowMs = this.#clock.monotonicMs()
    return {
      phase: this.#phase,
      failure: this.#failure,
      isAssigned: this.#isAccepting,
      epoch: this.#epoch,
      partitions: this.#partitions.all.map((state) => this.#partitionStatus(state, nowMs)),
      paused: [...this.#pausedFor(), ...(waiting > 0 ? (['memory'] as const) : [])],
      memory: { usedBytes, bytesMax, waiting, fetchedBytes: this.#options.source.fetchedBytes },
      underway: { submissions, records, bytes },
    }
  }

  #partitionStatus(state: PartitionState, nowMs: number): PartitionStatus {
    const { acceptedOffset, durableOffset, committedOffset, highWatermark, lagRecords, hold } = state
    return {
      ...place(state),
      acceptedOffset,
      durableOffset,
      committedOffset,
      highWatermark,
      lagRecords,
      durableLagSeconds: state.marks.ageMs(durableOffset, nowMs) / 1000,
      hold,
      paused: [...this.#pausedFor(), ...(hold === undefined ? [] : (['hold'] as const))],
    }
  }

  async #plan(partition: AssignedPartition): Promise<StartPlan> {
    const { start, offsetAtTime, onDeleted = 'continue' } = this.#options
    const atTime =
      start.kind === 'time' ? await offsetAtTime?.(place(partition), start.timestampMs) : undefined
    return planStart({
      ...this.#commitFacts(partition),
      knownOffset: this.#partitions.nextOffset(partition),
      knownTopicId: this.#row(partition)?.topicId,
      lowWatermark: partition.lowWatermark,
      highWatermark: partition.highWatermark,
      onDeleted,
      checked: partition.checked,
      start,
      offsetAtTime: atTime,
    })
  }

  #commitFacts({
    committedOffset,
    committedMetadata,
    topicId,
    ...partition
  }: AssignedPartition): Parameters<typeof placeToCheck>[2] {
    const { source, storage, groupId } = this.#options
    return {
      committedOffset,
      committedMetadata,
      self: { clusterId: source.clusterId, groupId, storeId: storage.identity.storeId },
      topicId,
      incarnation: this.#row(partition)?.incarnation ?? 0,
    }
  }

  #row({ topic, partition }: TopicPartition): LedgerRow | undefined {
    const { source, ledger } = this.#options
    return ledger.position({ clusterId: source.clusterId, topic, partition })
  }

  /** What the ledger is to know before anything is read. */
  #firstStep(state: PartitionState, plan: StartPlan, isBegun: boolean): Step[] {
    const row = this.#row(state)
    if (plan.kind === 'hold')
      return isBegun && state.hold?.reason === plan.reason ? markStep(state, plan, row) : []
    if (state.hold !== undefined) return []
    const isKnown =
      isBegun && plan.gaps.length === 0 && row?.hold === undefined && row?.topicId === state.topicId
    return isKnown ? [] : [{ ...plan, state, nextOffset: plan.offset }]
  }

  #begin(state: PartitionState, partition: AssignedPartition, plan: StartPlan): StartDecision {
    const mapper = this.#options.mapper.forPartition(partition.topic, partition.partition)
    state.wasAssigned(mapper, partition.committedOffset)
    state.sawHighWatermark(partition.highWatermark, this.#clock.monotonicMs())
    if (plan.isForeignCommitIgnored) this.#foreignCommitIgnored(partition)
    // What was refused for a quota is refused again until all of it is back; then the partition goes on by itself.
    if (state.refusal !== undefined && state.refusal.reason !== 'quota')
      return this.#hold(state, state.refusal.reason, state.refusal.detail)
    if (mapper === undefined) return this.#hold(state, 'no-rule', NO_RULE)
    if (plan.kind === 'hold') return this.#hold(state, plan.reason, withAdvice(plan, partition))
    state.topicId = partition.topicId ?? this.#row(partition)?.topicId
    return { kind: 'start', offset: plan.offset, leaderEpoch: plan.leaderEpoch }
  }

  /** Resolves when the hold is durable: then a person can accept it. */
  async #holdForGood(state: PartitionState, plan: HoldPlan): Promise<StartDecision> {
    const decision = this.#hold(state, plan.reason, withAdvice(plan, state))
    await this.#writer.recordSteps(markStep(state, plan, this.#row(state)))
    return decision
  }

  #hold(state: PartitionState, reason: HoldReason, detail: string, untilMs?: number): StartDecision {
    state.hold = { reason, detail, untilMs }
    this.#observer.partitionHeld({ ...place(state), reason, detail })
    this.#observer.paused({ reason: 'hold' })
    this.#logger.error({ ...place(state), reason, detail }, 'partition held')
    return { kind: 'hold', reason }
  }

  /** The mapping stops in front of a message. */
  #heldByRule(state: PartitionState, { held, detail, untilMs }: MapHold): void {
    this.#hold(state, held, `${detail}; offset ${state.acceptedOffset} is next`, untilMs)
    this.#options.source.pause([place(state)])
  }

  /** Nothing of the partition is stored any more; nobody has asked for a decision, so it is paused. */
  #refused(state: PartitionState): void {
    const { refusal } = state
    if (refusal === undefined || state.hold !== undefined || this.#partitions.owned(state) !== state) return
    this.#hold(state, refusal.reason, refusal.detail)
    this.#options.source.pause([place(state)])
  }

  /** Partitions that wait for room in a bucket, or for the clock, go on where that has come. */
  #lookAtHolds(): void {
    const { storage, source } = this.#options
    for (const state of this.#partitions.all) {
      const { hold } = state
      if (hold === undefined || state.pending > 0 || source.seek === undefined) continue
      const wanted = hold.reason === 'quota' ? state.refusal?.wanted : undefined
      const hasRoom = wanted !== undefined && storage.hasRoom?.(wanted.bucket, wanted.bytes) === true
      const isTime = hold.untilMs !== undefined && this.#clock.nowUs() >= hold.untilMs * 1000
      if (!hasRoom && !isTime) continue
      state.goOn()
      source.seek(place(state), state.acceptedOffset)
      if (!this.#space.isClosed) source.resume([place(state)])
      this.#observer.resumed({ reason: 'hold' })
      this.#logger.info(
        { ...place(state), ...wanted },
        hasRoom ? 'there is room again: partition goes on' : 'the clock is there: partition goes on',
      )
    }
  }

  #foreignCommitIgnored(partition: AssignedPartition): void {
    const { committedOffset, committedMetadata } = partition
    const facts = { ...place(partition), offset: committedOffset ?? -1, metadata: committedMetadata }
    this.#observer.foreignCommitIgnored(facts)
    this.#logger.warn(facts, 'committed offset of a stranger ignored: the ledger decides')
  }

  /** The partition when it is ours, of this generation, and read. */
  #accepting(partition: TopicPartition, epoch: number): PartitionState | undefined {
    if (!this.#isAccepting || epoch !== this.#epoch) return undefined
    const state = this.#partitions.owned(partition)
    return state?.hold === undefined ? state : undefined
  }

  /**
   * The partition once everything below `offset` that the source has fetched is accepted; `undefined` when its
   * generation ends before that.
   */
  async #reached(partition: TopicPartition, offset: number): Promise<PartitionState | undefined> {
    const epoch = this.#epoch
    for (;;) {
      const state = this.#accepting(partition, epoch)
      if (state === undefined || state.acceptedOffset >= offset) return state
      await this.#clock.sleep(REACHED_POLL_MS, this.#stopping.signal)
    }
  }

  /** Waits while paused, then for memory; false when the batch must not be accepted any more. */
  async #takeMemory(batch: SourceBatch, epoch: number, signal: AbortSignal): Promise<boolean> {
    const bytes = heldBytes(batch)
    for (;;) {
      await this.#space.opened(signal)
      if (signal.aborted || this.#accepting(batch, epoch) === undefined) return false
      if (!(await this.#acquire(bytes, signal))) return false
      const isWanted = !signal.aborted && this.#accepting(batch, epoch) !== undefined
      if (isWanted && !this.#space.isClosed) return true
      this.#budget.release(bytes)
      if (!isWanted) return false
    }
  }

  /** False when the wait ended without the bytes. */
  async #acquire(bytes: number, signal: AbortSignal): Promise<boolean> {
    const startedMs = this.#clock.monotonicMs()
    const waitingBefore = this.#budget.waiting
    const asked = this.#budget.acquire(bytes, signal)
    if (this.#budget.waiting === 0) return asked
    if (waitingBefore === 0) this.#observer.paused({ reason: 'memory' })
    const isGranted = await asked
    if (this.#budget.waiting === 0) this.#observer.resumed({ reason: 'memory' })
    if (isGranted) this.#observer.memoryWaited({ durationMs: this.#clock.monotonicMs() - startedMs })
    return isGranted
  }

  /** Whether something of the batch holds on to its memory now. */
  #accept(batch: SourceBatch, state: PartitionState): boolean {
    const arrivalMs = Math.floor(this.#clock.nowUs() / 1000)
    const { mapper } = state
    if (mapper === undefined) return false
    const heldAtOnce = mapper.holdOf?.(batch.records, arrivalMs)
    if (heldAtOnce !== undefined) {
      this.#heldByRule(state, heldAtOnce)
      return false
    }
    const { pieces, duplicates, hold } = cutBatch(
      batch,
      state.acceptedOffset,
      (record) => this.#fateOf(record, state, mapper, arrivalMs),
      this.#limits.submissionBytesMax,
    )
    this.#duplicatesDropped(state, duplicates)
    if (pieces.length > 0) this.#submit(batch, state, pieces)
    if (hold !== undefined) this.#heldByRule(state, hold)
    return pieces.length > 0
  }

  #submit(batch: SourceBatch, state: PartitionState, pieces: readonly Piece[]): void {
    // The callbacks live until the records are durable: they must not hold on to the batch.
    const bytes = heldBytes(batch)
    const { release, leaderEpoch } = batch
    this.#space.take(bytes)
    let piecesLeft = pieces.length
    let areDurable = true
    let records = 0
    for (const piece of pieces) {
      records += piece.writes.length
      this.#writer.write(state, { ...piece, leaderEpoch }, (isDurable) => {
        piecesLeft -= 1
        areDurable &&= isDurable
        if (piecesLeft > 0) return
        this.#budget.release(bytes)
        // What the store refused it may still look at.
        if (areDurable) release?.()
      })
    }
    this.#observer.batchAccepted({ ...place(state), records, bytes: batch.bytes })
  }

  #payOwed(batch: SourceBatch, { mapper }: PartitionState): Promise<void> {
    const arrivalMs = Math.floor(this.#clock.nowUs() / 1000)
    return this.#owed.pay(batch, (record) => {
      const outcome = mapper?.map(record, arrivalMs)
      if (outcome === undefined || 'content' in outcome) return outcome
      return 'rejected' in outcome ? quarantinedRecord(record, outcome.rejected, batch, arrivalMs) : undefined
    })
  }

  #fateOf(
    record: SourceRecord,
    state: PartitionState,
    mapper: PartitionRecordMapper,
    arrivalMs: number,
  ): RecordFate {
    const outcome = mapper.map(record, arrivalMs)
    if ('skipped' in outcome) return 'filtered'
    if (!('rejected' in outcome)) return outcome
    const cause = outcome.rejected
    this.#rejected(state, record.offset, cause, outcome.detail)
    return quarantinedRecord(record, cause, state, arrivalMs)
  }

  /** Logs the first of each cause in each partition: there may be millions. */
  #rejected(state: PartitionState, offset: number, cause: string, detail: string | undefined): void {
    const facts = { ...place(state), offset, cause, detail }
    this.#observer.recordRejected({ ...place(state), offset, cause })
    const kind = `${state.topic}/${state.partition} ${cause}`
    if (this.#rejectionsLogged.has(kind)) return
    this.#rejectionsLogged.add(kind)
    this.#logger.warn(
      facts,
      'message cannot be mapped: kept whole in the quarantine entry; more are only counted',
    )
  }

  #duplicatesDropped(state: PartitionState, records: number): void {
    if (records > 0) this.#observer.duplicatesDropped({ ...place(state), records })
  }

  #offsetsToCommit(epoch: number): OffsetToCommit[] {
    const { source, storage, groupId } = this.#options
    const { storeId } = storage.identity
    const author = { clusterId: source.clusterId, groupId, storeId, epoch }
    return this.#uncommitted().map((state) => {
      const { incarnation, topicId, leaderEpoch, nextOffset } = this.#row(state) ?? {}
      const { durableOffset: offset } = state
      const at = { incarnation, topicId, leaderEpoch: nextOffset === offset ? leaderEpoch : undefined }
      const metadata = encodeCommitMetadata({ ...author, ...at })
      return { ...place(state), offset, metadata }
    })
  }

  #uncommitted(): PartitionState[] {
    return this.#partitions.all.filter(({ hold, committedOffset, durableOffset }) => {
      // What was stored before goes to Kafka: the partition may move to another store.
      if (hold !== undefined && heldOnTheWay.has(hold.reason)) return durableOffset > (committedOffset ?? -1)
      return hold === undefined && committedOffset !== durableOffset
    })
  }

  #committed(offsets: readonly OffsetToCommit[]): void {
    for (const committed of offsets) {
      const state = this.#partitions.owned(committed)
      if (state !== undefined) state.committedOffset = committed.offset
    }
  }

  #stopAccepting(): void {
    this.#isAccepting = false
    this.#space.cancelWaiting()
    this.#budget.cancelWaiting()
  }

  /** Makes durable and commits what can be within `deadlineMs`; returns how many records were discarded. */
  async #settle(deadlineMs: number): Promise<number> {
    const startedMs = this.#clock.monotonicMs()
    const leftMs = (): number => startedMs + deadlineMs - this.#clock.monotonicMs()
    const reserveMs = Math.min(COMMIT_RESERVE_MS, deadlineMs * COMMIT_SHARE)
    const isDurable = await isDoneWithin(this.#queue.idle(), leftMs() - reserveMs, this.#clock)
    const discarded = isDurable ? 0 : this.#queue.discardQueued()
    while (this.#failure === undefined && leftMs() > 0) {
      let isFailed = false
      const commit = this.#committer.commitNow().then((outcome) => (isFailed = outcome === 'failed'))
      await isDoneWithin(commit, leftMs(), this.#clock)
      if (!isFailed) break
      await this.#clock.sleep(Math.min(COMMIT_RETRY_MS, leftMs()), this.#stopping.signal)
    }
    const durationMs = this.#clock.monotonicMs() - startedMs
    this.#observer.drained({ durationMs, isComplete: isDurable, discarded })
    if (!isDurable) this.#logger.warn({ durationMs, discarded }, 'drain ended at its deadline')
    return discarded
  }

  async #drain(deadlineMs: number): Promise<DrainReport> {
    const startedMs = this.#clock.monotonicMs()
    if (this.#phase === 'running') this.#phase = 'draining'
    this.#stopAccepting()
    // What is fetched from now on would be dropped.
    this.#options.source.pause(this.#partitions.all.map(place))
    const recordsLeft = (await this.#settle(deadlineMs)) + this.#queue.records
    const partitionsUncommitted = this.#uncommitted().length
    return {
      isComplete: this.#queue.submissions === 0 && recordsLeft === 0 && partitionsUncommitted === 0,
      recordsLeft,
      partitionsUncommitted,
      durationMs: this.#clock.monotonicMs() - startedMs,
    }
  }

  /** The first failure counts. Never waits for the source: it may be what is calling. */
  #fail(cause: unknown): Error {
    if (this.#failure !== undefined) return this.#failure
    const failure = cause instanceof Error ? cause : new Error(String(cause))
    if (this.#phase === 'stopped') return failure
    this.#failure = failure
    this.#phase = 'failed'
    this.#logger.error({ error: failure }, 'sink failed')
    this.#observer.failed({ error: failure })
    this.#stopAccepting()
    this.#committer.end()
    this.#queue.stop()
    this.#stopping.abort()
    void this.#stopSource()
    this.#end(failure)
    return failure
  }

  #stopSource(): Promise<void> {
    this.#sourceStopped ??= this.#options.source.stop().catch((error: unknown) => {
      this.#logger.warn({ error }, 'the source did not stop cleanly')
    })
    return this.#sourceStopped
  }

  async #orFail<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      throw this.#fail(error)
    }
  }

  #background(work: Promise<void>): void {
    work.catch((error: unknown) => this.#fail(error))
  }

  async #every(intervalMs: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await this.#clock.sleep(intervalMs, signal)
      if (!signal.aborted) await work()
    }
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

/** Makes a hold durable that is not. */
function markStep(state: PartitionState, { reason, offset }: HoldPlan, row: LedgerRow | undefined): Step[] {
  if (row?.hold?.reason === reason && row.hold.offset === offset) return []
  return [{ state, gaps: [], nextOffset: state.acceptedOffset, hold: { reason, offset } }]
}

function withAdvice({ reason, detail }: HoldPlan, { topic, partition }: TopicPartition): string {
  const command = reason === 'deleted' ? 'gap accept' : 'offsets accept'
  return `${detail}; to go on all the same: stop, run \`sediment ${command} ${topic} ${partition}\`, start`
}
