/** A real Apache Kafka broker (KRaft, broker and controller in one process) on 127.0.0.1. */
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { randomBytes, randomUUID } from 'node:crypto'
import { kafkaDistribution, KafkaSetupError } from './distribution.mjs'
import { countBrokers } from './protocol.mjs'

const READY_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 20_000
const here = path.dirname(fileURLToPath(import.meta.url))
const run = promisify(execFile)

/** Quick groups and small internal topics: what tests and a demo want. */
const BROKER_PROPERTIES = {
  'process.roles': 'broker,controller',
  'controller.listener.names': 'CONTROLLER',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '4',
  'group.initial.rebalance.delay.ms': '0',
  // What a killed broker waits for before it may be back.
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'group.min.session.timeout.ms': '1000',
  'auto.create.topics.enable': 'false',
  'num.partitions': '4',
  'log.retention.ms': '-1',
  'message.max.bytes': '67108864',
}
/** Of releases that have share groups. */
const SHARE_PROPERTIES = {
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

async function logTail(logsPath) {
  const text = await readFile(path.join(logsPath, 'server.log'), 'utf8').catch(() => '')
  return text.split('\n').slice(-20).join('\n')
}

/**
 * Makes `logPath` the directory of a new node. All nodes of a release begin with the same `bootstrap.checkpoint`, unless
 * users are added to it, so Kafka's tool writes it once: each start of a JVM less is a second less.
 */
async function formatDirectory(logPath, nodeId, format) {
  const { java, jvm, classPath, cachePath, configPath, clusterId, scramUsers } = format
  const beginning = path.join(cachePath, 'bootstrap.checkpoint')
  if (scramUsers.length === 0 && existsSync(beginning)) {
    await mkdir(logPath, { recursive: true })
    await copyFile(beginning, path.join(logPath, 'bootstrap.checkpoint'))
    const meta = { version: '1', 'node.id': nodeId, 'cluster.id': clusterId, 'directory.id': newClusterId() }
    await writeFile(path.join(logPath, 'meta.properties'), propertiesText(meta))
    return
  }
  const users = scramUsers.flatMap((user) => ['--add-scram', user])
  const tool = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', configPath, ...users]
  await run(java, [...jvm, '-cp', classPath, ...tool])
  if (scramUsers.length > 0) return
  const copy = `${beginning}.${randomUUID()}`
  await copyFile(path.join(logPath, 'bootstrap.checkpoint'), copy)
  await rename(copy, beginning)
}

function propertiesText(properties) {
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

/**
 * Starts a broker and resolves when it answers a metadata request. It ends with `stop()`, with `kill()`, and with
 * this process, however that dies.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] what is going on
 * @param {string} [options.heap] `-Xmx`, default `1g`
 * @param {Record<string, string>} [options.properties] over the defaults
 * @param {string} [options.dataPath] a directory to keep; without it a temporary one, removed at the end
 * @param {number} [options.port] of the client listener, default a free one
 * @param {number} [options.controllerPort] the same as before when a directory is used again; default a free one
 * @param {boolean} [options.optimized] let the JIT compile fully: slower to start, for benchmarks
 * @param {Record<string, string>} [options.extraListeners] more client listeners: name to security protocol, such as
 *   `{ SASL: 'SASL_PLAINTEXT' }`; their users and keys go into `properties`
 * @param {string[]} [options.scramUsers] such as `SCRAM-SHA-256=[name=bob,password=bob-pw]`; of a new directory only
 * @param {string} [options.version] see `kafkaDistribution`
 * @param {{ id: number, controllerPort: number }[]} [options.voters] all nodes of its cluster; default: it alone
 * @param {number} [options.nodeId] default 1
 * @param {string} [options.clusterId] of a new directory; default a new one
 * @returns {Promise<{ bootstrap: string, listeners: Record<string, string>, port: number, controllerPort: number, pid: number, dataPath: string,
 *   stop: () => Promise<void>, kill: () => Promise<void>,
 *   ended: Promise<void> }>}
 * @throws {KafkaSetupError}
 */
export async function startBroker({
  log = () => {},
  heap = '1g',
  properties = {},
  dataPath: keptPath,
  port: wantedPort,
  controllerPort: wantedControllerPort,
  optimized = false,
  extraListeners = {},
  scramUsers = [],
  version: wantedVersion,
  nodeId = 1,
  voters,
  clusterId = newClusterId(),
} = {}) {
  const { version, java, javaId, classPath, cachePath, loggingOption } = await kafkaDistribution(
    log,
    wantedVersion,
  )
  const dataPath = keptPath ?? (await mkdtemp(path.join(tmpdir(), 'sediment-kafka-')))
  await mkdir(dataPath, { recursive: true })
  const port = wantedPort ?? (await freePort())
  const controllerPort = wantedControllerPort ?? (await freePort())
  const bootstrap = `127.0.0.1:${port}`
  const listeners = { PLAINTEXT: bootstrap }
  for (const name of Object.keys(extraListeners)) listeners[name] = `127.0.0.1:${await freePort()}`
  const addresses = Object.entries(listeners).map(([name, address]) => `${name}://${address}`)
  const configPath = path.join(dataPath, 'server.properties')
  const config = {
    ...BROKER_PROPERTIES,
    ...(version.startsWith('3.') ? {} : SHARE_PROPERTIES),
    'node.id': String(nodeId),
    'controller.quorum.voters': (voters ?? [{ id: nodeId, controllerPort }])
      .map((voter) => `${voter.id}@127.0.0.1:${voter.controllerPort}`)
      .join(','),
    listeners: [...addresses, `CONTROLLER://127.0.0.1:${controllerPort}`].join(','),
    'advertised.listeners': addresses.join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': Object.entries({
      PLAINTEXT: 'PLAINTEXT',
      CONTROLLER: 'PLAINTEXT',
      ...extraListeners,
    })
      .map(([name, protocol]) => `${name}:${protocol}`)
      .join(','),
    'log.dirs': path.join(dataPath, 'log'),
    ...properties,
  }
  await writeFile(configPath, propertiesText(config))

  const jvm = [
    ...(optimized ? [] : ['-XX:TieredStopAtLevel=1']),
    '-XX:+UseSerialGC',
    `-Dkafka.logs.dir=${dataPath}`,
    loggingOption('broker'),
  ]
  if (!existsSync(path.join(dataPath, 'log', 'meta.properties'))) {
    const format = { java, jvm, classPath, cachePath, configPath, clusterId, scramUsers }
    await formatDirectory(path.join(dataPath, 'log'), config['node.id'], format)
  }

  // A class data archive halves the start; the first broker that is stopped cleanly writes it.
  const archive = path.join(cachePath, `broker-${javaId}.jsa`)
  const newArchive = path.join(dataPath, 'broker.jsa')
  const hasArchive = existsSync(archive)
  const sharing = hasArchive
    ? [`-XX:SharedArchiveFile=${archive}`, '-Xlog:disable', '-Xlog:all=error:stderr']
    : [`-XX:ArchiveClassesAtExit=${newArchive}`, '-Xlog:disable', '-Xlog:all=error:stderr']

  log('starting Apache Kafka')
  const guard = spawn(
    process.execPath,
    [
      path.join(here, 'guard.mjs'),
      JSON.stringify({
        command: java,
        args: [`-Xmx${heap}`, ...jvm, ...sharing, '-cp', classPath, 'kafka.Kafka', configPath],
        // The archive is written into a directory that stop() still reads: then stop() removes it.
        remove: keptPath === undefined && hasArchive ? [dataPath] : [],
      }),
    ],
    // A group of its own: Ctrl-C ends the parent, which ends this in its own order.
    { stdio: ['pipe', 'pipe', 'pipe'], detached: true },
  )
  guard.stdin.on('error', () => {})
  let complaints = ''
  guard.stderr.on('data', (chunk) => {
    complaints = (complaints + chunk).slice(-4000)
  })
  let isRunning = true
  const ended = new Promise((resolve) => guard.once('close', resolve)).then(() => {
    isRunning = false
  })
  const pid = await new Promise((resolve, reject) => {
    guard.stdout.once('data', (chunk) => resolve(Number(String(chunk))))
    guard.once('error', reject)
    void ended.then(() => reject(new KafkaSetupError(`Kafka could not be started: ${complaints}`)))
  })

  const cleanUp = async () => {
    if (!hasArchive && existsSync(newArchive)) await rename(newArchive, archive).catch(() => {})
    if (keptPath === undefined) await rm(dataPath, { recursive: true, force: true })
  }
  const signal = (name) => {
    try {
      if (isRunning) process.kill(pid, name)
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
  const end = async (name) => {
    signal(name)
    const timer = setTimeout(() => signal('SIGKILL'), STOP_TIMEOUT_MS)
    await ended
    clearTimeout(timer)
    await cleanUp()
  }

  const deadline = Date.now() + READY_TIMEOUT_MS
  for (;;) {
    if (!isRunning) {
      const tail = await logTail(dataPath)
      await cleanUp()
      throw new KafkaSetupError(`Kafka ended while starting:\n${complaints}${tail}`)
    }
    const brokers = await countBrokers(bootstrap).catch(() => 0)
    if (brokers > 0) break
    if (Date.now() > deadline) {
      const tail = await logTail(dataPath)
      await end('SIGKILL')
      throw new KafkaSetupError(`Kafka was not ready within ${READY_TIMEOUT_MS / 1000} s:\n${tail}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  // The guard must not keep a finished parent alive.
  guard.unref()
  for (const stream of [guard.stdin, guard.stdout, guard.stderr]) stream.unref?.()
  log(`Apache Kafka is ready on ${bootstrap}`)
  return {
    bootstrap,
    listeners,
    port,
    controllerPort,
    pid,
    dataPath,
    ended,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  }
}

/** @returns 16 random bytes as Kafka writes them; the first bit is 0, because an argument that begins with `-` is taken for an option */
export function newClusterId() {
  const bytes = randomBytes(16)
  bytes[0] &= 0x7f
  return bytes.toString('base64url')
}
