/** Feeds the factory's messages into Kafka and keeps the book that the result is checked against. */
import { crc32 } from 'node:zlib'
import { Factory, topics } from './factory.mjs'
import { digestMessage } from './identity.mjs'

const tickMs = 100
/** After a pause, such as that of a sleeping laptop, what was missed is not made up for. */
const catchUpMsMax = 1000

export class Feeder {
  /** Next offset by `topic/partition`. */
  nextOffsets = new Map()
  /** The first camera picture: the time of its record is that of its message. */
  firstPicture
  /** With `keepsBook`: digest by `topic/partition/offset`. */
  book = new Map()

  #client
  #names
  #partitionCounts
  #rate
  #keepsBook
  #factory = new Factory()
  #owed = Object.fromEntries(Object.keys(topics).map((kind) => [kind, 0]))
  #isStopped = false
  #finished

  /**
   * @param {object} options
   * @param {import('./kafka-client.mjs').DemoClient} options.client
   * @param {Record<string, string>} options.names topic by kind
   * @param {Record<string, number>} options.partitionCounts by kind
   * @param {number} options.rate times the load of the factory
   * @param {boolean} options.keepsBook whether to remember a digest of every message
   */
  constructor({ client, names, partitionCounts, rate, keepsBook }) {
    this.#client = client
    this.#names = names
    this.#partitionCounts = partitionCounts
    this.#rate = rate
    this.#keepsBook = keepsBook
  }

  /** Messages that Kafka has, of one topic or of all. */
  fed(topic) {
    let sum = 0
    for (const [place, next] of this.nextOffsets)
      if (topic === undefined || place.startsWith(`${topic}/`)) sum += next
    return sum
  }

  /** Feeds until `stop`. Rejects when Kafka refuses. */
  start() {
    this.#finished = this.#run()
    return this.#finished
  }

  /** Resolves when everything on its way is acknowledged. */
  async stop() {
    this.#isStopped = true
    await this.#finished
  }

  /** What it feeds in so many seconds, at once. */
  burst(seconds) {
    for (const [kind, { perSecond }] of Object.entries(topics)) {
      this.#owed[kind] = Math.max(this.#owed[kind], perSecond * this.#rate * seconds)
    }
  }

  async #run() {
    let lastMs = performance.now()
    while (!this.#isStopped) {
      const beganMs = performance.now()
      const elapsedMs = Math.min(beganMs - lastMs, catchUpMsMax)
      lastMs = beganMs
      for (const [kind, { perSecond }] of Object.entries(topics)) {
        this.#owed[kind] += (perSecond * this.#rate * elapsedMs) / 1000
      }
      await this.#send()
      const leftMs = tickMs - (performance.now() - beganMs)
      if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs))
    }
  }

  /** One topic after another: only what shrinks is compressed. */
  async #send() {
    const nowMs = Date.now()
    for (const [kind, { isText }] of Object.entries(topics)) {
      const made = new Map()
      const messages = []
      for (; this.#owed[kind] >= 1; this.#owed[kind]--) {
        const message = this.#factory.make(kind, nowMs)
        const partition = this.#choosePartition(kind, message.key)
        const place = `${this.#names[kind]}/${partition}`
        if (!made.has(place)) made.set(place, [])
        made.get(place).push(message)
        messages.push({ ...message, partition, timestamp: String(message.timestampMs) })
      }
      if (messages.length === 0) continue
      for (const result of await this.#client.send(this.#names[kind], messages, isText)) {
        const place = `${result.topicName}/${result.partition}`
        this.#enter(place, Number(result.baseOffset), made.get(place))
      }
    }
  }

  #choosePartition(kind, key) {
    const count = this.#partitionCounts[kind]
    return key === null ? Math.floor(Math.random() * count) : crc32(key) % count
  }

  #enter(place, baseOffset, messages) {
    this.nextOffsets.set(place, baseOffset + messages.length)
    if (this.firstPicture === undefined && place.startsWith(`${this.#names.camera}/`)) {
      this.firstPicture = { entry: place, timestampUs: messages[0].timestampMs * 1000 }
    }
    if (!this.#keepsBook) return
    messages.forEach(({ key, value, headers, timestampMs }, index) => {
      const list = Object.entries(headers).flatMap(([name, values]) =>
        [values].flat().map((content) => [name, Buffer.from(content)]),
      )
      this.book.set(
        `${place}/${baseOffset + index}`,
        digestMessage({ key, value, headers: list, timestampMs }),
      )
    })
  }
}
