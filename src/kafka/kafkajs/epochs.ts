import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { AssignedPartition, SourceHandler, TopicPartition, UnreadablePartition } from '../source.ts'
import { partitionName, place } from '../topic-partition.ts'
import type { FetchLoop } from './fetch-loop.ts'
import type { KnownPartitions } from './identity.ts'
import { errorText, type ConsumerGroup } from './internals.ts'

const RETRY_MS = 250
const RETRY_MAX_MS = 5_000
/** What a broker has to answer in, at the first attempt and at the most: a slow one is known in the end, too. */
const ANSWER_MS = 3_000
const ANSWER_MAX_MS = 60_000
/** Names of this many partitions stand in a log line. */
const NAMES_MAX = 5

/** What commits of one epoch are made with. */
export interface Membership {
  readonly epoch: number
  readonly group: ConsumerGroup
  readonly generationId: number
  readonly memberId: string | null
  readonly partitions: readonly TopicPartition[]
  /** Aborted when the epoch is over. */
  readonly ending: AbortController
}

export interface EpochsOptions {
  readonly handler: SourceHandler
  readonly loop: Pick<FetchLoop, 'open' | 'begin' | 'close' | 'interrupt'>
  readonly clock: Clock
  readonly logger: Logger
  /** What the handler has for a drain before the next epoch. */
  readonly drainMs: number
  /** Asks the brokers for all that the handler is told of partitions, each of them for `answerMs` at most. */
  readonly look: (
    group: ConsumerGroup,
    partitions: readonly TopicPartition[],
    answerMs: number,
  ) => Promise<KnownPartitions>
  /** New metadata may know a leader. */
  readonly refreshMetadata: () => void
  /** The handler rejected: the source cannot go on. */
  readonly failed: (error: unknown) => void
}

/**
 * The epochs of a source: every join of the group begins one, and so does a partition that had nobody to be read
 * from and has a leader now. Such a partition stops no other: an epoch begins with those that can be read, the rest
 * is asked for again, and what answers comes in with the next epoch of the same membership. The handler sees whole
 * epochs only, one after the other: revoked (drained, committed) before the next is assigned.
 */
export class Epochs {
  private readonly options: EpochsOptions
  private epoch = 0
  /** From a join until the next one begins: commits are possible exactly while it is set. */
  private membership: Membership | undefined
  private begun: readonly TopicPartition[] = []
  private waiting: readonly UnreadablePartition[] = []
  private isClosed = false
  /** Joins that are under way or want to be. */
  private joining = 0
  private lastTurn: Promise<unknown> = Promise.resolve()

  constructor(options: EpochsOptions) {
    this.options = options
  }

  /** The last epoch that has begun; 0 before the first. */
  get last(): number {
    return this.epoch
  }

  /** What is a member now; `undefined` between two epochs. */
  get present(): Membership | undefined {
    return this.membership
  }

  /** The partitions that the handler has in this epoch. */
  get assigned(): readonly TopicPartition[] {
    return this.begun
  }

  /** The others of our partitions. */
  get unreadable(): readonly UnreadablePartition[] {
    return this.waiting
  }

  /** Ends the present epoch, joins the group, begins the next. @throws what `join` throws */
  async join(group: ConsumerGroup, join: () => Promise<void>): Promise<void> {
    this.joining++
    await this.inTurn(async () => {
      try {
        await this.end()
        await join()
      } finally {
        this.joining--
      }
      const partitions = group
        .assigned()
        .flatMap(({ topic, partitions: numbers }) => numbers.map((partition) => ({ topic, partition })))
      this.begin({ group, generationId: group.generationId, memberId: group.memberId, partitions }, 0)
    })
  }

  /** What the present epoch was told of its partitions may be wrong: nothing more is read in it, and another begins. */
  again(): void {
    const { membership } = this
    if (membership === undefined) return
    this.options.loop.interrupt()
    void this.renew(membership, 0)
  }

  /** Ends the present epoch without a drain; no other begins. */
  async close(): Promise<void> {
    this.isClosed = true
    this.forget()
    await this.options.loop.close()
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.lastTurn.then(work)
    this.lastTurn = turn.catch(() => {})
    return turn
  }

  private begin(member: Omit<Membership, 'epoch' | 'ending'>, failures: number): void {
    if (this.isClosed) return
    const membership: Membership = { ...member, epoch: ++this.epoch, ending: new AbortController() }
    this.membership = membership
    this.options.loop.open(membership.epoch, membership.partitions)
    void this.startReading(membership, failures)
  }

  /** Drains and commits what is possible in time; after this, commits of the epoch are refused. */
  private async end(): Promise<void> {
    const { membership } = this
    if (membership === undefined) return
    const { handler, loop, clock, logger, drainMs } = this.options
    membership.ending.abort()
    await loop.close()
    if (!this.isClosed) {
      const given = new AbortController()
      const late = clock.sleep(drainMs, given.signal).then(() => {
        if (!given.signal.aborted)
          logger.warn({ deadlineMs: drainMs }, 'draining before the next epoch took too long')
      })
      const revoking = handler
        .revoking(membership.epoch, drainMs)
        .catch((error: unknown) => this.options.failed(error))
      await Promise.race([revoking, late])
      given.abort()
    }
    this.forget()
  }

  private forget(): void {
    this.membership?.ending.abort()
    this.membership = undefined
    this.begun = []
    this.waiting = []
  }

  /** Asks the handler where to begin with all that can be read. Never rejects; gives up when the epoch is over. */
  private async startReading(membership: Membership, failedBefore: number): Promise<void> {
    const { clock, logger, refreshMetadata } = this.options
    const { group, partitions, ending } = membership
    for (let failures = failedBefore; !ending.signal.aborted; failures++) {
      let facts: readonly AssignedPartition[] = []
      try {
        const { known, unreadable } = await this.options.look(group, partitions, answerMs(failures))
        if (ending.signal.aborted) return
        facts = known
        this.waitFor(unreadable)
      } catch (error) {
        logger.warn({ error: errorText(error) }, 'waiting for what the brokers hold of our partitions')
      }
      if (facts.length > 0 || partitions.length === 0) {
        await this.assign(membership, facts)
        return this.watchUnreadable(membership, failures)
      }
      refreshMetadata()
      await clock.sleep(retryMs(failures), ending.signal)
    }
  }

  private async assign(membership: Membership, facts: readonly AssignedPartition[]): Promise<void> {
    const { handler, loop, failed } = this.options
    this.begun = facts.map(place)
    try {
      const decisions = await handler.assigned(facts, membership.epoch)
      loop.begin(membership.epoch, facts, decisions)
    } catch (error) {
      failed(error)
    }
  }

  /** Begins the next epoch as soon as a partition can be read that could not be. Never rejects. */
  private async watchUnreadable(membership: Membership, failedBefore: number): Promise<void> {
    const { clock, logger, refreshMetadata } = this.options
    const { signal } = membership.ending
    for (let failures = failedBefore; this.waiting.length > 0 && !signal.aborted; failures++) {
      refreshMetadata()
      await clock.sleep(retryMs(failures), signal)
      if (signal.aborted) return
      const known = await this.askAgain(membership, answerMs(failures))
      if (signal.aborted) return
      if (known.length === 0) continue
      logger.info({ partitions: known.length, first: names(known) }, 'partitions can be read again')
      return this.renew(membership, failures + 1)
    }
  }

  private async askAgain(
    { group, ending }: Membership,
    durationMs: number,
  ): Promise<readonly AssignedPartition[]> {
    try {
      const { known, unreadable } = await this.options.look(group, this.waiting.map(place), durationMs)
      if (!ending.signal.aborted) this.waitFor(unreadable)
      return known
    } catch (error) {
      this.options.logger.warn({ error: errorText(error) }, 'unreadable partitions could not be asked for')
      return []
    }
  }

  /** The next epoch of the same membership. A join that is under way does the same, and more. */
  private renew(membership: Membership, failures: number): Promise<void> {
    const isInVain = (): boolean => this.isClosed || this.joining > 0
    return this.inTurn(async () => {
      if (this.membership !== membership || isInVain()) return
      await this.end()
      if (!isInVain()) this.begin(membership, failures)
    })
  }

  private waitFor(unreadable: readonly UnreadablePartition[]): void {
    const isNews = unreadable.map(partitionName).join() !== this.waiting.map(partitionName).join()
    this.waiting = unreadable
    const first = unreadable[0]
    if (first === undefined || !isNews) return
    this.options.logger.warn(
      { partitions: unreadable.length, first: names(unreadable), reason: first.reason },
      'partitions cannot be read now; they are asked for again, and the others are read',
    )
  }
}

function names(partitions: readonly TopicPartition[]): string[] {
  return partitions.slice(0, NAMES_MAX).map(partitionName)
}

function retryMs(failures: number): number {
  return Math.min(RETRY_MS * 2 ** failures, RETRY_MAX_MS)
}

function answerMs(failures: number): number {
  return Math.min(ANSWER_MS * 2 ** failures, ANSWER_MAX_MS)
}
