import type { Logger } from '../../base/logger.ts'
import { errorType, type ConsumerGroup } from './internals.ts'

/** Fenced so often between two assignments, it is another process that has our instance id. */
const REPLACED_MAX = 3

/**
 * Tells a static member that a move of the coordinator has fenced from one that another process has fenced.
 *
 * The coordinator gives a member its id with the answer to JoinGroup, and stores it no later than it answers SyncGroup. When
 * it is lost in between, the next one knows the instance by its id before, and fences ours. Such an id never had an
 * assignment: it is let go of, and the member joins as new, which takes the place of whatever id the instance has
 * (KIP-345). An id that had one is fenced by another process only, and so is a member that has none yet: then this one
 * ends. So of two processes, the one that was there ends and the one that came stays; two that come at once may each
 * take the place of the other `REPLACED_MAX` times.
 */
export class HalfMadeJoin {
  private readonly logger: Logger
  private assignedId: string | null = null
  private replaced = 0

  constructor(logger: Logger) {
    this.logger = logger
  }

  /** @param join one try, which leaves the id that it got in `group` also when it fails. @throws what `join` throws */
  async complete(group: Pick<ConsumerGroup, 'memberId'>, join: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await join()
        this.assignedId = group.memberId
        this.replaced = 0
        return
      } catch (error) {
        if (errorType(error) !== 'FENCED_INSTANCE_ID' || !this.isHalfMade(group.memberId)) throw error
        this.logger.warn(
          { memberId: group.memberId, replaced: ++this.replaced },
          'fenced under a member id that never had an assignment, as when the coordinator moves during a join; joining as new',
        )
        group.memberId = null
      }
    }
  }

  private isHalfMade(memberId: string | null): boolean {
    return memberId !== null && memberId !== this.assignedId && this.replaced < REPLACED_MAX
  }
}
