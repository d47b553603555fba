import type { TopicPartition } from '../kafka/source.ts'
import { partitionName } from '../kafka/topic-partition.ts'
import { PartitionState } from './partition-state.ts'

/** The partitions of this generation, and those of earlier ones of which something is still under way. */
export class PartitionTable {
  readonly #durableOffset: (partition: TopicPartition) => number | undefined
  readonly #states = new Map<string, PartitionState>()
  #owned = new Map<string, PartitionState>()

  /** @param durableOffset - the ledger's next offset, `undefined` for a partition never begun */
  constructor(durableOffset: (partition: TopicPartition) => number | undefined) {
    this.#durableOffset = durableOffset
  }

  /** Where a partition goes on. What is under way to the store counts: it cannot be taken back. */
  nextOffset(partition: TopicPartition): number | undefined {
    const state = this.#states.get(partitionName(partition))
    if (state !== undefined && state.pending > 0) return state.acceptedOffset
    return this.#durableOffset(partition)
  }

  /** A new generation; the states come in the order of `partitions`. */
  assign(partitions: readonly TopicPartition[]): PartitionState[] {
    const states = partitions.map((partition) => {
      const underway = this.#states.get(partitionName(partition))
      if (underway !== undefined && underway.pending > 0) return underway
      return new PartitionState(partition, this.#durableOffset(partition) ?? 0)
    })
    this.#owned = new Map(states.map((state) => [partitionName(state), state]))
    for (const [name, state] of this.#states) if (state.pending === 0) this.#states.delete(name)
    for (const [name, state] of this.#owned) this.#states.set(name, state)
    return states
  }

  owned(partition: TopicPartition): PartitionState | undefined {
    return this.#owned.get(partitionName(partition))
  }

  get all(): PartitionState[] {
    return [...this.#owned.values()]
  }
}
