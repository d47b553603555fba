import type { Clock } from '../base/clock.ts'
import { type KafkaSource, SourceError, type TopicPartition } from '../kafka/source.ts'
import type { SinkObserver } from './observer.ts'

export type OffsetToCommit = TopicPartition & { readonly offset: number; readonly metadata: string }

/** `stale`: the generation is over, trying again is no use. */
export type CommitOutcome = 'done' | 'failed' | 'stale'

export interface CommitterOptions {
  readonly source: Pick<KafkaSource, 'commit'>
  readonly clock: Clock
  readonly observer: SinkObserver
  readonly intervalMs: number
  /** So many durable bytes do not wait for the interval. */
  readonly bytesMax: number
  /** Durable next offsets that Kafka does not know yet. */
  readonly pending: (epoch: number) => readonly OffsetToCommit[]
  readonly onCommitted: (offsets: readonly OffsetToCommit[]) => void
}

/**
 * Tells Kafka what is durable. A failed commit is only counted: the next one says more. One commit at a time, and
 * none between two generations.
 */
export class Committer {
  readonly #options: CommitterOptions
  #epoch: number | undefined
  #durableBytes = 0
  #kick = new AbortController()
  #last: Promise<unknown> = Promise.resolve()

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
    const { source, clock, observer, pending, onCommitted } = this.#options
    const epoch = this.#epoch
    if (epoch === undefined) return 'stale'
    const offsets = pending(epoch)
    this.#durableBytes = 0
    if (offsets.length === 0) return 'done'
    const startedMs = clock.monotonicMs()
    try {
      await source.commit(offsets, epoch)
    } catch (error) {
      observer.commitFailed({ error })
      return error instanceof SourceError && error.code === 'ERR_STALE_EPOCH' ? 'stale' : 'failed'
    }
    if (this.#epoch === epoch) onCommitted(offsets)
    observer.committed({ partitions: offsets.length, durationMs: clock.monotonicMs() - startedMs })
    return 'done'
  }
}
