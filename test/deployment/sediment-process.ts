import { spawn } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { projectRoot } from './programs.ts'

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  await Promise.all(servers.map((one) => new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve))))
  const ports = servers.map((one) => (one.address() as AddressInfo).port)
  await Promise.all(servers.map((one) => new Promise((resolve) => one.close(resolve))))
  return ports
}

/** Asks until `done` accepts the answer. @throws {Error} with the last thing seen, after `limitMs` or the signal. */
export async function until<T>(
  ask: () => Promise<T>,
  done: (answer: T) => boolean,
  limitMs: number,
  signal?: AbortSignal,
): Promise<T> {
  const endMs = performance.now() + limitMs
  for (;;) {
    let seen: string
    try {
      const answer = await ask()
      if (done(answer)) return answer
      seen = JSON.stringify(answer)
    } catch (error) {
      seen = String(error)
    }
    if (performance.now() > endMs || signal?.aborted === true) throw new Error(`given up; last: ${seen}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

export interface SedimentProcess {
  readonly pid: number
  readonly address: string
  /** Resolves with the exit code, `null` after a signal. */
  readonly ended: Promise<number | null>
  log(): string
  /** Sends SIGTERM and waits. */
  stop(): Promise<number | null>
  kill(): void
  signal(name: NodeJS.Signals): void
}

/** Starts `node bin/sediment.cjs ARGS`, which is to listen on `port`, with nothing of our own `SEDIMENT_*`. */
export function startSediment(
  args: readonly string[],
  port: number,
  environment: Readonly<Record<string, string>> = {},
): SedimentProcess {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('SEDIMENT_'))
  const child = spawn(process.execPath, ['bin/sediment.cjs', ...args], {
    cwd: projectRoot,
    env: { ...Object.fromEntries(own), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return {
    pid: child.pid ?? 0,
    address: `http://127.0.0.1:${port}`,
    ended,
    log: () => log,
    stop() {
      child.kill('SIGTERM')
      return ended
    },
    kill() {
      child.kill('SIGKILL')
    },
    signal(name) {
      child.kill(name)
    },
  }
}

/**
 * `until`, about a running Sediment. @throws {Error} with its log, at once when it ends before.
 */
export async function untilFrom<T>(
  sediment: SedimentProcess,
  ask: () => Promise<T>,
  done: (answer: T) => boolean,
  limitMs: number,
): Promise<T> {
  const over = new AbortController()
  void sediment.ended.then(() => over.abort())
  try {
    return await until(ask, done, limitMs, over.signal)
  } catch (error) {
    const end = over.signal.aborted ? `sediment ended with ${await sediment.ended}; ` : ''
    throw new Error(`${end}${String(error)}\n${sediment.log()}`, { cause: error })
  }
}

/** Waits for `/readyz` to answer 200. */
export async function untilReady(sediment: SedimentProcess, limitMs = 60_000): Promise<void> {
  await untilFrom(
    sediment,
    async () => (await fetch(`${sediment.address}/readyz`)).status,
    (status) => status === 200,
    limitMs,
  )
}
