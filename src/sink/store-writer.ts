import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { TopicPartition } from '../kafka/source.ts'
import { place } from '../kafka/topic-partition.ts'
import { type Gap, gapOffsets } from '../ledger/gap.ts'
import { type Advance, encodeDelta } from '../ledger/ledger-codec.ts'
import type { HoldMark } from '../ledger/partition-facts.ts'
import type { Piece } from './cut-batch.ts'
import { weighRecord, type RecordWrite, type StorageError } from '../storage/index.ts'
import type { SinkObserver } from './observer.ts'
import type { SinkLedger } from './options.ts'
import type { PartitionState } from './partition-state.ts'
import { SinkError } from './sink-error.ts'
import type { SubmissionQueue } from './submission-queue.ts'

/** A step over gaps alone, from what is accepted to `nextOffset`; or over nothing, for what the ledger is to know. */
export interface Step {
  readonly state: PartitionState
  readonly gaps: readonly Gap[]
  readonly nextOffset: number
  /** Of the record batch that ends at `nextOffset`, where it is known. */
  readonly leaderEpoch?: number | undefined
  readonly hold?: HoldMark
  /** Stored with it; they are of no offset. */
  readonly writes?: readonly RecordWrite[]
}

export interface StoreWriterOptions {
  readonly queue: SubmissionQueue
  readonly ledger: SinkLedger
  readonly clusterId: () => string
  readonly clock: Clock
  readonly observer: SinkObserver
  readonly logger: Logger
  readonly onDurableBytes: (bytes: number) => void
  /** Called for each submission of the partition that the store does not take; it takes those of others. */
  readonly onRefused: (state: PartitionState) => void
}

/** Accepts: queues writes together with the ledger's step over their offsets, and moves the marks of the partition. */
export class StoreWriter {
  readonly #options: StoreWriterOptions

  constructor(options: StoreWriterOptions) {
    this.#options = options
  }

  /** `release` is called once, when the piece is durable, discarded or refused. */
  write(state: PartitionState, piece: Piece, release: (isDurable: boolean) => void): void {
    const { queue, clusterId, clock, observer, onDurableBytes } = this.#options
    const acceptedMs = clock.monotonicMs()
    const advance = this.#advance(state, piece)
    const delta = encodeDelta(clusterId(), [advance])
    const { bytes } = piece
    const records = piece.writes.length
    state.accepted(piece.nextOffset, piece.leaderEpoch)
    queue.enqueue({
      submission: { writes: piece.writes, delta, stream: state.stream },
      bytes,
      records,
      durable: () => {
        release(true)
        this.#becameDurable(state, advance)
        onDurableBytes(bytes)
        if (records === 0) return
        const durationMs = clock.monotonicMs() - acceptedMs
        observer.recordsDurable({ ...place(state), records, bytes, durationMs })
      },
      discarded: () => {
        release(false)
        state.wasDiscarded(piece.fromOffset)
      },
      refused: (error) => {
        release(false)
        this.#wasRefused(state, piece.fromOffset, error)
      },
    })
  }

  /** Resolves when the steps are durable, discarded, or refused. */
  async recordSteps(steps: readonly Step[]): Promise<void> {
    // A step behind something that the store may yet refuse must not take others with it.
    const [behind, alone] = [steps.filter(isBehind), steps.filter((step) => !isBehind(step))]
    await Promise.all([...behind.map((step) => [step]), alone].map((atom) => this.#recordAtom(atom)))
  }

  /** Offsets that count as stored become a gap. @returns whether it is durable */
  recordLoss(partition: TopicPartition, gap: Gap): Promise<boolean> {
    const { queue, ledger, clusterId, observer } = this.#options
    const { fromOffset, nextOffset } = gap
    const incarnation = ledger.position({ clusterId: clusterId(), ...place(partition) })?.incarnation ?? 0
    const range = { fromOffset, nextOffset, records: 0, gaps: [gap], incarnation, isRevision: true }
    const delta = encodeDelta(clusterId(), [{ ...place(partition), ...range }])
    return new Promise((resolve) => {
      queue.enqueue({
        submission: { writes: [], delta },
        bytes: delta.byteLength,
        records: 0,
        durable: () => {
          observer.gapRecorded({ ...place(partition), class: gap.class, offsets: nextOffset - fromOffset })
          resolve(true)
        },
        discarded: () => resolve(false),
        refused: () => resolve(false),
      })
    })
  }

  async #recordAtom(steps: readonly Step[]): Promise<void> {
    const [first] = steps
    if (first === undefined) return
    const advances = steps.map((step) => {
      const fromOffset = step.state.acceptedOffset
      return { state: step.state, advance: this.#advance(step.state, { ...step, fromOffset }) }
    })
    const delta = encodeDelta(
      this.#options.clusterId(),
      advances.map(({ advance }) => advance),
    )
    const writes = steps.flatMap((step) => step.writes ?? [])
    for (const { state, nextOffset, leaderEpoch } of steps) state.accepted(nextOffset, leaderEpoch)
    await new Promise<void>((resolve) => {
      this.#options.queue.enqueue({
        submission: { writes, delta, ...(steps.length === 1 ? { stream: first.state.stream } : {}) },
        bytes: writes.reduce((sum, write) => sum + weighRecord(write), delta.byteLength),
        records: 0,
        durable: () => {
          try {
            for (const { state, advance } of advances) this.#becameDurable(state, advance)
          } finally {
            resolve()
          }
        },
        discarded: () => {
          for (const { state, advance } of advances) state.wasDiscarded(advance.fromOffset)
          resolve()
        },
        refused: (error) => {
          for (const { state, advance } of advances) this.#wasRefused(state, advance.fromOffset, error)
          resolve()
        },
      })
    })
  }

  #advance(state: PartitionState, range: Omit<Advance, 'topic' | 'partition' | 'records'>): Advance {
    const { fromOffset, nextOffset, gaps, leaderEpoch, hold } = range
    const records = nextOffset - fromOffset - gapOffsets(gaps)
    const row = this.#ledgerRow(state)
    const { incarnation = 0 } = row ?? {}
    const topicId = state.topicId === row?.topicId ? undefined : state.topicId
    return {
      ...place(state),
      fromOffset,
      nextOffset,
      records,
      gaps,
      incarnation,
      topicId,
      leaderEpoch,
      hold,
    }
  }

  /** @throws {SinkError} `ERR_INTEGRITY` when the store called durable what the ledger does not have */
  #becameDurable(state: PartitionState, { fromOffset, nextOffset, gaps }: Advance): void {
    const ledgerOffset = this.#ledgerRow(state)?.nextOffset
    if (ledgerOffset === undefined || ledgerOffset < nextOffset) {
      throw new SinkError(
        'ERR_INTEGRITY',
        `the store says ${state.topic}/${state.partition} is durable up to ${nextOffset}, ` +
          `its ledger up to ${ledgerOffset ?? 'nothing'}`,
      )
    }
    state.becameDurable(fromOffset, nextOffset)
    for (const gap of gaps) this.#gapRecorded(state, gap)
  }

  #wasRefused(state: PartitionState, fromOffset: number, error: StorageError): void {
    const { bucket, bytes } = error.facts
    if (error.code === 'ERR_QUOTA' && bucket !== undefined && bytes !== undefined) {
      state.wasRefused(fromOffset, {
        reason: 'quota',
        detail: `${error.message}; offset ${fromOffset} is next, and goes on by itself when there is room`,
        wanted: { bucket, bytes },
      })
    } else {
      state.wasRefused(fromOffset, {
        reason: 'damaged-block',
        detail:
          `${error.message}, and offset ${fromOffset} or one soon after it belongs into this block: ` +
          'run `sediment verify`, put the file back from a copy, and restart',
      })
    }
    this.#options.onRefused(state)
  }

  #gapRecorded(state: PartitionState, gap: Gap): void {
    const offsets = gap.nextOffset - gap.fromOffset
    this.#options.observer.gapRecorded({ ...place(state), class: gap.class, offsets })
    const facts = { ...place(state), ...gap, offsets }
    const { logger } = this.#options
    if (gap.class === 'deleted') logger.error(facts, 'offsets were lost before they were read')
    else if (gap.class === 'unknown')
      logger.error(
        facts,
        'offsets are not in the log of the broker, and nothing says why: see `sediment gaps`',
      )
    else if (gap.class === 'elsewhere')
      logger.warn(facts, 'another data directory of this group has these offsets: not read here')
    else if (gap.class === 'before-start') logger.info(facts, 'reading begins behind these offsets')
  }

  #ledgerRow(state: PartitionState): ReturnType<SinkLedger['position']> {
    const { ledger, clusterId } = this.#options
    return ledger.position({ clusterId: clusterId(), ...place(state) })
  }
}

function isBehind({ state }: Step): boolean {
  return state.pending > 0
}
