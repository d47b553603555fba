// Goal: a partition that is not what it was is never read as if it were: each way that can come about has a name, stops
// nothing else, and ends only when a person accepts it. Method: a fake broker whose logs are cut and topics made again,
// and stores that restart from their snapshots, or from an older one.
import { describe, expect, it } from '@jest/globals'
import { acceptHold, type AcceptanceKind } from '../../src/ledger/acceptance.ts'
import { encodeDelta } from '../../src/ledger/ledger-codec.ts'
import { FakeSource } from '../support/sink/fake-source.ts'
import { FakeStorage } from '../support/sink/fake-storage.ts'
import { startSink, type SinkBench } from '../support/sink/sink-bench.ts'

const p0 = { topic: 'orders', partition: 0 }
const p1 = { topic: 'orders', partition: 1 }
const key = { ...p0, clusterId: 'cluster-1' }
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

/** Both partitions have 10 records, and they are stored and committed. */
async function tenStored(): Promise<SinkBench> {
  const bench = await startSink({ storage: new FakeStorage({ isInstant: true }) })
  const { source, clock } = bench
  for (const place of [p0, p1]) source.produce(place, 10)
  await source.assign(p0, p1)
  for (const place of [p0, p1]) await source.deliver(place, 10)
  await clock.advance(1000)
  return bench
}

/** The process dies and starts again, on these files. */
async function restarted(
  { source }: Pick<SinkBench, 'source'>,
  storage: FakeStorage,
  options: Parameters<typeof startSink>[0] = {},
): Promise<SinkBench> {
  const next = await startSink({ ...options, source, storage: storage.restarted() })
  await source.assign(p0, p1)
  return next
}

/** Returns what it means. */
function accept(storage: FakeStorage, kind: AcceptanceKind): string {
  const plan = acceptHold(kind, p0, storage.ledger.position(key))
  if (typeof plan === 'string') throw new Error(plan)
  storage.ledger.apply(encodeDelta('cluster-1', [plan.advance]))
  return plan.meaning
}

/** Partition 0 is held for this, also after another restart; partition 1 is not. */
async function expectHeld(bench: SinkBench, reason: string, detail: RegExp): Promise<SinkBench> {
  let last = bench
  for (const again of [false, true]) {
    if (again) last = await restarted(last, last.storage)
    expect(last.partition(p0)).toMatchObject({ paused: ['hold'], hold: { reason } })
    expect(last.partition(p0).hold?.detail).toMatch(detail)
    expect(last.partition(p1).hold).toBeUndefined()
    expect(last.eventsOf('partitionHeld')).toMatchObject([{ ...p0, reason }])
    expect(last.storage.ledger.position(key)?.hold?.reason).toBe(reason)
  }
  const { source, storedOffsets } = last
  const before = storedOffsets(p1).length
  source.produce(p1, 5)
  await source.deliver(p1, 5)
  expect(storedOffsets(p1).length).toBe(before + 5)
  return last
}

describe('what the ledger knows of a partition', () => {
  it('is its topic, and the leader of the last batch that is durable', async () => {
    const { source, storage } = await tenStored()
    const { topicId } = source.log(p0)
    expect(storage.ledger.position(key)).toMatchObject({ topicId, leaderEpoch: 0, nextOffset: 10 })
    source.log(p0).epochs.push([4, 10])
    source.produce(p0, 5)
    await source.deliver(p0, 5)
    expect(storage.restarted().ledger.position(key)).toMatchObject({ topicId, leaderEpoch: 4 })
  })

  it('comes from brokers that have learned of topic ids, before anything is read', async () => {
    const { source, storage } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    const { topicId } = source.log(p0)
    source.log(p0).topicId = undefined
    source.produce(p0, 3)
    await source.assign(p0)
    await source.deliver(p0, 3)
    expect(storage.ledger.position(key)?.topicId).toBeUndefined()
    source.log(p0).topicId = topicId
    await source.assign(p0)
    expect(storage.ledger.position(key)).toMatchObject({ topicId, nextOffset: 3 })
  })

  it('is no leader behind a gap: what was read last does not lead there', async () => {
    const { source, storage } = await tenStored()
    source.produce(p0, 20)
    source.log(p0).low = 20
    await source.assign(p0, p1)
    expect(storage.ledger.position(key)).toMatchObject({ nextOffset: 20, leaderEpoch: undefined })
    await source.assign(p0, p1)
    expect(source.held.size).toBe(0)
  })
})

describe('a topic that was deleted and made again', () => {
  it('is held, and read whole once that is accepted; its old commits do not count', async () => {
    const first = await tenStored()
    first.source.recreate(p0)
    first.source.produce(p0, 30)
    const held = await expectHeld(
      await restarted(first, first.storage),
      'topic-recreated',
      /10 offsets .* deleted|deleted .* 10 offsets/,
    )
    accept(held.storage, 'offsets')
    const { source, partition, storedOffsets, clock } = await restarted(held, held.storage)
    await source.deliver(p0, 30)
    expect(storedOffsets(p0)).toEqual([...numbers(0, 10), ...numbers(0, 30)])
    await clock.advance(1000)
    expect(partition(p0)).toMatchObject({ hold: undefined, committedOffset: 30 })
  })
})

describe('a log that was cut', () => {
  it('is held though it has grown beyond the position since, and read from the cut once that is accepted', async () => {
    const first = await tenStored()
    first.source.truncate(p0, 7)
    first.source.produce(p0, 20)
    const held = await expectHeld(
      await restarted(first, first.storage),
      'log-truncated',
      /cut at 7.* 3 offsets/,
    )
    accept(held.storage, 'offsets')
    const { source, storedOffsets, partition } = await restarted(held, held.storage)
    await source.deliver(p0, 20)
    expect(storedOffsets(p0)).toEqual([...numbers(0, 10), ...numbers(7, 27)])
    expect(partition(p0).hold).toBeUndefined()
  })

  it('is held when that is told while it is read', async () => {
    const bench = await tenStored()
    const decision = await bench.sink.truncated(p0, { offset: 10, leaderEpoch: 0, endOffset: 7 })
    expect(decision.kind).toBe('hold')
    bench.source.truncate(p0, 7)
    bench.source.produce(p0, 1)
    await expectHeld(bench, 'log-truncated', /cut at 7|ends at 8/)
  })

  it('is held where it ends before the position while it is read', async () => {
    const bench = await tenStored()
    bench.source.truncate(p0, 7)
    await bench.source.deliver(p0, 5)
    await expectHeld(bench, 'log-truncated', /(ends|cut) at 7.* 3 offsets/)
  })

  it.each([
    ['knew less', 4],
    ['knew nothing of it', 0],
  ])(
    'is held where another store had read what is gone, and read from the cut once that is accepted: this one %s',
    async (_, known) => {
      const source = new FakeSource()
      for (const place of [p0, p1]) source.produce(place, 10)
      const first = await startSink({ source, storage: new FakeStorage({ isInstant: true }) })
      await source.assign(...(known > 0 ? [p0, p1] : [p1]))
      if (known > 0) await source.deliver(p0, known)
      await first.clock.advance(1000)
      const other = await startSink({
        source,
        storage: new FakeStorage({ storeId: 'store-b', isInstant: true }),
      })
      await source.assign(p0, p1)
      await source.deliver(p0, 10)
      await other.clock.advance(1000)
      source.truncate(p0, 7)
      source.produce(p0, 20)

      const held = await expectHeld(
        await restarted(first, first.storage),
        'log-truncated',
        /cut at 7.* 3 offsets/,
      )
      expect(accept(held.storage, 'offsets')).toMatch(`the ${7 - known} from ${known} on are another store's`)
      const last = await restarted(held, held.storage)
      expect(last.partition(p0).hold).toBeUndefined()
      await source.deliver(p0, 5)
      // It dies before it has committed.
      const again = await restarted(last, last.storage)
      await source.deliver(p0, 20)
      expect(again.storedOffsets(p0)).toEqual([...numbers(0, known), ...numbers(7, 27)])
    },
  )
})

describe('a restored volume', () => {
  it('is held where it had committed more, and reads that again once that is accepted', async () => {
    const first = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    for (const place of [p0, p1]) first.source.produce(place, 10)
    await first.source.assign(p0, p1)
    await first.source.deliver(p0, 4)
    const copy = first.storage.restarted()
    await first.source.deliver(p0, 6)
    await first.clock.advance(1000)

    const held = await expectHeld(
      await restarted(first, copy),
      'ledger-behind',
      /committed 10.* ends at 4: 6 offsets/,
    )
    accept(held.storage, 'offsets')
    const { source, storedOffsets, partition, clock } = await restarted(held, held.storage)
    await source.deliver(p0, 10)
    expect(storedOffsets(p0)).toEqual(numbers(0, 10))
    await clock.advance(1000)
    expect(partition(p0)).toMatchObject({ hold: undefined, committedOffset: 10 })

    source.produce(p0, 1)
    await source.deliver(p0, 1)
    await clock.advance(1000)
    const again = await restarted(held, first.storage)
    expect(again.partition(p0).hold).toMatchObject({ reason: 'ledger-behind' })
  })

  it('without its ledger is held, and reads everything again once that is accepted', async () => {
    const first = await tenStored()
    const empty = new FakeStorage({ isInstant: true })
    const { partition } = await restarted(first, empty)
    expect(partition(p0).hold).toMatchObject({ reason: 'ledger-behind' })
    accept(empty, 'offsets')
    const { source, storedOffsets } = await restarted(first, empty)
    await source.deliver(p0, 10)
    expect(storedOffsets(p0)).toEqual(numbers(0, 10))
  })
})

describe('offsets in the group that this store did not commit', () => {
  it.each([
    ['reset by hand', { offset: 2, metadata: '' }, 1],
    ['set ahead by another tool', { offset: 18, metadata: 'connect-worker-3' }, 1],
    ['lost with the group', undefined, 0],
  ])('%s change nothing, and are reported', async (_, committed, reported) => {
    const first = await tenStored()
    for (const place of [p0, p1]) first.source.produce(place, 10)
    first.source.log(p0).committed = committed
    const { source, storedOffsets, eventsOf } = await restarted(first, first.storage)
    await source.deliver(p0, 10)
    expect(storedOffsets(p0)).toEqual(numbers(0, 20))
    expect(eventsOf('foreignCommitIgnored')).toHaveLength(reported)
    expect(source.held.size).toBe(0)
  })
})

describe('a partition that is held on the way', () => {
  it.each<[string, (bench: SinkBench) => Promise<unknown>]>([
    [
      'for a damaged batch',
      ({ sink }) =>
        sink.undecodable(p0, 4, new Error('bad checksum'), { nextOffset: 6, bytes: new Uint8Array(9) }),
    ],
    [
      'for what was deleted',
      async ({ source }) => {
        source.log(p0).low = 6
        await source.deliver(p0, 1)
      },
    ],
  ])('%s commits what it has stored: it may move to another store', async (_, hold) => {
    const bench = await startSink({ storage: new FakeStorage({ isInstant: true }), onDeleted: 'hold' })
    const { source, clock, partition } = bench
    source.produce(p0, 10)
    await source.assign(p0)
    await source.deliver(p0, 4)
    await hold(bench)
    await clock.advance(1000)
    expect(partition(p0)).toMatchObject({ hold: {}, durableOffset: 4, committedOffset: 4 })
  })
})

describe('what was deleted before it was read', () => {
  it('is a gap, and reading goes on', async () => {
    const first = await tenStored()
    first.source.produce(p0, 20)
    first.source.log(p0).low = 25
    const { source, storage, storedOffsets, eventsOf } = await restarted(first, first.storage)
    await source.deliver(p0, 10)
    expect(storedOffsets(p0)).toEqual([...numbers(0, 10), ...numbers(25, 30)])
    expect(eventsOf('gapRecorded')).toEqual([{ ...p0, class: 'deleted', offsets: 15 }])
    expect(storage.ledger.position(key)?.gaps).toEqual([{ class: 'deleted', fromOffset: 10, nextOffset: 25 }])
  })

  it('is held by choice, and becomes a gap once that is accepted', async () => {
    const first = await tenStored()
    first.source.produce(p0, 20)
    first.source.log(p0).low = 25
    const held = await restarted(first, first.storage, { onDeleted: 'hold' })
    expect(held.partition(p0).hold).toMatchObject({ reason: 'deleted' })
    expect(held.partition(p0).hold?.detail).toMatch(/15 offsets/)
    expect(held.eventsOf('gapRecorded')).toEqual([])
    accept(held.storage, 'gap')
    const { source, storedOffsets, storage } = await restarted(held, held.storage, { onDeleted: 'hold' })
    await source.deliver(p0, 10)
    expect(storedOffsets(p0)).toEqual([...numbers(0, 10), ...numbers(25, 30)])
    expect(storage.ledger.position(key)).toMatchObject({ hold: undefined, incarnation: 0 })
  })

  it('is held by choice when that is found out while it is read', async () => {
    const first = await tenStored()
    const { source, partition } = await restarted(first, first.storage, { onDeleted: 'hold' })
    source.produce(p0, 20)
    source.log(p0).low = 25
    await source.deliver(p0, 5)
    expect(partition(p0).hold).toMatchObject({ reason: 'deleted' })
  })
})

it('a hold that has gone by itself is gone from the ledger', async () => {
  const first = await tenStored()
  const { committed } = first.source.log(p0)
  first.source.log(p0).committed = { ...committed!, offset: 12 }
  const held = await restarted(first, first.storage)
  expect(held.storage.ledger.position(key)?.hold).toEqual({ reason: 'ledger-behind', offset: 12 })
  first.source.log(p0).committed = committed
  const { storage } = await restarted(held, held.storage)
  expect(storage.ledger.position(key)?.hold).toBeUndefined()
})
