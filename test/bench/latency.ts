import type { BenchContext } from './context.ts'
import { produceLoad } from '../../dev/kafka/load.mjs'
import { SedimentUnderTest, runSediment, sleep, verifyAll } from './sediment-run.ts'
import { histogramQuantile, total, type Samples } from './scrape.ts'
import { quantile } from './statistics.ts'
import { createTopic, deleteTopics, kafkaClient, loadTopic, type Topic } from './topics.ts'

/**
 * Time from a record's own timestamp – when the producer was handed it – until a look at `sediment_durable_offset` from
 * outside found it durable. Looks come every `pollMs`, and each record counts until the first look behind it:
 * producer, broker and half a poll are in the figure, nothing is taken off.
 */
export interface LatencyResult {
  readonly recordBytes: number
  readonly records: number
  readonly wantedRecordsPerSecond: number
  readonly producedRecordsPerSecond: number
  readonly pollMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** The sink's own histogram, from acceptance to durable; within the width of its buckets. */
  readonly insideP50Ms: number | undefined
  readonly insideP99Ms: number | undefined
}

const POLL_MS = 20
const PARTITIONS = 4

/** @param fullRate records per second at full speed; measured first when not known */
export async function latency(context: BenchContext, fullRate?: number): Promise<LatencyResult> {
  const { plan, say, workPath } = context
  const { recordBytes, seconds, warmupSeconds } = plan.latency
  const bootstrap = await context.bootstrap()
  const rate = Math.floor((fullRate ?? (await measureRate(context, bootstrap))) / 2)
  const topic = { name: 'latency', partitions: PARTITIONS, records: rate * seconds, recordBytes }
  await createTopic(bootstrap, topic)
  say(`latency: ${rate} records/s for ${seconds} s`)

  const sediment = await SedimentUnderTest.start({ bootstrap, topic, workPath, entries: PARTITIONS })
  try {
    await untilAssigned(sediment)
    const samplers = new DurableOffsets()
    const load = produceLoad({
      bootstrap,
      topic: topic.name,
      recordCount: topic.records,
      recordBytes,
      recordsPerSecond: rate,
    })
    let produced: number | undefined
    load.then(
      (done) => (produced = done.recordsPerSecond),
      () => (produced = -1),
    )
    const startedMs = performance.now()
    let warm: Samples | undefined
    let latest: Samples | undefined
    while ((await samplers.look(sediment, (samples) => (latest = samples))) < topic.records) {
      if (produced === -1) await load
      if (warm === undefined && performance.now() - startedMs > warmupSeconds * 1000) warm = latest
      if (performance.now() - startedMs > (seconds + 60) * 1000) throw new Error('the sink fell behind')
      await sleep(POLL_MS)
    }
    const { recordsPerSecond } = await load
    await sediment.stop()
    await verifyAll(sediment.dataPath, { topic, entries: PARTITIONS })

    const timestamps = await readTimestamps(bootstrap, topic)
    const waits = samplers.waits(timestamps, warmupSeconds * 1000)
    const inside = (share: number): number | undefined => {
      if (warm === undefined || latest === undefined) return undefined
      const found = histogramQuantile(warm, latest, 'sediment_record_durable_seconds', share)
      return found === undefined ? undefined : found * 1000
    }
    return {
      recordBytes,
      records: waits.length,
      wantedRecordsPerSecond: rate,
      producedRecordsPerSecond: recordsPerSecond,
      pollMs: POLL_MS,
      p50Ms: quantile(waits, 0.5),
      p99Ms: quantile(waits, 0.99),
      maxMs: quantile(waits, 1),
      insideP50Ms: inside(0.5),
      insideP99Ms: inside(0.99),
    }
  } finally {
    await sediment.discard()
    await deleteTopics(bootstrap, [topic.name])
  }
}

async function measureRate({ plan, say, workPath }: BenchContext, bootstrap: string): Promise<number> {
  const { recordBytes } = plan.latency
  const size = plan.ingest.find((one) => one.recordBytes === recordBytes)
  const topic = {
    name: 'latency-rate',
    partitions: PARTITIONS,
    records: size?.records ?? 100_000,
    recordBytes,
  }
  say('latency: measuring the full rate first')
  await loadTopic(bootstrap, topic)
  const run = await runSediment({ bootstrap, topic, workPath, entries: PARTITIONS })
  await deleteTopics(bootstrap, [topic.name])
  return run.recordsPerSecond
}

async function untilAssigned(sediment: SedimentUnderTest): Promise<void> {
  for (;;) {
    const samples = await sediment.scrape()
    if (samples !== undefined && total(samples, 'sediment_assigned_partitions') === PARTITIONS) return
    await sleep(POLL_MS)
  }
}

/** What was durable when: per partition, looks in order of time. */
class DurableOffsets {
  readonly #looks = new Map<number, { atMs: number; nextOffset: number }[]>()

  /** @returns records durable in all */
  async look(sediment: SedimentUnderTest, told: (samples: Samples) => void): Promise<number> {
    const samples = await sediment.scrape()
    const atMs = Date.now()
    if (samples === undefined) return 0
    told(samples)
    for (const { labels, value } of samples.get('sediment_durable_offset') ?? []) {
      const partition = Number(labels['partition'])
      const looks = this.#looks.get(partition) ?? []
      looks.push({ atMs, nextOffset: value })
      this.#looks.set(partition, looks)
    }
    return total(samples, 'sediment_durable_offset')
  }

  /** Ascending, of the records whose time is `skipMs` or more behind the first. */
  waits(timestamps: readonly Float64Array[], skipMs: number): Float64Array {
    let firstMs = Infinity
    for (const times of timestamps) firstMs = Math.min(firstMs, times[0] ?? Infinity)
    const waits: number[] = []
    for (const [partition, times] of timestamps.entries()) {
      const looks = this.#looks.get(partition) ?? []
      let look = 0
      for (const [offset, timeMs] of times.entries()) {
        while ((looks[look]?.nextOffset ?? Infinity) <= offset) look++
        if (timeMs >= firstMs + skipMs) waits.push((looks[look]?.atMs ?? Infinity) - timeMs)
      }
    }
    return Float64Array.from(waits).sort()
  }
}

/** The timestamp of every record, by partition and offset, from an ordinary consumer. */
async function readTimestamps(bootstrap: string, topic: Topic): Promise<Float64Array[]> {
  const times = Array.from({ length: topic.partitions }, (): number[] => [])
  const consumer = kafkaClient(bootstrap).consumer({ groupId: `timestamps-${process.pid}` })
  await consumer.connect()
  try {
    await consumer.subscribe({ topic: topic.name, fromBeginning: true })
    let seen = 0
    await new Promise<void>((resolve, reject) => {
      consumer
        .run({
          eachBatch: ({ batch: { partition, messages } }) => {
            for (const { offset, timestamp } of messages) {
              const list = times[partition] as number[]
              if (list.length !== Number(offset)) reject(new Error('offsets are not in order'))
              list.push(Number(timestamp))
            }
            seen += messages.length
            if (seen === topic.records) resolve()
            return Promise.resolve()
          },
        })
        .catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return times.map((list) => Float64Array.from(list))
}
