import type { Clock } from '../../base/clock.ts'
import { sharedAbort } from '../../base/shared-abort.ts'

/** A reason of its own: the default one is an error, made anew with its stack each time. */
const RUNG = 'rung'

/** Lets loops sleep until something has changed. */
export class Doorbell {
  private readonly clock: Clock
  private controller = sharedAbort()
  private rings = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** How often it has rung. */
  get rung(): number {
    return this.rings
  }

  /** Ends every wait that has begun. */
  ring(): void {
    this.rings++
    const { controller } = this
    this.controller = sharedAbort()
    controller.abort(RUNG)
  }

  /** Resolves when the bell rings, at the latest after `durationMs`. */
  wait(durationMs: number): Promise<void> {
    return this.clock.sleep(durationMs, this.controller.signal)
  }
}
