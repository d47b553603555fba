/** How much is measured. Full: minutes, for figures to quote. Quick: does it work, and roughly how fast. */
export interface Plan {
  readonly rounds: number
  readonly ingest: readonly {
    readonly label: string
    readonly recordBytes: number
    readonly records: number
  }[]
  readonly fanout: {
    readonly recordBytes: number
    readonly records: number
    readonly entries: readonly number[]
  }
  readonly partitions: {
    readonly recordBytes: number
    readonly records: number
    readonly partitions: number
  }
  readonly engine: {
    readonly recordBytes: number
    readonly records: number
    readonly entries: readonly number[]
  }
  readonly latency: {
    readonly recordBytes: number
    readonly seconds: number
    /** Not counted, at the start: the producer's and the sink's code is still being compiled. */
    readonly warmupSeconds: number
  }
}

const KIB = 1024

export function planOf(quick: boolean): Plan {
  const records = (full: number, few: number): number => (quick ? few : full)
  const entries = [1, 64, 256, 1000]
  return {
    rounds: quick ? 1 : 3,
    ingest: [
      { label: '200 B', recordBytes: 200, records: records(2_000_000, 150_000) },
      { label: '1 KiB', recordBytes: KIB, records: records(1_000_000, 80_000) },
      { label: '10 KiB', recordBytes: 10 * KIB, records: records(120_000, 10_000) },
      { label: '100 KiB', recordBytes: 100 * KIB, records: records(12_000, 1500) },
    ],
    fanout: { recordBytes: KIB, records: records(600_000, 30_000), entries },
    partitions: { recordBytes: KIB, records: records(600_000, 50_000), partitions: 1000 },
    engine: { recordBytes: KIB, records: records(600_000, 40_000), entries },
    latency: { recordBytes: KIB, seconds: records(20, 8), warmupSeconds: records(8, 4) },
  }
}
