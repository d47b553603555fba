// Goal: a record that the store cannot take holds its partition, and nothing of the partition behind it is stored
// before it, whatever was under way. Method: a fake store of which one entry is damaged, and the real one.
import { describe, expect, it } from '@jest/globals'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'
import type { RecordMapper } from '../../src/sink/partition-state.ts'
import { Sink } from '../../src/sink/sink.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { FakeSource } from '../support/sink/fake-source.ts'
import { FakeStorage } from '../support/sink/fake-storage.ts'
import { startSink } from '../support/sink/sink-bench.ts'
import { openStore } from '../support/storage/store.ts'

const p0 = { topic: 'orders', partition: 0 }
const p1 = { topic: 'orders', partition: 1 }
const hurt = { bucket: 'kafka', entry: 'hurt' }
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

/** Maps to the entry of the partition, but offset `atOffset` of partition 0 to the entry `hurt`. */
const mapperWith = (atOffset: number): RecordMapper => ({
  forPartition: (topic, partition) => ({
    map: ({ offset, timestampMs, value }) => ({
      target:
        partition === 0 && offset === atOffset ? hurt : { bucket: 'kafka', entry: `${topic}/${partition}` },
      timestampUs: timestampMs * 1000,
      labels: ['offset', String(offset)],
      contentType: 'text/plain',
      content: value ?? new Uint8Array(0),
    }),
  }),
})

async function start() {
  const storage = new FakeStorage({ isInstant: true })
  const bench = await startSink({ storage, mapper: mapperWith(14), limits: { memoryBytesMax: 100_000 } })
  bench.source.produce(p0, 40)
  bench.source.produce(p1, 40)
  await bench.source.assign(p0, p1)
  storage.damagedEntry = hurt.entry
  storage.isInstant = false
  const next = (place: typeof p0) => storage.ledger.position({ clusterId: 'cluster-1', ...place })?.nextOffset
  return { ...bench, next }
}

describe('a record that the store refuses', () => {
  it('holds its partition with what to do about it, and the others go on', async () => {
    const { source, storage, sink, partition, storedOffsets, next, clock, eventsOf } = await start()
    for (let i = 0; i < 4; i++) await source.deliver(p0, 10)
    for (let i = 0; i < 2; i++) await source.deliver(p1, 10)
    storage.makeDurable()
    await settled()

    expect(partition(p0)).toMatchObject({ acceptedOffset: 10, durableOffset: 10, paused: ['hold'] })
    expect(partition(p0).hold?.reason).toBe('damaged-block')
    expect(partition(p0).hold?.detail).toMatch(
      /^descriptor d.meta is missing.* offset 10 .*`sediment verify`/,
    )
    expect(eventsOf('partitionHeld')).toHaveLength(1)
    expect([next(p0), next(p1)]).toEqual([10, 20])
    expect(storedOffsets(p0)).toEqual(numbers(0, 10))

    storage.isInstant = true
    await source.deliver(p1, 20)
    await clock.advance(1000)
    expect(storedOffsets(p1)).toEqual(numbers(0, 40))
    expect(sink.status()).toMatchObject({ phase: 'running', memory: { usedBytes: 0 } })
    expect(source.paused).toEqual(new Set(['orders/0']))
    expect(source.log(p0).committed?.offset).toBe(10)
    expect(source.log(p1).committed?.offset).toBe(40)
  })

  it('does not let a batch in that was on its way, nor go on when space is back', async () => {
    const { source, storage, sink, partition, clock } = await start()
    for (let i = 0; i < 2; i++) await source.deliver(p0, 10)
    storage.makeDurable()
    await settled()
    await sink.batch(source.nextBatch(p0, 10), source.epoch, new AbortController().signal)
    expect(partition(p0).acceptedOffset).toBe(10)

    storage.spare = -1
    await clock.advance(1000)
    storage.spare = 1 << 30
    await clock.advance(1000)
    expect(source.paused).toEqual(new Set(['orders/0']))
  })

  it('is stored, once and in order, by the next generation that finds the block whole', async () => {
    const { source, storage, partition, storedOffsets, next } = await start()
    for (let i = 0; i < 3; i++) await source.deliver(p0, 10)
    storage.makeDurable()
    await settled()
    storage.isInstant = true
    await source.assign(p0, p1)
    await source.deliver(p0, 10)
    await settled()
    expect(partition(p0).hold?.reason).toBe('damaged-block')

    storage.damagedEntry = undefined
    await source.assign(p0, p1)
    for (let i = 0; i < 3; i++) await source.deliver(p0, 10)
    await settled()
    expect(partition(p0).hold).toBeUndefined()
    expect(next(p0)).toBe(40)
    expect(storedOffsets(p0)).toEqual(numbers(0, 40).filter((offset) => offset !== 14))
    expect(storage.stored.filter(({ target }) => target === hurt)).toHaveLength(1)
  })

  it('holds the partition also where it was refused after a new generation had begun', async () => {
    const { source, storage, partition, next } = await start()
    for (let i = 0; i < 3; i++) await source.deliver(p0, 10)
    await source.assign(p0, p1)
    expect(partition(p0)).toMatchObject({ acceptedOffset: 30, hold: undefined })
    await source.deliver(p0, 10)

    storage.makeDurable(1)
    await settled()
    expect(partition(p0).hold).toBeUndefined()
    storage.makeDurable(1)
    await settled()
    expect(partition(p0)).toMatchObject({ acceptedOffset: 10, hold: { reason: 'damaged-block' } })
    // Two that came later are still under way: the state lives on, and so does its hold.
    await source.assign(p0, p1)
    expect(source.held.get('orders/0')).toBe('damaged-block')
    storage.makeDurable()
    await settled()
    expect(next(p0)).toBe(10)

    storage.damagedEntry = undefined
    storage.isInstant = true
    await source.assign(p0, p1)
    for (let i = 0; i < 3; i++) await source.deliver(p0, 10)
    await settled()
    expect(next(p0)).toBe(40)
  })

  it('holds back a step over gaps behind it, and no step of others', async () => {
    const { source, storage, next } = await start()
    for (let i = 0; i < 2; i++) await source.deliver(p0, 10)
    source.log(p0).low = 30
    source.log(p1).low = 30
    const assigned = source.assign(p0, p1)
    await settled()
    storage.makeDurable()
    await assigned
    expect([next(p0), next(p1)]).toEqual([10, 30])
    expect(source.paused).toEqual(new Set(['orders/0']))
  })
})

it('a damaged descriptor of the real store holds the partition that needs its block, and no other', async () => {
  const disk = new SimulatedDisk({ seed: 4 })
  const ledger = new OffsetLedger()
  const first = await openStore(disk.fs)
  await first.submit({
    writes: [1_700_000_000_000_000, 1_700_000_001_000_000].map((timestampUs) => ({
      target: hurt,
      timestampUs,
      labels: [],
      contentType: '',
      content: new Uint8Array(9),
    })),
  })
  await first.close()
  disk.flipBit(`/data/kafka/hurt/1700000000000000.meta`, 50)

  const storage = await openStore(disk.fs, { companion: ledger })
  const source = new FakeSource()
  const sink = new Sink({
    source,
    storage,
    ledger,
    clock: new ManualClock(),
    mapper: mapperWith(14),
    groupId: 'group-1',
    start: { kind: 'earliest' },
    limits: { submissionBytesMax: 400 },
  })
  await sink.start()
  source.produce(p0, 40)
  source.produce(p1, 40)
  await source.assign(p0, p1)
  await Promise.all([source.deliver(p0, 40), source.deliver(p1, 40)])
  // Durable in the order of the calls.
  await storage.submit({ writes: [] })
  await settled()

  const [one, two] = sink.status().partitions
  expect(one).toMatchObject({ durableOffset: 12, hold: { reason: 'damaged-block' } })
  expect(one?.hold?.detail).toMatch(/kafka\/hurt\/1700000000000000\.meta/)
  expect(two).toMatchObject({ durableOffset: 40, hold: undefined })
  await sink.stop(0)
  await storage.close()
  const again = await openStore(disk.restart())
  let stored = 0
  for await (const _ of again.records({ bucket: 'kafka', entry: 'orders/0' })) stored += 1
  expect(stored).toBe(12)
  await again.close()
})

it('damaged settings of a bucket hold the partitions that go into it, and no other', async () => {
  const disk = new SimulatedDisk({ seed: 4 })
  const first = await openStore(disk.fs)
  await first.createBucket('bucket-0')
  await first.close()
  disk.flipBit('/data/bucket-0/bucket.settings', 11)

  const ledger = new OffsetLedger()
  const storage = await openStore(disk.fs, { companion: ledger })
  const source = new FakeSource()
  const mapper: RecordMapper = {
    forPartition: (topic, partition) => ({
      map: ({ timestampMs, value }) => ({
        target: { bucket: `bucket-${partition}`, entry: topic },
        timestampUs: timestampMs * 1000,
        labels: [],
        contentType: 'text/plain',
        content: value ?? new Uint8Array(0),
      }),
    }),
  }
  const clock = new ManualClock()
  const sink = new Sink({
    source,
    storage,
    ledger,
    clock,
    mapper,
    groupId: 'group-1',
    start: { kind: 'earliest' },
  })
  await sink.start()
  source.produce(p0, 40)
  source.produce(p1, 40)
  await source.assign(p0, p1)
  await Promise.all([source.deliver(p0, 40), source.deliver(p1, 40)])
  await storage.submit({ writes: [] })
  await settled()

  const [one, two] = sink.status().partitions
  expect(one).toMatchObject({ durableOffset: 0, hold: { reason: 'damaged-block' } })
  expect(one?.hold?.detail).toMatch(/bucket-0\/bucket\.settings/)
  expect(two).toMatchObject({ durableOffset: 40, hold: undefined })
  await sink.stop(0)
  await storage.close()
})
