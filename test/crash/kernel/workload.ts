import type { SimulationOptions } from '../options.ts'
import { chooseOptions } from '../options.ts'
import { RandomTopic } from '../messages.ts'

/** What a life is told on its standard input, one line of JSON. */
export interface LifeOrder {
  readonly dataPath: string
  /** Of the messages: the same for every life on one disk. */
  readonly seed: number
}

/** What it says on its standard output, one line of JSON each. `next` are offsets, by partition. */
export type LifeSays =
  | { readonly kind: 'ready' }
  /** Everything below `next` is there. */
  | { readonly kind: 'opened'; readonly next: readonly number[] }
  | { readonly kind: 'acknowledged'; readonly next: readonly number[] }
  | { readonly kind: 'refused'; readonly code: string; readonly text: string }
  /** Files below the data directory that are still open, after everything was closed. */
  | { readonly kind: 'closed'; readonly openFiles: readonly string[] }

/** Small limits: a life of half a second seals, folds, checkpoints, reopens blocks and writes contents directly. */
export function workloadOptions(seed: number): SimulationOptions {
  const small = [0, 200] as const
  const others = chooseOptions(1)
  return {
    ...others,
    seed,
    partitions: 3,
    entries: ['a', 'b/c', 'd'],
    buckets: ['one'],
    limits: {
      ...others.limits,
      groupBytesMax: 200_000,
      groupRecordsMax: 50,
      directBytesMin: 30_000,
      directBlocksMax: 4,
      holesBytesMin: 50_000,
      logBytesCheckpoint: 200_000,
      logBytesMax: 2_000_000,
      idleCheckpointMs: 50,
      sealIdleMs: 50,
      walBytesMax: 20_000,
      writeCacheBytesMax: 1_000_000,
      readCacheBytesMax: 1_000_000,
    },
    blocks: { blockBytesMax: 500_000, blockRecordsMax: 40, quota: { kind: 'none', bytes: 0 } },
    times: {
      equalChance: 0.05,
      lateChance: 0.1,
      lateStepsMax: 60,
      farAheadChance: 0.002,
      beforeAllChance: 0.002,
      stepMsMax: 3,
    },
    contents: [...Array.from({ length: 19 }, () => [...small] as [number, number]), [20_000, 60_000]],
    longLabelChance: 0.02,
    messagesPerSubmissionMax: 6,
  }
}

export function workloadTopic(seed: number): RandomTopic {
  return new RandomTopic(workloadOptions(seed))
}
