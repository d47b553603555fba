import type { Clock } from '../base/clock.ts'
import type { TopicPartition } from '../kafka/source.ts'
import type { PartitionState } from './partition-state.ts'
import type { PartitionTable } from './partition-table.ts'

const REACHED_POLL_MS = 50

export interface GenerationOptions {
  readonly partitions: PartitionTable
  readonly clock: Clock
  /** Aborted when the sink stops. */
  readonly stopping: AbortSignal
  /** Where batches wait before they are accepted. */
  readonly waits: readonly { cancelWaiting(): void }[]
}

/** The generation of the group that we are in, and whether its batches are being accepted. */
export class Generation {
  readonly #options: GenerationOptions
  #epoch = -1
  #isAccepting = false

  constructor(options: GenerationOptions) {
    this.#options = options
  }

  get epoch(): number {
    return this.#epoch
  }

  get isAccepting(): boolean {
    return this.#isAccepting
  }

  /** Nothing of it is accepted before `accept`. */
  begin(epoch: number): void {
    this.#epoch = epoch
    this.stopAccepting()
  }

  accept(): void {
    this.#isAccepting = true
  }

  stopAccepting(): void {
    this.#isAccepting = false
    for (const wait of this.#options.waits) wait.cancelWaiting()
  }

  /** The partition when it is ours, of this generation, and read. */
  accepting(partition: TopicPartition, epoch: number): PartitionState | undefined {
    if (!this.#isAccepting || epoch !== this.#epoch) return undefined
    const state = this.#options.partitions.owned(partition)
    return state?.hold === undefined ? state : undefined
  }

  /**
   * The partition once everything below `offset` that the source has fetched is accepted; `undefined` when its
   * generation ends before that.
   */
  async reached(partition: TopicPartition, offset: number): Promise<PartitionState | undefined> {
    const { clock, stopping } = this.#options
    const epoch = this.#epoch
    for (;;) {
      const state = this.accepting(partition, epoch)
      if (state === undefined || state.acceptedOffset >= offset) return state
      await clock.sleep(REACHED_POLL_MS, stopping)
    }
  }
}
