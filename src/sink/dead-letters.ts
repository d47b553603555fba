import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { DeadLetter, DeadLetterTopic } from '../kafka/dead-letters.ts'
import type { SourceRecord, TopicPartition } from '../kafka/source.ts'
import { place } from '../kafka/topic-partition.ts'
import type { SinkObserver } from './observer.ts'
import type { RejectionReason } from './quarantine.ts'

const RETRY_MS = 250
const RETRY_MAX_MS = 30_000
const DETAIL_LENGTH_MAX = 1000

/** A message that its rule rejects, and why. */
export interface Rejected {
  readonly record: SourceRecord
  readonly reason: RejectionReason
}

export interface DeadLettersOptions {
  readonly to: DeadLetterTopic
  readonly groupId: string
  readonly clock: Clock
  readonly observer: SinkObserver
  readonly logger: Logger
}

/** Sends rejected messages to the dead-letter topic, for as long as it takes. */
export class DeadLetters {
  readonly #options: DeadLettersOptions
  /** Partitions whose messages it does not take now, with what it said last. */
  readonly #waiting = new Map<TopicPartition, string>()

  constructor(options: DeadLettersOptions) {
    this.#options = options
  }

  /** Why the partition waits; `undefined` when it does not. */
  waitsFor(partition: TopicPartition): string | undefined {
    return this.#waiting.get(partition)
  }

  /**
   * Resolves when the topic has all of them, to whether it has: false when `signal` ended the wait. Then some may be there,
   * and come again.
   */
  async send(
    partition: TopicPartition,
    rejected: readonly Rejected[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { to, clock, observer, logger } = this.#options
    const letters = rejected.map((one) => this.#letterOf(partition, one))
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await unlessAborted(to.produce(letters), signal)
        if (signal.aborted) break
        observer.deadLettersSent({ ...place(partition), records: letters.length })
        if (failures > 0) {
          logger.info(
            { ...place(partition), deadLetterTopic: to.topic },
            'the dead-letter topic takes them again',
          )
          observer.resumed({ reason: 'dead-letters' })
        }
        this.#waiting.delete(partition)
        return true
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        this.#waiting.set(partition, why)
        observer.deadLettersFailed({ ...place(partition), error })
        if (failures === 0) observer.paused({ reason: 'dead-letters' })
        const offset = rejected[0]?.record.offset
        logger.error({ ...place(partition), offset, error: why }, 'partition waits for the dead-letter topic')
        await clock.sleep(Math.min(RETRY_MS * 2 ** Math.min(failures, 10), RETRY_MAX_MS), signal)
      }
    }
    this.#waiting.delete(partition)
    return false
  }

  #letterOf({ topic, partition }: TopicPartition, { record, reason }: Rejected): DeadLetter {
    const facts = {
      topic,
      partition: String(partition),
      offset: String(record.offset),
      timestamp: String(record.timestampMs),
      cause: reason.cause,
      detail: reason.detail.slice(0, DETAIL_LENGTH_MAX),
      rule: reason.rule,
      group: this.#options.groupId,
    }
    const headers = Object.entries(facts).map(([name, value]) => ({
      name: Buffer.from(`sediment.error.${name}`),
      value: Buffer.from(value),
    }))
    const { key, value, timestampMs } = record
    return { key, value, timestampMs, partition, headers: [...record.headers, ...headers] }
  }
}

/** Settles as soon as `signal` is aborted, whatever `work` does later. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let stop = (): void => {}
  const aborted = new Promise<void>((resolve) => {
    stop = resolve
    signal.addEventListener('abort', stop, { once: true })
  })
  work.catch(() => {})
  try {
    await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
