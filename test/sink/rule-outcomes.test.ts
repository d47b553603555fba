// Goal: what a rule filters is a gap, and what it holds waits with everything behind it, visibly. Method: the real mapper
// between a fake broker, whose records are a millisecond apart, and a fake store.
import { describe, expect, it } from '@jest/globals'
import { createMapper } from '../../src/mapping/mapper.ts'
import type { RecordMapper } from '../../src/sink/partition-state.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { ruleWith, type RuleChange } from '../support/mapping/rules.ts'
import { FakeStorage } from '../support/sink/fake-storage.ts'
import { plainMapper, startSink } from '../support/sink/sink-bench.ts'

const p0 = { topic: 'orders', partition: 0 }
const FIRST_MS = 1_700_000_000_000
const bench = (change: RuleChange, clock = new ManualClock()) =>
  startSink({
    clock,
    storage: new FakeStorage({ isInstant: true }),
    mapper: createMapper([ruleWith(change)]),
    limits: { memoryBytesMax: 100_000 },
  })

describe('a filtered message', () => {
  it('is a durable gap, in one range with its neighbours', async () => {
    // Values are v0 to v19.
    const { source, storage, eventsOf, partition } = await bench({
      filters: [{ json: '', exists: true, not: true }],
    })
    source.produce(p0, 5)
    await source.assign(p0)
    await source.deliver(p0, 5)

    // What is no JSON might have been wanted.
    expect(storage.stored.map(({ target }) => `${target.bucket}/${target.entry}`)).toEqual(
      Array.from({ length: 5 }, () => 'quarantine/orders/0'),
    )
    expect(eventsOf('recordRejected')).toHaveLength(5)
    expect(partition(p0)).toMatchObject({ durableOffset: 5, hold: undefined })
  })

  it('does not hold up the others', async () => {
    const { source, storage, eventsOf, partition, storedOffsets } = await bench({
      filters: [
        { header: 'none', exists: false },
        { key: true, exists: true },
      ],
    })
    source.produce(p0, 20)
    await source.assign(p0)
    await source.deliver(p0, 10)
    await source.deliver(p0, 10)

    expect(storedOffsets(p0)).toEqual([])
    expect(eventsOf('gapRecorded').map(({ class: kind, offsets }) => [kind, offsets])).toEqual([
      ['filtered', 10],
      ['filtered', 10],
    ])
    expect(partition(p0)).toMatchObject({ durableOffset: 20, lagRecords: 0 })
    expect(storage.ledger.position({ clusterId: 'cluster-1', ...p0 })?.gapOffsets.get('filtered')).toBe(20)
  })
})

describe('a message that its rule holds', () => {
  it('stops its partition there: what is before is stored and committed, nothing behind it, until it is mended', async () => {
    let isMended = false
    const mapper: RecordMapper = {
      forPartition: (topic, partition) => {
        const plain = plainMapper.forPartition(topic, partition)
        return (
          plain && {
            map: (record, arrivalMs) =>
              record.offset === 14 && !isMended
                ? { held: 'entry-conflict', detail: 'it belongs to others' }
                : plain.map(record, arrivalMs),
          }
        )
      },
    }
    const { source, clock, partition, storedOffsets, eventsOf } = await startSink({
      storage: new FakeStorage({ isInstant: true }),
      mapper,
    })
    const deliver = async (): Promise<void> => {
      for (let batch = 0; batch < 2; batch++) await source.deliver(p0, 10)
      await clock.advance(2000)
    }
    source.produce(p0, 20)
    await source.assign(p0)
    await deliver()
    expect(partition(p0)).toMatchObject({
      acceptedOffset: 14,
      durableOffset: 14,
      committedOffset: 14,
      hold: { reason: 'entry-conflict', detail: 'it belongs to others; offset 14 is next' },
    })
    expect(source.paused.has('orders/0')).toBe(true)
    expect(eventsOf('partitionHeld')).toHaveLength(1)

    isMended = true
    await source.assign(p0)
    await deliver()
    expect(storedOffsets(p0)).toEqual(Array.from({ length: 20 }, (_, offset) => offset))
  })
})

describe('a batch ahead of the clock', () => {
  const aheadMsMax = 1000
  const rule: RuleChange = { timestamp: { outside: 'hold', aheadMsMax } }

  it('waits, and goes on by itself when the clock is there, without gap or repeat', async () => {
    const clock = new ManualClock((FIRST_MS - 61_000) * 1000)
    const { source, partition, storedOffsets, sink } = await bench(rule, clock)
    source.produce(p0, 10)
    await source.assign(p0)
    await source.deliver(p0, 10)
    expect(partition(p0).hold).toMatchObject({ reason: 'clock', untilMs: FIRST_MS - aheadMsMax })
    expect(partition(p0).hold?.detail).toMatch(/^all 10 messages .* offset 0 is next$/)
    expect(source.paused.has('orders/0')).toBe(true)
    expect(sink.status().memory.usedBytes).toBe(0)

    await clock.advance(58_000)
    expect(partition(p0).hold).toBeDefined()
    await clock.advance(5000)
    expect(partition(p0).hold).toBeUndefined()
    await source.deliver(p0, 10)

    expect(storedOffsets(p0)).toEqual(Array.from({ length: 10 }, (_, offset) => offset))
  })
})
