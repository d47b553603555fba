/** The real `sediment run`, as a process of its own that can be killed and started again. */
import { open, readFile, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { startGuarded } from './guarded.mjs'

const usualPort = 8383
const readyTimeoutMs = 60_000
const stopTimeoutMs = 40_000

function canListen(port) {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** The usual port of metrics and probes, or another where it is taken. */
export async function chooseHttpPort() {
  return (await canListen(usualPort)) ?? canListen(0)
}

function configuration({ dataPath, brokers, names, groupId, httpPort }) {
  return `# Made by \`npm run demo\`. Small blocks and quick checkpoints, so that there is something to see. Every key: CONFIGURATION.md.
dataPath: ${JSON.stringify(dataPath)}

kafka:
  brokers: ${JSON.stringify(brokers)}
  topics: ${JSON.stringify(Object.values(names))}
  groupId: ${groupId}
  # A name that survives restarts: after a crash the same partitions come back at once.
  groupInstanceId: demo-0
  sessionTimeoutMs: 10s

mapping:
  rules:
    - topics: [${names.camera}]
      contentType: image/jpeg
      labels:
        constants: { site: plant-7 }
    - topics: [${names.logs}, ${names.devices}]
      contentType: application/json

storage:
  bucket:
    blockBytesMax: 8MB
    blockRecordsMax: 4096
  idleCheckpointMs: 5s
  logBytesCheckpoint: 16MiB
  sealIdleMs: 2s

http:
  port: ${httpPort}

log:
  format: text
`
}

export class SinkProcess {
  /** Base address of metrics and probes. */
  address

  /** Called with a sentence when the process ends and was not told to. */
  onDeath = () => {}

  #args
  #logPath
  #log
  #child
  #isToEnd = false

  /**
   * @param {object} options
   * @param {string} options.projectPath
   * @param {string} options.runPath where configuration and log go
   * @param {string} options.dataPath
   * @param {string[]} options.brokers
   * @param {Record<string, string>} options.names topic by kind
   * @param {string} options.groupId
   * @param {number} options.httpPort
   */
  static async create({ projectPath, runPath, ...settings }) {
    const sink = new SinkProcess()
    const configPath = path.join(runPath, 'sediment.yaml')
    await writeFile(configPath, configuration(settings))
    sink.#args = [path.join(projectPath, 'bin', 'sediment.cjs'), 'run', '--config', configPath]
    sink.#logPath = path.join(runPath, 'sediment.log')
    sink.#log = await open(sink.#logPath, 'a')
    sink.address = `http://127.0.0.1:${settings.httpPort}`
    return sink
  }

  get pid() {
    return this.#child?.pid
  }

  /** Resolves when it is assigned and progressing. @param {AbortSignal} signal */
  async start(signal) {
    this.#isToEnd = false
    const child = await startGuarded(process.execPath, this.#args, this.#log.fd)
    this.#child = child
    let isReady = false
    void child.ended.then((code) => {
      if (isReady && !this.#isToEnd) void this.#lastWords(code).then((words) => this.onDeath(words))
    })
    const deadlineMs = performance.now() + readyTimeoutMs
    let seen = 'no answer'
    while (!signal.aborted) {
      if (!child.isRunning()) {
        throw new Error(await this.#lastWords(await child.ended))
      }
      const ready = await this.readiness().catch(() => undefined)
      isReady = ready?.ok === true
      if (isReady) return
      seen = ready === undefined ? seen : [ready.state, ...ready.reasons].join(': ')
      if (performance.now() > deadlineMs) throw new Error(`sediment is not ready: ${seen}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  async #lastWords(code) {
    const lines = (await readFile(this.#logPath, 'utf8').catch(() => '')).trimEnd().split('\n')
    return `sediment ended with exit code ${code}: ${lines.at(-1)}\n(all of it: ${this.#logPath})`
  }

  /** SIGKILL: nothing is drained, flushed or closed. */
  async kill() {
    this.#isToEnd = true
    this.#child.signal('SIGKILL')
    await this.#child.ended
  }

  /** SIGTERM: drains, commits, closes. @returns {Promise<number>} its exit code */
  async stop() {
    if (this.#child === undefined) return 0
    this.#isToEnd = true
    this.#child.signal('SIGTERM')
    const timer = setTimeout(() => this.#child.signal('SIGKILL'), stopTimeoutMs)
    const code = await this.#child.ended
    clearTimeout(timer)
    return code
  }

  /** @returns {Promise<{ ok: boolean, state: string, reasons: string[] }>} */
  async readiness() {
    const answer = await fetch(`${this.address}/readyz`, { signal: AbortSignal.timeout(2000) })
    return answer.json()
  }

  async metrics() {
    const answer = await fetch(`${this.address}/metrics`, { signal: AbortSignal.timeout(2000) })
    return parseMetrics(await answer.text())
  }
}

/** @returns {{ sum: (name: string, labels?: Record<string, string>) => number, each: (name: string) => { labels: Record<string, string>, value: number }[] }} */
function parseMetrics(text) {
  const byName = new Map()
  for (const line of text.split('\n')) {
    const found = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (found === null) continue
    const [, name, labelText = '', value] = found
    const labels = Object.fromEntries(
      [...labelText.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, label]) => [key, label]),
    )
    if (!byName.has(name)) byName.set(name, [])
    byName.get(name).push({ labels, value: Number(value) })
  }
  const each = (name) => byName.get(name) ?? []
  return {
    each,
    sum: (name, wanted = {}) =>
      each(name)
        .filter(({ labels }) => Object.entries(wanted).every(([key, value]) => labels[key] === value))
        .reduce((sum, { value }) => sum + value, 0),
  }
}
