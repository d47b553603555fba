import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pythonToolsBin } from '../../dev/runner/python-tools.mjs'

export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface RunOptions {
  readonly input?: string
  readonly directory?: string
  /** Set over this process's own environment. */
  readonly environment?: Readonly<Record<string, string>>
}

/** Runs a program to its end; a program that cannot be started rejects. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const child = spawn(command, args, {
    cwd: options.directory ?? projectRoot,
    env: { ...process.env, ...options.environment },
    stdio: 'pipe',
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => {}).end(options.input ?? '')
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** A program of the Python tools (`dev/runner/python-tools.mjs`, installed by `npm test`). */
export function runPythonTool(name: string, args: readonly string[], options?: RunOptions): Promise<Ended> {
  return run(join(pythonToolsBin, name), args, options)
}

/** The real command line, as built into `dist/`. */
export function runSediment(args: readonly string[], options?: RunOptions): Promise<Ended> {
  return run(process.execPath, ['bin/sediment.cjs', ...args], options)
}
