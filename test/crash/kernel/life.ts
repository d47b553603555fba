import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { projectRoot } from '../../deployment/programs.ts'
import type { LifeOrder, LifeSays } from './workload.ts'

export interface LifeOptions {
  /** A program that runs the child, with its arguments: `strace …`, `prlimit …`. */
  readonly under?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** One life of the engine (`life-child.ts`), watched from outside of its disk. */
export class KernelLife {
  readonly ended: Promise<number | null>
  /** Everything it has said so far. */
  readonly said: LifeSays[] = []
  /** What its disk has promised so far: offsets below these are durable. */
  promised: readonly number[] | undefined
  readonly #child: ChildProcess
  #errors = ''
  #heard: (() => void)[] = []
  #hasEnded = false

  constructor(options: LifeOptions = {}) {
    const engine = [process.execPath, '--import', 'tsx', 'test/crash/kernel/life-child.ts']
    const [command, ...args] = [...(options.under ?? []), ...engine]
    this.#child = spawn(command as string, args, {
      cwd: projectRoot,
      env: { ...process.env, ...options.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child.stdin?.on('error', () => {})
    this.#child.stderr?.on('data', (chunk) => (this.#errors += String(chunk)))
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })
    lines.on('line', (line) => {
      let says: LifeSays
      try {
        says = JSON.parse(line) as LifeSays
      } catch {
        // The half of a line that a kill has left.
        return
      }
      this.said.push(says)
      if (says.kind === 'opened' || says.kind === 'acknowledged') {
        // Acknowledgements come in the order of the submissions.
        this.promised = says.next
      }
      this.#wake()
    })
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => (this.#errors += String(error)))
      this.#child.once('close', (code) => {
        this.#hasEnded = true
        this.#wake()
        resolve(code)
      })
    })
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get acknowledgements(): number {
    return this.said.filter(({ kind }) => kind === 'acknowledged').length
  }

  get errors(): string {
    return this.#errors
  }

  /** @throws {Error} when it ends before, or after `limitMs` */
  async until(isReached: () => boolean, what: string, limitMs = 60_000): Promise<void> {
    const late = setTimeout(() => this.#wake(), limitMs)
    const endMs = performance.now() + limitMs
    try {
      while (!isReached()) {
        if (this.#hasEnded || performance.now() >= endMs)
          throw new Error(`no ${what}: ${JSON.stringify(this.said.slice(-3))} ${this.#errors}`)
        await new Promise<void>((resolve) => this.#heard.push(resolve))
      }
    } finally {
      clearTimeout(late)
    }
  }

  untilSays(kind: LifeSays['kind'], limitMs?: number): Promise<void> {
    return this.until(() => this.said.some((says) => says.kind === kind), kind, limitMs)
  }

  begin(order: LifeOrder): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`)
  }

  /** It is to close in peace. */
  close(): void {
    this.#child.stdin?.write('close\n')
  }

  /** With everything that it was started under. */
  async kill(): Promise<void> {
    const { pid } = this.#child
    if (pid !== undefined && !this.#hasEnded) {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // It has ended just now.
      }
    }
    await this.ended
  }

  #wake(): void {
    for (const resolve of this.#heard.splice(0)) resolve()
  }
}
