// Goal: with a dead-letter topic no offset of a rejected message counts before the topic has it, and nothing is lost or
// stopped for long when it does not take it. Method: a fake topic between a fake broker and a fake store.
import { describe, expect, it } from '@jest/globals'
import type { DeadLetter, DeadLetterTopic } from '../../src/kafka/dead-letters.ts'
import { settled } from '../support/manual-clock.ts'
import { record } from '../support/sink/fake-source.ts'
import { FakeStorage } from '../support/sink/fake-storage.ts'
import { startSink } from '../support/sink/sink-bench.ts'

const p0 = { topic: 'orders', partition: 0 }
const p1 = { topic: 'orders', partition: 1 }

class FakeTopic implements DeadLetterTopic {
  readonly topic = 'dead'
  readonly taken: DeadLetter[] = []
  trouble: Error | undefined
  asked = 0
  probe = () => Promise.resolve()
  stop = () => Promise.resolve()
  produce(letters: readonly DeadLetter[]): Promise<void> {
    this.asked += 1
    if (this.trouble !== undefined) return Promise.reject(this.trouble)
    this.taken.push(...letters)
    return Promise.resolve()
  }
}

async function bench() {
  const deadLetters = new FakeTopic()
  const storage = new FakeStorage({ isInstant: true })
  const made = await startSink({ storage, deadLetters, limits: { memoryBytesMax: 100_000 } })
  const { source, sink } = made
  source.produce(p0, 3)
  source.produce(p1, 3)
  await source.assign(p0, p1)
  const deliver = (): Promise<void> => {
    const batch = source.nextBatch(p0, 3)
    const records = [record(0), { ...record(1, 'bad'), key: Buffer.from('k') }, record(2)]
    return sink.batch({ ...batch, records }, source.epoch, new AbortController().signal)
  }
  return { ...made, deadLetters, deliver }
}

describe('a rejected message', () => {
  it('is in the dead-letter topic, with where it was and why, and in quarantine', async () => {
    const { storage, deadLetters, deliver, storedOffsets, eventsOf, partition } = await bench()
    await deliver()
    await settled()

    const [letter] = deadLetters.taken
    expect(deadLetters.taken).toHaveLength(1)
    expect(letter).toMatchObject({ key: Buffer.from('k'), value: Buffer.from('bad'), partition: 0 })
    expect(letter!.headers.map(({ name, value }) => [String(name), String(value)])).toEqual([
      ['sediment.error.topic', 'orders'],
      ['sediment.error.partition', '0'],
      ['sediment.error.offset', '1'],
      ['sediment.error.timestamp', '1700000000001'],
      ['sediment.error.cause', 'it is bad'],
      ['sediment.error.detail', ''],
      ['sediment.error.rule', ''],
      ['sediment.error.group', 'group-1'],
    ])
    expect(storage.stored.filter(({ target }) => target.bucket === 'quarantine')).toHaveLength(1)
    expect(storedOffsets(p0)).toEqual([0, 2])
    expect(partition(p0)).toMatchObject({ durableOffset: 3, waitsFor: undefined, paused: [] })
    expect(eventsOf('deadLettersSent')).toEqual([{ ...p0, records: 1 }])
  })

  it('keeps its partition waiting while the topic does not take it, visibly, and others not', async () => {
    const { sink, source, storage, clock, deadLetters, deliver, partition, storedOffsets, eventsOf } =
      await bench()
    deadLetters.trouble = new Error('not enough replicas')
    const delivered = deliver()
    await source.deliver(p1, 3)
    await clock.advance(122_000)

    expect(sink.status().failure).toBeUndefined()
    expect(partition(p0)).toMatchObject({
      durableOffset: 0,
      waitsFor: 'not enough replicas',
      paused: ['dead-letters'],
    })
    expect(storage.ledger.position({ clusterId: 'cluster-1', ...p0 })?.nextOffset ?? 0).toBe(0)
    expect(storedOffsets(p1)).toEqual([0, 1, 2])
    expect(eventsOf('paused')).toEqual([{ reason: 'dead-letters' }])
    expect(eventsOf('recordRejected')).toEqual([])
    // Its back-off ends at half a minute.
    expect(deadLetters.asked).toBeGreaterThan(8)
    expect(deadLetters.asked).toBeLessThan(20)

    deadLetters.trouble = undefined
    await clock.advance(30_000)
    await delivered
    await settled()
    expect(deadLetters.taken).toHaveLength(1)
    expect(storedOffsets(p0)).toEqual([0, 2])
    expect(partition(p0)).toMatchObject({ durableOffset: 3, waitsFor: undefined, paused: [] })
    expect(eventsOf('resumed')).toEqual([{ reason: 'dead-letters' }])
  })

  it('comes again when its generation ends meanwhile, and is stored once', async () => {
    const { source, storage, clock, deadLetters, partition, sink, storedOffsets } = await bench()
    deadLetters.trouble = new Error('gone')
    const leaving = new AbortController()
    const first = source.nextBatch(p0, 3)
    const records = [record(0), record(1, 'bad'), record(2)]
    const waiting = sink.batch({ ...first, records }, source.epoch, leaving.signal)
    await clock.advance(1000)
    leaving.abort()
    await waiting
    expect(sink.status().memory.usedBytes).toBe(0)

    deadLetters.trouble = undefined
    await source.assign(p0)
    await sink.batch({ ...source.nextBatch(p0, 3), records }, source.epoch, new AbortController().signal)
    await settled()
    expect(storedOffsets(p0)).toEqual([0, 2])
    expect(storage.stored.filter(({ target }) => target.bucket === 'quarantine')).toHaveLength(1)
    expect(partition(p0)).toMatchObject({ durableOffset: 3, waitsFor: undefined })
  })
})
