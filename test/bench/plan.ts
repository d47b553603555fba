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
  /** The engine alone, a part each. */
  readonly store: {
    /** What the smaller side has before; the other has a hundred times as many. */
    readonly growth: { readonly blocks: number; readonly entries: number; readonly rounds: number }
    readonly pointRead: {
      readonly records: number
      readonly coldReads: number
      readonly cachedReads: number
    }
    readonly scan: {
      readonly recordBytes: readonly number[]
      readonly bytes: number
      readonly rounds: number
    }
    readonly reopen: { readonly entries: number; readonly rounds: number }
    readonly manyEntries: { readonly entries: number }
    readonly checkpoint: { readonly quietSeconds: number; readonly rounds: number }
    readonly late: { readonly records: number; readonly rounds: number }
    readonly hardTimes: {
      readonly records: number
      /** Once: they are many. */
      readonly equalRecords: number
      readonly lateRecords: number
      readonly sealedBlocks: number
      readonly rounds: number
    }
  }
}

const KIB = 1024
const MIB = 1024 * KIB

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
    store: {
      growth: { blocks: records(50, 5), entries: records(100, 10), rounds: records(9, 3) },
      pointRead: {
        records: records(1_000_000, 100_000),
        coldReads: records(300, 30),
        cachedReads: records(20_000, 1000),
      },
      scan: {
        recordBytes: [KIB, 10 * KIB, 100 * KIB, MIB],
        bytes: records(256, 32) * MIB,
        rounds: records(5, 1),
      },
      reopen: { entries: records(1000, 100), rounds: records(5, 1) },
      manyEntries: { entries: records(10_000, 300) },
      checkpoint: { quietSeconds: records(8, 2), rounds: records(6, 1) },
      late: { records: records(100_000, 20_000), rounds: records(3, 1) },
      hardTimes: {
        records: records(100_000, 10_000),
        equalRecords: records(1_000_000, 20_000),
        lateRecords: records(20_000, 1000),
        sealedBlocks: records(1000, 50),
        rounds: records(3, 1),
      },
    },
  }
}
