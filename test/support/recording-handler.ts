import type {
  AssignedPartition,
  CheckedPlace,
  Claim,
  DamagedBatch,
  LogPlace,
  SourceBatch,
  SourceError,
  SourceHandler,
  StartDecision,
  TopicPartition,
} from '../../src/kafka/source.ts'
import { realClock } from './real-clock.ts'

const POLL_MS = 20

export interface OutOfRange extends TopicPartition {
  readonly wanted: number
  readonly low: number
  readonly high: number
}

/** A sink that accepts everything at once and remembers it. Assign functions to change what it does. */
export class RecordingHandler implements SourceHandler {
  readonly assignments: { epoch: number; partitions: readonly AssignedPartition[] }[] = []
  readonly batches: { batch: SourceBatch; epoch: number }[] = []
  readonly revocations: number[] = []
  readonly outOfRanges: OutOfRange[] = []
  readonly truncations: (TopicPartition & CheckedPlace)[] = []
  readonly damages: { offset: number; error: SourceError; batch: DamagedBatch }[] = []
  readonly failures: Error[] = []

  store = ''
  claimed: Claim[] = []
  start: (partition: AssignedPartition) => StartDecision = (partition) => ({
    kind: 'start',
    offset: partition.lowWatermark,
  })
  accept: (batch: SourceBatch, epoch: number, signal: AbortSignal) => Promise<void> = () => Promise.resolve()
  drain: (epoch: number) => Promise<void> = () => Promise.resolve()
  answerOutOfRange: (range: OutOfRange) => StartDecision = () => ({ kind: 'hold', reason: 'out of range' })

  async assigned(partitions: readonly AssignedPartition[], epoch: number): Promise<StartDecision[]> {
    this.assignments.push({ epoch, partitions })
    return partitions.map((partition) => this.start(partition))
  }

  async batch(batch: SourceBatch, epoch: number, signal: AbortSignal): Promise<void> {
    await this.accept(batch, epoch, signal)
    this.batches.push({ batch, epoch })
  }

  async revoking(epoch: number): Promise<void> {
    this.revocations.push(epoch)
    await this.drain(epoch)
  }

  async outOfRange(
    partition: TopicPartition,
    wanted: number,
    low: number,
    high: number,
  ): Promise<StartDecision> {
    const range = { topic: partition.topic, partition: partition.partition, wanted, low, high }
    this.outOfRanges.push(range)
    return this.answerOutOfRange(range)
  }

  /** Up to where a partition is said to have been read. */
  lastRead: (partition: AssignedPartition) => LogPlace | undefined = () => undefined

  async truncated(partition: TopicPartition, place: CheckedPlace): Promise<StartDecision> {
    this.truncations.push({ ...partition, ...place })
    return { kind: 'hold', reason: 'truncated' }
  }

  async undecodable(
    _: TopicPartition,
    offset: number,
    error: SourceError,
    batch: DamagedBatch,
  ): Promise<StartDecision> {
    this.damages.push({ offset, error, batch })
    return { kind: 'hold', reason: error.message }
  }

  claims(): { store: string; partitions: Claim[] } {
    return { store: this.store, partitions: this.claimed }
  }

  failed(error: Error): void {
    this.failures.push(error)
  }

  /** Offsets delivered of one partition, in the order of delivery. */
  offsets(topic: string, partition = 0): number[] {
    return this.batches
      .filter(({ batch }) => batch.topic === topic && batch.partition === partition)
      .flatMap(({ batch }) => batch.records.map((record) => record.offset))
  }

  /** Waits until `condition` holds. @throws {Error} when that takes too long, or when the source has failed */
  async until(what: string, condition: () => boolean, timeoutMs = 20_000): Promise<void> {
    const deadlineMs = realClock.monotonicMs() + timeoutMs
    while (!condition()) {
      if (this.failures[0] !== undefined) throw this.failures[0]
      if (realClock.monotonicMs() > deadlineMs) throw new Error(`${what} took more than ${timeoutMs} ms`)
      await realClock.sleep(POLL_MS)
    }
  }
}
