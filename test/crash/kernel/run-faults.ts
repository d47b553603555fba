import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { startBroker } from '../../../dev/kafka/broker.mjs'
import { createTopics } from '../../../dev/kafka/protocol.mjs'
import { projectRoot } from '../../deployment/programs.ts'
import { freePorts, startSediment, untilFrom } from '../../deployment/sediment-process.ts'
import { Feeder } from '../kill/feeder.ts'
import { readStored, requireAllBelow } from '../kill/stored.ts'

const GROUP = 'run-faults'
const TOPIC = { name: 'orders', partitions: 4 }
const LIMIT_MS = 120_000

/** What `sediment run` is started under, in turn on one directory, and how it must end: CONFIGURATION.md's exit codes. */
const recipes: readonly { name: string; under: readonly string[]; code: number }[] = [
  { name: 'a sync fails', under: inject('fdatasync', 'error=EIO:when=12'), code: 7 },
  { name: 'a write fails', under: inject('pwrite64,pwritev', 'error=EIO:when=30'), code: 7 },
  { name: 'writes find no space', under: inject('pwrite64,pwritev', 'error=ENOSPC:when=30+'), code: 5 },
  { name: 'files may not grow beyond 1 MB', under: ['prlimit', '--fsize=1000000'], code: 5 },
]

function inject(calls: string, what: string): readonly string[] {
  return ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:${what}`]
}

/**
 * The real `sediment run` beside a real Kafka, ended by failing system calls again and again: each time with the exit
 * code that says why; and in the end, on a sound disk, everything that was fed is stored, once.
 *
 * @throws {Error}
 */
export async function failRuns(folder: string, log: (line: string) => void): Promise<void> {
  const dataPath = join(folder, 'run-faults', 'data')
  mkdirSync(join(folder, 'run-faults'), { recursive: true })
  const broker = await startBroker({ log })
  const [port] = (await freePorts(1)) as [number]
  const partitions = Array.from({ length: TOPIC.partitions }, (_, partition) => ({
    topic: TOPIC.name,
    partition,
  }))
  const feeder = new Feeder(broker.bootstrap, partitions)
  const admin = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING }).admin()
  try {
    await createTopics(broker.bootstrap, [TOPIC])
    await admin.connect()
    const args = [
      `dataPath=${dataPath}`,
      `kafka.brokers=${broker.bootstrap}`,
      `kafka.topics=${TOPIC.name}`,
      `kafka.groupId=${GROUP}`,
      'kafka.groupInstanceId=victim',
      'kafka.sessionTimeoutMs=6s',
      'kafka.commitIntervalMs=100ms',
      'storage.groupBytesMax=1MiB',
      'storage.logBytesCheckpoint=4MiB',
      'storage.logBytesMax=8MiB',
      `http.port=${port}`,
    ].flatMap((one) => ['--set', one])
    const committed = async (): Promise<Map<string, number>> => {
      const [topic] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC.name] })
      const offsets = topic?.partitions ?? []
      return new Map(
        offsets.map(({ partition, offset }) => [`${TOPIC.name}/${partition}`, Math.max(0, Number(offset))]),
      )
    }
    await feeder.start(1)
    for (const { name, under, code } of recipes) {
      const ended = await runUnder([...under, process.execPath, 'bin/sediment.cjs', 'run', ...args])
      log(`${name}: exit code ${ended.code}, ${sum(await committed())} committed of ${feeder.acknowledged}`)
      if (ended.code !== code)
        throw new Error(`${name}: exit code ${ended.code} instead of ${code}\n${ended.output}`)
    }
    await feeder.stop()
    const sediment = startSediment(['run', ...args], port)
    await untilFrom(
      sediment,
      async () => sum(await committed()),
      (count) => count === feeder.acknowledged,
      LIMIT_MS,
    )
    const code = await sediment.stop()
    if (code !== 0) throw new Error(`it ended with ${code}\n${sediment.log()}`)
    const stored = readStored(dataPath, feeder.logs)
    requireAllBelow(stored, await committed(), 'committed')
    if (stored.count !== feeder.acknowledged)
      throw new Error(`${stored.count} records are stored, ${feeder.acknowledged} were fed`)
    log(`a sound disk: ${stored.count} records fed, and stored once`)
  } finally {
    await feeder.stop()
    await admin.disconnect()
    await broker.stop()
  }
}

async function runUnder(command: readonly string[]): Promise<{ code: number | null; output: string }> {
  const [program, ...args] = command as [string, ...string[]]
  const child = spawn(program, args, { cwd: projectRoot, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  const tooLong = setTimeout(() => process.kill(-(child.pid as number), 'SIGKILL'), LIMIT_MS)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(tooLong)
  return { code, output }
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, one) => total + one, 0)
}
