import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { startBroker } from '../../../dev/kafka/broker.mjs'
import { createTopics } from '../../../dev/kafka/protocol.mjs'
import { freePorts, startSediment, untilFrom } from '../../deployment/sediment-process.ts'
import { Feeder } from '../kill/feeder.ts'
import { readStored, requireAllBelow } from '../kill/stored.ts'
import { command } from './scratch-disk.ts'

const GROUP = 'full-disk'
const TOPIC = { name: 'orders', partitions: 4 }
const PLACE_BYTES = 96 * 1024 * 1024
/** Less than the reserve. */
const LEFT_BYTES = 6 * 1024 * 1024
const LIMIT_MS = 120_000

/**
 * The real `sediment run` beside a real Kafka, on a small disk that somebody else fills: it waits, and goes on by itself
 * when there is space again. In the end everything that was fed is stored, once.
 *
 * @throws {Error}
 */
export async function fillDisk(folder: string, log: (line: string) => void): Promise<void> {
  const place = join(folder, 'small')
  mkdirSync(place, { recursive: true })
  command('mount', '-t', 'tmpfs', '-o', `size=${PLACE_BYTES}`, 'none', place)
  const dataPath = join(place, 'data')
  const ballast = join(place, 'ballast')
  const broker = await startBroker({ log })
  const [port] = (await freePorts(1)) as [number]
  const partitions = Array.from({ length: TOPIC.partitions }, (_, partition) => ({
    topic: TOPIC.name,
    partition,
  }))
  const feeder = new Feeder(broker.bootstrap, partitions)
  const admin = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING }).admin()
  await createTopics(broker.bootstrap, [TOPIC])
  await admin.connect()
  const settings = [
    `dataPath=${dataPath}`,
    `kafka.brokers=${broker.bootstrap}`,
    `kafka.topics=${TOPIC.name}`,
    `kafka.groupId=${GROUP}`,
    'kafka.commitIntervalMs=100ms',
    'storage.groupBytesMax=1MiB',
    'storage.logBytesCheckpoint=1MiB',
    'storage.logBytesMax=4MiB',
    'storage.spaceReserveBytes=8MiB',
    `http.port=${port}`,
  ]
  const sediment = startSediment(['run', ...settings.flatMap((one) => ['--set', one])], port)
  const metric = async (line: RegExp): Promise<number> =>
    Number(line.exec(await (await fetch(`${sediment.address}/metrics`)).text())?.[1] ?? 0)
  const pauses = (): Promise<number> => metric(/^sediment_pauses_total\{[^}]*disk-space[^}]*\} (\S+)$/m)
  const committed = async (): Promise<number> => {
    const [topic] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC.name] })
    return (topic?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)
  }
  try {
    await feeder.start(1)
    await untilFrom(sediment, committed, (count) => count > 200, LIMIT_MS)
    const { bavail, bsize } = statfsSync(place)
    writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - LEFT_BYTES)))
    await untilFrom(sediment, pauses, (count) => count > 0, LIMIT_MS)
    const before = await committed()
    const fedBefore = feeder.acknowledged
    await untilFrom(
      sediment,
      () => Promise.resolve(feeder.acknowledged),
      (count) => count > fedBefore + 200,
      LIMIT_MS,
    )
    log(`full: ${before} committed, ${feeder.acknowledged} fed`)
    rmSync(ballast)
    await feeder.stop()
    await untilFrom(sediment, committed, (count) => count === feeder.acknowledged, LIMIT_MS)
    const code = await sediment.stop()
    if (code !== 0) throw new Error(`it ended with ${code}\n${sediment.log()}`)
    const stored = readStored(dataPath, feeder.logs)
    const ends = new Map([...feeder.logs].map(([name, { crcs }]) => [name, crcs.length]))
    requireAllBelow(stored, ends, 'fed')
    if (stored.count !== feeder.acknowledged)
      throw new Error(`${stored.count} records are stored, ${feeder.acknowledged} were fed`)
    log(`space again: it went on by itself; ${stored.count} records fed, and stored once`)
  } finally {
    sediment.kill()
    await sediment.ended
    await feeder.stop()
    await admin.disconnect()
    await broker.stop()
    command('umount', '-l', place)
  }
}
