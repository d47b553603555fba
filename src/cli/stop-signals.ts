/** What tells a process to stop, with the exit codes that shells give to a process that one of them ended. */
const stopSignals = { SIGTERM: 143, SIGINT: 130 } as const

export type StopSignal = keyof typeof stopSignals

/**
 * One Ctrl-C below npm arrives twice: from the terminal, which signals every process in front, and from npm, which
 * passes on what it got.
 */
const SAME_PRESS_MS = 500

/** The process, as far as signals are concerned. */
export interface SignalSource {
  on(signal: StopSignal, listener: () => void): unknown
}

/**
 * Calls `stop` at the first signal. At the second, if it is not the echo of the first, it says what that means and calls `exit` at once: the stop is not
 * finished, so that no exit code may claim it.
 */
export function onStopSignals(
  source: SignalSource,
  {
    stop,
    note,
    exit,
    nowMs,
  }: {
    readonly stop: (signal: StopSignal) => void
    readonly note: (line: string) => void
    readonly exit: (code: number) => void
    /** Monotonic. */
    readonly nowMs: () => number
  },
): void {
  let asked: { readonly by: StopSignal; readonly atMs: number } | undefined
  for (const signal of Object.keys(stopSignals) as StopSignal[]) {
    source.on(signal, () => {
      if (asked === undefined) {
        asked = { by: signal, atMs: nowMs() }
        return stop(signal)
      }
      if (signal === asked.by && nowMs() - asked.atMs < SAME_PRESS_MS) return
      note(
        `sediment: a second signal (${signal}) ended the stop early: what is not durable yet is read again from Kafka, the next start recovers, nothing is lost`,
      )
      exit(stopSignals[signal])
    })
  }
}
