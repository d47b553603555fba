import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs, { type Admin } from 'kafkajs'
import { startCluster } from '../../dev/kafka/cluster.mjs'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import { freePorts, until } from '../deployment/sediment-process.ts'
import { judgeLedgers, judgeRun, judgeStores } from './after-run.ts'
import { makeDisk } from './disk.ts'
import { Findings } from './findings.ts'
import { logEnds } from './kafka-content.ts'
import { Member, tail } from './member.ts'
import { Nemesis } from './nemesis.ts'
import { Producer } from './producer.ts'
import { killAndRestart, STAGES, type RestartFigures } from './restart.ts'
import { Sampler } from './sampler.ts'

export interface ChaosOptions {
  readonly minutes: number
  readonly seed: number
  /** From a kill until the partitions are back; beyond it a restart has failed. */
  readonly backWithinMs: number
  /** Whether stores and logs stay there, also where every promise was kept. */
  readonly isKept: boolean
  readonly log: (line: string) => void
  readonly signal: AbortSignal
}

const GROUP = 'chaos'
const MEMBERS = 3
const SESSION_MS = 6_000
const MIB = 1024 * 1024
const RESERVE_BYTES = 8 * MIB
const LEFT_BYTES = 4 * MIB
const TOPICS = [
  { name: 'orders', partitions: 6 },
  { name: 'sensor.frames', partitions: 3 },
]
const READY_LIMIT_MS = 60_000
const DRAIN_LIMIT_MS = 120_000
const REPLICATED_LIMIT_MS = 60_000
const SAMPLE_MS = 1_000
const PROGRESS_MS = 30_000

const SETTINGS = [
  `kafka.groupId=${GROUP}`,
  `kafka.topics=${TOPICS.map(({ name }) => name).join(',')}`,
  `kafka.sessionTimeoutMs=${SESSION_MS}ms`,
  'kafka.fetchWaitMs=100ms',
  'kafka.commitIntervalMs=500ms',
  'storage.bucket.blockRecordsMax=512',
  'storage.bucket.blockBytesMax=1MiB',
  'storage.groupBytesMax=1MiB',
  'storage.directBytesMin=64KiB',
  'storage.logBytesCheckpoint=1MiB',
  'storage.logBytesMax=4MiB',
  `storage.spaceReserveBytes=${RESERVE_BYTES / MIB}MiB`,
  'log.level=debug',
]

/**
 * Three sinks with stores of their own in one group, three brokers, a producer that never stops, and everything that
 * can happen to them. In the end the stores are read by a reader that knows nothing of Sediment, and held against what
 * Kafka holds.
 */
export async function runChaos(options: ChaosOptions): Promise<Findings> {
  const folder = await mkdtemp(join(tmpdir(), 'sediment-chaos-'))
  const chaos = new Chaos(options, folder)
  const told = new Promise<never>((_, reject) => {
    options.signal.addEventListener('abort', () => reject(new Error('it was told to end, or took too long')))
  })
  let isKept = true
  try {
    const report = await Promise.race([chaos.run(), told])
    isKept = options.isKept || report.broken.length > 0
    return report
  } finally {
    await chaos.end()
    if (isKept) {
      chaos.writeLogs()
      options.log(`stores and logs are kept: ${folder}`)
    } else {
      chaos.dispose()
      await rm(folder, { recursive: true, force: true })
    }
  }
}

class Chaos {
  readonly #options: ChaosOptions
  readonly #folder: string
  #cluster: Awaited<ReturnType<typeof startCluster>> | undefined
  #members: readonly Member[] = []
  #admin: Admin | undefined
  #producer: Producer | undefined
  #nemesis: Nemesis | undefined
  readonly #findings = new Findings()
  /** Where a sink ended that was to run, and why. */
  readonly #failures: string[] = []

  constructor(options: ChaosOptions, folder: string) {
    this.#options = options
    this.#folder = folder
  }

  async run(): Promise<Findings> {
    const { log, minutes, seed } = this.#options
    const cluster = await startCluster({ log })
    this.#cluster = cluster
    await createTopics(
      cluster.nodes[0]!.bootstrap,
      TOPICS.map((topic) => ({ ...topic, replication: 3 })),
    )
    const brokers = cluster.nodes.map(({ bootstrap }) => bootstrap)
    const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING })
    this.#admin = kafka.admin({ retry: { retries: 20, maxRetryTime: 500 } })
    await this.#admin.connect()
    this.#producer = new Producer(brokers, TOPICS)
    await this.#producer.start(seed)
    await this.#startMembers(brokers)
    const sampler = new Sampler(this.#admin, GROUP, TOPICS, this.#members)

    const over = new AbortController()
    const sampling = this.#sample(sampler, over.signal)
    await this.#measureRestarts()
    const nemesis = this.#createNemesis(cluster, sampler)
    const disturbing = nemesis.start()
    await Promise.race([this.#watch(nemesis, sampler, minutes * 60_000), disturbing])
    await nemesis.stop()
    await disturbing
    await this.#finish(nemesis, sampler, brokers, async () => {
      over.abort()
      await sampling
    })
    return this.#findings
  }

  /** Leaves nothing running; for every way out. */
  async end(): Promise<void> {
    await this.#nemesis?.stop()
    await Promise.all(
      this.#members.map(async (member) => {
        member.unpause()
        await member.kill()
      }),
    )
    await this.#producer?.stop()
    await this.#admin?.disconnect().catch(() => {})
    await this.#cluster?.stop()
  }

  writeLogs(): void {
    for (const { name, logs } of this.#members) writeFileSync(join(this.#folder, `${name}.log`), logs)
  }

  dispose(): void {
    for (const { disk } of this.#members) disk.dispose()
  }

  async #startMembers(brokers: readonly string[]): Promise<void> {
    const { log } = this.#options
    const ports = await freePorts(MEMBERS)
    this.#members = ports.map((port, index) => {
      const name = `sink-${index}`
      const disk = makeDisk(join(this.#folder, name), log)
      return new Member(name, disk, port, [...SETTINGS, `kafka.brokers=${brokers.join(',')}`], (why) => {
        this.#failures.push(why)
        log(why)
      })
    })
    for (const member of this.#members) member.start()
    await this.#untilAllStore()
  }

  /** Each has its share of the partitions, and stores. */
  async #untilAllStore(): Promise<void> {
    await until(
      () => Promise.all(this.#members.map(async (member) => shareOf(await member.metrics()))),
      (shares) => shares.every((share) => share.partitions > 0 && share.records > 0),
      READY_LIMIT_MS,
    ).catch((error: unknown) => {
      const logs = this.#members.map((member) => `${member.name}:\n${tail(member.log())}`).join('\n')
      throw new Error(`not all of them store: ${String(error)}\n${logs}`)
    })
  }

  async #measureRestarts(): Promise<void> {
    const { log, backWithinMs } = this.#options
    const figures: RestartFigures[] = []
    for (const member of this.#members) {
      await sleep(2_000)
      const others = this.#members.filter((one) => one !== member)
      const figure = await killAndRestart(member, others)
      log(`restart: ${JSON.stringify(figure)}`)
      figures.push(figure)
    }
    const list = (of: (one: RestartFigures) => number): string => figures.map(of).join(', ')
    this.#findings.row(
      'kill -9 to partitions back, ms',
      list(({ backMs }) => backMs),
    )
    for (const [stage, [what]] of STAGES.entries())
      this.#findings.row(
        `  until ${what}, ms`,
        list(({ stagesMs }) => stagesMs[stage]!),
      )
    this.#findings.row(
      '  processor time of it, ms',
      list(({ backCpuMs }) => backCpuMs),
    )
    this.#findings.row(
      'kill -9 to first record stored, ms',
      list(({ storingMs }) => storingMs),
    )
    this.#findings.row(
      'longest pause of the others, ms',
      list(({ othersPauseMs }) => othersPauseMs),
    )
    this.#findings.promise(
      figures.every(({ othersAssignments, backMs }) => othersAssignments === 0 || backMs > SESSION_MS),
      'a restart of one moves no partition of the others',
    )
    this.#findings.promise(
      figures.every(({ othersPauseMs }) => othersPauseMs < backWithinMs / 2),
      `a restart of one costs the others less than ${backWithinMs / 2} ms`,
    )
    this.#findings.promise(
      figures.every(({ partitions: [before, after] }) => before === after),
      'what is restarted has its own partitions again',
    )
    this.#findings.promise(
      figures.every(({ backMs }) => backMs <= backWithinMs),
      `what is restarted has its partitions within ${backWithinMs} ms`,
    )
  }

  #createNemesis(cluster: Awaited<ReturnType<typeof startCluster>>, sampler: Sampler): Nemesis {
    const { log, seed } = this.#options
    this.#nemesis = new Nemesis({
      seed,
      members: this.#members,
      nodes: cluster.nodes,
      sessionMs: SESSION_MS,
      leftBytes: LEFT_BYTES,
      untilReplicated: () => this.#untilReplicated(),
      onDown: (member) => sampler.look(member),
      log,
    })
    return this.#nemesis
  }

  async #untilReplicated(): Promise<void> {
    const isWhole = async (): Promise<boolean> => {
      const { topics } = await this.#admin!.fetchTopicMetadata({ topics: TOPICS.map(({ name }) => name) })
      return topics.every(({ partitions }) => partitions.every(({ isr }) => isr.length === 3))
    }
    await until(isWhole, (answer) => answer, REPLICATED_LIMIT_MS)
  }

  async #sample(sampler: Sampler, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedMs = performance.now()
      await sampler.sample()
      await sleep(Math.max(0, SAMPLE_MS - (performance.now() - startedMs)))
    }
  }

  /** Until the time is over, with a line of progress now and then. */
  async #watch(nemesis: Nemesis, sampler: Sampler, durationMs: number): Promise<void> {
    const endMs = performance.now() + durationMs
    while (performance.now() < endMs) {
      await sleep(Math.min(PROGRESS_MS, endMs - performance.now()))
      const faults = [...nemesis.counts.values()].reduce((sum, count) => sum + count, 0)
      this.#options.log(
        `${this.#producer!.acknowledged.size} produced, ${faults} faults, ${sampler.samples} samples, ` +
          `${sampler.violations.length} violations, ${this.#failures.length} ended by themselves`,
      )
    }
  }

  async #finish(
    nemesis: Nemesis,
    sampler: Sampler,
    brokers: readonly string[],
    stopSampling: () => Promise<void>,
  ): Promise<void> {
    const { log } = this.#options
    await this.#producer!.stop()
    await this.#untilReplicated()
    const ends = await logEnds(this.#admin!, TOPICS)
    log(`waiting until all of ${[...ends.values()].reduce((sum, end) => sum + end, 0)} records are committed`)
    for (const member of this.#members) if (!member.isRunning) member.start()
    const drainedMs = performance.now()
    let behind: string[] = []
    await until(
      async () => {
        const committed = await sampler.committed()
        behind = [...ends].filter(([name, end]) => committed.get(name)?.offset !== end).map(([name]) => name)
        return behind.length
      },
      (count) => count === 0,
      DRAIN_LIMIT_MS,
    ).catch(() => {})
    this.#findings.promise(behind.length === 0, 'everything produced is committed in the end', behind)
    this.#findings.row('drained after, s', ((performance.now() - drainedMs) / 1000).toFixed(1))
    await stopSampling()
    await Promise.all(this.#members.map((member) => member.stop()))
    for (const member of this.#members) await sampler.look(member)
    const run = { members: this.#members, producer: this.#producer!, nemesis }
    judgeRun(run, sampler, this.#failures, this.#options.minutes, this.#findings)
    await judgeLedgers(this.#members, this.#findings)
    await judgeStores(run, brokers, TOPICS, ends, this.#findings)
  }
}

function shareOf(metrics: string): { partitions: number; records: number } {
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? 0)
  return {
    partitions: value('sediment_assigned_partitions'),
    records: value('sediment_stored_records_total'),
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
