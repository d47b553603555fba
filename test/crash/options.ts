import type { FileKind } from '../../src/fs/file-system.ts'
import type { CrashPlace } from './coverage.ts'
import type { StorageLimits } from '../../src/storage/index.ts'
import type { BucketSettings } from '../../src/storage/index.ts'
import { Random } from '../support/random.ts'

/** Everything that a seed decides before its first operation: kinds of events are switched on and off ("swarm"). */
export interface SimulationOptions {
  readonly seed: number
  readonly focuses: readonly Focus[]
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
  /** Places that are taken so many times likelier than else. */
  readonly emphasis: Readonly<Partial<Record<CrashPlace, number>>>
  /** Images with a lost sector that are made of each crash within a frame. */
  readonly tornFrames: number
  /** Chance that the recovery of an image is crashed as well. */
  readonly recoveryCrashChance: number
  /** Chance that a second checkpoint is asked for right behind the first. */
  readonly checkpointTwiceChance: number
  /** Chance that a fault is armed within a life. */
  readonly faultChance: number
  readonly faults: readonly Fault[]
  /** A fault strikes up to so many matching operations later. */
  readonly faultsNthMax: number
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
  'foldAll',
  'settle',
  'checkpoint',
] as const
export type Action = (typeof actionNames)[number]

/** What a seed presses on beside what it draws anyway. `dense` stands alone: its seeds have full microseconds. */
export type Focus =
  | 'frames'
  | 'names'
  | 'faults'
  | 'appends'
  | 'folds'
  | 'checkpoints'
  | 'recovery'
  | 'shorts'
  | 'crowd'
  | 'ahead'
  | 'dense'

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
  const focuses = chooseFocuses(random)
  let options: SimulationOptions = { ...chooseSwarm(seed, random), focuses }
  for (const focus of focuses) options = { ...options, ...focusOn[focus](options, random) }
  return options
}

function chooseFocuses(random: Random): Focus[] {
  if (random.chance(0.02)) return ['dense']
  const often = ['frames', 'names', 'faults', 'appends', 'folds', 'checkpoints', 'recovery'] as const
  const focuses: Focus[] = often.filter((focus) => random.chance(focus === 'faults' ? 0.45 : 0.3))
  if (random.chance(0.2)) focuses.push('shorts')
  // Faults end a life before there is a crowd.
  if (!focuses.includes('faults') && random.chance(0.35)) focuses.push('crowd')
  if (!focuses.includes('faults') && random.chance(0.25)) focuses.push('ahead')
  return focuses
}

const focusOn: Readonly<
  Record<Focus, (options: SimulationOptions, random: Random) => Partial<SimulationOptions>>
> = {
  frames: ({ limits, emphasis }, random) => ({
    // Frames of several sectors, without contents or nothing but contents: each checksum has work of its own.
    longLabelChance: 0.5,
    contents: [
      [0, 20],
      [0, 20],
      [600, 3_000],
    ],
    limits: { ...limits, groupBytesMax: 16_000, groupRecordsMax: 30, directBytesMin: 1_000_000 },
    messagesPerSubmissionMax: random.pick([1, 2, 4]),
    emphasis: { ...emphasis, frame: 3 },
    tornFrames: 4,
  }),
  names: ({ emphasis }, random) => ({
    entries: ['a', 'b/c', 'd/e/f', 'g/h', 'b', 'i/j/k'].slice(0, random.between(3, 6)),
    messagesPerSubmissionMax: random.pick([1, 3]),
    buckets: random.chance(0.5) ? ['one', 'two'] : ['one'],
    emphasis: { ...emphasis, naming: 6, blockRoll: 2 },
  }),
  faults: ({ actions }, random) => ({
    faultChance: 1,
    faults: random.pick([
      ['write', 'sync'],
      ['write'],
      ['sync'],
      ['sync'],
      ['sync', 'syncDirectory'],
      ['name', 'full'],
    ] as const),
    faultKinds: random.pick([
      ['log'],
      ['log'],
      ['data', 'wal', 'index'],
      ['data'],
      ['wal'],
      ['descriptor'],
    ] as const),
    // Content that the page cache shows and the medium has not.
    ...(random.chance(0.38) ? { faults: ['sync'], faultKinds: ['data'] } : {}),
    faultsNthMax: 2,
    actions: { ...actions, checkpoint: 3, fold: 2, submitAndWait: 1 },
    actionsMax: 12,
    generations: 5,
  }),
  appends: ({ limits, blocks, actions, emphasis }) => ({
    limits: { ...limits, groupRecordsMax: 6, directBytesMin: 1_000_000, walBytesMax: 100_000 },
    blocks: { ...blocks, blockRecordsMax: 20, blockBytesMax: 10_000 },
    actions: { ...actions, submitAndWait: 10 },
    emphasis: { ...emphasis, projection: 5 },
  }),
  folds: ({ limits, blocks, actions, times, emphasis }, random) => ({
    // Late records reopen what was folded.
    times: { ...times, lateChance: 0.5, lateStepsMax: 10 },
    limits: { ...limits, sealIdleMs: random.pick([0, 100]), walBytesMax: random.pick([250, 1_000]) },
    blocks: { ...blocks, blockRecordsMax: random.pick([1, 2, 3]) },
    actions: { ...actions, fold: 8 },
    emphasis: { ...emphasis, fold: 3, indexAppend: 2, contentSync: 2 },
  }),
  checkpoints: ({ limits, blocks, actions, emphasis }, random) => ({
    limits: { ...limits, logBytesCheckpoint: random.pick([1_500, 1_000_000]), logBytesMax: 4_000_000 },
    blocks: { ...blocks, blockRecordsMax: random.pick([1, 2]) },
    actions: { ...actions, checkpoint: 6 },
    checkpointTwiceChance: 0.9,
    messagesPerSubmissionMax: 8,
    emphasis: { ...emphasis, checkpoint: 2, logRoll: 2 },
  }),
  recovery: () => ({ recoveryCrashChance: 0.6 }),
  shorts: ({ limits, longLabelChance }) => ({
    // Small frames, mostly padding, that take several writes.
    limits: { ...limits, groupBytesMax: 1_000, groupRecordsMax: 6 },
    longLabelChance: longLabelChance / 2,
    contents: [[0, 40]],
    faults: ['short'],
    faultKinds: ['log'],
    faultChance: 1,
    generations: 4,
  }),
  crowd: ({ limits, blocks, actions, times }) => ({
    // More open blocks than are folded at once.
    times: { ...times, lateChance: 0, equalChance: 0 },
    limits: { ...limits, sealIdleMs: 5_000, walBytesMax: 100_000, writeCacheBytesMax: 1_000_000 },
    blocks: { ...blocks, blockRecordsMax: 1 },
    actions: { ...actions, foldAll: 12 },
    actionsMax: 8,
    generations: 4,
    faults: [],
  }),
  ahead: ({ limits, blocks, actions, emphasis }) => ({
    // Each record has a data file of its own before any frame names it, and little else touches its directory.
    entries: ['a', 'b/c', 'b', 'd'],
    limits: {
      ...limits,
      groupRecordsMax: 2,
      directBytesMin: 32,
      directBlocksMax: 3,
      logBytesCheckpoint: 1_500,
    },
    blocks: { ...blocks, blockRecordsMax: 1 },
    contents: [[100, 900]],
    messagesPerSubmissionMax: 1,
    actions: { ...actions, submitAndWait: 10 },
    emphasis: { ...emphasis, frame: 2, blockRoll: 2, contentSync: 4 },
  }),
  dense: ({ limits, blocks, times, actions }, random) => ({
    partitions: 1,
    entries: ['a'],
    buckets: ['one'],
    limits: { ...limits, groupBytesMax: 1_000_000, groupRecordsMax: 10_000 },
    blocks: { ...blocks, blockRecordsMax: random.pick([300, 1_000]), blockBytesMax: 100_000 },
    times: {
      ...times,
      equalChance: 0.998,
      lateChance: random.pick([0, 0.005]),
      lateStepsMax: 2,
      stepMsMax: 1,
    },
    contents: [[0, 2]],
    longLabelChance: 0,
    messagesPerSubmissionMax: 1_000,
    actions: { ...actions, submitAndWait: 10 },
    actionsMax: 8,
    generations: 2,
    snapshotsMax: 2,
    faults: [],
  }),
}

function chooseSwarm(seed: number, random: Random): SimulationOptions {
  const on = (probability: number, weight: number): number => (random.chance(probability) ? weight : 0)
  const logBytesCheckpoint = random.pick([1_500, 4_000, 12_000, 40_000, 1_000_000])
  const hasFaults = random.chance(0.6)
  const entries = ['a', 'b/c', 'b', 'd'].slice(0, random.between(1, 4))
  return {
    seed,
    focuses: [],
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
      unspilledBytesCheckpoint: 1_000_000,
      idleCheckpointMs: random.pick([60, 600, 100_000]),
      sealIdleMs: random.pick([0, 100, 600, 5_000]),
      walBytesMax: random.pick([250, 1_000, 100_000]),
      holesBytesMin: 100,
      uploadIdleMs: 100_000,
      writeCacheBytesMax: random.pick([1_100, 3_500, 1_000_000]),
      readCacheBytesMax: random.pick([1_000, 100_000]),
      upkeepBytesPerSecond: 1_000_000,
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
      foldAll: 0,
      settle: on(0.3, 0.7),
      checkpoint: on(0.6, random.pick([0.5, 2])),
    },
    actionsMax: random.pick([8, 20, 40]),
    messagesPerSubmissionMax: random.pick([1, 3, 8]),
    generations: random.between(2, 4),
    pace: random.pick([0.02, 0.2, 0.7]),
    snapshotChance: random.pick([0.02, 0.06]),
    snapshotsMax: 8,
    emphasis: {},
    tornFrames: 1,
    recoveryCrashChance: 0.15,
    checkpointTwiceChance: 0.4,
    faultChance: 0.8,
    faultsNthMax: random.pick([2, 6]),
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
