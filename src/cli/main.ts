import { readFileSync } from 'node:fs'
import { systemClock } from '../fs/system-clock.ts'
import type { Context } from './context.ts'
import { errorToExit, exitCodes } from './exit-codes.ts'
import { Output } from './output.ts'
import { createProgram } from './program.ts'
import { ProgressLine } from './progress-line.ts'
import { onStopSignals } from './stop-signals.ts'

/** Runs one command line and ends the process with its exit code. */
export async function main(argv: readonly string[]): Promise<never> {
  const stdout = new Output(process.stdout)
  let exitCode: number = exitCodes.ok
  try {
    await createProgram(createContext(stdout), (code) => (exitCode = code)).parseAsync(argv)
    await stdout.flush()
  } catch (error) {
    const ending = errorToExit(error)
    if (ending.message !== '') note(`sediment: ${ending.message}`)
    exitCode = ending.code
  }
  process.exit(exitCode)
}

function createContext(stdout: Output): Context {
  // Who reads our messages may go; that must not end a process that stores data.
  process.stderr.on('error', () => {})
  return {
    // It is opened only by who reads it.
    get stdin() {
      return process.stdin
    },
    stdout,
    note,
    progress: new ProgressLine(process.stderr),
    env: process.env,
    version: readVersion(),
    nowUs: () => systemClock.nowUs(),
    onStop: (stop) =>
      onStopSignals(process, {
        stop,
        note,
        exit: (code) => process.exit(code),
        nowMs: () => systemClock.monotonicMs(),
      }),
  }
}

function note(line: string): void {
  process.stderr.write(`${line}\n`)
}

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
