/**
 * Running other programs: output kept, a limit in seconds, and the whole process group ended when the limit
 * passes or the runner itself is told to stop.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** A step over its budget is named; one over this many times its budget hangs. Machines are shared, so it is generous. */
export const hangFactor = 15

/** Process groups started here and still running. */
const running = new Set()

function endGroup(pid, signal) {
  try {
    process.kill(-pid, signal)
  } catch {
    // The group has ended.
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    for (const pid of running) endGroup(pid, 'SIGKILL')
    process.exit(130)
  })
}

/**
 * Runs `command` from the project's root and waits for its end.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ limitSeconds?: number, environment?: Record<string, string>, live?: boolean, directory?: string }} [options]
 *   `live` passes the output on as it comes; it is kept either way.
 * @returns {Promise<{ ok: boolean, timedOut: boolean, output: string, seconds: number }>} `ok` is exit code 0
 *   within the limit. A program that cannot be started is not ok and says why in `output`.
 */
export function run(command, args, options = {}) {
  const { limitSeconds = 600, environment = {}, live = false, directory = projectRoot } = options
  const startedMs = performance.now()
  return new Promise((resolve) => {
    const chunks = []
    let timedOut = false
    const child = spawn(command, args, {
      cwd: directory,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const { pid } = child
    if (pid !== undefined) running.add(pid)
    const timer = setTimeout(() => {
      timedOut = true
      if (pid !== undefined) endGroup(pid, 'SIGKILL')
    }, limitSeconds * 1000)
    for (const [stream, sink] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      stream.on('data', (chunk) => {
        chunks.push(chunk)
        if (live) sink.write(chunk)
      })
    }
    child.once('error', (error) => chunks.push(Buffer.from(`${command}: ${error.message}\n`)))
    child.once('close', (code) => {
      clearTimeout(timer)
      if (pid !== undefined) {
        endGroup(pid, 'SIGKILL')
        running.delete(pid)
      }
      if (timedOut) chunks.push(Buffer.from(`\nended after its limit of ${limitSeconds} s\n`))
      resolve({
        ok: code === 0 && !timedOut,
        timedOut,
        output: Buffer.concat(chunks).toString('utf8'),
        seconds: (performance.now() - startedMs) / 1000,
      })
    })
  })
}

/** Runs the program of an installed package, such as `node_modules/eslint/bin/eslint.js`, with this Node. */
export function runPackage(script, args, options) {
  return run(process.execPath, [join('node_modules', script), ...args], options)
}

/** True when an executable of this name is on the PATH. */
export function isOnPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return folder !== ''
    } catch {
      return false
    }
  })
}
