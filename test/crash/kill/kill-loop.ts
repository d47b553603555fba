import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import type { Admin } from 'kafkajs'
import { startBroker } from '../../../dev/kafka/broker.mjs'
import { createTopics } from '../../../dev/kafka/protocol.mjs'
import { runSediment } from '../../deployment/programs.ts'
import { freePorts, until } from '../../deployment/sediment-process.ts'
import { Random } from '../../support/random.ts'
import { Feeder, type FedPartition } from './feeder.ts'
import { Life, type LifeCounts } from './life.ts'
import { KillLoopFailure, readStored, requireAllBelow, type Stored } from './stored.ts'

export interface KillLoopOptions {
  readonly kills: number
  /** At least so many of them, or some more, in recovery. */
  readonly killsInRecoveryMin: number
  readonly seed: number
  /** One line of progress at a time. */
  readonly log: (line: string) => void
  /** Ends the run; everything it started is ended first. */
  readonly signal: AbortSignal
}

/** What a run has reached; every number is counted from the processes and the disk, none is assumed. */
export interface KillLoopReport {
  readonly kills: number
  readonly killsInRecovery: number
  readonly killsWhileStopping: number
  /** Kills at a moment when everything was stored: not counted as kills. */
  readonly idleKills: number
  readonly cleanStops: number
  readonly records: number
  readonly counts: LifeCounts
}

const GROUP = 'kill-loop'
const TOPICS = [
  { name: 'orders', partitions: 4 },
  { name: 'sensor.frames', partitions: 3 },
  { name: 'audit', partitions: 1 },
]
/**
 * When the lives are to end, in turn: at any moment from the first write of the recovery until some time after records
 * flow, in recovery itself, before it, while what piled up meanwhile is taken in, or while stopping.
 */
const AIMS = ['any', 'recovery', 'catch-up', 'stop', 'any', 'recovery', 'catch-up', 'start'] as const
type Aim = (typeof AIMS)[number]
/** How long records may flow at most before a kill, on a machine that starts a process in no time. */
const FLOW_MS = 1_000
const CATCH_UP_MS = 500
const JUST_FED_MS = 4
const STOP_WINDOW_MS = 400
const DRAIN_LIMIT_MS = 60_000
const START_LIMIT_MS = 30_000
/** Lives that end without a kill that counts, in a row. */
const FRUITLESS_MAX = 20

/**
 * Kills `sediment run` by SIGKILL, again and again, while a feeder produces, and lets it finish in the end. After each
 * kill a reader of the test's own must find every offset that had been committed to Kafka, and nothing twice; at the
 * end exactly what was fed.
 *
 * @throws {KillLoopFailure} a broken promise; the directory is kept and named
 */
export async function runKillLoop(options: KillLoopOptions): Promise<KillLoopReport> {
  const folder = await mkdtemp(join(tmpdir(), 'sediment-kill-loop-'))
  let broker: Awaited<ReturnType<typeof startBroker>> | undefined
  let loop: KillLoop | undefined
  try {
    broker = await startBroker({ log: options.log })
    await createTopics(broker.bootstrap, TOPICS)
    loop = new KillLoop(options, broker.bootstrap, join(folder, 'data'), (await freePorts(1))[0] as number)
    const told = new Promise<never>((_, reject) => {
      options.signal.addEventListener('abort', () => reject(new KillLoopFailure('ended before its time')))
    })
    const report = await Promise.race([loop.run(), told])
    await rm(folder, { recursive: true })
    return report
  } catch (error) {
    options.log(`the data directory is kept: ${join(folder, 'data')}`)
    throw error
  } finally {
    await loop?.end()
    await broker?.stop()
  }
}

class KillLoop {
  readonly #options: KillLoopOptions
  readonly #dataPath: string
  readonly #port: number
  readonly #arguments: readonly string[]
  readonly #random: Random
  readonly #feeder: Feeder
  readonly #admin: Admin
  #life: Life | undefined
  #bootMs = 0
  #joinMs = 0
  #recoveryMs = 20
  #kills = 0
  #killsInRecovery = 0
  #killsWhileStopping = 0
  #idleKills = 0
  #cleanStops = 0
  #counts: LifeCounts = { seals: 0, checkpoints: 0, late: 0, reopened: 0, direct: 0 }

  constructor(options: KillLoopOptions, bootstrap: string, dataPath: string, port: number) {
    this.#options = options
    this.#dataPath = dataPath
    this.#port = port
    this.#random = new Random(options.seed)
    const partitions = TOPICS.flatMap(({ name, partitions }) =>
      Array.from({ length: partitions }, (_, partition): FedPartition => ({ topic: name, partition })),
    )
    this.#feeder = new Feeder(bootstrap, partitions)
    const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    this.#admin = kafka.admin()
    this.#arguments = [
      `dataPath=${dataPath}`,
      `kafka.brokers=${bootstrap}`,
      `kafka.topics=${TOPICS.map(({ name }) => name).join(',')}`,
      `kafka.groupId=${GROUP}`,
      'kafka.groupInstanceId=victim',
      'kafka.sessionTimeoutMs=6s',
      'kafka.fetchWaitMs=50ms',
      'kafka.commitIntervalMs=100ms',
      'storage.bucket.blockRecordsMax=128',
      'storage.bucket.blockBytesMax=1MiB',
      'storage.groupBytesMax=1MiB',
      'storage.groupRecordsMax=200',
      'storage.directBytesMin=64KiB',
      'storage.logBytesCheckpoint=1MiB',
      'storage.logBytesMax=4MiB',
      'storage.idleCheckpointMs=100ms',
      'storage.sealIdleMs=100ms',
      'storage.walBytesMax=64KiB',
      `http.port=${port}`,
    ].flatMap((setting) => ['--set', setting])
  }

  async run(): Promise<KillLoopReport> {
    await this.#admin.connect()
    await this.#feeder.start(this.#random.seed())
    await Promise.race([this.#kill(), this.#feeder.failed])
    await this.#finish()
    return {
      kills: this.#kills,
      killsInRecovery: this.#killsInRecovery,
      killsWhileStopping: this.#killsWhileStopping,
      idleKills: this.#idleKills,
      cleanStops: this.#cleanStops,
      records: this.#feeder.acknowledged,
      counts: this.#counts,
    }
  }

  /** Leaves nothing running; for every way out. */
  async end(): Promise<void> {
    await this.#life?.kill()
    await this.#feeder.stop()
    await this.#admin.disconnect()
  }

  /** The first life ends in a state worth recovering; then one kill after the other. */
  async #kill(): Promise<void> {
    const first = this.#start()
    await this.#orEnded(first, first.untilRecovering())
    this.#bootMs = first.ageMs
    await until(
      () => Promise.resolve(first.counts.seals > 0 && first.counts.checkpoints > 0),
      (isThere) => isThere || first.hasEnded,
      START_LIMIT_MS,
    )
    this.#joinMs = first.joinMs ?? 0
    let fruitless = 0
    let turn = 0
    let life = first
    while (!this.#isEnough()) {
      const before = this.#kills
      await this.#endLife(life, turn++)
      if (this.#kills === before && ++fruitless > FRUITLESS_MAX) {
        throw new KillLoopFailure(`${FRUITLESS_MAX} lives in a row ended without a kill that counts`)
      } else if (this.#kills > before) fruitless = 0
      life = this.#start()
    }
  }

  #isEnough(): boolean {
    const { kills, killsInRecoveryMin } = this.#options
    return this.#kills >= kills && this.#killsInRecovery >= killsInRecoveryMin
  }

  #start(): Life {
    this.#life = new Life(this.#arguments, this.#port, this.#dataPath)
    return this.#life
  }

  async #endLife(life: Life, turn: number): Promise<void> {
    const aim = this.#kills < this.#options.kills ? (AIMS[turn % AIMS.length] as Aim) : 'recovery'
    if (aim === 'start') await sleep(this.#random.next() * this.#bootMs)
    else await this.#orEnded(life, life.untilRecovering())
    if (aim === 'recovery') await sleep(this.#random.next() * 1.2 * this.#recoveryMs)
    if (aim === 'catch-up') {
      await this.#orEnded(life, life.untilAssigned())
      await sleep(this.#random.next() * CATCH_UP_MS)
    }
    if (aim === 'any' || aim === 'stop')
      await sleep(this.#random.next() * (this.#joinMs + FLOW_MS + this.#bootMs))
    if (aim === 'stop') {
      life.terminate()
      await sleep(this.#random.next() * STOP_WINDOW_MS)
      if (life.hasEnded) return this.#judgeCleanStop(life)
    } else if (life.hasEnded) throw diedByItself(life)

    // Where the process may have stored everything, the kill waits for the next record and then not long enough to
    // store it.
    if (life.isRunning()) {
      await this.#feeder.nextAcknowledgement()
      await sleep(this.#random.next() * JUST_FED_MS)
    }
    const acknowledged = this.#feeder.acknowledged
    await life.kill()
    if (life.hasEnded && (await life.ended) !== null) {
      if (aim === 'stop') return this.#judgeCleanStop(life)
      throw diedByItself(life)
    }
    await this.#judgeKill(life, acknowledged, aim)
  }

  async #judgeKill(life: Life, acknowledged: number, aim: Aim): Promise<void> {
    const recovery = life.recovery()
    const isInRecovery = life.diedInRecovery()
    const ageMs = Math.round(life.ageMs)
    const committed = await this.#committed()
    const stored = this.#read()
    requireAllBelow(stored, committed, 'committed')
    this.#count(life)
    // A recovery that did not get to its end takes longer than was thought.
    this.#joinMs = Math.max(life.joinMs ?? (isInRecovery ? 1.5 * life.recoveringMs : 0), this.#joinMs * 0.9)
    if (recovery?.durationMs !== undefined) this.#recoveryMs = Math.max(10, recovery.durationMs)
    const isPending = stored.count < acknowledged
    if (!isPending) this.#idleKills++
    else {
      this.#kills++
      if (isInRecovery) this.#killsInRecovery++
      if (aim === 'stop') this.#killsWhileStopping++
    }
    const place = isInRecovery
      ? 'in recovery'
      : aim === 'stop'
        ? 'while stopping'
        : life.isRunning()
          ? 'running'
          : recovery === undefined
            ? 'before recovery'
            : 'joining'
    this.#options.log(
      `kill ${this.#kills}/${this.#options.kills} ${place} at ${ageMs} ms: ${acknowledged} produced, ` +
        `${stored.count} stored, ${sum(committed)} committed` +
        (recovery === undefined
          ? ''
          : `, recovered ${recovery.blocksRedone} blocks in ${Math.round(recovery.durationMs ?? 0)} ms`) +
        `${isPending ? '' : ' (idle, does not count)'}`,
    )
  }

  /** It was quicker than the kill: then it promised more. */
  async #judgeCleanStop(life: Life): Promise<void> {
    if ((await life.ended) !== 0) throw diedByItself(life)
    this.#count(life)
    const stored = this.#read()
    const committed = await this.#committed()
    // Who has no partitions yet cannot commit.
    if (life.isAssigned()) requireSame(stored, committed)
    else requireAllBelow(stored, committed, 'committed')
    this.#cleanStops++
    this.#options.log(
      `stopped by itself before the kill: ${stored.count} stored, ${sum(committed)} committed` +
        (life.isAssigned() ? '' : ', no partitions yet'),
    )
  }

  async #finish(): Promise<void> {
    const life = this.#life as Life
    await this.#feeder.stop()
    const ends = new Map([...this.#feeder.logs].map(([name, { crcs }]) => [name, crcs.length]))
    for (const { name } of TOPICS) {
      for (const { partition, high } of await this.#admin.fetchTopicOffsets(name)) {
        if (Number(high) !== ends.get(`${name}/${partition}`)) {
          throw new KillLoopFailure(`${name}/${partition} ends at ${high}: the feeder's log is not whole`)
        }
      }
    }
    this.#options.log(`fed ${this.#feeder.acknowledged} records; waiting until they are durable`)
    const drained = until(
      () => this.#committed(),
      (committed) => life.hasEnded || [...ends].every(([name, end]) => committed.get(name) === end),
      DRAIN_LIMIT_MS,
    )
    await drained.catch((error: unknown) => {
      throw new KillLoopFailure(`not drained: ${String(error)}\n${life.log()}`)
    })
    if (life.hasEnded) throw diedByItself(life)
    life.terminate()
    if ((await life.ended) !== 0) throw diedByItself(life)
    this.#count(life)
    const committed = await this.#committed()
    const stored = this.#read()
    requireSame(stored, committed)
    requireAllBelow(stored, ends, 'fed')
    if (stored.count !== this.#feeder.acknowledged) {
      throw new KillLoopFailure(`${stored.count} records are stored, ${this.#feeder.acknowledged} were fed`)
    }
    const verified = await runSediment(['verify', '--data', this.#dataPath])
    if (verified.code !== 0) throw new KillLoopFailure(`verify: ${verified.stdout}${verified.stderr}`)
  }

  #read(): Stored {
    return readStored(this.#dataPath, this.#feeder.logs)
  }

  /** By `topic/partition`; what was never committed is 0. */
  async #committed(): Promise<Map<string, number>> {
    const topics = await this.#admin.fetchOffsets({
      groupId: GROUP,
      topics: TOPICS.map(({ name }) => name),
    })
    return new Map(
      topics.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => [`${topic}/${partition}`, Math.max(0, Number(offset))]),
      ),
    )
  }

  #count({ counts }: Life): void {
    this.#counts = {
      seals: this.#counts.seals + counts.seals,
      checkpoints: this.#counts.checkpoints + counts.checkpoints,
      late: this.#counts.late + counts.late,
      reopened: this.#counts.reopened + counts.reopened,
      direct: this.#counts.direct + counts.direct,
    }
  }

  async #orEnded(life: Life, waited: Promise<void>): Promise<void> {
    const tooLong = sleep(START_LIMIT_MS, { isBackground: true }).then(() => {
      throw new KillLoopFailure(`it did not get far enough within ${START_LIMIT_MS} ms:\n${life.log()}`)
    })
    await Promise.race([waited, tooLong])
    if (life.hasEnded) throw diedByItself(life)
  }
}

function diedByItself(life: Life): KillLoopFailure {
  return new KillLoopFailure(`sediment ended by itself:\n${life.log()}`)
}

/** @throws {KillLoopFailure} unless exactly the offsets below `ends` are stored */
function requireSame(stored: Stored, ends: ReadonlyMap<string, number>): void {
  requireAllBelow(stored, ends, 'committed')
  if (stored.count !== sum(ends)) {
    throw new KillLoopFailure(`after a clean stop ${stored.count} records are stored, ${sum(ends)} committed`)
  }
}

function sum(ends: ReadonlyMap<string, number>): number {
  return [...ends.values()].reduce((total, end) => total + end, 0)
}

function sleep(ms: number, { isBackground = false } = {}): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    if (isBackground) timer.unref()
  })
}
