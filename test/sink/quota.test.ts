// Goal: a partition whose bucket is full waits, visibly, and goes on by itself without gap or repeat; others go on.
// Method: the real store with a hard quota on a simulated disk, raised while the sink runs.
import { expect, it } from '@jest/globals'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'
import { QUARANTINE_BUCKET } from '../../src/mapping/entry-template.ts'
import { Sink } from '../../src/sink/sink.ts'
import type { RecordMapper } from '../../src/sink/partition-state.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { FakeSource } from '../support/sink/fake-source.ts'
import { openStore } from '../support/storage/store.ts'

const p0 = { topic: 'orders', partition: 0 }
const p1 = { topic: 'orders', partition: 1 }

/** Partition 0 goes to a bucket with a quota, partition 1 to one without. */
const mapper: RecordMapper = {
  forPartition: (topic, partition) => {
    const target = { bucket: partition === 0 ? 'small' : 'large', entry: `${topic}/${partition}` }
    return {
      map: ({ offset, timestampMs, value }) => ({
        target,
        timestampUs: timestampMs * 1000,
        labels: ['offset', String(offset)],
        contentType: 'text/plain',
        content: value ?? new Uint8Array(0),
      }),
    }
  },
}

it('waits for room in its bucket, and goes on by itself when there is some', async () => {
  const disk = new SimulatedDisk({ seed: 2 })
  const clock = new ManualClock()
  const ledger = new OffsetLedger()
  const storage = await openStore(disk.fs, { clock, companion: ledger })
  await storage.createBucket('small', { quota: { kind: 'hard', bytes: 3_000 } })
  const source = new FakeSource()
  const sink = new Sink({ source, storage, ledger, mapper, clock, groupId: 'g', start: { kind: 'earliest' } })
  await sink.start()
  source.produce(p0, 60)
  source.produce(p1, 60)
  await source.assign(p0, p1)
  const advance = async (): Promise<void> => {
    for (let times = 0; times < 4; times++) {
      await clock.advance(1_000)
      await settled()
    }
  }
  const states = () => sink.status().partitions
  for (let batch = 0; batch < 6; batch++) {
    await source.deliver(p0, 10)
    await source.deliver(p1, 10)
    await advance()
  }
  expect(states()[1]).toMatchObject({ durableOffset: 60, hold: undefined })
  expect(states()[0]?.hold?.reason).toBe('quota')
  expect(states()[0]?.hold?.detail).toMatch(/^quota of bucket 'small' exceeded: .* of 3000 bytes/)
  const held = states()[0]?.durableOffset ?? 0
  expect(held).toBeGreaterThan(0)
  expect(held).toBeLessThan(60)
  expect(source.log(p0).committed?.offset).toBe(held)

  await storage.changeBucketSettings('small', { quota: { kind: 'hard', bytes: 100_000 } })
  await advance()
  expect(states()[0]?.hold).toBeUndefined()
  for (let batch = 0; batch < 6; batch++) {
    await source.deliver(p0, 10)
    await advance()
  }
  expect(states()[0]).toMatchObject({ durableOffset: 60 })
  const stored: string[] = []
  for await (const record of storage.records({ bucket: 'small', entry: 'orders/0' }))
    stored.push(record.labels[1] ?? '')
  expect(stored).toEqual(Array.from({ length: 60 }, (_, offset) => String(offset)))
  await sink.stop(1_000)
  await storage.close()
})

it('holds a damaged batch for the room that quarantine lacks, and keeps it there when there is some', async () => {
  const disk = new SimulatedDisk({ seed: 3 })
  const clock = new ManualClock()
  const ledger = new OffsetLedger()
  const storage = await openStore(disk.fs, { clock, companion: ledger })
  await storage.createBucket(QUARANTINE_BUCKET, { quota: { kind: 'hard', bytes: 100 } })
  const source = new FakeSource()
  const sink = new Sink({ source, storage, ledger, mapper, clock, groupId: 'g', start: { kind: 'earliest' } })
  await sink.start()
  source.produce(p1, 10)
  await source.assign(p1)
  await source.deliver(p1, 4)
  const meet = async (): Promise<string | undefined> => {
    const met = sink.undecodable(p1, 4, new Error('bad checksum'), {
      nextOffset: 6,
      bytes: new Uint8Array(1_000),
    })
    for (let times = 0; times < 4; times++) {
      await clock.advance(1_000)
      await settled()
    }
    expect((await met).kind).toBe('hold')
    return sink.status().partitions[0]?.hold?.reason
  }
  const mark = () => ledger.position({ clusterId: source.clusterId, ...p1 })?.hold
  expect(await meet()).toBe('quota')
  expect(mark()).toBeUndefined()

  await storage.changeBucketSettings(QUARANTINE_BUCKET, { quota: { kind: 'hard', bytes: 100_000 } })
  await clock.advance(1_000)
  await settled()
  expect(sink.status().partitions[0]).toMatchObject({ hold: undefined, acceptedOffset: 4 })
  expect(await meet()).toBe('undecodable')
  expect(mark()).toEqual({ reason: 'undecodable', offset: 6 })
  const kept: number[] = []
  for await (const { contentBytes } of storage.records({ bucket: QUARANTINE_BUCKET, entry: 'orders/1' }))
    kept.push(contentBytes)
  expect(kept).toEqual([1_000])
  await sink.stop(1_000)
  await storage.close()
})
