// Goal: what the sink promises, one fact a test: order, durability before commit, duplicates, back-pressure, holds,
// pauses, drains and failures. Method: a fake broker and a fake store whose durability the test decides; no real time.
import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '../../src/base/logger.ts'
import { SourceError } from '../../src/kafka/source.ts'
import { encodeCommitMetadata } from '../../src/sink/commit-metadata.ts'
import { FakeSource, nameOf, record } from '../support/sink/fake-source.ts'
import { FakeStorage } from '../support/sink/fake-storage.ts'
import { settled } from '../support/manual-clock.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { startSink } from '../support/sink/sink-bench.ts'

const p0 = { topic: 'orders', partition: 0 }
const p1 = { topic: 'orders', partition: 1 }
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)
const ofStore = (storeId: string): string =>
  encodeCommitMetadata({ clusterId: 'cluster-1', groupId: 'group-1', storeId, epoch: 1 })

describe('acceptance and durability', () => {
  it('accepts before it is durable, and commits only what is durable', async () => {
    const { source, storage, clock, partition } = await startSink({
      limits: { memoryBytesMax: 20_000 },
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10)
    await source.deliver(p0, 10)
    expect(partition(p0)).toMatchObject({ acceptedOffset: 20, durableOffset: 0, lagRecords: 30 })
    await clock.advance(1000)
    expect(source.commits.at(-1)).toMatchObject({ offset: 0 })

    storage.makeDurable(1)
    await clock.advance(1000)

    expect(partition(p0)).toMatchObject({ durableOffset: 10, committedOffset: 10, lagRecords: 20 })
    expect(source.commits.at(-1)).toMatchObject({ offset: 10, epoch: 1 })
  })

  it('does not commit beyond a submission that is not acknowledged, though later ones are', async () => {
    const { source, storage, clock, partition } = await startSink({
      limits: { memoryBytesMax: 20_000 },
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    const acknowledged: number[] = []
    for (let i = 0; i < 3; i++) await source.deliver(p0, 10)
    storage.writeFrames()
    const submits = storage.acknowledgeOneByOneBackwards()
    for (const acknowledge of submits) {
      acknowledge()
      await clock.advance(1000)
      acknowledged.push(partition(p0).committedOffset ?? -1)
    }

    expect(acknowledged).toEqual([0, 0, 30])
  })

  it('commits early when much has become durable', async () => {
    const { source, clock } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      limits: { commitBytesMax: 1000, commitIntervalMs: 3_600_000 },
    })
    source.produce(p0, 30)
    await source.assign(p0)
    await source.deliver(p0, 2)
    await clock.advance(10)
    expect(source.commits).toEqual([])

    await source.deliver(p0, 20)
    await clock.advance(10)

    expect(source.commits).toMatchObject([{ offset: 22 }])
  })

  it('counts a failed commit and says more with the next', async () => {
    const { source, clock, eventsOf } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    await source.assign(p0)
    await source.deliver(p0, 10)
    source.commitError = new Error('coordinator moved')
    await clock.advance(1000)
    source.commitError = undefined
    await source.deliver(p0, 10)

    await clock.advance(1000)

    expect(eventsOf('commitFailed')).toHaveLength(1)
    expect(source.commits).toMatchObject([{ offset: 20 }])
  })

  it('commits the others where the broker takes nothing of one, tells of it once, and drains no longer for it', async () => {
    const logger = new RecordingLogger()
    const { lines } = logger
    const { sink, source, clock, partition, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      logger,
    })
    for (const place of [p0, p1]) source.produce(place, 10)
    await source.assign(p0, p1)
    for (const place of [p0, p1]) await source.deliver(place, 10)
    source.commitless.add(nameOf(p0))
    await clock.advance(3000)
    expect(partition(p1).committedOffset).toBe(10)
    expect(partition(p0).committedOffset).toBeUndefined()
    expect(eventsOf('commitFailed')).toEqual([])
    expect(lines.filter(({ message }) => message.includes('takes no commits'))).toMatchObject([
      { facts: { partitions: 1, first: nameOf(p0), reason: 'gone' } },
    ])

    const drained = sink.drain(30_000)
    await clock.advance(10)
    expect(await drained).toMatchObject({ recordsLeft: 0, partitionsUncommitted: 1, durationMs: 0 })
  })

  it('logs the first failed commit of a row, and its end', async () => {
    const logger = new RecordingLogger()
    const { lines } = logger
    const { source, clock } = await startSink({ storage: new FakeStorage({ isInstant: true }), logger })
    source.produce(p0, 30)
    await source.assign(p0)
    await source.deliver(p0, 10)
    source.commitError = new Error('coordinator moved')
    await clock.advance(3000)
    source.commitError = undefined
    await clock.advance(3000)
    expect(lines.map(({ message }) => message).filter((message) => message.includes('commit'))).toEqual([
      'offsets cannot be committed; all are tried again, none is lost',
      'offsets are committed again',
    ])
  })

  it('cuts a batch into submissions that carry their own step each', async () => {
    const { source, storage, partition } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      limits: { submissionBytesMax: 520 },
    })
    source.produce(p0, 10)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10)
    const sizes = storage.inFlight.map(({ writes }) => writes.length)
    expect(sizes).toEqual([4, 4, 2])

    storage.makeDurable(2)
    await settled()

    expect(partition(p0).durableOffset).toBe(8)
  })

  it('gives the memory of a batch back when all of it is durable, and never when the store failed', async () => {
    const { source, storage, sink } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      limits: { submissionBytesMax: 520 },
    })
    source.produce(p0, 20)
    await source.assign(p0)
    storage.isInstant = false
    const released: number[] = []
    const deliver = async (fromOffset: number, count: number): Promise<void> => {
      const { signal } = new AbortController()
      source.positions.set(nameOf(p0), fromOffset)
      const batch = { ...source.nextBatch(p0, count), release: () => released.push(fromOffset) }
      await sink.batch(batch, source.epoch, signal)
    }
    await deliver(0, 10)
    await deliver(10, 10)
    storage.makeDurable(2)
    await settled()
    expect(released).toEqual([])

    storage.makeDurable(2)
    await settled()
    expect(released).toEqual([0])

    storage.poison(new Error('disk'))
    await settled()
    expect(released).toEqual([0])
  })

  it('records what was not delivered as gaps, and stores the rest', async () => {
    const { source, storage, storedOffsets, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 10)
    const { missing, why } = source.log(p0)
    for (const offset of [2, 5, 6, 9]) missing.add(offset)
    why.set(2, 'control').set(5, 'aborted').set(6, 'compacted')
    await source.assign(p0)
    await source.deliver(p0, 10)
    await settled()

    expect(storedOffsets(p0)).toEqual([0, 1, 3, 4, 7, 8])
    const row = storage.ledger.position({ clusterId: 'cluster-1', ...p0 })
    expect(row).toMatchObject({ nextOffset: 10, records: 6 })
    expect(Object.fromEntries(row!.gapOffsets)).toEqual({ control: 1, aborted: 1, compacted: 1, unknown: 1 })
    expect(eventsOf('gapRecorded')).toHaveLength(4)
  })

  it('keeps a rejected message in the quarantine entry of its partition, and goes on', async () => {
    const warnings: object[] = []
    const { source, storage, sink, storedOffsets, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      logger: { ...silentLogger, warn: (facts) => warnings.push(facts) },
    })
    source.produce(p0, 3)
    await source.assign(p0)
    const batch = source.nextBatch(p0, 3)
    const records = [record(0), record(1, 'bad'), record(2)]

    await sink.batch({ ...batch, records }, source.epoch, new AbortController().signal)
    await settled()

    expect(storedOffsets(p0)).toEqual([0, 2])
    const kept = storage.stored.find((write) => write.target.bucket === 'quarantine')
    expect(kept?.labels).toEqual(['offset', '1', 'topic', 'orders', 'partition', '0', 'cause', 'it is bad'])
    expect(eventsOf('recordRejected')).toEqual([{ ...p0, offset: 1, cause: 'it is bad' }])
    expect(warnings).toMatchObject([{ ...p0, offset: 1, cause: 'it is bad' }])
    expect(storage.ledger.position({ clusterId: 'cluster-1', ...p0 })).toMatchObject({
      nextOffset: 3,
      records: 3,
    })
  })
})

describe('redelivery', () => {
  it('drops what was accepted before a rejoin without a drain, durable or not', async () => {
    const { source, storage, storedOffsets, eventsOf } = await startSink({
      limits: { memoryBytesMax: 20_000 },
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10)
    await source.deliver(p0, 10)
    storage.makeDurable(1)
    await settled()

    await source.assign(p0)
    expect(source.positions.get(nameOf(p0))).toBe(20)
    source.positions.set(nameOf(p0), 5)
    await source.deliver(p0, 20)
    storage.makeDurable()
    await settled()

    expect(storedOffsets(p0)).toEqual(numbers(0, 25))
    expect(eventsOf('duplicatesDropped')).toEqual([{ ...p0, records: 15 }])
  })

  it('stores nothing twice after a crash between the frame and the commit', async () => {
    const source = new FakeSource()
    const first = await startSink({ source, storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    await source.assign(p0)
    await source.deliver(p0, 10)
    expect(source.commits).toEqual([])

    const second = await startSink({ source, storage: first.storage.restarted() })
    await source.assign(p0)
    await source.deliver(p0, 30)
    await settled()

    expect(second.storedOffsets(p0)).toEqual(numbers(0, 30))
  })

  it('fails when the source skips what was not accepted', async () => {
    const { sink, source } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    await source.assign(p0)
    source.positions.set(nameOf(p0), 1)

    await expect(source.deliver(p0, 10)).rejects.toMatchObject({ code: 'ERR_INTEGRITY' })

    expect(await sink.ended).toMatchObject({ code: 'ERR_INTEGRITY' })
    expect(source.isStopped).toBe(true)
  })

  it('ignores batches of an older generation', async () => {
    const { sink, source, partition } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    await source.assign(p0)
    const old = source.nextBatch(p0, 10)
    await source.assign(p0)

    await sink.batch(old, 1, new AbortController().signal)

    expect(partition(p0).acceptedOffset).toBe(0)
  })
})

describe('back-pressure', () => {
  it('waits for memory with a batch in hand, and takes it when the store has caught up', async () => {
    const { source, storage, sink, partition, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    source.produce(p1, 30)
    await source.assign(p0, p1)
    storage.isInstant = false
    await source.deliver(p0, 10, 900)
    const waiting = source.deliver(p1, 10, 200)
    await settled()
    expect(partition(p1).acceptedOffset).toBe(0)
    expect(sink.status()).toMatchObject({ paused: ['memory'], memory: { usedBytes: 4900, waiting: 1 } })

    storage.makeDurable()
    await waiting

    expect(partition(p1).acceptedOffset).toBe(10)
    expect(sink.status()).toMatchObject({ paused: [], memory: { usedBytes: 4200, waiting: 0 } })
    expect(eventsOf('memoryWaited')).toHaveLength(1)
  })

  it('takes one batch larger than the whole budget', async () => {
    const { source, partition } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    await source.assign(p0)

    await source.deliver(p0, 30, 5_000_000)

    expect(partition(p0).acceptedOffset).toBe(30)
  })

  it('lets go of a batch that waits when the generation ends, without taking it', async () => {
    const { source, storage, storedOffsets, sink } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 40)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10, 900)
    const waiting = source.deliver(p0, 10, 900)
    await settled()

    await source.assign(p0)
    await waiting
    storage.makeDurable()
    await settled()

    expect(storedOffsets(p0)).toEqual(numbers(0, 10))
    expect(sink.status().memory.usedBytes).toBe(0)
  })

  it('does not take a batch that got its memory only when the disk was full', async () => {
    const { source, storage, clock, partition } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10, 900)
    const waiting = source.deliver(p0, 10, 900)
    storage.spare = -1
    await clock.advance(1000)

    storage.makeDurable()
    await settled()
    expect(partition(p0).acceptedOffset).toBe(10)

    storage.spare = 1 << 30
    await clock.advance(1000)
    await waiting
    expect(partition(p0).acceptedOffset).toBe(20)
  })

  it('pauses everything without spare bytes on disk, keeps a batch in hand waiting, and resumes by itself', async () => {
    const warnings: object[] = []
    const { source, storage, clock, sink, partition } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      limits: { spareBytesResume: 10_000 },
      logger: { ...silentLogger, warn: (facts) => warnings.push(facts) },
    })
    source.produce(p0, 30)
    await source.assign(p0, p1)
    const epoch = source.epoch
    storage.spare = -1
    await clock.advance(1000)
    expect([...source.paused]).toEqual(['orders/0', 'orders/1'])
    expect(partition(p0).paused).toEqual(['disk-space'])
    const inHand = sink.batch(source.nextBatch(p0, 10), epoch, new AbortController().signal)

    storage.spare = 9999
    await clock.advance(1000)
    expect([source.paused.size, partition(p0).acceptedOffset]).toEqual([2, 0])

    storage.spare = 10_000
    await clock.advance(1000)
    await inHand

    expect([source.paused.size, partition(p0).acceptedOffset]).toEqual([0, 10])
    const said = { reason: 'disk-space', spareBytesResume: 10_000 }
    expect(warnings).toEqual([
      { ...said, spareBytes: -1 },
      { ...said, spareBytes: 10_000 },
    ])
  })

  it('pauses at once when more is accepted than the last look at the disk left room for', async () => {
    const storage = new FakeStorage({ isInstant: true })
    storage.spare = 20_000
    const { source, partition, clock } = await startSink({
      storage,
      limits: { spareBytesResume: 10_000, memoryBytesMax: 1 << 20 },
    })
    source.produce(p0, 200)
    await source.assign(p0)
    await source.deliver(p0, 40)
    expect(partition(p0).paused).toEqual([])

    await source.deliver(p0, 40)
    expect(partition(p0)).toMatchObject({ acceptedOffset: 80, paused: ['disk-space'] })

    await clock.advance(1000)
    expect(partition(p0).paused).toEqual([])
  })

  it('begins paused on a disk without spare bytes', async () => {
    const storage = new FakeStorage({ isInstant: true })
    storage.spare = -1
    const { source } = await startSink({ storage })
    await source.assign(p0)
    expect([...source.paused]).toEqual(['orders/0'])
  })

  it('stays paused in a new generation, and reads on in it when space is back', async () => {
    const { source, storage, clock, partition } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    await source.assign(p0)
    storage.spare = -1
    await clock.advance(1000)

    await source.assign(p0, p1)
    expect([...source.paused]).toEqual(['orders/0', 'orders/1'])
    expect(partition(p1).paused).toEqual(['disk-space'])

    storage.spare = 1 << 30
    await clock.advance(1000)
    expect(source.paused.size).toBe(0)
  })

  it('counts each time that it begins to wait, by reason', async () => {
    const { source, storage, clock, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    source.produce(p1, 30)
    const noRule = { topic: 'no-rule-here', partition: 0 }
    await source.assign(p0, p1, noRule)
    expect(eventsOf('paused')).toEqual([{ reason: 'hold' }])
    storage.isInstant = false
    await source.deliver(p0, 10, 900)
    const waiting = [source.deliver(p0, 10, 900), source.deliver(p1, 10, 900)]
    await settled()
    expect(eventsOf('paused').slice(1)).toEqual([{ reason: 'memory' }])
    expect(eventsOf('resumed')).toEqual([])

    storage.isInstant = true
    storage.makeDurable()
    await Promise.all(waiting)
    await settled()
    expect(eventsOf('resumed')).toEqual([{ reason: 'memory' }])

    storage.spare = -1
    await clock.advance(1000)
    expect(eventsOf('paused').slice(2)).toEqual([{ reason: 'disk-space' }])
  })
})

describe('an assignment', () => {
  it('claims the store for cluster and group before anything is accepted', async () => {
    const { source, storage } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    await source.assign(p0)
    await source.assign(p0)

    expect(storage.claims).toEqual(['cluster-1/group-1'])
  })

  it('records durably where a partition begins, before it is read', async () => {
    const { source, storage } = await startSink({ start: { kind: 'latest' } })
    source.produce(p0, 40)
    let decisions: unknown
    void source.assign(p0, p1).then((made) => (decisions = made))
    await settled()
    expect(decisions).toBeUndefined()
    expect(storage.inFlight).toHaveLength(1)

    storage.makeDurable()
    await settled()

    expect(decisions).toEqual([
      { kind: 'start', offset: 40 },
      { kind: 'start', offset: 0 },
    ])
    const rows = storage.ledger.positions()
    expect(rows.map(({ partition, nextOffset, gaps }) => ({ partition, nextOffset, gaps }))).toEqual([
      { partition: 0, nextOffset: 40, gaps: [{ class: 'before-start', fromOffset: 0, nextOffset: 40 }] },
      { partition: 1, nextOffset: 0, gaps: [] },
    ])
  })

  it('does not skip what came in before the first record, when it began at the latest and crashed', async () => {
    const source = new FakeSource()
    const start = { kind: 'latest' } as const
    const first = await startSink({ source, start, storage: new FakeStorage({ isInstant: true }) })
    await source.assign(p0)
    source.produce(p0, 10)

    const second = await startSink({ source, start, storage: first.storage.restarted() })
    await source.assign(p0)
    await source.deliver(p0, 10)
    await settled()

    expect(second.storedOffsets(p0)).toEqual(numbers(0, 10))
  })

  it('holds one partition while the others progress, and commits nothing for it', async () => {
    const { source, clock, partition, storedOffsets, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    source.produce(p1, 30)
    source.log(p0).committed = { offset: 25, metadata: ofStore('store-a') }
    expect(await source.assign(p0, p1)).toEqual([
      { kind: 'hold', reason: 'ledger-behind' },
      { kind: 'start', offset: 0 },
    ])

    await source.deliver(p1, 30)
    await clock.advance(120_000)

    expect(storedOffsets(p1)).toEqual(numbers(0, 30))
    expect(partition(p0)).toMatchObject({ hold: { reason: 'ledger-behind' }, paused: ['hold'] })
    expect(source.commits.filter(({ partition }) => partition === 0)).toEqual([])
    expect(eventsOf('partitionHeld')).toMatchObject([{ ...p0, reason: 'ledger-behind' }])
    expect(eventsOf('failed')).toEqual([])
  })

  it('holds a topic that no rule takes', async () => {
    const { source } = await startSink({ storage: new FakeStorage({ isInstant: true }) })

    expect(await source.assign({ topic: 'no-rule-here', partition: 0 })).toEqual([
      { kind: 'hold', reason: 'no-rule' },
    ])
  })

  it('takes over from another store of the group with a gap, and reports a stranger', async () => {
    const { source, storage, eventsOf } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    source.produce(p1, 30)
    source.log(p0).committed = { offset: 12, metadata: ofStore('store-b') }
    source.log(p1).committed = { offset: 12, metadata: 'by hand' }

    expect(await source.assign(p0, p1)).toEqual([
      { kind: 'start', offset: 12 },
      { kind: 'start', offset: 0 },
    ])

    expect(storage.ledger.position({ clusterId: 'cluster-1', ...p0 })?.gaps).toEqual([
      { class: 'elsewhere', storeId: 'store-b', fromOffset: 0, nextOffset: 12 },
    ])
    expect(eventsOf('foreignCommitIgnored')).toEqual([{ ...p1, offset: 12, metadata: 'by hand' }])
  })

  it('says that it leaves offsets to another data directory of the group', async () => {
    const warnings: object[] = []
    const { source } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      logger: { ...silentLogger, warn: (facts, message) => warnings.push({ ...facts, message }) },
    })
    source.produce(p0, 30)
    source.log(p0).committed = { offset: 12, metadata: ofStore('store-b') }

    await source.assign(p0)
    await settled()

    expect(warnings).toMatchObject([{ ...p0, class: 'elsewhere', offsets: 12, storeId: 'store-b' }])
  })

  it('asks for the offset at a time when it is to begin there, and not where it has begun', async () => {
    const { source } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      start: { kind: 'time', timestampMs: 5000 },
    })
    const asked: string[] = []
    source.offsetAtTime = (place, timestampMs) => {
      asked.push(nameOf(place))
      return place.partition + timestampMs / 1000
    }
    source.produce(p0, 30)
    source.produce(p1, 30)

    expect(await source.assign(p0)).toEqual([{ kind: 'start', offset: 5 }])
    expect(await source.assign(p0, p1)).toEqual([
      { kind: 'start', offset: 5 },
      { kind: 'start', offset: 6 },
    ])
    expect(asked).toEqual([nameOf(p0), nameOf(p1)])
  })

  it('fails when the store belongs to another cluster', async () => {
    const storage = new FakeStorage()
    const refusal = new Error('another cluster')
    storage.claim = () => Promise.reject(refusal)
    const { source, sink } = await startSink({ storage })

    await expect(source.assign(p0)).rejects.toBe(refusal)
    expect(await sink.ended).toBe(refusal)
  })
})

describe('a position out of range', () => {
  it('goes on after what Kafka deleted, with a durable gap', async () => {
    const { source, storage, storedOffsets } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    await source.assign(p0)
    await source.deliver(p0, 5)
    source.log(p0).low = 20

    await source.deliver(p0, 10)
    await source.deliver(p0, 10)
    await settled()

    expect(storedOffsets(p0)).toEqual([...numbers(0, 5), ...numbers(20, 30)])
    expect(storage.ledger.position({ clusterId: 'cluster-1', ...p0 })?.gaps).toEqual([
      { class: 'deleted', fromOffset: 5, nextOffset: 20 },
    ])
  })

  it('does not give up what is fetched but not accepted yet', async () => {
    const { source, storage, sink, clock, storedOffsets } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 5, 900)
    const inHand = source.deliver(p0, 5, 900)
    const decision = sink.outOfRange(p0, 10, 20, 30)
    await clock.advance(1000)

    storage.isInstant = true
    storage.makeDurable()
    await inHand
    await clock.advance(1000)

    expect(await decision).toEqual({ kind: 'start', offset: 20 })
    expect(storedOffsets(p0)).toEqual(numbers(0, 10))
    expect(storage.ledger.position({ clusterId: 'cluster-1', ...p0 })?.gaps).toEqual([
      { class: 'deleted', fromOffset: 10, nextOffset: 20 },
    ])
  })

  it('holds a partition that ends before it, and goes on when the end is there again', async () => {
    const { source, partition, storedOffsets } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    await source.assign(p0)
    await source.deliver(p0, 20)
    source.log(p0).high = 10
    await source.deliver(p0, 10)
    expect(partition(p0).hold).toMatchObject({ reason: 'log-truncated' })

    source.log(p0).high = 30
    await source.assign(p0)
    await source.deliver(p0, 10)
    await settled()

    expect(partition(p0).hold).toBeUndefined()
    expect(storedOffsets(p0)).toEqual(numbers(0, 30))
  })

  it('holds a partition whose next batch is damaged', async () => {
    const { source, sink, storage, partition } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    await source.assign(p0)
    await source.deliver(p0, 10)
    const met = () =>
      sink.undecodable(p0, 10, new SourceError('ERR_BATCH', 'crc'), {
        nextOffset: 14,
        bytes: Buffer.from('damaged'),
      })

    expect(await met()).toEqual({ kind: 'hold', reason: 'undecodable' })
    expect(partition(p0).hold).toMatchObject({ reason: 'undecodable' })
    expect(partition(p0).hold?.detail).toMatch('sediment gap accept orders 0')
    const row = () => storage.ledger.position({ clusterId: 'cluster-1', ...p0 })
    expect(row()).toMatchObject({ nextOffset: 10, hold: { reason: 'undecodable', offset: 14 } })
    const kept = () => storage.stored.filter(({ target }) => target.bucket === 'quarantine')
    expect(kept()).toMatchObject([{ content: Buffer.from('damaged') }])
    expect(kept()[0]?.labels.slice(0, 4)).toEqual(['from_offset', '10', 'next_offset', '14'])

    await source.assign(p0)
    await met()
    expect(partition(p0).hold).toMatchObject({ reason: 'undecodable' })
    expect(kept()).toHaveLength(1)
    expect(row()).toMatchObject({ nextOffset: 10, hold: { offset: 14 } })
  })

  it('holds a partition whose next batch becomes too large, says what it needs, and goes on with that', async () => {
    const { source, sink, storage, partition } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    await source.assign(p0)
    await source.deliver(p0, 10)
    const batch = { nextOffset: 14, bytes: Buffer.from('small'), decompressedBytes: 40_000_000 }
    await sink.undecodable(p0, 10, new SourceError('ERR_BATCH', 'it becomes 40000000 bytes'), batch)

    expect(partition(p0).hold).toMatchObject({
      reason: 'batch-too-large',
      detail: expect.stringMatching(
        /^it becomes 40000000 bytes; set memory.budgetBytes to 39MiB or more and restart: then it is read; it takes a limit of memory of twice that and 300MiB; .*gap accept orders 0/,
      ),
    })
    const row = () => storage.ledger.position({ clusterId: 'cluster-1', ...p0 })
    expect(row()).toMatchObject({ nextOffset: 10, hold: { reason: 'batch-too-large', offset: 14 } })
    const [kept] = storage.stored.filter(({ target }) => target.bucket === 'quarantine')
    expect(kept).toMatchObject({ content: Buffer.from('small') })
    expect(kept?.labels).toContain('batch-too-large')

    await source.assign(p0)
    expect(partition(p0).hold).toBeUndefined()
    await source.deliver(p0, 20)
    await settled()
    expect(row()).toMatchObject({ nextOffset: 30, hold: undefined })
  })
})

describe('a rebalance', () => {
  it('waits until what is accepted is durable, and commits it, before the group is joined', async () => {
    const { source, storage } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10)
    let isDone = false
    void source.handler.revoking(1, 10_000).then(() => (isDone = true))
    await settled()
    expect([isDone, source.commits.length]).toEqual([false, 0])

    storage.makeDurable()
    await settled()

    expect(isDone).toBe(true)
    expect(source.commits).toMatchObject([{ offset: 10, epoch: 1 }])
  })

  it('discards what is queued at the deadline, keeps what is in flight, and stores nothing twice', async () => {
    const { source, storage, clock, partition, storedOffsets, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      limits: { inFlightBytesMax: 1, memoryBytesMax: 20_000 },
    })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    for (let i = 0; i < 3; i++) await source.deliver(p0, 10)
    expect(storage.inFlight).toHaveLength(1)

    const revoked = source.handler.revoking(1, 10_000)
    await clock.advance(10_000)
    await revoked
    expect(partition(p0)).toMatchObject({ acceptedOffset: 10, durableOffset: 0 })
    expect(eventsOf('drained')).toMatchObject([{ isComplete: false, discarded: 20 }])

    await source.assign(p0)
    expect(source.positions.get(nameOf(p0))).toBe(10)
    await source.deliver(p0, 30)
    storage.isInstant = true
    storage.makeDurable()
    await settled()

    expect(storedOffsets(p0)).toEqual(numbers(0, 30))
    expect(partition(p0).durableOffset).toBe(30)
  })

  it('does not commit for a partition it has lost, nor with an old generation', async () => {
    const { source, storage, clock } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    source.produce(p1, 30)
    await source.assign(p0, p1)
    storage.isInstant = false
    await source.deliver(p0, 10)
    await source.assign(p1)
    storage.makeDurable()

    await clock.advance(5000)

    expect(source.commits.filter(({ partition }) => partition === 0)).toEqual([])
  })

  it('tries no commit between two generations', async () => {
    const { source, storage, clock, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 10)
    await source.assign(p0)
    await source.deliver(p0, 10)
    storage.isInstant = false
    const assigned = source.assign(p0, p1)

    await clock.advance(5000)
    expect([eventsOf('commitFailed').length, source.commits.length]).toEqual([0, 0])

    storage.makeDurable()
    await assigned
    await clock.advance(1000)
    expect(source.commits).toMatchObject([
      { ...p0, offset: 10, epoch: 2 },
      { ...p1, offset: 0 },
    ])
  })

  it('ends the drain at once when the commit is of an old generation', async () => {
    const { source } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 10)
    await source.assign(p0)
    await source.deliver(p0, 10)
    source.commitError = new SourceError('ERR_STALE_EPOCH', 'too late')

    await source.handler.revoking(1, 3_600_000)

    expect(source.commits).toEqual([])
  })
})

describe('the end', () => {
  it('drains in order: durable, committed, then the source stops', async () => {
    const { sink, source, storage } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10)
    const drained = sink.drain(10_000)
    await source.deliver(p0, 10)
    await settled()
    expect([source.commits.length, source.isStopped, sink.status().phase]).toEqual([0, false, 'draining'])

    storage.makeDurable()
    expect(await drained).toMatchObject({ isComplete: true, recordsLeft: 0, partitionsUncommitted: 0 })
    expect(source.commits).toMatchObject([{ offset: 10 }])
    expect(source.isStopped).toBe(false)

    await sink.stop(1000)
    expect(source.isStopped).toBe(true)
    expect(await sink.ended).toBeUndefined()
  })

  it('does not take what is waiting for memory when the drain begins', async () => {
    const { sink, source, storage } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10, 900)
    const waiting = source.deliver(p0, 10, 900)
    await settled()

    const drained = sink.drain(10_000)
    await waiting
    expect(sink.status().memory.waiting).toBe(0)

    storage.makeDurable()
    expect(await drained).toMatchObject({ isComplete: true })
    expect(source.commits).toMatchObject([{ offset: 10 }])
  })

  it('reports what a drain left at its deadline', async () => {
    const { sink, source, storage, clock } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      limits: { inFlightBytesMax: 1, memoryBytesMax: 20_000 },
    })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10)
    await source.deliver(p0, 10)

    const drained = sink.drain(8000)
    await clock.advance(8000)

    expect(await drained).toMatchObject({ isComplete: false, recordsLeft: 20 })
  })

  it('tries the last commit again until it succeeds or time is up', async () => {
    const { sink, source, clock } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    await source.assign(p0)
    await source.deliver(p0, 10)
    source.commitError = new Error('coordinator is loading')
    const drained = sink.drain(10_000)
    await clock.advance(1000)
    source.commitError = undefined
    await clock.advance(1000)

    expect(await drained).toMatchObject({ isComplete: true, partitionsUncommitted: 0 })
  })

  it('stops the source and says why when the store is poisoned', async () => {
    const { sink, source, storage, clock } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10)
    const poison = new Error('fdatasync failed')

    storage.poison(poison)
    await clock.advance(5000)

    expect(await sink.ended).toBe(poison)
    expect(sink.status()).toMatchObject({ phase: 'failed', failure: poison, isAssigned: false })
    expect(source.isStopped).toBe(true)
    expect(source.commits).toEqual([])
  })

  it('fails when the ledger does not have what the store calls durable', async () => {
    const storage = new FakeStorage()
    storage.submit = () => Promise.resolve()
    const { sink, source } = await startSink({ storage })

    await expect(source.assign(p0)).rejects.toMatchObject({ code: 'ERR_INTEGRITY' })
    expect(await sink.ended).toMatchObject({ code: 'ERR_INTEGRITY' })
  })

  it('stops within its time although the source does not, and hands nothing more to the store', async () => {
    const { sink, source, storage, clock } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      limits: { inFlightBytesMax: 1, memoryBytesMax: 20_000 },
    })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10)
    await source.deliver(p0, 10)
    source.stop = () => new Promise(() => {})
    let isStopped = false
    void sink.stop(5000).then(() => (isStopped = true))
    storage.makeDurable()
    await settled()
    expect([storage.inFlight.length, isStopped]).toEqual([0, false])

    await clock.advance(5000)

    expect(isStopped).toBe(true)
    expect(await sink.ended).toBeUndefined()
  })

  it('says at once that it failed, however long the source takes to stop', async () => {
    const { sink, source } = await startSink()
    const death = new SourceError('ERR_DEAD', 'the consumer crashed')
    source.stop = () => new Promise(() => {})

    source.handler.failed(death)

    expect(await sink.ended).toBe(death)
  })

  it('passes on why the source has died', async () => {
    const { sink, source } = await startSink()
    const death = new SourceError('ERR_DEAD', 'the consumer crashed')

    source.handler.failed(death)

    expect(await sink.ended).toBe(death)
  })
})

describe('the watchdog', () => {
  it('ends the process when a partition lags and is not delivered', async () => {
    const { sink, source, clock } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    await source.assign(p0)
    await source.deliver(p0, 10)

    await clock.advance(70_000)

    expect(await sink.ended).toMatchObject({ code: 'ERR_STUCK' })
  })

  it('ends the process when the store does not finish a sync', async () => {
    const { sink, source, storage, clock } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 10)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10)
    source.isUnreachable = true

    await clock.advance(70_000)

    expect(await sink.ended).toMatchObject({ code: 'ERR_STUCK' })
  })

  it('is patient with a store that works on what it was given, but not for ever', async () => {
    const { sink, source, storage, clock, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 10)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10)
    for (let seconds = 0; seconds < 300; seconds += 30) {
      storage.changes += 1
      await clock.advance(30_000)
    }
    expect(eventsOf('failed')).toEqual([])

    for (let seconds = 0; seconds < 330; seconds += 30) {
      storage.changes += 1
      await clock.advance(30_000)
    }
    expect(await sink.ended).toMatchObject({ code: 'ERR_STUCK' })
  })

  it('is patient with a partition whose turn to be read has not come, but not for ever', async () => {
    const { sink, source, clock, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 100)
    source.produce(p1, 10)
    await source.assign(p0, p1)
    const readTheOtherFor = async (durationSeconds: number): Promise<void> => {
      for (let seconds = 0; seconds < durationSeconds; seconds += 30) {
        await source.deliver(p0, 1)
        await clock.advance(30_000)
      }
    }
    await readTheOtherFor(300)
    expect(eventsOf('failed')).toEqual([])

    await readTheOtherFor(330)
    expect(await sink.ended).toMatchObject({ code: 'ERR_STUCK' })
  })

  it('is patient while brokers are away, nothing is there, or the disk is full', async () => {
    const { source, storage, clock, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    await source.assign(p0)
    await clock.advance(300_000)
    source.produce(p0, 30)
    source.isUnreachable = true
    await clock.advance(300_000)
    source.isUnreachable = false
    storage.spare = -1
    await clock.advance(300_000)
    storage.spare = 1 << 30
    await clock.advance(30_000)

    expect(eventsOf('failed')).toEqual([])
  })
})

describe('the status', () => {
  it('tells what is fetched and not accepted beside what is accepted and not durable', async () => {
    const { source, storage, sink } = await startSink({ storage: new FakeStorage({ isInstant: true }) })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 10, 900)
    source.fetchedBytes = 123

    expect(sink.status().memory).toMatchObject({ usedBytes: 4900, fetchedBytes: 123 })
  })

  it('tells how long the oldest record that is not durable has been known', async () => {
    const { source, storage, clock, partition } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
    })
    source.produce(p0, 30)
    await source.assign(p0)
    storage.isInstant = false
    await source.deliver(p0, 30)
    await clock.advance(4000)
    expect(partition(p0).durableLagSeconds).toBe(4)

    storage.makeDurable()
    await settled()

    expect(partition(p0)).toMatchObject({ durableLagSeconds: 0, lagRecords: 0 })
  })
})
