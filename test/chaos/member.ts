import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { runSediment } from '../deployment/programs.ts'
import { startSediment, type SedimentProcess } from '../deployment/sediment-process.ts'
import type { Disk } from './disk.ts'
import { tenuresOf, type Tenure } from './tenures.ts'

/** One process of a member, from its start to its end. */
interface Life {
  readonly process: SedimentProcess
  /** How it is to end; `undefined` while it is to run. */
  wanted: 'killed' | 'stopped' | undefined
  /** Its disk may be too full for a start. */
  mayRefuse: boolean
  code: number | null | undefined
}

const SCRAPE_LIMIT_MS = 1_000
const MS_PER_TICK = 10
const ASSIGNED = '"message":"partitions assigned"'

/** A sink with a store of its own, started again and again under the same static id. */
export class Member {
  readonly name: string
  readonly disk: Disk
  isPaused = false
  readonly #arguments: readonly string[]
  readonly #port: number
  readonly #failed: (why: string) => void
  readonly #lives: Life[] = []
  #storeId: string | undefined
  #isDiskFull = false

  /** @param failed told where a process ended that was to run, and why */
  constructor(
    name: string,
    disk: Disk,
    port: number,
    settings: readonly string[],
    failed: (why: string) => void,
  ) {
    this.name = name
    this.disk = disk
    this.#port = port
    this.#failed = failed
    this.#arguments = [
      `dataPath=${disk.dataPath}`,
      `kafka.groupInstanceId=${name}`,
      `http.port=${port}`,
      ...settings,
    ].flatMap((setting) => ['--set', setting])
  }

  get isRunning(): boolean {
    const life = this.#lives.at(-1)
    return life !== undefined && life.code === undefined
  }

  /** Of its directory, once there is one. */
  get storeId(): string | undefined {
    try {
      const path = join(this.disk.dataPath, '.sediment', 'format')
      this.#storeId ??= (JSON.parse(readFileSync(path, 'utf8')) as { storeId: string }).storeId
    } catch {
      // Not made yet.
    }
    return this.#storeId
  }

  start(): void {
    const life: Life = {
      process: startSediment(['run', ...this.#arguments], this.#port),
      wanted: undefined,
      mayRefuse: this.#isDiskFull,
      code: undefined,
    }
    this.#lives.push(life)
    void life.process.ended.then((code) => {
      life.code = code
      // A signal may come before it has begun.
      const hasStopped = code === 0 || (code === null && life.process.log() === '')
      const isWanted = life.wanted === 'killed' ? code === null : life.wanted === 'stopped' && hasStopped
      const hasRefused = life.mayRefuse && code === exitCodes.directory
      if (!isWanted && !hasRefused)
        this.#failed(`${this.name} ended with ${code}:\n${tail(life.process.log())}`)
    })
  }

  /** Leaves so many bytes on its disk until `freeDisk`. A process that starts meanwhile may refuse to. */
  fillDisk(leftBytes: number): void {
    this.#isDiskFull = true
    const life = this.#lives.at(-1)
    if (life !== undefined && !life.process.log().includes(ASSIGNED)) life.mayRefuse = true
    this.disk.fill(leftBytes)
  }

  /** What has refused to start is started again. */
  freeDisk(): void {
    this.disk.free()
    this.#isDiskFull = false
    if (!this.isRunning) this.start()
  }

  async kill(): Promise<void> {
    await this.#end('killed')
  }

  /** By SIGTERM: it drains, commits and ends. */
  async stop(): Promise<void> {
    await this.#end('stopped')
  }

  async #end(wanted: 'killed' | 'stopped'): Promise<void> {
    const life = this.#lives.at(-1)
    if (life === undefined) return
    life.wanted ??= wanted
    life.process.signal(wanted === 'killed' ? 'SIGKILL' : 'SIGTERM')
    await life.process.ended
  }

  pause(): void {
    this.isPaused = true
    this.#lives.at(-1)?.process.signal('SIGSTOP')
  }

  unpause(): void {
    this.#lives.at(-1)?.process.signal('SIGCONT')
    this.isPaused = false
  }

  /** How often the running process was assigned partitions. */
  get assignments(): number {
    return (this.#lives.at(-1)?.process.log() ?? '').split(ASSIGNED).length - 1
  }

  /** What the metrics of the running process say. @throws {Error} when it does not answer */
  async metrics(): Promise<string> {
    const address = `http://127.0.0.1:${this.#port}/metrics`
    return (await fetch(address, { signal: AbortSignal.timeout(SCRAPE_LIMIT_MS) })).text()
  }

  /** Processor time that the running process has used, in milliseconds; 0 where the system does not tell. */
  get cpuMs(): number {
    try {
      const stat = readFileSync(`/proc/${this.#lives.at(-1)?.process.pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK
    } catch {
      return 0
    }
  }

  log(): string {
    return this.#lives.at(-1)?.process.log() ?? ''
  }

  /** Of all its processes. */
  get logs(): string {
    return this.#lives.map(({ process }) => process.log()).join('')
  }

  /** Lines of all its processes that hold `text`. */
  countLines(text: string): number {
    return this.logs.split(text).length - 1
  }

  tenures(): Tenure[] {
    return this.#lives.flatMap(({ process }) => tenuresOf(this.name, process.log()))
  }

  /** What the ledger of its directory says, read by `sediment gaps`; also of a process that was killed. */
  async ledger(): Promise<LedgerLine[]> {
    const { code, stdout, stderr } = await runSediment(['gaps', '--json', '--data', this.disk.dataPath])
    if (code !== 0) throw new Error(`gaps of ${this.name}: ${stderr}`)
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LedgerLine)
  }
}

export interface LedgerLine {
  readonly topic: string
  readonly partition: number
  readonly nextOffset: number
  readonly gapOffsets: Readonly<Record<string, number>>
  readonly hold?: { readonly reason: string } | undefined
}

export function tail(log: string, lines = 30): string {
  return log.trimEnd().split('\n').slice(-lines).join('\n')
}
