import type { FileKind } from '../../src/fs/file-system.ts'
import type { StorageLimits } from '../../src/storage/index.ts'
import type { BucketSettings } from '../../src/storage/index.ts'
import { Random } from '../support/random.ts'

/** Everything that a seed decides before its first operation: kinds of events are switched on and off ("swarm"). */
export interface SimulationOptions {
  readonly seed: number
  readonly partitions: number
  readonly entries: readonly string[]
  readonly buckets: readonly string[]
  readonly limits: StorageLimits
  readonly blocks: BucketSettings
  readonly times: TimeOptions
  /** Chance that a message has a label that fills a sector of its frame. */
  readonly longLabelChance: number
  readonly contents: readonly (readonly [from: number, to: number])[]
  /** How often each action is drawn. */
  readonly actions: Readonly<Record<Action, number>>
  readonly actionsMax: number
  readonly messagesPerSubmissionMax: number
  readonly generations: number
  /** Chance that time passes in a turn of the event loop. */
  readonly pace: number
  /** Chance that a running operation is taken as a crash point. */
  readonly snapshotChance: number
  readonly snapshotsMax: number
  readonly faults: readonly Fault[]
  /** Files that writes and syncs fail of. */
  readonly faultKinds: readonly FileKind[]
  readonly ends: readonly End[]
  readonly garbage: number
}

export interface TimeOptions {
  readonly equalChance: number
  readonly lateChance: number
  readonly lateStepsMax: number
  readonly farAheadChance: number
  readonly beforeAllChance: number
  readonly stepMsMax: number
}

export const actionNames = [
  'submit',
  'submitAndWait',
  'wait',
  'passTime',
  'readEntry',
  'readRange',
  'readPoint',
  'fold',
  'settle',
  'checkpoint',
] as const
export type Action = (typeof actionNames)[number]

export type Fault = 'sync' | 'syncDirectory' | 'write' | 'name' | 'short' | 'full'
/** Those that are hard to meet stand here several times. */
const faults: readonly Fault[] = [
  ...(['sync', 'sync', 'sync', 'short', 'short', 'short'] as const),
  ...(['write', 'write', 'syncDirectory', 'name', 'full'] as const),
]
const faultKinds: readonly FileKind[] = ['log', 'log', 'log', 'data', 'wal', 'wal', 'descriptor', 'index']
/** How a process ends when no crash point was met before. */
export type End = 'kill' | 'power' | 'killThenPower' | 'close' | 'settleAndClose'

export function chooseOptions(seed: number): SimulationOptions {
  const random = new Random(seed)
  const on = (probability: number, weight: number): number => (random.chance(probability) ? weight : 0)
  const logBytesCheckpoint = random.pick([1_500, 4_000, 12_000, 40_000, 1_000_000])
  const hasFaults = random.chance(0.6)
  const entries = ['a', 'b/c', 'b', 'd'].slice(0, random.between(1, 4))
  return {
    seed,
    partitions: random.between(1, 3),
    entries,
    buckets: random.chance(0.3) ? ['one', 'two'] : ['one'],
    limits: {
      groupBytesMax: random.pick([256, 1_000, 4_000, 16_000]),
      groupRecordsMax: random.pick([2, 6, 30]),
      directBytesMin: random.pick([32, 64, 400, 2_000, 1_000_000, 1_000_000]),
      directBlocksMax: random.between(1, 3),
      logBytesCheckpoint,
      logBytesMax: random.pick([1, 4]) * logBytesCheckpoint,
      idleCheckpointMs: random.pick([60, 600, 100_000]),
      sealIdleMs: random.pick([0, 100, 600, 5_000]),
      walBytesMax: random.pick([250, 1_000, 100_000]),
      writeCacheBytesMax: random.pick([1_100, 3_500, 1_000_000]),
      readCacheBytesMax: random.pick([1_000, 100_000]),
    },
    blocks: {
      blockRecordsMax: random.pick([1, 2, 3, 4, 8]),
      blockBytesMax: random.pick([200, 1_000, 10_000]),
      quota: { kind: 'none', bytes: 0 },
    },
    times: {
      equalChance: on(0.5, 0.3),
      lateChance: on(0.7, random.pick([0.1, 0.4])),
      lateStepsMax: random.pick([2, 10, 40]),
      farAheadChance: on(0.15, 0.03),
      beforeAllChance: on(0.3, 0.04),
      stepMsMax: random.pick([1, 5]),
    },
    longLabelChance: on(0.6, 0.5),
    contents: chooseContents(random),
    actions: {
      submit: 10,
      submitAndWait: random.pick([1, 8]),
      wait: on(0.5, 3),
      passTime: on(0.6, 3),
      readEntry: on(0.4, 1),
      readRange: on(0.3, 1),
      readPoint: on(0.3, 1),
      fold: on(0.6, random.pick([1, 5])),
      settle: on(0.3, 0.7),
      checkpoint: on(0.6, random.pick([0.5, 2])),
    },
    actionsMax: random.pick([8, 20, 40]),
    messagesPerSubmissionMax: random.pick([1, 3, 8]),
    generations: random.between(2, 4),
    pace: random.pick([0.02, 0.2, 0.7]),
    snapshotChance: random.pick([0.02, 0.06]),
    snapshotsMax: 8,
    faults: hasFaults ? chooseSome(random, faults) : [],
    faultKinds: chooseSome(random, faultKinds),
    ends: (['kill', 'power', 'killThenPower', 'close', 'settleAndClose'] as const).filter(
      (end) => end === 'power' || random.chance(0.6),
    ),
    garbage: random.pick([0, 0.05, 0.4]),
  }
}

/** One of them, or several. */
function chooseSome<T>(random: Random, all: readonly T[]): readonly T[] {
  const one = random.pick(all)
  return random.chance(0.5) ? [one] : all.filter((other) => other === one || random.chance(0.5))
}

function chooseContents(random: Random): [number, number][] {
  const sizes: [number, number][] = [[0, 40]]
  if (random.chance(0.6)) sizes.push([60, 300])
  if (random.chance(0.6)) sizes.push([200, 900])
  if (random.chance(0.3)) sizes.push([500, 3_000])
  if (random.chance(0.1)) sizes.push([4_000, 9_000])
  if (random.chance(0.3)) sizes.push([0, 0])
  return sizes
}
