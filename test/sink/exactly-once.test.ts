// Goal: whatever happens between broker, sink and store, no committed offset is ahead of what is durable, and in the
// end every offset is stored once or recorded as a gap once.
// Method: seeded random histories of deliveries, slow and out-of-order durability, rebalances with and without time to
// drain, failing commits, full disks, redelivery, crashes and restarts. A failing history prints its seed.
import { describe, expect, it } from '@jest/globals'
import type { TopicPartition } from '../../src/kafka/source.ts'
import { Random } from '../support/random.ts'
import { FakeSource, nameOf } from '../support/sink/fake-source.ts'
import { FakeStorage } from '../support/sink/fake-storage.ts'
import { type SinkBench, startSink, storedOffsets } from '../support/sink/sink-bench.ts'
import { settled } from '../support/manual-clock.ts'

const FIRST_SEED = 1000
const HISTORIES = 60
const STEPS = 120
const places: TopicPartition[] = [0, 1, 2].map((partition) => ({ topic: 'orders', partition }))
const limits = { memoryBytesMax: 8000, inFlightBytesMax: 1000, submissionBytesMax: 700, spareBytesResume: 10 }

const troubles = [
  'waits for memory',
  'paused',
  'delivered again',
  'discarded at a deadline',
  'crashed with work in flight',
] as const
const coverage = new Map<string, number>()
const cover = (what: (typeof troubles)[number]): void => {
  coverage.set(what, (coverage.get(what) ?? 0) + 1)
}

class History {
  readonly random: Random
  readonly source = new FakeSource()
  storage = new FakeStorage()
  bench!: SinkBench
  /** Deliveries under way, by partition: one at a time, as the source does it. */
  readonly delivering = new Map<string, Promise<void>>()

  constructor(seed: number) {
    this.random = new Random(seed)
    const { source } = this
    const commit = source.commit.bind(source)
    source.commit = async (offsets, epoch) => {
      for (const { topic, partition, offset } of offsets) {
        const durable =
          this.storage.ledger.position({ clusterId: source.clusterId, topic, partition })?.nextOffset ?? 0
        expect(offset).toBeLessThanOrEqual(durable)
      }
      return commit(offsets, epoch)
    }
  }

  async run(): Promise<void> {
    await this.live()
    await this.assign()
    for (let i = 0; i < STEPS; i++) await this.step()
    await this.finish()
    this.check()
  }

  async live(): Promise<void> {
    this.bench = await startSink({ source: this.source, storage: this.storage, limits })
  }

  async step(): Promise<void> {
    const { random, source, storage, bench } = this
    const place = places[random.below(places.length)]!
    const dice = random.below(100)
    if (dice < 20) {
      const log = source.log(place)
      const from = log.high
      source.produce(place, random.between(1, 20))
      for (let offset = from; offset < log.high; offset++) if (random.chance(0.1)) log.missing.add(offset)
    } else if (dice < 60) this.deliver(place)
    else if (dice < 75) storage.makeDurable(random.between(1, 3))
    else if (dice < 80) this.acknowledgeBackwards()
    else if (dice < 88) await bench.clock.advance(random.between(1, 1500))
    else if (dice < 90) storage.spare = random.chance(0.5) ? -1 : 1000
    else if (dice < 92) source.commitError = random.chance(0.5) ? new Error('not now') : undefined
    else if (dice < 94) this.redeliver(place)
    else if (dice < 96) await this.assign()
    else if (dice < 98) await this.rebalance()
    else await this.crash()
    await settled()
  }

  deliver(place: TopicPartition): void {
    const name = nameOf(place)
    if (this.delivering.has(name)) {
      if (this.bench.sink.status().memory.waiting > 0) cover('waits for memory')
      return
    }
    if (this.source.paused.has(name)) cover('paused')
    const delivery = this.source.deliver(place, this.random.between(1, 15))
    this.delivering.set(name, delivery)
    void delivery.finally(() => {
      if (this.delivering.get(name) === delivery) this.delivering.delete(name)
    })
  }

  redeliver(place: TopicPartition): void {
    const name = nameOf(place)
    const position = this.source.positions.get(name) ?? 0
    if (this.delivering.has(name) || position === 0) return
    this.source.positions.set(name, this.random.below(position))
    cover('delivered again')
  }

  acknowledgeBackwards(): void {
    this.storage.writeFrames(3)
    for (const acknowledge of this.storage.acknowledgeOneByOneBackwards()) acknowledge()
  }

  /** The store goes on by itself while `work` needs it. */
  async withStore(work: Promise<unknown>): Promise<void> {
    let isDone = false
    void work.finally(() => (isDone = true))
    for (let i = 0; i < 1000 && !isDone; i++) {
      if (this.random.chance(0.3)) this.storage.makeDurable(1)
      await this.bench.clock.advance(this.random.between(10, 400))
    }
    await work
  }

  async assign(): Promise<void> {
    const owned = places.filter(() => this.random.chance(0.8))
    this.delivering.clear()
    await this.withStore(this.source.assign(...owned))
  }

  async rebalance(): Promise<void> {
    const deadlineMs = this.random.chance(0.5) ? 1 : this.random.between(1, 3000)
    await this.withStore(this.source.handler.revoking(this.source.epoch, deadlineMs))
    if (this.bench.eventsOf('drained').at(-1)?.['discarded'] !== 0) cover('discarded at a deadline')
    await this.assign()
  }

  async crash(): Promise<void> {
    if (this.storage.inFlight.length > 0) cover('crashed with work in flight')
    if (this.random.chance(0.5)) this.storage.writeFrames(2)
    this.storage = this.storage.restarted()
    this.delivering.clear()
    await this.live()
    await this.assign()
  }

  async finish(): Promise<void> {
    this.source.commitError = undefined
    this.storage.spare = 1 << 30
    this.delivering.clear()
    await this.withStore(this.source.assign(...places))
    this.storage.isInstant = true
    this.storage.makeDurable()
    await this.bench.clock.advance(2000)
    for (const place of places) {
      while (this.source.positions.get(nameOf(place))! < this.source.log(place).high) {
        await this.source.deliver(place, 50)
      }
    }
    expect(await this.bench.sink.drain(1000)).toMatchObject({ isComplete: true })
    await this.bench.sink.stop(1000)
  }

  check(): void {
    expect(this.bench.sink.status().failure).toBeUndefined()
    expect(this.bench.sink.status().memory.usedBytes).toBe(0)
    for (const place of places) {
      const { high, missing, committed } = this.source.log(place)
      const there = Array.from({ length: high }, (_, offset) => offset).filter(
        (offset) => !missing.has(offset),
      )
      expect(storedOffsets(this.storage, place)).toEqual(there)
      const row = this.storage.ledger.position({ clusterId: this.source.clusterId, ...place })!
      expect(row.nextOffset).toBe(high)
      expect(row.records).toBe(there.length)
      expect(committed?.offset).toBe(high)
    }
  }
}

describe('the sink', () => {
  it('stores every offset once and never commits ahead, in every history', async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed++) {
      try {
        await new History(seed).run()
      } catch (error) {
        throw new Error(`the history of seed ${seed} failed: ${String(error)}`, { cause: error })
      }
    }

    // Histories in which nothing goes wrong prove nothing.
    const rare = troubles.filter((trouble) => (coverage.get(trouble) ?? 0) < 10)
    expect(rare.map((trouble) => [trouble, coverage.get(trouble)])).toEqual([])
  })
})
