import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Profile } from './interop-store.ts'

export interface WriterCounts {
  readonly seals: number
  readonly checkpoints: number
  readonly late: number
  readonly reopened: number
  readonly directBytes: number
  readonly recoveredBlocks: number
  readonly changes: number
}

/** Stored messages that get a label, or are removed (`value` undefined). */
export interface MessageChange {
  readonly numbers: readonly number[]
  readonly value: string | undefined
}

export type Stop = 'settle' | 'fold' | 'unfolded'

const WAIT_LIMIT_MS = 60_000
const LOOK_MS = 1

/** One process of `writer-process.ts`, seen from outside. */
export class WriterLife {
  /** Everything below is durable; `undefined` before the store was open. */
  openedAt: number | undefined
  acknowledged = 0
  /** Messages below this were handed to the engine. */
  tried = 0
  counts: WriterCounts = {
    seals: 0,
    checkpoints: 0,
    late: 0,
    reopened: 0,
    directBytes: 0,
    recoveredBlocks: 0,
    changes: 0,
  }
  /** Acknowledged, in order. */
  readonly changes: MessageChange[] = []
  /** Neither acknowledged nor refused. */
  changeInFlight: MessageChange | undefined
  /** Why the start was refused. */
  refusal: string | undefined
  hasClosed = false
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  readonly #logFolder: string
  readonly #logsBefore: number
  #hasEnded = false
  #isOpening = false
  #output = ''
  #errors = ''
  #acknowledgements = 0

  constructor(dataPath: string, profile: Profile, messagesSeed: number, paceSeed: number) {
    this.#logFolder = join(dataPath, '.sediment', 'log')
    this.#logsBefore = this.#logNumber()
    const program = fileURLToPath(new URL('./writer-process.ts', import.meta.url))
    this.#child = spawn(
      process.execPath,
      ['--import', 'tsx', program, dataPath, profile, String(messagesSeed), String(paceSeed)],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    )
    this.#child.stdin?.on('error', () => {})
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text))
    this.ended = new Promise((resolve) =>
      this.#child.once('close', () => {
        this.#hasEnded = true
        resolve()
      }),
    )
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get errors(): string {
    return this.#errors
  }

  async untilOpening(): Promise<void> {
    await this.#until(() => this.#isOpening)
  }

  /** Until recovery has begun a log of its own: its first write. */
  async untilRecovering(): Promise<void> {
    await this.#until(() => this.openedAt !== undefined || this.#logNumber() > this.#logsBefore)
  }

  async untilOpen(): Promise<void> {
    await this.#until(() => this.openedAt !== undefined)
  }

  async untilAcknowledged(times: number): Promise<void> {
    await this.#until(() => this.#acknowledgements >= times)
  }

  stop(how: Stop): void {
    this.#child.stdin?.write(`${how}\n`)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended
  }

  async #until(isSo: () => boolean): Promise<void> {
    const endMs = performance.now() + WAIT_LIMIT_MS
    while (!this.#hasEnded && !isSo()) {
      if (performance.now() > endMs) throw new Error(`the writer came no further: ${this.#errors}`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }

  #logNumber(): number {
    try {
      return Math.max(0, ...readdirSync(this.#logFolder).map((name) => Number.parseInt(name, 10)))
    } catch {
      return 0
    }
  }

  #read(text: string): void {
    const lines = (this.#output + text).split('\n')
    this.#output = lines.pop() as string
    for (const line of lines) {
      const space = line.indexOf(' ')
      const word = space === -1 ? line : line.slice(0, space)
      const rest = line.slice(space + 1)
      if (word === 'opening') this.#isOpening = true
      else if (word === 'open') this.openedAt = Number(rest)
      else if (word === 'try') this.tried = Number(rest)
      else if (word === 'counts') this.counts = JSON.parse(rest) as WriterCounts
      else if (word === 'removing') this.changeInFlight = changeOf(undefined, rest.split(' '))
      else if (word === 'relabelling') this.changeInFlight = changeOf(...valueAndNumbers(rest))
      else if (word === 'changed') {
        this.changes.push(this.changeInFlight as MessageChange)
        this.changeInFlight = undefined
      } else if (word === 'refused') this.refusal = rest
      else if (word === 'closed') this.hasClosed = true
      else if (word === 'ack') {
        this.acknowledged = Number(rest)
        this.#acknowledgements++
      }
    }
  }
}

function valueAndNumbers(text: string): [value: string, numbers: string[]] {
  const [value = '', ...numbers] = text.split(' ')
  return [value, numbers]
}

function changeOf(value: string | undefined, numbers: readonly string[]): MessageChange {
  return { value, numbers: numbers.map(Number) }
}
