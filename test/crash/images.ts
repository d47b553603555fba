import type { OperationCall, SimulatedDisk } from '../support/simulated-disk.ts'
import { isNarrow, type CrashPlace } from './coverage.ts'
import {
  checkEverything,
  checkNothingNameless,
  checkSettledDirectory,
  checkStock,
  namelessContent,
  type Slots,
  type Visible,
} from './judge.ts'
import type { Topic } from './messages.ts'
import type { Progress } from './offsets-companion.ts'
import { Session } from './session.ts'
import { SimulationFailure, StoreProcess, requireReason, type Tools } from './store-process.ts'

/** What a directory may recover to: one of `lineage` from `acked` on. */
export interface Bounds {
  /** States after each submission, in order of submission. */
  readonly lineage: readonly Progress[]
  /** Index of the last state that was acknowledged or shown. */
  readonly acked: number
  /** ReductStore must find everything acknowledged: no power was cut since the last recovery ended. */
  readonly stockSees: boolean
  /** A directory sync may have failed: its file system takes no more writes, and only a new start of the machine mends it. */
  readonly onlyPower: boolean
}

/** A disk at the moment of a crash. */
export interface Snapshot {
  readonly disk: SimulatedDisk
  readonly bounds: Bounds
  readonly place: CrashPlace
}

/**
 * `soup`: un-synced sectors of every file stand as they were at some moment, or are garbage; `hole`: one of them is
 * lost, or garbage. All names stay.
 */
type Way = 'kill' | 'power' | 'soup' | 'hole'

/** How many crashes within recovery follow each other. */
const DEPTH_MAX = 2

/** How much likelier than others a place is taken: the rare ones often, start and recovery seldom. */
const likelihood: Readonly<Record<CrashPlace, number>> = {
  creation: 0.1,
  recovery: 0.1,
  frame: 10,
  logRoll: 4,
  projection: 2,
  blockRoll: 6,
  contentSync: 1.5,
  indexAppend: 5,
  fold: 1.5,
  checkpoint: 4.5,
  naming: 0.7,
  frameRest: 15,
  refold: 12,
  afterFailure: 1_000,
}

/** Crash points in narrow places that a process gives beside the others. */
const NARROW_MAX = 4

/** Takes crash points within the operations of a process. */
export class SnapshotTaker {
  readonly snapshots: Snapshot[] = []
  readonly #tools: Tools
  readonly #chance: number
  #max: number
  #narrowLeft = NARROW_MAX

  constructor(tools: Tools, chance: number, max: number) {
    this.#tools = tools
    this.#chance = chance
    this.#max = max
  }

  /** Takes so many more. */
  extend(count: number): void {
    this.#max += count
  }

  offer(disk: SimulatedDisk, place: CrashPlace, call: OperationCall, bounds: () => Bounds): void {
    const { random, coverage, options } = this.#tools
    // Before its sync a frame is written and may be lost; before its write there is nothing of it.
    const ofCall = place === 'frame' && call === 'write' ? 0.3 : 1
    const chance = this.#chance * likelihood[place] * (options.emphasis[place] ?? 1) * ofCall
    const isFull = isNarrow(place) ? this.#narrowLeft === 0 : this.snapshots.length >= this.#max
    if (isFull || !random.chance(chance)) return
    if (isNarrow(place)) {
      this.#narrowLeft -= 1
      this.#max += 1
    }
    coverage.add(`crash.${place}`)
    this.snapshots.push({ disk: disk.fork(random.seed()), bounds: bounds(), place })
  }
}

/** Lets each snapshot crash in several ways, recovers each, compares, and crashes some of the recoveries. */
export async function checkSnapshots(
  tools: Tools,
  topic: Topic,
  snapshots: readonly Snapshot[],
  slots: Slots,
  depth = 0,
): Promise<void> {
  const { random, options, coverage } = tools
  for (const { disk, bounds, place } of snapshots) {
    for (const way of waysOf(place, bounds, depth, tools)) {
      const image = disk.fork(random.seed())
      image.setFreeBytes(Number.MAX_SAFE_INTEGER)
      if (way === 'power') image.cutPower({ seed: random.seed(), garbage: options.garbage })
      if (way === 'soup' || way === 'hole')
        image.cutPower({ seed: random.seed(), garbage: 0.4, data: way, names: 'all' })
      coverage.add(`images.${way}`)
      try {
        await checkImage(
          tools,
          topic,
          image,
          { ...bounds, stockSees: bounds.stockSees && way === 'kill', onlyPower: false },
          slots,
          { place, way, depth, isAhead: namelessContent(image) !== undefined },
        )
      } catch (error) {
        throw during(error, `${way} in ${place}, depth ${depth}`)
      }
    }
  }
}

function visibleOf({ lineage, acked }: Bounds): Visible {
  return { floor: (lineage[acked] as Progress).next, ceiling: (lineage.at(-1) as Progress).next }
}

function waysOf(
  place: CrashPlace,
  { onlyPower }: Bounds,
  depth: number,
  { random, options }: Tools,
): readonly Way[] {
  if (depth > 0) return [random.pick(onlyPower ? ['power', 'soup'] : ['kill', 'power', 'power'])]
  if (onlyPower) return ['power', 'power']
  if (place === 'refold' || place === 'frameRest') return ['kill']
  // A frame in flight is what its checksums are for.
  if (place === 'frame')
    return ['kill', 'power', 'soup', ...Array.from({ length: options.tornFrames }, () => 'hole' as const)]
  return ['kill', 'power', 'power']
}

/** How an image came to be. */
interface Crash {
  readonly place: CrashPlace
  readonly way: Way
  /** Recoveries before this one that were crashed. */
  readonly depth: number
  /** Content was on its way home before its frame: recovery may remove it, and what it has removed has to stay away. */
  readonly isAhead: boolean
}

/** Recovers one image and holds what it shows against what it may show. */
async function checkImage(
  tools: Tools,
  topic: Topic,
  disk: SimulatedDisk,
  bounds: Bounds,
  knownSlots: Slots,
  crash: Crash,
): Promise<void> {
  const { coverage } = tools
  coverage.image(disk.digest())
  const visible = visibleOf(bounds)
  if (bounds.stockSees) checkStock(disk, topic, visible)
  const taker = recoveryTaker(tools, crash)
  const process = new StoreProcess(tools, disk, (place, _operation, call) => {
    if (process.isOpening) taker.offer(disk, place, call, () => bounds)
  })
  await opened(process)
  const shown = recoveredState(process, bounds)
  const slots = acknowledgedSlots(knownSlots, topic, visible.floor)
  const exactly = { floor: shown.state.next, ceiling: shown.state.next }
  await checkEverything(process, topic, exactly, slots)
  await checkAfterwards(
    tools,
    topic,
    process,
    { lineage: [shown.state], acked: 0, stockSees: true, onlyPower: false },
    slots,
    crash,
  )
  if (!process.isDead) process.kill()
  if (taker.snapshots.length > 0) coverage.add('crashesInImageRecovery', taker.snapshots.length)
  await checkSnapshots(tools, topic, taker.snapshots, knownSlots, crash.depth + 1)
}

/** A frame that only the page cache knows must be durable before recovery believes it. */
function isFrameInCache({ place, way, depth }: Crash): boolean {
  return place === 'frame' && way === 'kill' && depth === 0
}

function recoveryTaker(tools: Tools, crash: Crash): SnapshotTaker {
  const { random, options } = tools
  if (isFrameInCache(crash)) return new SnapshotTaker(tools, 0.7, random.chance(0.7) ? 3 : 0)
  const isTaken = crash.depth < DEPTH_MAX && random.chance(options.recoveryCrashChance)
  return new SnapshotTaker(tools, 0.25, isTaken ? 1 : 0)
}

/** What was shown stays, whatever comes next. */
async function checkAfterwards(
  tools: Tools,
  topic: Topic,
  process: StoreProcess,
  bounds: Bounds,
  slots: Slots,
  crash: Crash,
): Promise<void> {
  const { random } = tools
  // Names that only the page cache knows must be made durable by whoever goes on with them.
  const isNaming = (crash.place === 'naming' || crash.place === 'indexAppend') && crash.way === 'kill'
  // The next frames stand behind one whose end was never written.
  const isRest = crash.place === 'frameRest'
  const way =
    isNaming || isRest
      ? 'work'
      : crash.isAhead
        ? random.pick(['power', 'power', 'work'] as const)
        : random.pick(['nothing', 'nothing', 'kill', 'power', 'close', 'work', 'work'] as const)
  if (way === 'nothing') return
  const { disk } = process
  let then = bounds
  if (way === 'close') {
    await process.run(process.storage.close())
    checkSettledDirectory(disk)
  }
  if (way === 'work') then = await workOn(tools, topic, process, bounds, isNaming, isRest ? 0 : 0.5)
  if (way === 'power' || isNaming || (way !== 'kill' && random.chance(0.6))) process.cutPower()
  else process.kill()
  const visible = visibleOf(then)
  if (way === 'kill') checkStock(disk, topic, visible)
  tools.coverage.image(disk.digest())
  const again = new StoreProcess(tools, disk)
  try {
    await opened(again)
    const { next } = recoveredState(again, then).state
    await checkEverything(again, topic, { floor: next, ceiling: next }, new Map(slots))
    again.kill()
  } catch (error) {
    throw during(error, `${way} after recovery`)
  }
}

/** A few more records on what was recovered. `isNaming`: the very next ones of every partition, and a checkpoint. */
async function workOn(
  tools: Tools,
  topic: Topic,
  process: StoreProcess,
  bounds: Bounds,
  isNaming: boolean,
  checkpointChance: number,
): Promise<Bounds> {
  const state = bounds.lineage[0] as Progress
  const lineage = { states: [state], acked: 0, lastSubmission: state.submission + 1_000_000 }
  const { random } = tools
  const session = new Session(tools, topic, process, lineage, new Map())
  if (isNaming) session.submitFrom([...state.next.keys()], () => random.between(1, 2))
  else for (let count = random.between(1, 3); count > 0; count--) session.submit()
  if (isNaming || random.chance(0.5)) await session.drain()
  if (random.chance(0.3)) session.foldAll()
  if (isNaming || random.chance(checkpointChance)) session.checkpoint()
  await session.drain()
  requireReason(process, false)
  return { ...bounds, lineage: lineage.states, acked: lineage.acked }
}

/** Opens; after nothing but crashes there is no reason to refuse. */
export async function opened(process: StoreProcess): Promise<void> {
  try {
    await process.open()
    checkNothingNameless(process.disk)
  } catch (error) {
    if (error instanceof SimulationFailure) throw error
    throw new SimulationFailure(`open refused: ${String(error)}`, { cause: error })
  }
}

/** The state that the store has recovered to. @throws {SimulationFailure} when it is none of those allowed */
export function recoveredState(process: StoreProcess, bounds: Bounds): { state: Progress; index: number } {
  const { submission, next } = process.companion.progress
  const index = bounds.lineage.findIndex((one) => one.submission === submission)
  const state = bounds.lineage[index]
  if (state === undefined)
    throw new SimulationFailure(`recovered to submission ${submission}, which was given up`)
  if (index < bounds.acked)
    throw new SimulationFailure(
      `recovered to submission ${submission}, but ${bounds.lineage[bounds.acked]?.submission} was acknowledged`,
    )
  if (state.next.join() !== next.join())
    throw new SimulationFailure(`recovered offsets ${next.join()}, not ${state.next.join()}`)
  return { state, index }
}

/** The times of those records that were acknowledged; what came later may be stored anew, at another time. */
export function acknowledgedSlots(slots: Slots, topic: Topic, next: readonly number[]): Slots {
  const kept: Slots = new Map()
  for (const [identity, slot] of slots) {
    const message = topic.byIdentity(identity)
    if (message !== undefined && message.offset < (next[message.partition] as number))
      kept.set(identity, slot)
  }
  return kept
}

export function during(error: unknown, what: string): unknown {
  if (error instanceof SimulationFailure) error.message += ` [${what}]`
  return error
}
