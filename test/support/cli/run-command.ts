import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Context } from '../../../src/cli/context.ts'
import { errorToExit } from '../../../src/cli/exit-codes.ts'
import { Output } from '../../../src/cli/output.ts'
import { createProgram } from '../../../src/cli/program.ts'
import { ProgressLine } from '../../../src/cli/progress-line.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly errors: readonly string[]
}

/** Runs one command line in this process. */
export function sediment(...args: string[]): Promise<Ran> {
  return sedimentReading('', ...args)
}

/** As `sediment`, with this on standard input. */
export async function sedimentReading(input: string, ...args: string[]): Promise<Ran> {
  const stdout = new PassThrough()
  const out = text(stdout)
  const errors: string[] = []
  const context: Context = {
    stdin: Readable.from([Buffer.from(input)]) as AsyncIterable<Uint8Array>,
    stdout: new Output(stdout),
    note: (line) => void errors.push(line),
    progress: new ProgressLine(new PassThrough()),
    env: {},
    version: '1.2.3',
    nowUs: () => 0,
    onStop: () => {},
  }
  let code = -1
  const program = createProgram(context, (exitCode) => (code = exitCode))
  for (const command of [program, ...program.commands, ...program.commands.flatMap((one) => one.commands)]) {
    command.configureOutput({
      writeOut: (said) => void stdout.write(said),
      writeErr: (said) => void errors.push(...said.trimEnd().split('\n')),
    })
  }
  try {
    await program.parseAsync(['node', 'sediment', ...args])
  } catch (error) {
    const ending = errorToExit(error)
    if (ending.message !== '') errors.push(`sediment: ${ending.message}`)
    code = ending.code
  }
  stdout.end()
  return { code, out: await out, errors }
}
