import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type {
  AssignedPartition,
  CheckedPlace,
  DamagedBatch,
  KafkaSource,
  LogPlace,
  StartDecision,
  TopicPartition,
} from '../kafka/source.ts'
import { partitionName, place } from '../kafka/topic-partition.ts'
import { acceptanceOf } from '../ledger/acceptance.ts'
import type { LedgerRow } from '../ledger/ledger-codec.ts'
import { isForBatch } from '../ledger/partition-facts.ts'
import type { RecordWrite } from '../storage/index.ts'
import type { Committer } from './committer.ts'
import type { Generation } from './generation.ts'
import type { Holds } from './holds.ts'
import type { Life } from './life.ts'
import type { SinkObserver } from './observer.ts'
import type { OwedOffsets } from './owed-offsets.ts'
import type { PartitionState, RecordMapper } from './partition-state.ts'
import type { PartitionTable } from './partition-table.ts'
import { quarantinedBatch } from './quarantine.ts'
import type { SpaceGate } from './space-gate.ts'
import {
  type DeletedPolicy,
  type HoldPlan,
  type HoldReason,
  placeToCheck,
  planCut,
  planInRange,
  planStart,
  type StartFacts,
  type StartPlan,
  type StartPolicy,
} from './start-plan.ts'
import type { Step, StoreWriter } from './store-writer.ts'

const MIB = 1024 * 1024

const NO_RULE =
  'no mapping rule takes this topic, or it would share an entry with another: give it a rule of its own'

const stoppingHold: StartDecision = { kind: 'hold', reason: 'stopping' satisfies HoldReason }

export interface AssignmentOptions {
  readonly source: Pick<KafkaSource, 'pause'>
  /** Whose commits are ours; known once the source has started. */
  readonly self: () => StartFacts['self']
  /** Binds the store to the cluster and group of `self`. */
  readonly claim: () => Promise<void>
  readonly start: StartPolicy
  readonly onDeleted: DeletedPolicy
  readonly mapper: RecordMapper
  readonly life: Life
  readonly generation: Generation
  readonly partitions: PartitionTable
  readonly space: SpaceGate
  readonly holds: Holds
  readonly owed: OwedOffsets
  readonly writer: StoreWriter
  readonly committer: Committer
  readonly clock: Clock
  readonly observer: SinkObserver
  readonly logger: Logger
}

/** Decides where partitions are read from: when they are assigned, and when their log is not what it was. */
export class Assignment {
  readonly #options: AssignmentOptions
  #isClaimed = false

  constructor(options: AssignmentOptions) {
    this.#options = options
  }

  /** Begins a generation; resolves when what the ledger is to know of it is durable. */
  async assigned(partitions: readonly AssignedPartition[], epoch: number): Promise<readonly StartDecision[]> {
    const { source, claim, life, generation, space, writer, committer, observer, logger } = this.#options
    generation.begin(epoch)
    committer.end()
    const isOver = (): boolean => life.phase !== 'running' || generation.epoch !== epoch
    const allStopping = partitions.map(() => stoppingHold)
    if (isOver()) return allStopping
    if (!this.#isClaimed) {
      await life.orFail(claim())
      this.#isClaimed = true
    }
    if (isOver()) return allStopping
    const plans = partitions.map((partition) => this.#plan(partition))
    const begun = partitions.map((partition) => this.#options.partitions.nextOffset(partition) !== undefined)
    const states = this.#options.partitions.assign(partitions)
    const decisions = states.map((state, i) => this.#begin(state, partitions[i]!, plans[i]!))
    // The source pauses nothing in a new generation.
    if (space.isClosed) source.pause(partitions.map(place))
    const steps = states.flatMap((state, i) => this.#firstStep(state, plans[i]!, begun[i] === true))
    await writer.recordSteps(steps)
    const starts = await life.orFail(
      Promise.all(decisions.map((decision, i) => this.#fromOwed(partitions[i]!, decision))),
    )
    if (life.failure !== undefined) throw life.failure
    if (isOver()) return allStopping

    committer.begin(epoch)
    generation.accept()
    const held = decisions.filter((decision) => decision.kind === 'hold').length
    observer.partitionsAssigned({ partitions: partitions.length, held, epoch })
    logger.info({ partitions: partitions.length, held, epoch }, 'partitions assigned')
    const offsets = states.map((state) => `${partitionName(state)}@${state.acceptedOffset}`)
    logger.debug({ epoch, offsets }, 'reading goes on at')
    return starts
  }

  lastRead(partition: AssignedPartition): LogPlace | undefined {
    return placeToCheck(this.#options.partitions.nextOffset(partition), this.#commitFacts(partition))
  }

  /** Only where that decides: a broker that cannot say it stops nothing that has been begun. */
  startTimeMs(partition: AssignedPartition): number | undefined {
    const { start, partitions } = this.#options
    return start.kind === 'time' && partitions.nextOffset(partition) === undefined
      ? start.timestampMs
      : undefined
  }

  async outOfRange(
    partition: TopicPartition,
    wanted: number,
    low: number,
    high: number,
  ): Promise<StartDecision> {
    const { life, generation, onDeleted, writer, logger } = this.#options
    const state = await generation.reached(partition, wanted)
    if (state === undefined) return stoppingHold
    const plan = planInRange(state.acceptedOffset, { lowWatermark: low, highWatermark: high, onDeleted })
    const facts = { ...place(partition), wanted, low, high, decision: plan.kind }
    logger.warn(facts, 'position is out of range')
    if (plan.kind === 'hold') return this.#holdForGood(state, plan)
    if (plan.gaps.length > 0) {
      await writer.recordSteps([{ state, gaps: plan.gaps, nextOffset: plan.offset }])
    }
    const decision = { kind: 'start', offset: state.acceptedOffset } as const
    const start = await life.orFail(this.#fromOwed({ ...place(partition), lowWatermark: low }, decision))
    if (life.failure !== undefined) throw life.failure
    return start
  }

  async truncated(partition: TopicPartition, cut: CheckedPlace): Promise<StartDecision> {
    const state = await this.#options.generation.reached(partition, cut.offset)
    return state === undefined ? stoppingHold : this.#holdForGood(state, planCut(cut))
  }

  /**
   * The record batch at `offset` is damaged, again and again, or becomes too large: held, so that nothing is skipped. It
   * goes to quarantine with the mark of the hold: once, however often it is met.
   */
  async undecodable(
    partition: TopicPartition,
    offset: number,
    { message }: Error,
    batch: DamagedBatch,
  ): Promise<StartDecision> {
    const { generation, clock, owed } = this.#options
    const state = await generation.reached(partition, offset)
    if (state === undefined) return stoppingHold
    const { acceptedOffset } = state
    if (offset < acceptedOffset) {
      // It was met before, and is met again on the way to what is owed. What it has from `acceptedOffset` on is met there.
      const nextOffset = Math.min(batch.nextOffset, acceptedOffset)
      await owed.passOver(partition, { fromOffset: offset, nextOffset })
      const next = owed.next(partition, nextOffset) ?? acceptedOffset
      return { kind: 'start', offset: Math.min(next, acceptedOffset) }
    }
    const { decompressedBytes } = batch
    const reason = decompressedBytes === undefined ? 'undecodable' : 'batch-too-large'
    const advice =
      decompressedBytes === undefined
        ? ''
        : `; set memory.budgetBytes to ${Math.ceil(decompressedBytes / MIB)}MiB or more and restart: then it is read; it takes a limit of memory of twice that and 300MiB`
    const plan = { kind: 'hold', reason, offset: batch.nextOffset, detail: message + advice } as const
    const arrivalMs = Math.floor(clock.nowUs() / 1000)
    const kept = quarantinedBatch(
      batch,
      state.acceptedOffset,
      { cause: reason, detail: message },
      state,
      arrivalMs,
    )
    return this.#holdForGood(state, plan, [kept])
  }

  #plan(partition: AssignedPartition): StartPlan {
    const { start, onDeleted, partitions } = this.#options
    return planStart({
      ...this.#commitFacts(partition),
      knownOffset: partitions.nextOffset(partition),
      knownTopicId: partitions.row(partition)?.topicId,
      lowWatermark: partition.lowWatermark,
      highWatermark: partition.highWatermark,
      onDeleted,
      checked: partition.checked,
      start,
      isNew: partition.isNew,
      offsetAtTime: partition.offsetAtTime,
    })
  }

  #commitFacts(partition: AssignedPartition): Parameters<typeof placeToCheck>[1] {
    const { self, partitions } = this.#options
    const { committedOffset, committedMetadata, topicId } = partition
    const incarnation = partitions.row(partition)?.incarnation ?? 0
    const read = partitions.lastRead(partition)
    return { committedOffset, committedMetadata, self: self(), topicId, incarnation, read }
  }

  #begin(state: PartitionState, partition: AssignedPartition, plan: StartPlan): StartDecision {
    const { mapper: rules, partitions, holds, clock } = this.#options
    const mapper = rules.forPartition(partition.topic, partition.partition)
    state.wasAssigned(mapper, partition.committedOffset)
    state.sawHighWatermark(partition.highWatermark, clock.monotonicMs())
    if (plan.isForeignCommitIgnored) this.#foreignCommitIgnored(partition)
    // What was refused for a quota is refused again until all of it is back; then the partition goes on by itself.
    if (state.refusal !== undefined && state.refusal.reason !== 'quota')
      return holds.hold(state, state.refusal.reason, state.refusal.detail)
    if (mapper === undefined) return holds.hold(state, 'no-rule', NO_RULE)
    if (plan.kind === 'hold') return holds.hold(state, plan.reason, withAdvice(plan, partition))
    state.topicId = partition.topicId ?? partitions.row(partition)?.topicId
    return { kind: 'start', offset: plan.offset, leaderEpoch: plan.leaderEpoch }
  }

  /** What the ledger is to know before anything is read. */
  #firstStep(state: PartitionState, plan: StartPlan, isBegun: boolean): Step[] {
    const row = this.#options.partitions.row(state)
    if (plan.kind === 'hold') {
      // Without a row there is nothing to accept but where the log was cut: another store has read it.
      const isMarked = isBegun || plan.reason === 'log-truncated'
      return isMarked && state.hold?.reason === plan.reason ? markStep(state, plan, row) : []
    }
    if (state.hold !== undefined) return []
    // A damaged batch is held again when it is met again, and what is known of it by then stays.
    const isHeld = row?.hold !== undefined && !isForBatch(row.hold.reason)
    const isKnown = isBegun && plan.gaps.length === 0 && !isHeld && row?.topicId === state.topicId
    return isKnown ? [] : [{ ...plan, state, nextOffset: plan.offset }]
  }

  /** A partition with owed offsets is read from the first of them on. */
  async #fromOwed(
    partition: TopicPartition & { readonly lowWatermark: number },
    decision: StartDecision,
  ): Promise<StartDecision> {
    const { owed } = this.#options
    if (decision.kind === 'hold' || !owed.isOwed(partition)) return decision
    const offset = await owed.begin(partition, partition.lowWatermark)
    return offset === undefined || offset >= decision.offset ? decision : { kind: 'start', offset }
  }

  /** Resolves when the hold is durable: then a person can accept it; or when the store has no room for `writes`. */
  async #holdForGood(
    state: PartitionState,
    plan: HoldPlan,
    writes: readonly RecordWrite[] = [],
  ): Promise<StartDecision> {
    const { holds, writer, partitions } = this.#options
    const decision = holds.hold(state, plan.reason, withAdvice(plan, state))
    const steps = markStep(state, plan, partitions.row(state))
    await writer.recordSteps(steps.map((step) => ({ ...step, writes })))
    const { refusal } = state
    if (refusal === undefined) return decision
    // What is not in quarantine must not be accepted as lost: when there is room it is met again.
    return holds.hold(state, refusal.reason, refusal.detail)
  }

  #foreignCommitIgnored(partition: AssignedPartition): void {
    const { observer, logger } = this.#options
    const { committedOffset, committedMetadata } = partition
    const facts = { ...place(partition), offset: committedOffset ?? -1, metadata: committedMetadata }
    observer.foreignCommitIgnored(facts)
    logger.warn(facts, 'committed offset of a stranger ignored: the ledger decides')
  }
}

/** Makes a hold durable that is not. */
function markStep(state: PartitionState, { reason, offset }: HoldPlan, row: LedgerRow | undefined): Step[] {
  if (row?.hold?.reason === reason && row.hold.offset === offset) return []
  return [{ state, gaps: [], nextOffset: state.acceptedOffset, hold: { reason, offset } }]
}

function withAdvice({ reason, detail }: HoldPlan, { topic, partition }: TopicPartition): string {
  const command = `sediment ${acceptanceOf(reason)} accept ${topic} ${partition}`
  return `${detail}; to go on all the same: stop, run \`${command}\` (it says what is given up, with --apply it does it), start`
}
