import { spawn, type ChildProcess } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { StockClient } from './stock-client.ts'

const START_LIMIT_MS = 30_000
const STOP_LIMIT_MS = 30_000
/** What the server says of files that contradict each other. */
const DAMAGE = /failed to restore|inconsisten|corrupt|number of descriptors|mismatch|panicked/i
const WARNING = /\[\s*(WARN|ERROR)\s*\]/i

/** A ReductStore server that did not start, or ended by itself. */
class StockServerFailure extends Error {
  override readonly name = 'StockServerFailure'
}

/** The real ReductStore server over a directory, which it changes. */
export class StockServer {
  readonly client: StockClient
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #hasEnded = false
  #log = ''

  private constructor(binary: string, dataPath: string, port: number) {
    this.#child = spawn(binary, [], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        RS_DATA_PATH: dataPath,
        RS_HOST: '127.0.0.1',
        RS_PORT: String(port),
        RS_DISABLE_AUTH: 'true',
        RS_SYSTEM_EVENTS_ENABLED: 'false',
        RS_LOG_LEVEL: 'INFO',
      },
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#log += text))
    }
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#hasEnded = true
        resolve()
      }
      this.#child.once('close', end)
      this.#child.once('error', (error) => {
        this.#log += `${error.message}\n`
        end()
      })
    })
    this.client = new StockClient(port)
  }

  /** Resolves when the server answers with its buckets. @throws {StockServerFailure} */
  static async start(binary: string, dataPath: string): Promise<StockServer> {
    const server = new StockServer(binary, dataPath, await freePort())
    const endMs = performance.now() + START_LIMIT_MS
    while (!(await server.client.isReady())) {
      if (server.#hasEnded) throw new StockServerFailure(`the server did not start:\n${server.#log}`)
      if (performance.now() > endMs) {
        await server.kill()
        throw new StockServerFailure(`the server did not answer:\n${server.#log}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return server
  }

  get log(): string {
    return this.#log
  }

  /** Lines of the log about damaged files. */
  damageLines(): string[] {
    return this.#log.split('\n').filter((line) => DAMAGE.test(line))
  }

  /** Lines of the log at level WARN or above. */
  warnings(): string[] {
    return this.#log.split('\n').filter((line) => WARNING.test(line))
  }

  /** A clean stop. @throws {StockServerFailure} when it takes too long; the process is gone then, too */
  async stop(): Promise<void> {
    this.client.close()
    this.#child.kill('SIGTERM')
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<true>((resolve) => (timer = setTimeout(resolve, STOP_LIMIT_MS, true)))
    const isLate = await Promise.race([late, this.#ended])
    clearTimeout(timer)
    if (isLate !== true) return
    await this.kill()
    throw new StockServerFailure(`the server did not stop:\n${this.#log}`)
  }

  async kill(): Promise<void> {
    this.client.close()
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}

/** One that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
