/** What is known of the running demo, and how it is put. */
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { bytes, count, duration, table } from './view.mjs'

const diskEveryMs = 3000

/** A path as one would type it here. */
export function shortPath(absolute) {
  const relative = path.relative(process.cwd(), absolute)
  return relative.startsWith('..') ? absolute : relative
}

/** @returns {Promise<{ bytes: number, blocks: number }>} what a directory takes on disk, its data files counted */
export async function diskUse(directory) {
  const sum = { bytes: 0, blocks: 0 }
  const items = await readdir(directory, { withFileTypes: true }).catch(() => [])
  for (const item of items) {
    const name = path.join(directory, item.name)
    // Files come and go while we look.
    const one = item.isDirectory()
      ? await diskUse(name)
      : { bytes: (await stat(name).catch(() => ({ size: 0 }))).size, blocks: Number(name.endsWith('.blk')) }
    sum.bytes += one.bytes
    sum.blocks += one.blocks
  }
  return sum
}

export class DemoState {
  #startedMs = performance.now()
  #kafkaTitle
  #names
  #feeder
  #sink
  #dataPath
  #ending
  #durable = new Map()
  #lagSeconds = new Map()
  #syncs = ''
  #ready = 'starting'
  #disk = { bytes: 0, blocks: 0 }
  #diskAtMs = -Infinity

  constructor({ kafkaTitle, names, feeder, sink, dataPath, ending }) {
    this.#kafkaTitle = kafkaTitle
    this.#names = names
    this.#feeder = feeder
    this.#sink = sink
    this.#dataPath = dataPath
    this.#ending = ending
  }

  /** Asks the sink; while it does not answer, what is durable stays what it was. */
  async look() {
    const [metrics, ready] = await Promise.all([
      this.#sink.metrics().catch(() => undefined),
      this.#sink.readiness().catch(() => undefined),
    ])
    this.#ready = ready === undefined ? 'no answer' : [ready.state, ...ready.reasons].join(': ')
    if (metrics !== undefined) this.#read(metrics)
    if (performance.now() - this.#diskAtMs > diskEveryMs) {
      this.#diskAtMs = performance.now()
      this.#disk = await diskUse(this.#dataPath)
    }
  }

  #read(metrics) {
    for (const { labels, value } of metrics.each('sediment_durable_offset')) {
      this.#durable.set(`${labels.topic}/${labels.partition}`, value)
    }
    for (const topic of Object.values(this.#names)) {
      const lags = metrics.each('sediment_lag_durable_seconds').filter(({ labels }) => labels.topic === topic)
      this.#lagSeconds.set(topic, Math.max(0, ...lags.map(({ value }) => value)))
    }
    const syncs = metrics.sum('sediment_fsync_duration_seconds_count')
    const meanMs = (1000 * metrics.sum('sediment_fsync_duration_seconds_sum')) / Math.max(1, syncs)
    const hits = metrics.sum('sediment_block_cache_hits_total', { cache: 'write' })
    const misses = metrics.sum('sediment_block_cache_misses_total', { cache: 'write' })
    const ratio = (100 * hits) / Math.max(1, hits + misses)
    this.#syncs = `${count(syncs)} syncs of ${meanMs.toFixed(2)} ms, write cache ${ratio.toFixed(1)} % hits`
  }

  durable(topic) {
    let sum = 0
    for (const [place, next] of this.#durable) {
      if (topic === undefined || place.startsWith(`${topic}/`)) sum += next
    }
    return sum
  }

  isAllDurable() {
    return [...this.#feeder.nextOffsets].every(([place, next]) => (this.#durable.get(place) ?? 0) >= next)
  }

  get #seconds() {
    return (performance.now() - this.#startedMs) / 1000
  }

  #row(title, topic) {
    const fed = this.#feeder.fed(topic)
    const durable = this.durable(topic)
    const lags = topic === undefined ? [...this.#lagSeconds.values()] : [this.#lagSeconds.get(topic) ?? 0]
    return [
      title,
      count(fed),
      count(durable),
      count(Math.max(0, fed - durable)),
      `${Math.max(0, ...lags).toFixed(1)} s`,
    ]
  }

  /** The live view of a terminal. */
  block() {
    const topics = Object.values(this.#names)
    const rows = [
      ['topic', 'fed', 'durable', 'behind', 'oldest behind'],
      ...topics.map((topic) => this.#row(topic, topic)),
      ['all', ...this.#row('all', undefined).slice(1)],
    ]
    return [
      '',
      `Sediment demo  ${duration(this.#seconds)}   ${this.#kafkaTitle}`,
      '',
      ...table(rows).map((line) => `  ${line}`),
      '',
      ...this.#places(),
      '',
      ...this.commands(),
      '',
      this.#ending,
    ]
  }

  #places() {
    const { blocks, bytes: stored } = this.#disk
    const data = `  data     ${shortPath(this.#dataPath)}   ${count(blocks)} blocks, ${bytes(stored)} on disk`
    const metrics = `  metrics  ${this.#sink.address}/metrics   ${this.#syncs}`
    return [data, metrics, `  ready    ${this.#sink.address}/readyz   ${this.#ready}`]
  }

  /** The same in one line. */
  line() {
    const { blocks, bytes: stored } = this.#disk
    const [fed, durable] = [this.#feeder.fed(), this.durable()]
    return `${duration(this.#seconds)}  fed ${count(fed)}  durable ${count(durable)}  behind ${count(Math.max(0, fed - durable))}  ${count(blocks)} blocks, ${bytes(stored)} on disk  ${this.#ready}`
  }

  /** To be pasted into another terminal, in this directory. */
  commands() {
    const { camera, logs, sensors } = this.#names
    const data = `--data ${shortPath(this.#dataPath)}`
    const picture = this.#feeder.firstPicture
    const sediment = shortPath(new URL('../../bin/sediment.cjs', import.meta.url).pathname)
    return [
      'Try, in another terminal in this directory:',
      `  ${sediment} ls ${data}`,
      `  ${sediment} query kafka/${sensors} --start 10s --label key=press-07 --limit 5 ${data}`,
      `  ${sediment} query kafka/${logs} --label level=error --json ${data}`,
      ...(picture === undefined
        ? [`  ${sediment} query kafka/${camera} --limit 1 --payload ${data} > picture.jpg`]
        : [`  ${sediment} cat kafka/${picture.entry} ${picture.timestampUs} ${data} > picture.jpg`]),
      `  ${sediment} verify ${data}`,
      `  curl -s ${this.#sink.address}/metrics | grep sediment_fsync`,
    ]
  }
}
