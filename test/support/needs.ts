import { spawnSync } from 'node:child_process'
import { writeSync } from 'node:fs'

/**
 * Whether the program `name` can be run. Tests that need it are left out where it is missing – loudly, and never
 * under `CI=true`:
 *
 *     const describeWithJava = requireTool('java') ? describe : describe.skip
 *
 * @throws {Error} under `CI=true` when it is missing
 */
export function requireTool(name: string): boolean {
  const { error } = spawnSync(name, ['--version'], { stdio: 'ignore', timeout: 20_000 })
  if (error === undefined || (error as NodeJS.ErrnoException).code !== 'ENOENT') return true
  const message = `${name} is not installed: the tests that need it were NOT RUN`
  if (process.env['CI'] === 'true') throw new Error(message)
  const line = '='.repeat(message.length)
  writeSync(2, `\n${line}\n${message}\n${line}\n`)
  return false
}
