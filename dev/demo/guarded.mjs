/** A program that ends with this process, however that dies, and does not hear its Ctrl-C. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const guardPath = fileURLToPath(new URL('../kafka/guard.mjs', import.meta.url))

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {number | 'pipe'} output where both of its outputs go: an open file, or `stream`
 * @returns {Promise<{ pid: number, stream: import('node:stream').Readable | null, isRunning: () => boolean,
 *   ended: Promise<number>, signal: (name: string) => void }>} `ended` has the exit code, 1 after a signal
 */
export async function startGuarded(command, args, output) {
  const guard = spawn(process.execPath, [guardPath, JSON.stringify({ command, args, remove: [] })], {
    stdio: ['pipe', 'pipe', output],
    detached: true,
  })
  guard.stdin.on('error', () => {})
  let isRunning = true
  const ended = once(guard, 'close').then(([code]) => {
    isRunning = false
    return code ?? 1
  })
  const [firstLine] = await once(guard.stdout, 'data')
  const pid = Number(String(firstLine))
  if (pid === -1) throw new Error(`${command} could not be started`)
  return {
    pid,
    stream: guard.stderr,
    isRunning: () => isRunning,
    ended,
    signal(name) {
      try {
        if (isRunning) process.kill(pid, name)
      } catch (error) {
        if (error.code !== 'ESRCH') throw error
      }
    },
  }
}
