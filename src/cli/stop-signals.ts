/** What tells a process to stop, with the exit codes that shells give to a process that one of them ended. */
const stopSignals = { SIGTERM: 143, SIGINT: 130 } as const

export type StopSignal = keyof typeof stopSignals

/** The process, as far as signals are concerned. */
export interface SignalSource {
  on(signal: StopSignal, listener: () => void): unknown
}

/**
 * Calls `stop` at the first signal. At the second it says what that means and calls `exit` at once: the stop is not
 * finished, so that no exit code may claim it.
 */
export function onStopSignals(
  source: SignalSource,
  {
    stop,
    note,
    exit,
  }: {
    readonly stop: (signal: StopSignal) => void
    readonly note: (line: string) => void
    readonly exit: (code: number) => void
  },
): void {
  let isAsked = false
  for (const signal of Object.keys(stopSignals) as StopSignal[]) {
    source.on(signal, () => {
      if (!isAsked) {
        isAsked = true
        return stop(signal)
      }
      note(
        `sediment: a second signal (${signal}) ended the stop early: what is not durable yet is read again from Kafka, the next start recovers, nothing is lost`,
      )
      exit(stopSignals[signal])
    })
  }
}
