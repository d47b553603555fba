import { silentSinkObserver, type SinkObserver } from '../../../src/sink/observer.ts'

export interface SinkEvent {
  readonly name: keyof SinkObserver
  readonly facts: Readonly<Record<string, unknown>>
}

/** Keeps everything the sink reports. */
export function recordingSinkObserver(): { observer: SinkObserver; events: SinkEvent[] } {
  const events: SinkEvent[] = []
  const names = Object.keys(silentSinkObserver) as (keyof SinkObserver)[]
  const observer = Object.fromEntries(
    names.map((name) => [
      name,
      (facts: Readonly<Record<string, unknown>>): void => {
        events.push({ name, facts })
      },
    ]),
  )
  return { observer: observer as unknown as SinkObserver, events }
}
