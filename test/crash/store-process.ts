import { Storage, StorageError, type StorageObserver } from '../../src/storage/index.ts'
import { FileSystemError } from '../../src/fs/file-system.ts'
import type { Random } from '../support/random.ts'
import type { OperationCall, SimulatedDisk } from '../support/simulated-disk.ts'
import { PlaceFinder, countingObserver, type Coverage, type CrashPlace } from './coverage.ts'
import { OffsetsCompanion } from './offsets-companion.ts'
import type { SimulationOptions } from './options.ts'
import { SimulatedClock } from './simulated-clock.ts'

export const DATA_PATH = '/data'

/** A promise of the engine was broken. */
export class SimulationFailure extends Error {
  override readonly name = 'SimulationFailure'
}

/** The simulated process is dead: whatever it was doing is over. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded'
}

/** Turns of the event loop after which work that has not finished counts as stalled. */
const TURNS_MAX = 20_000

export interface Tools {
  readonly options: SimulationOptions
  readonly random: Random
  readonly coverage: Coverage
  /** Told what happens in the main line of the simulation, for whoever looks for a failure's cause. */
  readonly trace?: ((line: string) => void) | undefined
}

/** One life of the engine on a disk: from `open` until it closes or dies. */
export class StoreProcess {
  readonly disk: SimulatedDisk
  readonly companion: OffsetsCompanion
  readonly clock = new SimulatedClock()
  isDead = false
  isOpening = true
  readonly traces: boolean
  poison: { cause: unknown; turn: number } | undefined
  onBlockEvicted: StorageObserver['blockEvicted'] = () => undefined
  /** Turns of the event loop so far. */
  turn = 0
  readonly #tools: Tools
  readonly #places: PlaceFinder
  #storage: Storage | undefined

  constructor(
    tools: Tools,
    disk: SimulatedDisk,
    onOperation?: (place: CrashPlace, operation: number, call: OperationCall, path: string) => void,
    traces = false,
  ) {
    this.traces = traces
    this.#tools = tools
    this.disk = disk
    this.#places = new PlaceFinder((path) => disk.peek(path))
    this.companion = new OffsetsCompanion(tools.options.partitions)
    const isCreation = disk.peek(`${DATA_PATH}/.sediment/format`) === undefined
    disk.onOperation =
      onOperation &&
      ((call: OperationCall, path: string, operation: number) => {
        const place = this.#places.of(call, path)
        if (this.isDead) return
        if (this.traces) tools.trace?.(`${operation} ${call} ${path}`)
        if (call === 'rename' && path.endsWith('.meta.tmp')) tools.coverage.add('descriptorsWritten')
        const now = this.poison === undefined ? place : 'afterFailure'
        onOperation(this.isOpening ? (isCreation ? 'creation' : 'recovery') : now, operation, call, path)
      })
  }

  get storage(): Storage {
    if (this.#storage === undefined) throw new Error('the store is not open')
    return this.#storage
  }

  async open(): Promise<void> {
    const tools = this.#tools
    const { options, coverage, random } = tools
    this.#storage = await this.run(
      Storage.open({
        dataPath: DATA_PATH,
        fs: this.disk.fs,
        clock: this.clock,
        randomUuid: () => `00000000-0000-4000-8000-${String(random.seed()).padStart(12, '0')}`,
        observer: {
          ...countingObserver(coverage),
          blockEvicted: (event) => {
            coverage.add('blocks.evicted')
            this.onBlockEvicted(event)
          },
        },
        companion: this.companion,
        limits: options.limits,
        bucketSettings: () => options.blocks,
        onPoisoned: (cause) => {
          if (this.isDead) return
          this.poison = { cause, turn: this.turn }
          if (this.traces) tools.trace?.(`poisoned: ${String(cause)}`)
        },
      }),
    )
    this.isOpening = false
    const [contradiction] = this.companion.contradictions
    if (contradiction !== undefined) throw new SimulationFailure(contradiction)
  }

  /** Waits for `work` of this process while time passes. @throws {ProcessEnded} @throws {SimulationFailure} stalled */
  async run<T>(work: Promise<T>): Promise<T> {
    let isSettled = false
    const settle = (): void => {
      isSettled = true
    }
    work.then(settle, settle)
    for (let turn = 0; !isSettled; turn++) {
      if (this.isDead) throw new ProcessEnded()
      if (turn > TURNS_MAX) throw new SimulationFailure('stalled')
      await nextTurn()
      this.turn++
      if (this.#tools.random.chance(this.#tools.options.pace)) this.clock.wakeNext()
    }
    if (this.isDead) throw new ProcessEnded()
    return await work
  }

  /** Time passes for this many turns. */
  async pass(turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn++) {
      if (this.isDead) throw new ProcessEnded()
      await nextTurn()
      this.turn++
      this.clock.wakeNext()
    }
  }

  kill(): void {
    this.#end()
    this.disk.killProcess()
  }

  cutPower(): void {
    this.#end()
    this.disk.cutPower({ seed: this.#tools.random.seed(), garbage: this.#tools.options.garbage })
  }

  #end(): void {
    this.isDead = true
    this.clock.stop()
    this.disk.onOperation = undefined
  }
}

/** An error that the engine may give when the disk fails: anything but damage, and nothing by accident. */
export function isHonestRefusal(error: unknown): boolean {
  if (error instanceof FileSystemError) return true
  if (!(error instanceof StorageError)) return false
  return error.code !== 'ERR_CORRUPT' && error.code !== 'ERR_INVALID' && error.code !== 'ERR_LOCKED'
}

/** A store stops only when something has failed. @throws {SimulationFailure} */
export function requireReason({ poison }: StoreProcess, hasFault: boolean): void {
  if (poison === undefined || hasFault) return
  const { cause } = poison
  const why = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  throw new SimulationFailure(`stopped though nothing had failed: ${why}`, { cause })
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
