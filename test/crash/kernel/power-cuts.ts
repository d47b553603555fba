import { join } from 'node:path'
import { Random } from '../../support/random.ts'
import { judgeDirectory } from './judge-directory.ts'
import { KernelLife, type LifeOptions } from './life.ts'
import type { ScratchDisk } from './scratch-disk.ts'

export interface PowerCutOptions extends LifeOptions {
  readonly cuts: number
  readonly seed: number
  readonly log: (line: string) => void
  /** Ends it after the cut that is under way. */
  readonly signal: AbortSignal
}

export interface PowerCutReport {
  readonly cuts: number
  readonly lives: number
  /** Cuts before the store was open. */
  readonly inRecovery: number
  readonly acknowledged: number
  /** Offsets found at the last cut of each disk, added up. */
  readonly found: number
  readonly seconds: number
}

/** After so many cuts, in the next life, a disk is made empty: what is on it is read at every cut. */
const CUTS_PER_DISK = 20
const LOOKS_PER_LIFE = 8
const RUN_MS = 450
const RECOVERY_MS = 60

/**
 * Cuts the power of `disk` while the engine writes on it, again and again; each life goes on with what the one before
 * has left. After each cut a copy of the medium is opened and read. Where a disk can be looked at in one moment, most
 * cuts are such looks, and its writer goes on.
 *
 * @throws {Error} what is wrong, with the number of the cut
 */
export async function cutPowerAgainAndAgain(
  disk: ScratchDisk,
  options: PowerCutOptions,
): Promise<PowerCutReport> {
  const run = new PowerCuts(disk, options)
  try {
    return await run.run()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`${disk.name}, seed ${options.seed}, cut ${run.cuts + 1}: ${why}`, { cause: error })
  }
}

class PowerCuts {
  cuts = 0
  readonly #disk: ScratchDisk
  readonly #options: PowerCutOptions
  readonly #random: Random
  readonly #startedMs = performance.now()
  #lives = 0
  #cutsHere: number | undefined
  #inRecovery = 0
  #acknowledged = 0
  #found = 0
  #seed = 0
  #promised: readonly number[] | undefined
  #foundHere: readonly number[] = []

  constructor(disk: ScratchDisk, options: PowerCutOptions) {
    this.#disk = disk
    this.#options = options
    this.#random = new Random(options.seed)
  }

  async run(): Promise<PowerCutReport> {
    const { cuts, signal } = this.#options
    let next = new KernelLife(this.#options)
    try {
      while (this.cuts < cuts && !signal.aborted) {
        if (this.#cutsHere === undefined || this.#cutsHere >= CUTS_PER_DISK) this.#makeEmpty()
        this.#lives++
        const life = next
        await life.untilSays('ready')
        const order = { dataPath: join(await this.#disk.mount(), 'data'), seed: this.#seed }
        life.begin(order)
        const isEarly = this.#random.chance(0.2)
        if (!isEarly) await this.#look(life)
        await sleep(this.#random.below(isEarly ? RECOVERY_MS : RUN_MS))
        // What is said from here on may come too late.
        const acknowledged = life.acknowledgements
        this.#promised = life.promised ?? this.#promised
        await this.#disk.cut()
        await life.kill()
        requireNoComplaint(life, acknowledged)
        next = new KernelLife(this.#options)
        await this.#disk.unmount()
        this.#disk.copyMedium()
        await this.#judgeCopy()
        this.#acknowledged += acknowledged
        if (!life.said.some(({ kind }) => kind === 'opened')) this.#inRecovery++
      }
    } finally {
      await next.kill()
    }
    this.#found += sum(this.#foundHere)
    return {
      cuts: this.cuts,
      lives: this.#lives,
      inRecovery: this.#inRecovery,
      acknowledged: this.#acknowledged,
      found: this.#found,
      seconds: (performance.now() - this.#startedMs) / 1000,
    }
  }

  /** Cuts that the life does not notice. */
  async #look(life: KernelLife): Promise<void> {
    const { cuts, signal } = this.#options
    await life.untilSays('opened')
    const { copyMediumAtOnce } = this.#disk
    if (copyMediumAtOnce === undefined) return
    for (let left = LOOKS_PER_LIFE; left > 0 && this.cuts < cuts - 1 && !signal.aborted; left--) {
      await sleep(this.#random.below(RUN_MS / 2))
      this.#promised = life.promised ?? this.#promised
      await copyMediumAtOnce()
      await this.#judgeCopy()
    }
  }

  #makeEmpty(): void {
    this.#disk.format()
    this.#seed = this.#random.seed()
    this.#promised = undefined
    this.#cutsHere = 0
    this.#found += sum(this.#foundHere)
    this.#foundHere = []
  }

  async #judgeCopy(): Promise<void> {
    const dataPath = join(this.#disk.mountCopy(), 'data')
    this.#foundHere = await judgeDirectory({ dataPath, seed: this.#seed }, this.#promised)
    this.#disk.unmountCopy()
    this.cuts++
    this.#cutsHere = (this.#cutsHere ?? 0) + 1
    const { cuts, log } = this.#options
    if (this.cuts % 25 !== 0 && this.cuts !== cuts) return
    const seconds = (performance.now() - this.#startedMs) / 1000
    log(`${this.#disk.name}: ${this.cuts} of ${cuts} cuts, ${(seconds / this.cuts).toFixed(1)} s a cut`)
  }
}

/** Before the cut nothing was wrong with the disk; after it refusals are what is to be. */
function requireNoComplaint({ said, errors }: KernelLife, acknowledged: number): void {
  const complaint = said.find((says) => says.kind === 'refused')
  if (complaint !== undefined && complaint.code === 'unhandled') throw new Error(complaint.text)
  if (acknowledged === 0 && errors !== '') throw new Error(errors)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
