/** Several real Apache Kafka brokers, each also a controller, as one cluster on 127.0.0.1. */
import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newClusterId, startBroker } from './broker.mjs'
import { kafkaDistribution } from './distribution.mjs'
import { countBrokers } from './protocol.mjs'

const TOGETHER_TIMEOUT_MS = 60_000
/** Below the ports that systems give to outgoing connections: a node that is down must get its own back. */
const PORT_MIN = 17_000
const PORT_MAX = 32_000

/** A dead controller is noticed, and a lagging replica left behind, within a few seconds. */
const CLUSTER_PROPERTIES = {
  'offsets.topic.replication.factor': '3',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'num.network.threads': '2',
  'num.io.threads': '2',
  'log.cleaner.dedupe.buffer.size': '8388608',
  'controller.quorum.election.timeout.ms': '500',
  'controller.quorum.fetch.timeout.ms': '1000',
  'replica.lag.time.max.ms': '3000',
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

async function lastingPorts(count) {
  const ports = new Set()
  while (ports.size < count) {
    const port = randomInt(PORT_MIN, PORT_MAX)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

/**
 * Starts a cluster and resolves when all brokers know each other. It ends with `stop()`, and with this process.
 *
 * @param {object} [options]
 * @param {number} [options.brokers] default 3
 * @param {(line: string) => void} [options.log]
 * @param {string} [options.heap] `-Xmx` of each, default `256m`
 * @param {Record<string, string>} [options.properties] over the defaults
 * @param {string} [options.version] see `kafkaDistribution`
 */
export async function startCluster({
  brokers: count = 3,
  log = () => {},
  heap = '256m',
  properties = {},
  version,
} = {}) {
  await kafkaDistribution(log, version)
  const folder = await mkdtemp(path.join(tmpdir(), 'sediment-kafka-cluster-'))
  const ports = await lastingPorts(2 * count)
  const voters = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    controllerPort: ports[count + index],
  }))
  const clusterId = newClusterId()
  const nodes = voters.map(
    ({ id, controllerPort }, index) =>
      new ClusterNode(id, {
        nodeId: id,
        port: ports[index],
        controllerPort,
        voters,
        clusterId,
        dataPath: path.join(folder, String(id)),
        heap,
        version,
        properties: { ...CLUSTER_PROPERTIES, ...properties },
      }),
  )
  const stop = async () => {
    // Stopped together, each would wait for a quorum of the others.
    await Promise.allSettled(nodes.map((node) => node.kill()))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    log(`starting ${count} brokers of Apache Kafka`)
    await Promise.all(nodes.map((node) => node.start()))
    const endMs = Date.now() + TOGETHER_TIMEOUT_MS
    for (const { bootstrap } of nodes) {
      while ((await countBrokers(bootstrap).catch(() => 0)) < count) {
        if (Date.now() > endMs) throw new Error(`${count} brokers did not find each other`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { nodes, bootstrap: nodes.map(({ bootstrap }) => bootstrap).join(','), folder, stop }
}

/** One broker of a cluster, which comes back with the same ports and files. */
class ClusterNode {
  #options
  #broker

  constructor(id, options) {
    this.id = id
    this.bootstrap = `127.0.0.1:${options.port}`
    /** Its files; the log of a partition is in `log/TOPIC-PARTITION`. */
    this.dataPath = options.dataPath
    this.#options = options
  }

  get isRunning() {
    return this.#broker !== undefined
  }

  /** Resolves when it answers. */
  async start() {
    this.#broker ??= await startBroker(this.#options)
  }

  async stop() {
    const broker = this.#broker
    this.#broker = undefined
    await broker?.stop()
  }

  /** As a power cut of the process: SIGKILL. */
  async kill() {
    const broker = this.#broker
    this.#broker = undefined
    await broker?.kill()
  }
}
