import type { Spread } from './statistics.ts'
import { spread } from './statistics.ts'

/** One run of one peer over `records` records of `recordBytes` bytes of payload. */
export interface PeerRun {
  readonly peer: string
  /** From the first record to the last: seen for the no-op consumer, durable for the sink. */
  readonly seconds: number
  readonly recordsPerSecond: number
  /** Payload, 10^6 bytes. */
  readonly megabytesPerSecond: number
  /** Between the same two moments, all threads. */
  readonly cpuSecondsPerGigabyte: number
  /** Of the whole life of the process. */
  readonly peakRssBytes: number
  /** By kind of file. */
  readonly syncs?: Readonly<Record<string, number>>
  readonly syncsPerGigabyte?: number
  /** More facts that a reader of the JSON may want. */
  readonly notes?: Readonly<Record<string, unknown>>
}

export interface Measured {
  readonly records: number
  readonly recordBytes: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakRssBytes: number
  readonly syncs?: Readonly<Record<string, number>>
  readonly notes?: Readonly<Record<string, unknown>>
}

export function peerRun(peer: string, measured: Measured): PeerRun {
  const { records, recordBytes, seconds, cpuSeconds, peakRssBytes, syncs, notes } = measured
  const gigabytes = (records * recordBytes) / 1e9
  const syncCount = Object.values(syncs ?? {}).reduce((sum, count) => sum + count, 0)
  return {
    peer,
    seconds,
    recordsPerSecond: records / seconds,
    megabytesPerSecond: (gigabytes * 1000) / seconds,
    cpuSecondsPerGigabyte: cpuSeconds / gigabytes,
    peakRssBytes,
    ...(syncs && { syncs, syncsPerGigabyte: syncCount / gigabytes }),
    ...(notes && { notes }),
  }
}

/** Several runs of one peer, in the order of the rounds. */
export interface PeerSummary {
  readonly peer: string
  readonly recordsPerSecond: Spread
  readonly megabytesPerSecond: Spread
  readonly cpuSecondsPerGigabyte: Spread
  readonly peakRssBytes: Spread
  readonly syncsPerGigabyte?: Spread
  readonly runs: readonly PeerRun[]
}

export function summarize(runs: readonly PeerRun[]): PeerSummary {
  const of = (pick: (run: PeerRun) => number): Spread => spread(runs.map(pick))
  const hasSyncs = runs.every(({ syncsPerGigabyte }) => syncsPerGigabyte !== undefined)
  return {
    peer: runs[0]?.peer ?? '',
    recordsPerSecond: of((run) => run.recordsPerSecond),
    megabytesPerSecond: of((run) => run.megabytesPerSecond),
    cpuSecondsPerGigabyte: of((run) => run.cpuSecondsPerGigabyte),
    peakRssBytes: of((run) => run.peakRssBytes),
    ...(hasSyncs && { syncsPerGigabyte: of((run) => run.syncsPerGigabyte ?? 0) }),
    runs,
  }
}

/** `rounds` times every peer in turn, so that all see the same minutes. */
export async function inTurn(
  rounds: number,
  peers: readonly (readonly [name: string, run: () => Promise<PeerRun>])[],
  told: (round: number, run: PeerRun) => void,
): Promise<PeerSummary[]> {
  const runs = new Map<string, PeerRun[]>(peers.map(([name]) => [name, []]))
  for (let round = 1; round <= rounds; round++) {
    for (const [name, run] of peers) {
      const done = await run()
      runs.get(name)?.push(done)
      told(round, done)
    }
  }
  return [...runs.values()].map(summarize)
}
