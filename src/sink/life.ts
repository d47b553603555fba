import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { KafkaSource } from '../kafka/source.ts'
import type { SinkObserver } from './observer.ts'
import type { SinkPhase } from './status.ts'

export interface LifeOptions {
  readonly source: Pick<KafkaSource, 'stop'>
  readonly clock: Clock
  readonly observer: SinkObserver
  readonly logger: Logger
  /** Called once, at the failure: nothing more is to be accepted, handed over or committed. */
  readonly onFailed: () => void
}

/** The phases of a sink, the failure that ends it, and the work that runs as long as it lives. */
export class Life {
  /** Resolves when the sink is over: with why, as soon as it failed, or `undefined` after `over`. */
  readonly ended: Promise<Error | undefined>

  readonly #options: LifeOptions
  readonly #stopping = new AbortController()
  #phase: SinkPhase = 'idle'
  #failure: Error | undefined
  #sourceStopped: Promise<void> | undefined
  #end: (failure: Error | undefined) => void = () => {}

  constructor(options: LifeOptions) {
    this.#options = options
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  get phase(): SinkPhase {
    return this.#phase
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  /** Aborted when the sink stops or fails. */
  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  begin(): void {
    this.#phase = 'running'
  }

  drain(): void {
    if (this.#phase === 'running') this.#phase = 'draining'
  }

  /** Ends the work of `every`, and every wait on `stopping`. */
  halt(): void {
    this.#stopping.abort()
  }

  /** Stopped, unless it failed before. */
  over(): void {
    if (this.#failure !== undefined) return
    this.#phase = 'stopped'
    this.#end(undefined)
  }

  /** The first failure counts. Never waits for the source: it may be what is calling. */
  fail(cause: unknown): Error {
    if (this.#failure !== undefined) return this.#failure
    const failure = cause instanceof Error ? cause : new Error(String(cause))
    if (this.#phase === 'stopped') return failure
    const { logger, observer, onFailed } = this.#options
    this.#failure = failure
    this.#phase = 'failed'
    logger.error({ error: failure }, 'sink failed')
    observer.failed({ error: failure })
    onFailed()
    this.halt()
    void this.stopSource()
    this.#end(failure)
    return failure
  }

  /** Never rejects. Idempotent. */
  stopSource(): Promise<void> {
    const { source, logger } = this.#options
    this.#sourceStopped ??= source.stop().catch((error: unknown) => {
      logger.warn({ error }, 'the source did not stop cleanly')
    })
    return this.#sourceStopped
  }

  /** @throws why the sink failed, which is why `work` did where nothing else failed before */
  async orFail<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      throw this.fail(error)
    }
  }

  background(work: Promise<void>): void {
    work.catch((error: unknown) => this.fail(error))
  }

  /** Works at every interval in the background, until the sink stops. */
  every(intervalMs: number, work: () => Promise<void>): void {
    this.background(this.#repeat(intervalMs, work))
  }

  async #repeat(intervalMs: number, work: () => Promise<void>): Promise<void> {
    const signal = this.stopping
    while (!signal.aborted) {
      await this.#options.clock.sleep(intervalMs, signal)
      if (!signal.aborted) await work()
    }
  }
}
