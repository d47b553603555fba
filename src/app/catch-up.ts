import { partitionName } from '../kafka/topic-partition.ts'
import type { AppStatus } from './status.ts'

export interface CatchUpLook {
  /** Offsets that the partitions of this process have to go, and had to when each was first seen. */
  readonly offsetsLeft: number
  readonly offsetsTotal: number
  /** Nothing is left but what is held, and nothing is owed. */
  readonly isOver: boolean
  /** Partitions that are held short of their goal: `topic/partition (reason)`. */
  readonly held: readonly string[]
}

/**
 * How far this process is from the ends of its partitions, as they were when it was first given them. What is produced
 * later does not count. Partitions that the group moves away do not count either, while they are away.
 */
export class CatchUp {
  readonly #goals = new Map<string, { readonly from: number; readonly to: number }>()

  /** `undefined` before the group has given us our partitions. */
  look({ sink, unreadable = [] }: Pick<AppStatus, 'sink' | 'unreadable'>): CatchUpLook | undefined {
    if (sink?.isAssigned !== true) return undefined
    let offsetsLeft = 0
    let offsetsTotal = 0
    let isOver = unreadable.length === 0
    const held: string[] = []
    for (const partition of sink.partitions) {
      const { durableOffset, highWatermark, hold, isOwing } = partition
      const name = partitionName(partition)
      const goal = this.#goals.get(name) ?? { from: durableOffset, to: highWatermark }
      this.#goals.set(name, goal)
      const left = Math.max(0, goal.to - durableOffset)
      offsetsLeft += left
      offsetsTotal += Math.max(0, goal.to - goal.from)
      const isOpen = left > 0 || isOwing === true
      if (isOpen && hold !== undefined) held.push(`${name} (${hold.reason})`)
      else if (isOpen) isOver = false
    }
    return { offsetsLeft, offsetsTotal, isOver, held }
  }
}
