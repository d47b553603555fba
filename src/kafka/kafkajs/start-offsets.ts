import type { Clock } from '../../base/clock.ts'
import type { AssignedPartition, TopicPartition, UnreadablePartition } from '../source.ts'
import { place } from '../topic-partition.ts'
import { firstOffsetAt, within } from './broker-facts.ts'
import type { KnownPartitions } from './identity.ts'
import { errorText, type Cluster } from './internals.ts'

export interface StartQuestion {
  readonly leaderOf: (partition: TopicPartition) => number | undefined
  /** `undefined` where no time decides. */
  readonly startTimeMs: (partition: AssignedPartition) => number | undefined
  readonly answerMs: number
  readonly clock: Clock
}

/** Adds the first offset of a time. A partition of which that cannot be told now is unreadable. Never rejects. */
export async function addStartOffsets(
  cluster: Cluster,
  partitions: readonly AssignedPartition[],
  { leaderOf, startTimeMs, answerMs, clock }: StartQuestion,
): Promise<KnownPartitions> {
  const unreadable: UnreadablePartition[] = []
  const told = await Promise.all(
    partitions.map(async (partition) => {
      const timeMs = startTimeMs(partition)
      if (timeMs === undefined) return [partition]
      try {
        const asked = firstOffsetAt(cluster, leaderOf(partition), partition, timeMs)
        return [{ ...partition, offsetAtTime: await within(asked, answerMs, clock) }]
      } catch (error) {
        unreadable.push({ ...place(partition), reason: `where its time begins: ${errorText(error)}` })
        return []
      }
    }),
  )
  return { known: told.flat(), unreadable }
}
