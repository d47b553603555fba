import type { App } from '../app/app.ts'
import { CatchUp, type CatchUpLook } from '../app/catch-up.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { SinkError } from '../sink/sink-error.ts'
import { formatCount, formatSeconds } from './quantities.ts'

const LOOK_MS = 200
const LOG_MS = 10_000

/** Looks at a running process until it has caught up. */
export class CatchUpWatch {
  readonly #app: Pick<App, 'status'>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #catchUp = new CatchUp()
  #began: { readonly atMs: number; readonly offsetsLeft: number } | undefined
  #last: CatchUpLook | undefined

  constructor(app: Pick<App, 'status'>, clock: Clock, logger: Logger) {
    this.#app = app
    this.#clock = clock
    this.#logger = logger
  }

  /**
   * Resolves when everything that was there is durable, or when `signal` is aborted.
   * @throws {SinkError} `ERR_HELD` when only held partitions are left
   */
  async done(signal: AbortSignal): Promise<void> {
    let loggedMs = this.#clock.monotonicMs()
    for (; !signal.aborted; await this.#clock.sleep(LOOK_MS, signal)) {
      const nowMs = this.#clock.monotonicMs()
      const look = this.#catchUp.look(this.#app.status())
      this.#last = look
      if (look === undefined) continue
      this.#began ??= { atMs: nowMs, offsetsLeft: look.offsetsLeft }
      if (look.isOver && look.held.length > 0)
        throw new SinkError(
          'ERR_HELD',
          `caught up but for ${formatCount(look.offsetsLeft)} offsets of held partitions: ${look.held.join(', ')}`,
        )
      if (look.isOver) return
      if (nowMs - loggedMs < LOG_MS) continue
      loggedMs = nowMs
      const { offsetsLeft, offsetsTotal } = look
      this.#logger.info({ offsetsLeft, offsetsTotal, secondsLeft: this.#secondsLeft() }, 'catching up')
    }
  }

  /** `73 %, about 2 min left`; empty before partitions are known. */
  get text(): string {
    if (this.#last === undefined) return ''
    const { offsetsLeft, offsetsTotal } = this.#last
    const share = offsetsTotal === 0 ? 100 : Math.floor((100 * (offsetsTotal - offsetsLeft)) / offsetsTotal)
    const seconds = this.#secondsLeft()
    return `${share} % caught up${seconds === undefined ? '' : `, about ${formatSeconds(seconds)} left`}`
  }

  /** By the pace since the partitions were known; `undefined` while there is none. */
  #secondsLeft(): number | undefined {
    const { offsetsLeft } = this.#last ?? { offsetsLeft: 0 }
    const done = (this.#began?.offsetsLeft ?? 0) - offsetsLeft
    if (this.#began === undefined || done <= 0) return undefined
    const seconds = (this.#clock.monotonicMs() - this.#began.atMs) / 1000
    return Math.round((offsetsLeft / done) * seconds)
  }
}
