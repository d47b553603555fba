import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { startSediment, type SedimentProcess } from '../../deployment/sediment-process.ts'

/** What one life of `sediment run` has done, from its metrics; the last look before it ended. */
export interface LifeCounts {
  readonly seals: number
  readonly checkpoints: number
  readonly late: number
  readonly reopened: number
  readonly direct: number
}

const NO_COUNTS: LifeCounts = { seals: 0, checkpoints: 0, late: 0, reopened: 0, direct: 0 }
const SCRAPE_MS = 50
const LOOK_MS = 2

interface LogLine {
  readonly message: string
  readonly durationMs?: number
  readonly blocksRedone?: number
  readonly frames?: number
}

/** One process of `sediment run`, watched from outside. */
export class Life {
  /** Resolves with the exit code, `null` after a signal. */
  readonly ended: Promise<number | null>
  counts: LifeCounts = NO_COUNTS
  readonly #process: SedimentProcess
  readonly #dataPath: string
  readonly #before: DirectoryMarks
  readonly #bornMs = performance.now()
  #hasEnded = false
  #recoveringMs: number | undefined
  #joinMs: number | undefined

  constructor(args: readonly string[], port: number, dataPath: string) {
    this.#dataPath = dataPath
    this.#before = directoryMarks(dataPath)
    this.#process = startSediment(['run', ...args], port)
    this.ended = this.#process.ended.then((code) => {
      this.#hasEnded = true
      return code
    })
    void this.#watchCounts()
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get ageMs(): number {
    return performance.now() - this.#bornMs
  }

  /** Since the first write of the recovery. */
  get recoveringMs(): number {
    return this.#recoveringMs === undefined ? 0 : this.ageMs - this.#recoveringMs
  }

  log(): string {
    return this.#process.log()
  }

  /** What the process said about its recovery, once that is over. */
  recovery(): LogLine | undefined {
    for (const line of this.log().split('\n')) {
      if (line.includes('data directory recovered')) return JSON.parse(line) as LogLine
    }
    return undefined
  }

  isAssigned(): boolean {
    return this.log().includes('"message":"partitions assigned"')
  }

  isRunning(): boolean {
    return this.log().includes('"message":"running"')
  }

  /** Resolves as soon as recovery changes the directory, or the process ends. */
  async untilRecovering(): Promise<void> {
    while (!this.#hasEnded && directoryMarks(this.#dataPath).logNumber <= this.#before.logNumber) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
    this.#recoveringMs ??= this.ageMs
  }

  async untilAssigned(): Promise<void> {
    while (!this.#hasEnded && !this.isAssigned()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }

  /** From the first write of the recovery until records flow; `undefined` when it did not come to that. */
  get joinMs(): number | undefined {
    return this.#joinMs
  }

  /**
   * Whether the process died between the first write of its recovery and its last: it had begun a new log, and the
   * checkpoint is still the one from before.
   */
  diedInRecovery(): boolean {
    const now = directoryMarks(this.#dataPath)
    return now.logNumber > this.#before.logNumber && now.checkpoint === this.#before.checkpoint
  }

  terminate(): void {
    void this.#process.stop()
  }

  async kill(): Promise<void> {
    this.#process.kill()
    await this.ended
  }

  async #watchCounts(): Promise<void> {
    while (!this.#hasEnded) {
      try {
        const text = await (await fetch(`${this.#process.address}/metrics`)).text()
        this.counts = countsOf(text)
      } catch {
        // Not listening yet, or gone.
      }
      if (this.#recoveringMs !== undefined && this.isRunning())
        this.#joinMs ??= this.ageMs - this.#recoveringMs
      await new Promise((resolve) => setTimeout(resolve, SCRAPE_MS))
    }
  }
}

function countsOf(metrics: string): LifeCounts {
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? 0)
  return {
    seals: value('sediment_blocks_sealed_total'),
    checkpoints: value('sediment_checkpoint_duration_seconds_count'),
    late: value('sediment_late_records_total'),
    reopened: value('sediment_blocks_reopened_total'),
    direct: value('sediment_direct_bytes_total'),
  }
}

interface DirectoryMarks {
  /** Number of the newest log file. */
  readonly logNumber: number
  /** Differs whenever the file was replaced. */
  readonly checkpoint: string
}

function directoryMarks(dataPath: string): DirectoryMarks {
  const own = join(dataPath, '.sediment')
  try {
    const numbers = readdirSync(join(own, 'log')).map((name) => Number.parseInt(name, 10))
    const { ino, mtimeNs } = statSync(join(own, 'checkpoint'), { bigint: true })
    return { logNumber: Math.max(0, ...numbers), checkpoint: `${ino} ${mtimeNs}` }
  } catch {
    return { logNumber: 0, checkpoint: '' }
  }
}
