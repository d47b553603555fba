/** One epoch of a member: from where it read which partitions, and how it ended. */
export interface Tenure {
  readonly store: string
  readonly epoch: number
  readonly startMs: number
  /** By `topic/partition`, where reading went on. */
  readonly offsets: ReadonlyMap<string, number>
  /**
   * `given-back`: everything that was stored was committed before another could begin. `cut`: it was killed, or it was
   * over before the last of it was committed.
   */
  readonly end: 'given-back' | 'cut'
  /** When the process ended it; `undefined` when that was killed, or stopped with it. */
  readonly endMs?: number
}

interface Line {
  readonly time: string
  readonly message: string
  readonly epoch?: number
  readonly offsets?: readonly string[]
  readonly isComplete?: boolean
  readonly recordsInFlight?: number
  readonly partitionsUncommitted?: number
}

/** The epochs of one process, by its log. */
export function tenuresOf(store: string, log: string): Tenure[] {
  const tenures: (Tenure & { end: Tenure['end']; endMs?: number })[] = []
  for (const text of log.split('\n')) {
    const line = lineOf(text)
    const last = tenures.at(-1)
    if (line?.message === 'reading goes on at') {
      const offsets = new Map(
        (line.offsets ?? []).map((place) => {
          const at = place.lastIndexOf('@')
          return [place.slice(0, at), Number(place.slice(at + 1))]
        }),
      )
      tenures.push({ store, epoch: line.epoch ?? 0, startMs: Date.parse(line.time), offsets, end: 'cut' })
    } else if (line?.message === 'partitions given back' && last?.epoch === line.epoch) {
      const isAllCommitted = line.recordsInFlight === 0 && line.partitionsUncommitted === 0
      if (isAllCommitted) last!.end = 'given-back'
      last!.endMs = Date.parse(line.time)
    } else if (line?.message === 'stopped' && line.isComplete === true && last !== undefined) {
      last.end = 'given-back'
    }
  }
  return tenures
}

function lineOf(text: string): Line | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    return JSON.parse(text) as Line
  } catch {
    // Killed in the middle of it.
    return undefined
  }
}
