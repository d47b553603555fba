/**
 * Runs one command and outlives nobody: when standard input ends – the parent has gone, however it died – the
 * command gets SIGTERM and, ten seconds later, SIGKILL. The directories named are removed when it has ended.
 *
 * node guard.mjs '{"command": …, "args": […], "remove": […]}'
 *
 * Prints the command's pid on the first line; what the command prints goes to standard error.
 */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'

const { command, args, remove } = JSON.parse(process.argv[2])
const child = spawn(command, args, { stdio: ['ignore', 2, 2] })
process.stdout.write(`${child.pid ?? -1}\n`)

let killer
process.stdin.resume()
process.stdin.once('end', () => {
  child.kill('SIGTERM')
  killer = setTimeout(() => child.kill('SIGKILL'), 10_000)
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill('SIGTERM'))

const ended = (code) => {
  clearTimeout(killer)
  for (const directory of remove) rmSync(directory, { recursive: true, force: true })
  process.exit(code)
}
child.once('error', (error) => {
  process.stderr.write(`${error.message}\n`)
  ended(127)
})
child.once('exit', (code) => ended(code ?? 1))
