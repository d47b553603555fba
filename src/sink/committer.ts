import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { type KafkaSource, type RefusedCommit, SourceError, type TopicPartition } from '../kafka/source.ts'
import { partitionName } from '../kafka/topic-partition.ts'
import type { SinkObserver } from './observer.ts'

export type OffsetToCommit = TopicPartition & { readonly offset: number; readonly metadata: string }

/** `stale`: the generation is over, trying again is no use. `done` also where the broker does not take some of them. */
export type CommitOutcome = 'done' | 'failed' | 'stale'

export interface CommitterOptions {
  readonly source: Pick<KafkaSource, 'commit'>
  readonly clock: Clock
  readonly observer: SinkObserver
  readonly logger: Logger
  readonly intervalMs: number
  /** So many durable bytes do not wait for the interval. */
  readonly bytesMax: number
  /** Durable next offsets that Kafka does not know yet. */
  readonly pending: (epoch: number) => readonly OffsetToCommit[]
  readonly onCommitted: (offsets: readonly OffsetToCommit[]) => void
}

/**
 * Tells Kafka what is durable. A failed commit is counted, and the first of a row is logged: the next one says more. One
 * commit at a time, and none between two generations.
 */
export class Committer {
  readonly #options: CommitterOptions
  #epoch: number | undefined
  #durableBytes = 0
  #kick = new AbortController()
  #last: Promise<unknown> = Promise.resolve()
  #isFailing = false
  /** Names of partitions that the broker did not take in the last commit. */
  #refused: ReadonlySet<string> = new Set()

  constructor(options: CommitterOptions) {
    this.#options = options
  }

  begin(epoch: number): void {
    this.#epoch = epoch
  }

  end(): void {
    this.#epoch = undefined
  }

  noteDurable(bytes: number): void {
    this.#durableBytes += bytes
    if (this.#durableBytes >= this.#options.bytesMax) this.#kick.abort()
  }

  /** Commits all that is durable when its turn comes. */
  commitNow(): Promise<CommitOutcome> {
    const turn = this.#last.then(() => this.#commit())
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /** Commits at every interval until `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#kick.abort(), { once: true })
    while (!signal.aborted) {
      await this.#options.clock.sleep(this.#options.intervalMs, this.#kick.signal)
      if (signal.aborted) return
      this.#kick = new AbortController()
      await this.commitNow()
    }
  }

  async #commit(): Promise<CommitOutcome> {
    const { source, clock, observer, logger, pending, onCommitted } = this.#options
    const epoch = this.#epoch
    if (epoch === undefined) return 'stale'
    const offsets = pending(epoch)
    this.#durableBytes = 0
    if (offsets.length === 0) return 'done'
    const startedMs = clock.monotonicMs()
    let refused: readonly RefusedCommit[]
    try {
      refused = await source.commit(offsets, epoch)
    } catch (error) {
      observer.commitFailed({ error })
      if (error instanceof SourceError && error.code === 'ERR_STALE_EPOCH') return 'stale'
      if (!this.#isFailing)
        logger.warn({ error }, 'offsets cannot be committed; all are tried again, none is lost')
      this.#isFailing = true
      return 'failed'
    }
    if (this.#isFailing) logger.info({}, 'offsets are committed again')
    this.#isFailing = false
    const names = this.#notTaken(refused)
    const taken = offsets.filter((offset) => !names.has(partitionName(offset)))
    if (this.#epoch === epoch) onCommitted(taken)
    observer.committed({ partitions: taken.length, durationMs: clock.monotonicMs() - startedMs })
    return 'done'
  }

  /** They stay uncommitted and travel with every commit: a topic may come back. Logged when they become more. */
  #notTaken(refused: readonly RefusedCommit[]): ReadonlySet<string> {
    const names = new Set(refused.map(partitionName))
    const first = refused.find((one) => !this.#refused.has(partitionName(one)))
    if (first !== undefined) {
      this.#options.logger.warn(
        { partitions: refused.length, first: partitionName(first), reason: first.reason },
        'the broker takes no commits of some partitions: their topic is gone, or our right to read it; ' +
          'what is stored of them is, and the others are committed',
      )
    }
    this.#refused = names
    return names
  }
}
