import { loadCrc64 } from '../../src/base/crc64.ts'
import type { EntryName } from '../../src/storage/index.ts'
import { Random } from '../support/random.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import type { Coverage, CrashPlace } from './coverage.ts'
import { checkSnapshots, recoveredState, type Snapshot } from './images.ts'
import { checkEverything, checkSettledDirectory, type Slots } from './judge.ts'
import type { Message, Topic } from './messages.ts'
import { chooseOptions, type SimulationOptions } from './options.ts'
import { Session, describe, type Lineage } from './session.ts'
import { SimulationFailure, StoreProcess, requireReason, type Tools } from './store-process.ts'
import type { Progress } from './offsets-companion.ts'

/**
 * A: record in order, small. D: record in order, direct content. L: late record, into the first block.
 * B: one atom over two entries. F: folds begin. C: a checkpoint begins. W: everything so far is waited for.
 */
export type Step = 'A' | 'D' | 'L' | 'B' | 'F' | 'C' | 'W'
export const steps: readonly Step[] = ['A', 'D', 'L', 'B', 'F', 'C', 'W']

/** Every script of exactly `length` steps. */
export function scriptsOf(length: number): string[] {
  if (length === 0) return ['']
  return scriptsOf(length - 1).flatMap((script) => steps.map((step) => script + step))
}

/** Partition 0: in order, small; 1: late; 2: in order, of a second entry; 3: in order, large. */
class ScriptTopic implements Topic {
  readonly targets: readonly EntryName[] = [
    { bucket: 'one', entry: 'a' },
    { bucket: 'one', entry: 'b' },
  ]
  readonly #messages = new Map<string, Message>()

  at(partition: number, offset: number): Message {
    const identity = `${partition}-${offset}`
    let message = this.#messages.get(identity)
    if (message === undefined) {
      const content = new Random(partition * 1_000 + offset).bytes(partition === 3 ? 100 : 20)
      const timestampUs =
        1_750_000_000_000_000 + (partition === 1 ? 500 + offset : (offset + 1) * 10_000 + partition)
      const target = this.targets[partition === 2 ? 1 : 0] as EntryName
      const write = { target, timestampUs, labels: ['offset', identity], contentType: 'text/plain', content }
      message = { partition, offset, identity, write }
      this.#messages.set(identity, message)
    }
    return message
  }

  byIdentity(identity: string): Message | undefined {
    return this.#messages.get(identity)
  }
}

const options: SimulationOptions = {
  ...chooseOptions(1),
  partitions: 4,
  limits: {
    groupBytesMax: 4_000,
    groupRecordsMax: 4,
    directBytesMin: 64,
    directBlocksMax: 2,
    logBytesCheckpoint: 1_000_000,
    logBytesMax: 2_000_000,
    unspilledBytesCheckpoint: 1_000_000,
    idleCheckpointMs: 100_000,
    sealIdleMs: 100_000,
    walBytesMax: 100_000,
    holesBytesMin: 100,
    uploadIdleMs: 100_000,
    writeCacheBytesMax: 100_000,
    readCacheBytesMax: 100_000,
    upkeepBytesPerSecond: 1_000_000,
  },
  blocks: { blockBytesMax: 10_000, blockRecordsMax: 2, quota: { kind: 'none', bytes: 0 } },
  messagesPerSubmissionMax: 1,
  pace: 0.1,
  garbage: 0.1,
}

/** One script on an empty disk. */
export class ScriptRun {
  readonly tools: Tools
  readonly topic = new ScriptTopic()
  readonly disk: SimulatedDisk
  readonly lineage: Lineage = { states: [{ submission: 0, next: [0, 0, 0, 0] }], acked: 0, lastSubmission: 0 }
  readonly slots: Slots = new Map()

  constructor(seed: number, coverage: Coverage) {
    this.tools = { options, random: new Random(seed), coverage }
    this.disk = new SimulatedDisk({ seed, afterKill: 'hang' })
  }

  /** @returns whether the store was still running at the end */
  async play(process: StoreProcess, script: string): Promise<boolean> {
    await process.open()
    const session = this.begin(process)
    await this.act(process, session, script)
    if (process.poison === undefined) return true
    await session.endPoisoned()
    return false
  }

  /** A session on an open store, which goes on from what was recovered. */
  begin(process: StoreProcess): Session {
    const { states, acked } = this.lineage
    const { state } = recoveredState(process, { lineage: states, acked, stockSees: false, onlyPower: false })
    this.lineage.states = [state]
    this.lineage.acked = 0
    return new Session(this.tools, this.topic, process, this.lineage, this.slots)
  }

  /** Does the steps and waits for them, until the store stops or refuses. */
  async act(process: StoreProcess, session: Session, script: string): Promise<void> {
    const isOver = (): boolean => process.poison !== undefined || session.refusal !== undefined
    for (const step of script) {
      if (isOver()) return
      await this.#step(process, session, step as Step)
    }
    if (!isOver()) await session.drain()
  }

  async #step(process: StoreProcess, session: Session, step: Step): Promise<void> {
    const once = (): number => 1
    if (step === 'A') session.submitFrom([0], once)
    else if (step === 'D') session.submitFrom([3], once)
    else if (step === 'L') session.submitFrom([1], once)
    else if (step === 'B') session.submitFrom([0, 2], once)
    else if (step === 'F') session.foldAll()
    else if (step === 'C') session.checkpoint()
    else await session.drain()
    // A little of it happens before the next step.
    await process.run(Promise.resolve())
  }

  /** The store opens, shows what it must, takes more, and closes. */
  async mend(): Promise<void> {
    const process = new StoreProcess(this.tools, this.disk)
    await process.open()
    const session = this.begin(process)
    const { next } = this.lineage.states[0] as Progress
    await process.run(checkEverything(process, this.topic, { floor: next, ceiling: next }, new Map()))
    await this.act(process, session, 'ALW')
    requireReason(process, false)
    await process.run(process.storage.close())
    checkSettledDirectory(this.disk)
    process.kill()
  }
}

/** Plays `script` and crashes it at every `stride`-th operation behind the first open, in several ways each. */
export async function crashEverywhere(
  script: string,
  seed: number,
  coverage: Coverage,
  stride = 1,
): Promise<void> {
  await loadCrc64()
  const run = new ScriptRun(seed, coverage)
  const snapshots: Snapshot[] = []
  let operations = 0
  const take = (place: CrashPlace): void => {
    if (process.isOpening && script !== '') return
    if (operations++ % stride !== seed % stride) return
    coverage.add(`crash.${place}`)
    const bounds = {
      lineage: run.lineage.states,
      acked: run.lineage.acked,
      stockSees: true,
      onlyPower: false,
    }
    snapshots.push({ disk: run.disk.fork(operations), bounds, place })
  }
  const process = new StoreProcess(run.tools, run.disk, take)
  try {
    await run.play(process, script)
    requireReason(process, false)
    process.kill()
    await checkSnapshots(run.tools, run.topic, snapshots, run.slots)
  } catch (error) {
    throw named(error, `script '${script}', seed ${seed}`)
  }
  coverage.add('scripts')
}

export function named(error: unknown, what: string): SimulationFailure {
  if (!(error instanceof SimulationFailure))
    return new SimulationFailure(`${what}: ${describe(error)}`, { cause: error })
  error.message = `${what}: ${error.message}`
  return error
}
