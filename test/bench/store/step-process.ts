import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { projectRoot } from '../../../dev/runner/command.mjs'
import { endsWithUs } from '../children.ts'
import { profiling } from '../sediment-run.ts'

/** A file of this directory whose `steps` run in a process of their own. */
export type StepsName =
  'growth' | 'point-read' | 'scan' | 'reopen' | 'many-entries' | 'checkpoint' | 'late' | 'hard-times'

const LIMIT_MS = 300_000

/** The other side of `step-child.ts`: the steps of a part, one at a time. */
export class StepProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>

  constructor(name: StepsName, options: object) {
    this.#child = endsWithUs(
      fork(join(import.meta.dirname, 'step-child.ts'), [name, JSON.stringify(options)], {
        cwd: projectRoot,
        execArgv: [...profiling(), '--import', 'tsx'],
        env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
      }),
    )
    this.#ended = once(this.#child, 'close')
  }

  /** The next result. @throws when the process ends without one */
  async next<Result>(): Promise<Result> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), LIMIT_MS)
    const answer = once(this.#child, 'message') as Promise<[{ result: Result }]>
    this.#child.send('next')
    const said = await Promise.race([answer, this.#ended])
    clearTimeout(timer)
    const [message] = said as [{ result: Result } | number]
    if (typeof message === 'object' && message !== null) return message.result
    throw new Error(`a step ended with ${message}`)
  }

  /** Without a chance to tidy up. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** Goes on behind the last result. @throws unless the process ends well */
  async end(): Promise<void> {
    this.#child.send('end')
    await this.#ended
    if (this.#child.exitCode !== 0) throw new Error(`a step ended with ${this.#child.exitCode}`)
  }
}

/** Each side once a round, the order reversed every other round, so that all see the same minutes. @returns per side */
export async function roundsOf<Result>(
  sides: readonly StepProcess[],
  rounds: number,
  told: (round: number, results: readonly Result[]) => void,
): Promise<Result[][]> {
  const all: Result[][] = sides.map(() => [])
  for (let round = 1; round <= rounds; round++) {
    const order = sides.map((_, index) => (round % 2 === 1 ? index : sides.length - 1 - index))
    for (const index of order) all[index]?.push(await (sides[index] as StepProcess).next<Result>())
    told(
      round,
      all.map((results) => results.at(-1) as Result),
    )
  }
  return all
}
