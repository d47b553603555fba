import type { LogPlace, TopicPartition } from '../kafka/source.ts'
import { partitionName } from '../kafka/topic-partition.ts'
import type { LedgerRow } from '../ledger/ledger-codec.ts'
import { PartitionState } from './partition-state.ts'

/** The partitions of this generation, and those of earlier ones of which something is still under way. */
export class PartitionTable {
  /** What the ledger has, `undefined` for a partition never begun. */
  readonly row: (partition: TopicPartition) => LedgerRow | undefined
  readonly #states = new Map<string, PartitionState>()
  #owned = new Map<string, PartitionState>()

  constructor(row: (partition: TopicPartition) => LedgerRow | undefined) {
    this.row = row
  }

  /** Where a partition goes on. What is under way to the store counts: it cannot be taken back. */
  nextOffset(partition: TopicPartition): number | undefined {
    const state = this.#states.get(partitionName(partition))
    if (state !== undefined && state.pending > 0) return state.acceptedOffset
    return this.row(partition)?.nextOffset
  }

  /** The same as a place in the log, where the leader of its last record is known. */
  lastRead(partition: TopicPartition): LogPlace | undefined {
    const state = this.#states.get(partitionName(partition))
    const { acceptedOffset: offset, leaderEpoch, pending = 0 } = state ?? {}
    if (pending > 0 && offset !== undefined && leaderEpoch !== undefined) return { offset, leaderEpoch }
    const row = this.row(partition)
    return row?.leaderEpoch === undefined
      ? undefined
      : { offset: row.nextOffset, leaderEpoch: row.leaderEpoch }
  }

  /** A new generation; the states come in the order of `partitions`. */
  assign(partitions: readonly TopicPartition[]): PartitionState[] {
    const states = partitions.map((partition) => {
      const underway = this.#states.get(partitionName(partition))
      if (underway !== undefined && underway.pending > 0) return underway
      return new PartitionState(partition, this.row(partition)?.nextOffset ?? 0)
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
