/** The only source of time. Durations come from `monotonicMs`, record times from `nowUs`. */
export interface Clock {
  /** Microseconds since the Unix epoch, UTC. A safe integer until the year 2255. */
  nowUs(): number
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number
  /** Resolves after `durationMs` of monotonic time, or at once when `signal` is aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>
}
