/** Where the demo's Kafka comes from: the user's own, a real local one, or a mock where there is no Java. */
import { KafkaSetupError } from '../kafka/distribution.mjs'
import { startBroker } from '../kafka/broker.mjs'
import { startGuarded } from './guarded.mjs'

/**
 * @typedef {object} DemoKafka
 * @property {string[]} brokers
 * @property {string} title for people
 * @property {boolean} isShared others use it: names must be our own, and go at the end
 * @property {boolean} isMock
 * @property {() => Promise<void>} stop ends what was started
 */

/**
 * @param {(line: string) => void} log
 * @returns {Promise<DemoKafka>}
 * @throws {KafkaSetupError}
 */
export async function chooseKafka(log) {
  const given = process.env.KAFKA_BROKERS
  if (given) {
    const brokers = given.split(',').map((address) => address.trim())
    return {
      brokers,
      title: `Kafka at ${brokers.join(', ')} (KAFKA_BROKERS)`,
      isShared: true,
      isMock: false,
      stop: async () => {},
    }
  }
  try {
    const broker = await startBroker({ log, heap: '512m' })
    return {
      brokers: [broker.bootstrap],
      title: `Apache Kafka on ${broker.bootstrap}, pid ${broker.pid}, started by this demo`,
      isShared: false,
      isMock: false,
      stop: broker.stop,
    }
  } catch (error) {
    if (!(error instanceof KafkaSetupError)) throw error
    log(error.message.split('\n')[0])
    const mock = await startMock().catch((second) => {
      throw new KafkaSetupError(`${error.message}\n(and no mock cluster instead: ${second.message})`)
    })
    log("using kcat's mock of a Kafka cluster instead: no real broker, it keeps only the newest few MB")
    return mock
  }
}

/** librdkafka's mock cluster lives as long as a client that asks for it. */
async function startMock() {
  const args = ['-C', '-q', '-X', 'test.mock.num.brokers=1', '-b', 'mock:1', '-t', 'keeps-the-mock-alive']
  const kcat = await startGuarded('kcat', [...args, '-d', 'mock'], 'pipe')
  let said = ''
  const address = await new Promise((resolve, reject) => {
    kcat.stream.on('data', (chunk) => {
      if (said === undefined) return
      said += chunk
      const found = /bootstrap\.servers=([^\s,]+)/.exec(said)
      if (found === null) return
      said = undefined
      resolve(found[1])
    })
    void kcat.ended.then(() => reject(new KafkaSetupError(`kcat's mock cluster did not start: ${said}`)))
  })
  return {
    brokers: [address],
    title: `kcat's MOCK of a Kafka cluster on ${address}, pid ${kcat.pid}, started by this demo`,
    isShared: false,
    isMock: true,
    stop: async () => {
      kcat.signal('SIGTERM')
      await kcat.ended
    },
  }
}
