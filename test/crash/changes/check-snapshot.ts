import type { SimulatedDisk } from '../../support/simulated-disk.ts'
import { checkSettledDirectory } from '../judge.ts'
import { DATA_PATH, SimulationFailure, StoreProcess, requireReason, type Tools } from '../store-process.ts'
import { evictionOf } from './evicted.ts'
import { Expectation } from './expectation.ts'
import type { Allowed, Eviction, State } from './model.ts'
import { newRecord, submitting } from './records.ts'
import { shownBy, stockState } from './shown.ts'
import { SECOND_US, T0 } from './stage.ts'

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
}

/** Crashes within recovery that follow each other, and of one recovery. */
const DEPTH_MAX = 2
const INNER_MAX = 2
const INNER_CHANCE = 0.015
/** A recovery behind another one goes on. */
const AFTERWARDS_CHANCE = 0.5
/** Where a record is written to once more. */
const AFTERWARDS = { bucket: 'one', entry: 'a' }

/** Lets a copy of the disk crash by a kill and by power cuts, recovers and compares. @throws {SimulationFailure} */
export async function checkSnapshot(tools: Tools, snapshot: Snapshot, settingsOfNew: string): Promise<void> {
  const { random, options } = tools
  const powerCuts = Array.from({ length: snapshot.powerCuts }, () => 'power' as const)
  for (const way of ['kill', ...powerCuts] as const) {
    const image = snapshot.disk.fork(random.seed())
    if (way === 'power') image.cutPower({ seed: random.seed(), garbage: options.garbage })
    try {
      if (way === 'kill') {
        const contradiction = snapshot.allowed.contradictsAnywhere(stockState(image))
        if (contradiction !== undefined) throw new SimulationFailure(`stock ${contradiction}`)
      }
      await recover(tools, image, snapshot.allowed, settingsOfNew, 0)
      requireNoContent(image, snapshot.removed)
    } catch (error) {
      const what = `${way} before ${snapshot.place} during ${snapshot.command}`
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
      throw new SimulationFailure(`${what}: ${why}`, { cause: error })
    }
  }
}

async function recover(
  tools: Tools,
  image: SimulatedDisk,
  allowed: Allowed,
  settingsOfNew: string,
  depth: number,
): Promise<void> {
  const { random, coverage, options } = tools
  coverage.image(image.digest())
  const inner: { readonly disk: SimulatedDisk; readonly allowed: Allowed }[] = []
  const evictions: Eviction[] = []
  const process = new StoreProcess(tools, image, (place) => {
    if (place === 'recovery' && depth < DEPTH_MAX && inner.length < INNER_MAX && random.chance(INNER_CHANCE))
      inner.push({ disk: image.fork(random.seed()), allowed: allowed.evicting(evictions) })
  })
  process.onBlockEvicted = (event) => evictions.push(evictionOf(image, event))
  await process.open()
  requireNothingLeft(image)
  const shown = await process.run(shownBy(process.storage, settingsOfNew, () => evictions.length))
  const contradiction = allowed.evicting(evictions).contradicts(shown)
  if (contradiction !== undefined) throw new SimulationFailure(`the store ${contradiction}`)

  if (depth === 0 || random.chance(AFTERWARDS_CHANCE)) await goOn(process, shown, evictions)
  process.kill()
  for (const again of inner) {
    coverage.add('crash.recoveryAgain')
    if (random.chance(0.5)) again.disk.cutPower({ seed: random.seed(), garbage: options.garbage })
    await recover(tools, again.disk, again.allowed, settingsOfNew, depth + 1)
  }
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
    .find((path) => /\/(removed-|new-|staged\/|moving|quarantine\/)/.test(path))
  if (left !== undefined) throw new SimulationFailure(`${left} was left`)
}
