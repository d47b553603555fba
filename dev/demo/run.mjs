/** The demo itself: Kafka, sink, feeder and view, started in this order and stopped in reverse. */
import { mkdir, readdir } from 'node:fs/promises'
import path from 'node:path'
import { chooseKafka } from './broker-choice.mjs'
import { topics } from './factory.mjs'
import { Feeder } from './feeder.mjs'
import { DemoClient } from './kafka-client.mjs'
import { killAndCompare } from './once.mjs'
import { chooseHttpPort, SinkProcess } from './sink.mjs'
import { DemoState, diskUse, shortPath } from './state.mjs'
import { bytes, View } from './view.mjs'

const onceRate = 3
/** The mock drops what it holds beyond 5 MiB a partition, and makes a killed member wait for its session. */
const mockRate = 0.5
const lookEveryMs = 500
const earlierBytesMax = 1e9

/** One run: it ends when it is done, by Ctrl-C, or by a failure. */
class Demo {
  #options
  #view = new View(process.stdout)
  #stopping = new AbortController()
  #failure
  /** In the order of starting. */
  #started = []

  /** @param {{ projectPath: string, directory: string, once: boolean }} options */
  constructor(options) {
    this.#options = options
  }

  /** @returns {Promise<number>} exit code */
  async run() {
    this.#listen()
    let isFine = false
    try {
      isFine = await this.#demonstrate()
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#failure = error
    }
    this.#view.keep()
    if (this.#stopping.signal.aborted) this.#view.print('stopping …')
    await this.#stopAll()
    if (this.#failure !== undefined) this.#view.print(`demo failed: ${this.#failure.message}`)
    if (this.#failure !== undefined || !isFine)
      return this.#stopping.signal.aborted && !this.#failure ? 130 : 1
    return 0
  }

  /** The first signal stops in order. A second one, not just npm's copy of the first, ends at once. */
  #listen() {
    let firstMs
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(name, () => {
        firstMs ??= performance.now()
        if (performance.now() - firstMs > 1000) process.exit(130)
        this.#stopping.abort()
      })
    }
  }

  #fail(error) {
    this.#failure ??= error
    this.#stopping.abort()
  }

  async #stopAll() {
    for (const [title, stop] of this.#started.reverse()) {
      await stop().catch((error) => this.#view.print(`${title} did not stop cleanly: ${error.message}`))
    }
  }

  async #demonstrate() {
    const { projectPath, directory, once } = this.#options
    const view = this.#view
    const { signal } = this.#stopping
    await tellOfEarlierRuns(directory, view)
    const runName = newRunName()
    const runPath = path.join(directory, runName)
    const dataPath = path.join(runPath, 'data')
    await mkdir(runPath, { recursive: true })

    const kafka = await chooseKafka((line) => view.print(line))
    this.#started.push(['Kafka', kafka.stop])
    view.print(kafka.title)
    signal.throwIfAborted()
    const { client, names, groupId, partitionCounts } = await this.#makeTopics(kafka, runName)
    signal.throwIfAborted()

    const { brokers } = kafka
    const httpPort = await chooseHttpPort()
    const sink = await SinkProcess.create({
      projectPath,
      runPath,
      dataPath,
      brokers,
      names,
      groupId,
      httpPort,
    })
    sink.onDeath = (words) => this.#fail(new Error(words))
    this.#started.push(['sediment', () => sink.stop()])
    view.print(`sediment run --config ${shortPath(path.join(runPath, 'sediment.yaml'))}, log beside it`)
    await sink.start(signal)
    signal.throwIfAborted()

    const rate = kafka.isMock ? mockRate : once ? onceRate : 1
    const feeder = new Feeder({ client, names, partitionCounts, rate, keepsBook: once })
    this.#started.push(['the feeder', () => feeder.stop().catch(() => {})])
    feeder
      .start()
      .catch((error) => this.#fail(new Error(`Kafka did not take the messages: ${error.message}`)))

    const ending = once
      ? 'Ends by itself: a SIGKILL, a restart, and a comparison of everything.'
      : 'Ctrl-C stops everything; the data stays.'
    const state = new DemoState({ kafkaTitle: kafka.title, names, feeder, sink, dataPath, ending })
    const stopShowing = this.#show(state)
    try {
      if (once) {
        const parts = { view, state, feeder, sink, client, names, groupId, projectPath, dataPath, signal }
        return await killAndCompare({ ...parts, stopShowing })
      }
      if (!view.isTerminal) for (const line of [...state.commands(), ending]) view.print(line)
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      this.#started.unshift(['', () => this.#sayWhereDataIs(dataPath)])
      return this.#failure === undefined
    } finally {
      stopShowing()
    }
  }

  /** On a Kafka that others use: with names of our own, removed at the end. */
  async #makeTopics(kafka, runName) {
    const prefix = kafka.isShared ? `sediment-demo-${runName}-` : ''
    const names = Object.fromEntries(Object.keys(topics).map((kind) => [kind, `${prefix}${kind}`]))
    const groupId = `sediment-demo-${runName}`
    const client = new DemoClient(kafka)
    this.#started.push(['the Kafka client', () => client.close()])
    await client.connect().catch((error) => {
      throw new Error(`no Kafka at ${kafka.brokers.join(', ')}: ${error.message}`)
    })
    if (kafka.isShared) this.#started.push(['removing topics', () => client.removeTopics(groupId)])
    const partitionCounts = await client.makeTopics(names)
    return { client, names, groupId, partitionCounts }
  }

  /** Looks and draws until the function returned is called. */
  #show(state) {
    let isLooking = false
    let isShowing = true
    const timer = setInterval(async () => {
      if (isLooking) return
      isLooking = true
      await state.look()
      if (isShowing) this.#view.show(state.block(), state.line())
      isLooking = false
    }, lookEveryMs)
    return () => {
      isShowing = false
      clearInterval(timer)
    }
  }

  async #sayWhereDataIs(dataPath) {
    const { bytes: stored } = await diskUse(dataPath)
    this.#view.print(`everything is stopped; the data (${bytes(stored)}) stays in ${shortPath(dataPath)}`)
  }
}

function newRunName() {
  return new Date().toISOString().slice(0, 19).replaceAll(/[:-]/g, '').replace('T', '-')
}

/** Each run has a directory of its own; none is ever removed without being asked. */
async function tellOfEarlierRuns(directory, view) {
  const runs = await readdir(directory).catch(() => [])
  const { bytes: stored } = runs.length === 0 ? { bytes: 0 } : await diskUse(directory)
  if (stored > earlierBytesMax) {
    view.print(`${runs.length} earlier runs take ${bytes(stored)}; to free it: rm -r ${shortPath(directory)}`)
  }
}

/** @param {{ projectPath: string, directory: string, once: boolean }} options */
export function runDemo(options) {
  return new Demo(options).run()
}
