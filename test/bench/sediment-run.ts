import { spawn } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { projectRoot, run } from '../../dev/runner/command.mjs'
import { freePorts } from '../deployment/sediment-process.ts'
import { endsWithUs } from './children.ts'
import { emptyFiles } from './empty-files.ts'
import { peerRun, type PeerRun } from './peer.ts'
import { cpuSeconds, peakRssBytes } from './process-usage.ts'
import { byLabel, scrape, total, type Samples } from './scrape.ts'
import { committedRecords, type Topic } from './topics.ts'

const LIMIT_MS = 300_000
/** Before the first record and near the last one a look is frequent, in between it is rare: it costs the sink CPU. */
const POLL_NEAR_MS = 20
const POLL_FAR_MS = 250
const POLL_STOPPING_MS = 50

export interface SedimentRunOptions {
  readonly bootstrap: string
  readonly topic: Topic
  readonly workPath: string
  /** Entry template; default the default rule. */
  readonly entry?: string
  /** Checked against what `verify` finds. */
  readonly entries: number
}

let runs = 0

/** The built `sediment run`, as a process of its own, in a new data directory. */
export class SedimentUnderTest {
  readonly pid: number
  readonly address: string
  readonly groupId: string
  readonly dataPath: string
  readonly #child: ReturnType<typeof spawn>
  readonly #ended: Promise<number | null>
  #hasEnded = false
  #log = ''

  private constructor(options: SedimentRunOptions, dataPath: string, port: number) {
    const { bootstrap, topic, entry } = options
    this.dataPath = dataPath
    this.address = `http://127.0.0.1:${port}`
    this.groupId = `bench-${process.pid}-${++runs}`
    const settings = [
      `dataPath=${dataPath}`,
      `kafka.brokers=${bootstrap}`,
      `kafka.topics=${topic.name}`,
      `kafka.groupId=${this.groupId}`,
      `http.port=${port}`,
      ...(entry === undefined ? [] : [`mapping.rules=${JSON.stringify([{ topics: [topic.name], entry }])}`]),
    ]
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('SEDIMENT_'))
    const args = settings.flatMap((setting) => ['--set', setting])
    this.#child = endsWithUs(
      spawn(process.execPath, [...profiling(), 'bin/sediment.cjs', 'run', ...args], {
        cwd: projectRoot,
        env: Object.fromEntries(own),
        stdio: ['ignore', 'ignore', 'pipe'],
      }),
    )
    if (this.#child.pid === undefined) throw new Error('sediment was not started')
    this.pid = this.#child.pid
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-4000)
    })
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code) => {
        this.#hasEnded = true
        resolve(code)
      })
    })
  }

  static async start(options: SedimentRunOptions): Promise<SedimentUnderTest> {
    const dataPath = join(await mkdtemp(join(options.workPath, 'run-')), 'data')
    return new SedimentUnderTest(options, dataPath, (await freePorts(1))[0] as number)
  }

  /** @throws with the log's end when the process is gone */
  async scrape(): Promise<Samples | undefined> {
    if (this.#hasEnded) throw new Error(`sediment has ended:\n${this.#log}`)
    return await scrape(this.address)
  }

  /** Records durable since the start, from the page for people: far cheaper for the sink than its metrics. */
  async storedRecords(): Promise<number> {
    if (this.#hasEnded) throw new Error(`sediment has ended:\n${this.#log}`)
    const page = await (await fetch(this.address)).text()
    const found = /([\d,]+) records, /.exec(page)?.[1]
    if (found === undefined) throw new Error(`no count of records on the page: ${page}`)
    return Number(found.replaceAll(',', ''))
  }

  /** SIGTERM, then waits. @returns the most memory it had. @throws unless it exits with 0 */
  async stop(): Promise<{ peakRssBytes: number; seconds: number }> {
    const startedMs = performance.now()
    let peakBytes = peakRssBytes(this.pid) ?? 0
    this.#child.kill('SIGTERM')
    const timer = setInterval(() => {
      peakBytes = Math.max(peakBytes, peakRssBytes(this.pid) ?? 0)
    }, POLL_STOPPING_MS)
    const code = await this.#ended
    clearInterval(timer)
    if (code !== 0) throw new Error(`sediment stopped with exit code ${code}:\n${this.#log}`)
    return { peakRssBytes: peakBytes, seconds: (performance.now() - startedMs) / 1000 }
  }

  /** Ends it if it still runs and gives back the space of what it wrote. */
  async discard(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGKILL')
    await this.#ended
    await emptyFiles(join(this.dataPath, '..'))
  }
}

/** Takes in the whole topic, stops, and has `verify` find every record. @throws when anything is missing */
export async function runSediment(options: SedimentRunOptions): Promise<PeerRun> {
  const { bootstrap, topic } = options
  const { records, recordBytes } = topic
  const sediment = await SedimentUnderTest.start(options)
  try {
    const { first, last } = await watch(sediment, topic)
    const peakRssBytesBeforeStop = peakRssBytes(sediment.pid)
    const stopped = await sediment.stop()
    await verifyAll(sediment.dataPath, options)
    const committed = await committedRecords(bootstrap, sediment.groupId, topic.name)
    if (committed !== records) throw new Error(`${committed} of ${records} records committed after the stop`)
    return peerRun('sediment', {
      records,
      recordBytes,
      seconds: (last.atMs - first.atMs) / 1000,
      cpuSeconds: last.cpuSeconds - first.cpuSeconds,
      peakRssBytes: stopped.peakRssBytes,
      syncs: byLabel(last.samples, 'sediment_fsync_duration_seconds_count', 'kind'),
      notes: {
        stopSeconds: stopped.seconds,
        peakRssBytesBeforeStop,
        groups: total(last.samples, 'sediment_group_records_count'),
        memoryWaitSeconds: total(last.samples, 'sediment_memory_wait_seconds_total'),
        checkpoints: total(last.samples, 'sediment_checkpoint_duration_seconds_count'),
      },
    })
  } finally {
    await sediment.discard()
  }
}

interface Look {
  readonly atMs: number
  readonly cpuSeconds: number
}

/**
 * The last look before the first record was received, and the first one that finds all of them durable: what lies between
 * is never shorter than what is measured.
 */
async function watch(
  sediment: SedimentUnderTest,
  { records }: Topic,
): Promise<{ first: Look; last: Look & { samples: Samples } }> {
  const endMs = performance.now() + LIMIT_MS
  const look = (): Look => ({ atMs: performance.now(), cpuSeconds: cpuSeconds(sediment.pid) ?? 0 })
  let first = look()
  let hasBegun = false
  while (!hasBegun && performance.now() < endMs) {
    const before = look()
    const samples = await sediment.scrape()
    hasBegun = samples !== undefined && total(samples, 'sediment_received_records_total') > 0
    if (!hasBegun) first = before
    await sleep(POLL_NEAR_MS)
  }
  let stored = 0
  let storedAtMs = first.atMs
  while (performance.now() < endMs) {
    const previous = stored
    stored = await sediment.storedRecords()
    if (stored >= records) {
      const last = look()
      const samples = await sediment.scrape()
      const durable = total(samples ?? new Map(), 'sediment_durable_records_total')
      if (samples === undefined || durable !== records) {
        throw new Error(`${durable} records durable where ${records} were produced`)
      }
      return { first, last: { ...last, samples } }
    }
    const rate = (stored - previous) / Math.max(1, performance.now() - storedAtMs)
    storedAtMs = performance.now()
    const leftMs = rate === 0 ? 0 : (records - stored) / rate
    await sleep(Math.max(POLL_NEAR_MS, Math.min(POLL_FAR_MS, leftMs / 2)))
  }
  throw new Error(`only ${stored} of ${records} records durable after ${LIMIT_MS / 1000} s`)
}

/** @throws unless the directory is clean and holds exactly the records of the topic */
export async function verifyAll(
  dataPath: string,
  { topic, entries }: { topic: Pick<Topic, 'records' | 'recordBytes'>; entries: number },
): Promise<void> {
  const { ok, output } = await run(
    process.execPath,
    ['bin/sediment.cjs', 'verify', '--data', dataPath, '--json'],
    { environment: { SEDIMENT_LOG_LEVEL: 'error' } },
  )
  if (!ok) throw new Error(`verify did not pass: ${output.slice(0, 2000)}`)
  const report = JSON.parse(output) as {
    records: number
    contentChecked: number
    contentBytes: number
    entries: number
  }
  const wanted = {
    records: topic.records,
    contentChecked: topic.records,
    contentBytes: topic.records * topic.recordBytes,
    entries,
  }
  for (const [name, count] of Object.entries(wanted)) {
    const found = report[name as keyof typeof report]
    if (found !== count) throw new Error(`verify found ${found} ${name} where ${count} were produced`)
  }
}

/** Set BENCH_PROFILE to a directory to get a CPU profile of every run. */
export function profiling(): string[] {
  const directory = process.env['BENCH_PROFILE']
  return directory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${directory}`]
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
