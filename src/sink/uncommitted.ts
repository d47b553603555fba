import { place } from '../kafka/topic-partition.ts'
import { encodeCommitMetadata } from './commit-metadata.ts'
import type { OffsetToCommit } from './committer.ts'
import type { PartitionState } from './partition-state.ts'
import type { PartitionTable } from './partition-table.ts'
import type { HoldReason, StartFacts } from './start-plan.ts'

/** Reasons to hold a partition that was read until then. */
const heldOnTheWay: ReadonlySet<HoldReason> = new Set([
  'damaged-block',
  'quota',
  'clock',
  'too-many-entries',
  'entry-conflict',
  'undecodable',
  'batch-too-large',
  'deleted',
])

export interface UncommittedOptions {
  readonly partitions: PartitionTable
  readonly self: () => StartFacts['self']
}

/** Durable offsets that Kafka does not know. */
export class Uncommitted {
  readonly #options: UncommittedOptions

  constructor(options: UncommittedOptions) {
    this.#options = options
  }

  get partitions(): PartitionState[] {
    return this.#options.partitions.all.filter(({ hold, committedOffset, durableOffset }) => {
      // What was stored before goes to Kafka: the partition may move to another store.
      if (hold !== undefined && heldOnTheWay.has(hold.reason)) return durableOffset > (committedOffset ?? -1)
      return hold === undefined && committedOffset !== durableOffset
    })
  }

  offsets(epoch: number): OffsetToCommit[] {
    const { partitions, self } = this.#options
    const author = { ...self(), epoch }
    return this.partitions.map((state) => {
      const { incarnation, topicId, leaderEpoch, nextOffset } = partitions.row(state) ?? {}
      const { durableOffset: offset } = state
      const at = { incarnation, topicId, leaderEpoch: nextOffset === offset ? leaderEpoch : undefined }
      const metadata = encodeCommitMetadata({ ...author, ...at })
      return { ...place(state), offset, metadata }
    })
  }

  committed(offsets: readonly OffsetToCommit[]): void {
    for (const committed of offsets) {
      const state = this.#options.partitions.owned(committed)
      if (state !== undefined) state.committedOffset = committed.offset
    }
  }
}
