import { loadCrc64 } from '../../src/base/crc64.ts'
import type { FileKind } from '../../src/fs/file-system.ts'
import { Random } from '../support/random.ts'
import { SimulatedDisk, type OperationCall } from '../support/simulated-disk.ts'
import { crashPlaces, type Coverage, type CrashPlace } from './coverage.ts'
import {
  SnapshotTaker,
  acknowledgedSlots,
  checkSnapshots,
  during,
  recoveredState,
  type Bounds,
} from './images.ts'
import {
  checkEverything,
  checkNothingNameless,
  checkSettledDirectory,
  checkStock,
  type Slots,
} from './judge.ts'
import { RandomTopic, type Topic } from './messages.ts'
import { chooseOptions, type End, type Fault } from './options.ts'
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
 * One random workload on a simulated disk, through several lives of the engine. Every life is crashed at several of
 * its operations in several ways; each image is recovered and compared with what was acknowledged.
 * @throws {SimulationFailure} with the seed in its message
 */
export async function simulate(
  seed: number,
  coverage: Coverage,
  trace?: (line: string) => void,
): Promise<void> {
  // Loaded for real once a process: the first seed shall take the same turns as all others.
  await loadCrc64()
  const tools: Tools = {
    options: chooseOptions(seed),
    random: new Random(seed + 0x1234_5678),
    coverage,
    trace,
  }
  const world = new World(tools)
  try {
    await world.run()
  } catch (error) {
    const failure =
      error instanceof SimulationFailure ? error : new SimulationFailure(describe(error), { cause: error })
    failure.message = `seed ${seed}: ${failure.message}`
    throw failure
  }
  coverage.add('seeds')
}

/** Where a life ends if nothing ends it before: after some operations, or within an operation of some kind. */
function chooseCrashPoint(
  random: Random,
  operations: number,
): (place: CrashPlace, operation: number) => boolean {
  if (random.chance(0.4)) {
    const last = operations + random.between(1, random.pick([50, 200, 600]))
    return (_place, operation) => operation >= last
  }
  if (random.chance(0.4)) return () => false
  const wanted = random.pick([...crashPlaces, 'naming', 'naming'] as const)
  let left = random.between(1, 8)
  return (place) => place === wanted && --left === 0
}

class World {
  readonly #tools: Tools
  readonly #topic: Topic
  readonly #disk: SimulatedDisk
  readonly #lineage: Lineage
  #slots: Slots = new Map()
  /** No power was cut since a recovery has ended. */
  #stockSees = true

  constructor(tools: Tools) {
    this.#tools = tools
    this.#topic = new RandomTopic(tools.options)
    this.#disk = new SimulatedDisk({ seed: tools.options.seed, afterKill: 'hang' })
    const next = Array.from({ length: tools.options.partitions }, () => 0)
    this.#lineage = { states: [{ submission: 0, next }], acked: 0, lastSubmission: 0 }
  }

  async run(): Promise<void> {
    const { options } = this.#tools
    for (let generation = 1; generation <= options.generations; generation++) {
      try {
        await this.#live()
      } catch (error) {
        throw during(error, `generation ${generation} of ${options.generations}`)
      }
    }
    await this.#lastLook()
  }

  #bounds = (): Bounds => ({
    lineage: this.#lineage.states,
    acked: this.#lineage.acked,
    stockSees: this.#stockSees,
    onlyPower: this.#armedFaults.has('syncDirectory'),
  })

  async #live(): Promise<void> {
    const tools = this.#tools
    const { random, options, coverage } = tools
    const disk = this.#disk
    const taker = new SnapshotTaker(tools, options.snapshotChance, options.snapshotsMax)
    const end = random.pick(options.ends)
    const isCrashPoint = chooseCrashPoint(random, disk.operations)
    const onOperation = (place: CrashPlace, operation: number, call: OperationCall): void => {
      if (isCrashPoint(place, operation)) {
        coverage.add(`crash.${place}`)
        this.#crash(process, end)
      } else {
        taker.offer(disk, place, call, this.#bounds)
      }
    }
    const process = new StoreProcess(tools, disk, onOperation, true)
    if (options.faults.length > 0 && random.chance(0.3)) this.#armFault()
    try {
      await this.#open(process)
      await this.#work(process, taker)
      await this.#end(process, end)
    } catch (error) {
      if (!(error instanceof ProcessEnded)) throw error
    }
    if (!process.isDead) throw new SimulationFailure('a process outlived its session')
    this.#armedFaults.clear()
    disk.clearFailures()
    disk.setFreeBytes(Number.MAX_SAFE_INTEGER)
    await checkSnapshots(tools, this.#topic, taker.snapshots, this.#slots)
  }

  async #open(process: StoreProcess): Promise<void> {
    const lineage = this.#lineage
    const { coverage } = this.#tools
    try {
      await process.open()
    } catch (error) {
      if (error instanceof SimulationFailure || error instanceof ProcessEnded) throw error
      if (!this.#isArmed) throw new SimulationFailure(`open refused: ${describe(error)}`, { cause: error })
      if (!isHonestRefusal(error))
        throw new SimulationFailure(`open failed: ${describe(error)}`, { cause: error })
      coverage.add('opens.refused')
      this.#crash(process, this.#tools.random.pick(['kill', 'power'] as const))
      throw new ProcessEnded()
    }
    checkNothingNameless(this.#disk)
    const { state, index } = recoveredState(process, {
      lineage: lineage.states,
      acked: lineage.acked,
      stockSees: false,
      onlyPower: false,
    })
    lineage.states = lineage.states.slice(0, index + 1)
    lineage.acked = index
    this.#tools.trace?.(`opened: submission ${state.submission}, offsets ${state.next.join()}`)
    this.#stockSees = true
    const { next } = state
    this.#slots = acknowledgedSlots(this.#slots, this.#topic, next)
    await this.#compare(process, next)
  }

  async #compare(process: StoreProcess, next: readonly number[]): Promise<void> {
    try {
      await process.run(checkEverything(process, this.#topic, { floor: next, ceiling: next }, this.#slots))
    } catch (error) {
      if (error instanceof SimulationFailure || error instanceof ProcessEnded || process.poison === undefined)
        throw error
    }
  }

  async #work(process: StoreProcess, taker: SnapshotTaker): Promise<void> {
    const { random, options, coverage } = this.#tools
    const session = new Session(this.#tools, this.#topic, process, this.#lineage, this.#slots)
    const count = random.between(1, options.actionsMax)
    if (options.faults.length > 0 && random.chance(options.faultChance)) {
      await session.act(random.below(count))
      const kind = this.#armFault()
      // Crashes before it say nothing about it.
      taker.extend(3)
      await this.#meetFault(process, session, kind)
    }
    await session.act(count)
    if (random.chance(0.3) && process.poison === undefined) await session.drain()
    if (process.poison === undefined) return
    requireReason(process, this.#isArmed)
    coverage.add('poisoned')
    for (const fault of this.#armedFaults) coverage.add(`poisoned.${fault}`)
    await session.endPoisoned()
    // After a failed sync the page cache shows what the medium has not: whoever comes next must not believe it.
    const ends = this.#armedFaults.has('sync')
      ? (['kill', 'kill', 'kill', 'power', 'killThenPower'] as const)
      : (['kill', 'power', 'killThenPower'] as const)
    this.#crash(process, random.pick(ends))
    throw new ProcessEnded()
  }

  /** What the fault is to strike: frames, or a checkpoint that must not vouch for what has failed beside it. */
  async #meetFault(process: StoreProcess, session: Session, kind: FileKind): Promise<void> {
    const { random } = this.#tools
    const ofFrames = random.chance(kind === 'log' ? 0.7 : 0.3)
    for (let left = random.between(1, 4); left > 0 && process.poison === undefined; left--) {
      session.submit()
      if (ofFrames) await session.drain()
      else session.checkpoint()
    }
  }

  async #end(process: StoreProcess, end: End): Promise<void> {
    const { coverage, random } = this.#tools
    const { storage } = process
    if (end !== 'close' && end !== 'settleAndClose') {
      coverage.add('crash.idle')
      this.#crash(process, end)
      return
    }
    try {
      if (end === 'settleAndClose') await process.run(storage.settle())
      await process.run(storage.close())
    } catch (error) {
      if (error instanceof SimulationFailure || error instanceof ProcessEnded) throw error
      requireReason(process, this.#isArmed)
      if (process.poison === undefined || !isHonestRefusal(error))
        throw new SimulationFailure(`${end} failed: ${describe(error)}`, { cause: error })
      coverage.add('poisoned.atClose')
      this.#crash(process, random.pick(['kill', 'power'] as const))
      return
    }
    coverage.add('closed')
    const { states, acked } = this.#lineage
    if (acked !== states.length - 1)
      throw new SimulationFailure('closed before everything submitted was acknowledged')
    checkSettledDirectory(this.#disk)
    this.#crash(process, random.pick(['kill', 'power'] as const))
  }

  #crash(process: StoreProcess, end: End): void {
    const { coverage, trace } = this.#tools
    trace?.(`ends: ${end}`)
    if (end === 'power' || this.#armedFaults.has('syncDirectory')) {
      process.cutPower()
      this.#stockSees = false
      coverage.add('ended.power')
      return
    }
    process.kill()
    coverage.add('ended.kill')
    const { states, acked } = this.#lineage
    if (this.#stockSees) {
      const floor = (states[acked] as { next: readonly number[] }).next
      const ceiling = (states.at(-1) as { next: readonly number[] }).next
      checkStock(this.#disk, this.#topic, { floor, ceiling })
    }
    if (end !== 'killThenPower') return
    this.#disk.cutPower({ seed: this.#tools.random.seed(), garbage: this.#tools.options.garbage })
    this.#stockSees = false
    coverage.add('ended.killThenPower')
  }

  readonly #armedFaults = new Set<Fault>()

  get #isArmed(): boolean {
    return this.#armedFaults.size > 0
  }

  /** @returns the kind of files it is about, if it is about files */
  #armFault(): FileKind {
    const { random, options, coverage, trace } = this.#tools
    const fault = random.pick(options.faults)
    const disk = this.#disk
    const kind = random.pick(options.faultKinds)
    const nth = random.between(1, options.faultsNthMax)
    const kept = random.pick(['nothing', 'nothing', 'prefix', 'soup', 'all'] as const)
    this.#armedFaults.add(fault)
    coverage.add(`armed.${fault}`)
    trace?.(`armed: ${fault} ${kind} ${nth} ${kept}`)
    if (fault === 'sync') disk.failNext('sync', { kind, nth, kept })
    else if (fault === 'syncDirectory') disk.failNext('syncDirectory', { nth })
    else if (fault === 'write')
      disk.failNext('write', { kind, nth, code: random.pick(['ERR_IO', 'ERR_NO_SPACE']) })
    else if (fault === 'name')
      disk.failNext(random.pick(['create', 'rename', 'unlink', 'makeDirectory']), { nth })
    // Again and again: the last of them ends within the padding of a frame.
    else if (fault === 'short') for (let left = 4 * nth; left > 0; left--) disk.shortWriteNext({ kind })
    else disk.setFreeBytes(random.between(0, 30) * 1_000)
    return kind
  }

  /** Whatever happened: without faults the store opens, takes records again, and shows everything. */
  async #lastLook(): Promise<void> {
    this.#armedFaults.clear()
    const process = new StoreProcess(this.#tools, this.#disk, () => undefined, true)
    await this.#open(process)
    const session = new Session(this.#tools, this.#topic, process, this.#lineage, this.#slots)
    session.submit()
    await session.drain()
    const { states, acked } = this.#lineage
    if (acked !== states.length - 1) throw new SimulationFailure('the store takes no records any more')
    await process.run(process.storage.close())
    checkSettledDirectory(this.#disk)
    // What a store shows at its end is on the medium: also what earlier lives had left to the page cache.
    process.cutPower()
    this.#stockSees = false
    const again = new StoreProcess(this.#tools, this.#disk, () => undefined, true)
    await this.#open(again)
    again.kill()
  }
}
