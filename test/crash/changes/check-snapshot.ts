import type { SimulatedDisk } from '../../support/simulated-disk.ts'
import { checkNothingNameless, checkSettledDirectory } from '../judge.ts'
import { DATA_PATH, SimulationFailure, StoreProcess, requireReason, type Tools } from '../store-process.ts'
import { CrashPoints, FRAGILE } from './crash-points.ts'
import { evictionOf } from './evicted.ts'
import { Expectation } from './expectation.ts'
import type { Allowed, Eviction, State } from './model.ts'
import { newRecord, submitting } from './records.ts'
import { isFailed, labelled, shownBy, stockState } from './shown.ts'
import { SECOND_US, T0 } from './stage.ts'
import { visitKilled } from './visits.ts'

/** The disk before one of its operations, and what it may come to. */
export interface Snapshot {
  readonly disk: SimulatedDisk
  readonly allowed: Allowed
  readonly place: string
  readonly command: string
  /** Paths of blocks, without an ending, whose descriptor a removal had unlinked by then. */
  readonly removed: ReadonlySet<string>
  /** How many: what was not synced can be lost in many ways. */
  readonly powerCuts: number
  /** ReductStore has saved blocks in this store. */
  readonly isVisited: boolean
}

/** Crashes within recovery that follow each other, and of one recovery. */
const DEPTH_MAX = 2
const INNER_MAX = 2
/** Of one behind a visit, by depth; of all but the first only where content was cut off. */
const INNER_VISITED_MAX = [4, 1]
const INNER_CHANCE = 0.015
/** Where a descriptor is a new one and the index has not been told. */
const INNER_CHANCE_RELISTING = 0.4
/** Behind a kill while content goes home before its frame. */
const VISIT_CHANCE = 0.5
/** A recovery behind another one goes on. */
const AFTERWARDS_CHANCE = 0.5
/** Where a record is written to once more. */
const AFTERWARDS = { bucket: 'one', entry: 'a' }

/** Lets a copy of the disk crash by a kill and by power cuts, recovers and compares. @throws {SimulationFailure} */
export async function checkSnapshot(tools: Tools, snapshot: Snapshot, settingsOfNew: string): Promise<void> {
  const { random, options } = tools
  const powerCuts = Array.from({ length: snapshot.powerCuts }, () => 'power' as const)
  const visits = snapshot.command === 'writeDirect' && random.chance(VISIT_CHANCE) ? (['visit'] as const) : []
  for (const way of ['kill', ...powerCuts, ...visits] as const) {
    const image = snapshot.disk.fork(random.seed())
    if (way === 'power') image.cutPower({ seed: random.seed(), garbage: options.garbage })
    if (way === 'visit' && !visitKilled(image)) continue
    try {
      if (way === 'kill') requireShownByStock(image, snapshot.allowed)
      await recover(tools, image, { ...snapshot, way }, settingsOfNew, 0)
      requireNoContent(image, snapshot.removed)
    } catch (error) {
      const what = `${way} before ${snapshot.place} during ${snapshot.command}`
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
      throw new SimulationFailure(`${what}: ${why}`, { cause: error })
    }
  }
}

/** What recovery has to cope with. */
interface Picture extends Pick<Snapshot, 'allowed' | 'isVisited'> {
  /** Kills alone leave what ReductStore shows; a visit may have cut off content that went home before its frame. */
  readonly way: 'kill' | 'power' | 'visit'
}

/** A crash within a recovery. */
interface Again {
  readonly disk: SimulatedDisk
  readonly allowed: Allowed
}

async function recover(
  tools: Tools,
  image: SimulatedDisk,
  picture: Picture,
  settingsOfNew: string,
  depth: number,
): Promise<void> {
  const { random, coverage, options } = tools
  const { allowed, isVisited, way } = picture
  coverage.image(image.digest())
  const inner: Again[] = []
  // Visits are rare: each is crashed in, in recovery or while what is owed is paid for, which is rarer still.
  const afterVisitMax = way === 'visit' ? INNER_VISITED_MAX[depth] : undefined
  const afterVisit = new CrashPoints<Again>(random, afterVisitMax ?? 0)
  const evictions: Eviction[] = []
  let isPaying = false
  let isRelisting = false
  const process = new StoreProcess(tools, image, (place, _operation, call, path) => {
    const isInside = place === 'recovery' || isPaying
    const again = (): Again => ({ disk: image.fork(random.seed()), allowed: allowed.evicting(evictions) })
    if (isInside) afterVisit.offer(isRelisting ? FRAGILE : 1, again)
    const innerChance = isRelisting ? INNER_CHANCE_RELISTING : INNER_CHANCE
    isRelisting = call === 'rename' && path.endsWith('.meta.tmp')
    const isWanted = isInside && way !== 'visit' && depth < DEPTH_MAX && inner.length < INNER_MAX
    if (isWanted && random.chance(innerChance)) inner.push(again())
  })
  process.onBlockEvicted = (event) => evictions.push(evictionOf(image, event))
  await process.open()
  requireNothingLeft(image)
  checkNothingNameless(image)
  const isOwing = process.storage.owed.length > 0
  if (isOwing) {
    isPaying = true
    coverage.add('opens.owing')
    await process.run(payOwed(process, allowed))
    isPaying = false
  }
  const shown = await process.run(shownBy(process.storage, settingsOfNew, () => evictions.length))
  const contradiction = allowed.evicting(evictions).contradicts(shown)
  if (contradiction !== undefined) throw new SimulationFailure(`the store ${contradiction}`)

  if (depth === 0 || random.chance(AFTERWARDS_CHANCE)) {
    if (isVisited && way !== 'visit') await requireChecksums(process, picture, shown, settingsOfNew)
    await goOn(process, shown, evictions)
  }
  process.kill()
  for (const again of [...inner, ...afterVisit.points.slice(0, isOwing ? undefined : 1)]) {
    coverage.add('crash.recoveryAgain')
    const isCut = random.chance(0.5)
    if (isCut) again.disk.cutPower({ seed: random.seed(), garbage: options.garbage })
    else if (way === 'kill') requireShownByStock(again.disk, again.allowed)
    const next = {
      ...picture,
      allowed: again.allowed,
      way: isCut && way === 'kill' ? ('power' as const) : way,
    }
    await recover(tools, again.disk, next, settingsOfNew, depth + 1)
  }
}

/** @throws {SimulationFailure} */
function requireShownByStock(disk: SimulatedDisk, allowed: Allowed): void {
  const contradiction = allowed.contradictsAnywhere(stockState(disk))
  if (contradiction !== undefined) throw new SimulationFailure(`stock ${contradiction}`)
}

/** Brings the content of what is owed. @throws {SimulationFailure} where it was never stored */
async function payOwed({ storage }: StoreProcess, allowed: Allowed): Promise<void> {
  for (const record of storage.owed) {
    const id = labelled(record.labels).get('id') as string
    const content = allowed.contentOf(id)
    if (content === undefined) throw new SimulationFailure(`record ${id} is owed, which was never stored`)
    await storage.payOwed(record, Buffer.from(content))
  }
}

/** CRC-32s that were added stay, and the others come again. @throws {SimulationFailure} */
async function requireChecksums(
  process: StoreProcess,
  { allowed }: Picture,
  shown: State,
  settingsOfNew: string,
): Promise<void> {
  const lost = allowed.losesChecksum(shown)
  if (lost !== undefined) throw new SimulationFailure(`the store ${lost}`)
  const { storage } = process
  await process.run(storage.settle())
  await process.run(storage.addChecksums())
  const { records, checksummed } = await process.run(shownBy(storage, settingsOfNew, () => 0))
  const bare = [...records].find(([id, { content }]) => !isFailed(content) && !checksummed.has(id))
  if (bare !== undefined) throw new SimulationFailure(`record ${bare[0]} gets no CRC-32`)
}

/** One more record, and a clean stop: stock finds what was shown. */
async function goOn(process: StoreProcess, shown: State, evictions: readonly Eviction[]): Promise<void> {
  const { disk } = process
  const expectation = new Expectation(shown)
  for (const eviction of evictions) expectation.evicted(eviction)
  process.onBlockEvicted = (event) => expectation.evicted(evictionOf(disk, event))
  await process.run(
    submitting(process, expectation, [newRecord('afterwards', AFTERWARDS, T0 + 7 * SECOND_US)])(),
  )
  await process.run(process.storage.close())
  requireReason(process, false)
  checkSettledDirectory(disk)
  expectation.evictionsDone(Infinity)
  expectation.requireOfStock(stockState(disk))
}

/** @throws {SimulationFailure} where a removed block still takes up space after a clean stop */
function requireNoContent(disk: SimulatedDisk, removed: ReadonlySet<string>): void {
  const paths = new Set(disk.paths(DATA_PATH))
  const left = [...removed].find((block) => paths.has(`${block}.blk`) && !paths.has(`${block}.meta`))
  if (left !== undefined) throw new SimulationFailure(`content of the removed block ${left} was left`)
}

/** @throws {SimulationFailure} where an open has left what an interrupted change was about */
function requireNothingLeft(disk: SimulatedDisk): void {
  const left = disk
    .paths(`${DATA_PATH}/.sediment`)
    .find((path) => /\/(removed-|new-|staged\/|moving)/.test(path))
  if (left !== undefined) throw new SimulationFailure(`${left} was left`)
}
