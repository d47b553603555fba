import { loadCrc64 } from '../../src/base/crc64.ts'
import type { EntryName } from '../../src/storage/index.ts'
import { Random } from '../support/random.ts'
import { SimulatedDisk, type OperationCall } from '../support/simulated-disk.ts'
import type { Coverage, CrashPlace } from './coverage.ts'
import { checkSnapshots, recoveredState, type Snapshot } from './images.ts'
import { checkEverything, checkSettledDirectory, type Slots } from './judge.ts'
import type { Message, Topic } from './messages.ts'
import { chooseOptions, type SimulationOptions } from './options.ts'
import { Session, describe, type Lineage } from './session.ts'
import {
  ProcessEnded,
  SimulationFailure,
  StoreProcess,
  isHonestRefusal,
  requireReason,
  type Tools,
} from './store-process.ts'

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
    idleCheckpointMs: 100_000,
    sealIdleMs: 100_000,
    walBytesMax: 100_000,
    holesBytesMin: 100,
    writeCacheBytesMax: 100_000,
    readCacheBytesMax: 100_000,
  },
  blocks: { blockBytesMax: 10_000, blockRecordsMax: 2, quota: { kind: 'none', bytes: 0 } },
  messagesPerSubmissionMax: 1,
  pace: 0.1,
  garbage: 0.1,
}

/** One script on an empty disk. */
class ScriptRun {
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
    const session = new Session(this.tools, this.topic, process, this.lineage, this.slots)
    for (const step of script) {
      if (process.poison !== undefined) break
      await this.#step(process, session, step as Step)
    }
    if (process.poison === undefined) await session.drain()
    if (process.poison === undefined) return true
    await session.endPoisoned()
    return false
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

  /** The store opens, shows what it must, and closes. */
  async mend(): Promise<void> {
    const process = new StoreProcess(this.tools, this.disk)
    await process.open()
    const { states, acked } = this.lineage
    const { state } = recoveredState(process, { lineage: states, acked, stockSees: false, onlyPower: false })
    await process.run(
      checkEverything(process, this.topic, { floor: state.next, ceiling: state.next }, new Map()),
    )
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

/** Calls that a script makes fail, one after the other. */
export const failingCalls = [
  'write',
  'sync',
  'syncDirectory',
  'create',
  'rename',
  'unlink',
  'makeDirectory',
] as const satisfies readonly OperationCall[]

/**
 * Plays `script` with its `nth` call of this kind failing: nothing is acknowledged afterwards, the store stops with a
 * refusal, and the next start mends it. @returns whether the script has so many calls
 */
export async function failAt(
  script: string,
  call: (typeof failingCalls)[number],
  nth: number,
  times: number,
  coverage: Coverage,
): Promise<boolean> {
  await loadCrc64()
  const run = new ScriptRun(nth, coverage)
  let calls = 0
  const process = new StoreProcess(run.tools, run.disk, (_place, _operation, made) => {
    if (made === call) calls++
  })
  const code = call === 'sync' || call === 'syncDirectory' || nth % 2 === 0 ? 'ERR_IO' : 'ERR_NO_SPACE'
  run.disk.failNext(call, { nth, times, code, kept: nth % 3 === 0 ? 'soup' : 'nothing' })
  try {
    const isRunning = await run.play(process, script).catch((error: unknown) => {
      if (error instanceof SimulationFailure || error instanceof ProcessEnded || !isHonestRefusal(error))
        throw error
      return false
    })
    if (calls < nth) return false
    if (isRunning) throw new SimulationFailure('the store went on')
    coverage.add(`failed.${call}`)
    // A directory that could not be synced is mended by the machine's next start only.
    if (call === 'syncDirectory' || nth % 2 === 1) process.cutPower()
    else process.kill()
    run.disk.clearFailures()
    await run.mend()
    return true
  } catch (error) {
    throw named(error, `script '${script}', ${call} ${nth} fails ${times} times`)
  }
}

function named(error: unknown, what: string): SimulationFailure {
  if (!(error instanceof SimulationFailure))
    return new SimulationFailure(`${what}: ${describe(error)}`, { cause: error })
  error.message = `${what}: ${error.message}`
  return error
}
