import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { heldBytes } from '../kafka/held-bytes.ts'
import type { KafkaSource, SourceBatch, SourceRecord } from '../kafka/source.ts'
import { place } from '../kafka/topic-partition.ts'
import type { RecordWrite } from '../storage/index.ts'
import { cutBatch, type Piece } from './cut-batch.ts'
import type { DeadLetters, Rejected } from './dead-letters.ts'
import type { Generation } from './generation.ts'
import type { Holds } from './holds.ts'
import type { Life } from './life.ts'
import type { MemoryBudget } from './memory-budget.ts'
import type { SinkObserver } from './observer.ts'
import type { OwedOffsets } from './owed-offsets.ts'
import type { PartitionRecordMapper, PartitionState } from './partition-state.ts'
import { quarantinedRecord, type RejectionReason } from './quarantine.ts'
import type { SpaceGate } from './space-gate.ts'
import type { StoreWriter } from './store-writer.ts'

/** Fewer are fetched already, as a rule: a seek gives that up. */
const SKIPPED_OFFSETS_MIN = 10_000

export interface IntakeOptions {
  readonly source: Pick<KafkaSource, 'seek'>
  readonly life: Life
  readonly generation: Generation
  readonly budget: MemoryBudget
  readonly space: SpaceGate
  readonly holds: Holds
  readonly owed: OwedOffsets
  readonly writer: StoreWriter
  /** Without it, rejected messages are in quarantine only. */
  readonly deadLetters: DeadLetters | undefined
  /** A batch is cut into submissions of about this size. */
  readonly submissionBytesMax: number
  readonly clock: Clock
  readonly observer: SinkObserver
  readonly logger: Logger
}

/** The door of the sink: a batch waits here for disk and memory, is mapped, and goes to the writer. */
export class Intake {
  readonly #options: IntakeOptions
  readonly #rejectionsLogged = new Set<string>()

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  /** Resolves when the batch is accepted, or dropped because it is not to be. */
  async batch(batch: SourceBatch, epoch: number, signal: AbortSignal): Promise<void> {
    const { generation, owed, life, space, budget, clock } = this.#options
    const state = generation.accepting(batch, epoch)
    if (state === undefined) return
    state.sawHighWatermark(Math.max(batch.highWatermark, batch.nextOffset), clock.monotonicMs())
    if (owed.isOwed(batch)) {
      await space.opened(signal)
      const isWanted = (): boolean => !signal.aborted && generation.accepting(batch, epoch) === state
      await life.orFail(this.#payOwed(batch, state, isWanted))
      if (!isWanted()) return
      this.#skipToOwed(batch, state)
    }
    if (batch.nextOffset <= state.acceptedOffset) {
      state.rereadOffset = batch.nextOffset
      this.#duplicatesDropped(state, batch.records.length)
      return
    }
    const { stream } = state
    if (!(await this.#takeMemory(batch, epoch, signal))) return
    if (state.stream !== stream) {
      // While it waited the partition was held and went on from an earlier offset: this comes again.
      budget.release(heldBytes(batch))
      return
    }
    let isHeld = false
    try {
      isHeld = await this.#accept(batch, state, epoch, signal)
    } catch (error) {
      throw life.fail(error)
    } finally {
      if (!isHeld) budget.release(heldBytes(batch))
    }
  }

  /** Waits while paused, then for memory; false when the batch must not be accepted any more. */
  async #takeMemory(batch: SourceBatch, epoch: number, signal: AbortSignal): Promise<boolean> {
    const { generation, space, budget } = this.#options
    const bytes = heldBytes(batch)
    for (;;) {
      await space.opened(signal)
      if (signal.aborted || generation.accepting(batch, epoch) === undefined) return false
      if (!(await this.#acquire(bytes, signal))) return false
      const isWanted = !signal.aborted && generation.accepting(batch, epoch) !== undefined
      if (isWanted && !space.isClosed) return true
      budget.release(bytes)
      if (!isWanted) return false
    }
  }

  /** False when the wait ended without the bytes. */
  async #acquire(bytes: number, signal: AbortSignal): Promise<boolean> {
    const { budget, clock, observer } = this.#options
    const startedMs = clock.monotonicMs()
    const waitingBefore = budget.waiting
    const asked = budget.acquire(bytes, signal)
    if (budget.waiting === 0) return asked
    if (waitingBefore === 0) observer.paused({ reason: 'memory' })
    const isGranted = await asked
    if (budget.waiting === 0) observer.resumed({ reason: 'memory' })
    if (isGranted) observer.memoryWaited({ durationMs: clock.monotonicMs() - startedMs })
    return isGranted
  }

  /** Whether something of the batch holds on to its memory now. */
  async #accept(
    batch: SourceBatch,
    state: PartitionState,
    epoch: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { holds, submissionBytesMax, deadLetters, generation, life } = this.#options
    const { stream, acceptedOffset } = state
    const arrivalMs = this.#arrivalMs()
    const { mapper } = state
    if (mapper === undefined) return false
    const heldAtOnce = mapper.holdOf?.(batch.records, arrivalMs)
    if (heldAtOnce !== undefined) {
      holds.heldByRule(state, heldAtOnce)
      return false
    }
    const rejected: Rejected[] = []
    const { pieces, duplicates, hold } = cutBatch(
      batch,
      acceptedOffset,
      (record) => {
        const fate = mapper.map(record, arrivalMs)
        if ('skipped' in fate) return 'filtered'
        if (!('rejected' in fate)) return fate
        const reason = reasonOf(fate, mapper)
        rejected.push({ record, reason })
        return quarantinedRecord(record, reason, state, arrivalMs)
      },
      submissionBytesMax,
    )
    if (deadLetters !== undefined && rejected.length > 0) {
      const isSent = await deadLetters.send(state, rejected, AbortSignal.any([signal, life.stopping]))
      const isWanted = generation.accepting(batch, epoch) === state && state.stream === stream
      if (!isSent || !isWanted || state.acceptedOffset !== acceptedOffset) return false
    }
    for (const { record, reason } of rejected) this.#rejected(state, record.offset, reason)
    this.#duplicatesDropped(state, duplicates)
    if (pieces.length > 0) this.#submit(batch, state, pieces)
    if (hold !== undefined) holds.heldByRule(state, hold)
    return pieces.length > 0
  }

  #submit(batch: SourceBatch, state: PartitionState, pieces: readonly Piece[]): void {
    const { space, budget, writer, observer } = this.#options
    // The callbacks live until the records are durable: they must not hold on to the batch.
    const bytes = heldBytes(batch)
    const { release, leaderEpoch } = batch
    space.take(bytes)
    let piecesLeft = pieces.length
    let areDurable = true
    let records = 0
    for (const piece of pieces) {
      records += piece.writes.length
      writer.write(state, { ...piece, leaderEpoch }, (isDurable) => {
        piecesLeft -= 1
        areDurable &&= isDurable
        if (piecesLeft > 0) return
        budget.release(bytes)
        // What the store refused it may still look at.
        if (areDurable) release?.()
      })
    }
    observer.batchAccepted({ ...place(state), records, bytes: batch.bytes })
  }

  #payOwed(batch: SourceBatch, state: PartitionState, isWanted: () => boolean): Promise<void> {
    const arrivalMs = this.#arrivalMs()
    const { mapper } = state
    const toWrite = (record: SourceRecord): RecordWrite | undefined => {
      const outcome = mapper?.map(record, arrivalMs)
      if (outcome === undefined || 'content' in outcome) return outcome
      return 'rejected' in outcome
        ? quarantinedRecord(record, reasonOf(outcome, mapper), batch, arrivalMs)
        : undefined
    }
    state.rereadOffset = batch.fromOffset
    const reached = (offset: number): void => void (state.rereadOffset = offset)
    return this.#options.owed.pay(batch, { toWrite, isWanted, reached })
  }

  /** What lies between two owed offsets, and behind the last one, is stored: it is not fetched to be dropped. */
  #skipToOwed({ nextOffset }: SourceBatch, state: PartitionState): void {
    const { owed, source } = this.#options
    const wanted = Math.min(owed.next(state, nextOffset) ?? Infinity, state.acceptedOffset)
    if (wanted - nextOffset >= SKIPPED_OFFSETS_MIN) source.seek?.(place(state), wanted)
  }

  /** Logs the first of each cause in each partition: there may be millions. */
  #rejected(state: PartitionState, offset: number, { cause, detail, rule }: RejectionReason): void {
    const { observer, logger } = this.#options
    const facts = { ...place(state), offset, cause, detail, rule }
    observer.recordRejected({ ...place(state), offset, cause })
    const kind = `${state.topic}/${state.partition} ${cause}`
    if (this.#rejectionsLogged.has(kind)) return
    this.#rejectionsLogged.add(kind)
    logger.warn(facts, 'message cannot be mapped: kept whole in quarantine; more are only counted')
  }

  #duplicatesDropped(state: PartitionState, records: number): void {
    if (records > 0) this.#options.observer.duplicatesDropped({ ...place(state), records })
  }

  #arrivalMs(): number {
    return Math.floor(this.#options.clock.nowUs() / 1000)
  }
}

function reasonOf(
  { rejected, detail = '' }: { readonly rejected: string; readonly detail?: string },
  mapper: PartitionRecordMapper | undefined,
): RejectionReason {
  return { cause: rejected, detail, rule: mapper?.ruleName ?? '' }
}
