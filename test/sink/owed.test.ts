// Goal: content that ReductStore cut off between a kill and a start comes again from Kafka, into its place, once; what Kafka
// has no more is a named gap. Method: the real store and ledger on a simulated disk, killed, visited and started again.
import { expect, it } from '@jest/globals'
import { encodeDelta } from '../../src/ledger/ledger-codec.ts'
import { SourceError } from '../../src/kafka/source.ts'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'
import { Sink } from '../../src/sink/sink.ts'
import type { Storage } from '../../src/storage/index.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { FakeSource } from '../support/sink/fake-source.ts'
import { plainMapper } from '../support/sink/sink-bench.ts'
import { recordingSinkObserver } from '../support/sink/recording-observer.ts'
import { openStore } from '../support/storage/store.ts'
import { visitBlock } from '../support/storage/visit-block.ts'

const p0 = { topic: 'orders', partition: 0 }
const entry = { bucket: 'kafka', entry: 'orders/0' }
const firstUs = 1_700_000_000_000_000

interface Life {
  readonly disk: SimulatedDisk
  readonly source: FakeSource
  readonly storage: Storage
  readonly ledger: OffsetLedger
  readonly sink: Sink
  readonly gaps: () => unknown[]
  deliver(count: number): Promise<void>
}

async function start(disk: SimulatedDisk, source: FakeSource): Promise<Life> {
  const clock = new ManualClock()
  const ledger = new OffsetLedger()
  const limits = { directBytesMin: 1 }
  const storage = await openStore(disk.fs, { clock, companion: ledger, limits })
  const { observer, events } = recordingSinkObserver()
  const options = { source, storage, ledger, mapper: plainMapper, clock, groupId: 'g', observer }
  const sink = new Sink({ ...options, start: { kind: 'earliest' } })
  await sink.start()
  const deliver = async (count: number): Promise<void> => {
    const delivered = source.deliver(p0, count)
    for (let times = 0; times < 4; times++) {
      await settled()
      await clock.advance(1_000)
    }
    await delivered
  }
  const gaps = (): unknown[] => events.filter(({ name }) => name === 'gapRecorded').map(({ facts }) => facts)
  return { disk, source, storage, ledger, sink, gaps, deliver }
}

/** Ten messages are stored; the content of those from 4 on is cut off. */
async function visited(): Promise<{ disk: SimulatedDisk; source: FakeSource }> {
  const disk = new SimulatedDisk({ seed: 5 })
  const source = new FakeSource()
  source.produce(p0, 10)
  const life = await start(disk, source)
  await source.assign(p0)
  await life.deliver(10)
  expect(life.sink.status().partitions[0]?.durableOffset).toBe(10)
  disk.killProcess()
  await visitBlock(disk, 'kafka/orders/0', firstUs, (timestampUs) => timestampUs < firstUs + 4_000, true)
  disk.restart()
  return { disk, source }
}

async function states(storage: Storage): Promise<string[]> {
  const rows: string[] = []
  for await (const stored of storage.records(entry, { anyState: true })) {
    const content = stored.state === 'finished' ? Buffer.from(await stored.read()).toString() : '-'
    rows.push(`${stored.labels[1]} ${stored.state} ${content}`)
  }
  return rows
}

const finished = (count: number): string[] =>
  Array.from({ length: count }, (_, offset) => `${offset} finished v${offset}`)

it('is read again from the first owed offset on, and stored once', async () => {
  const { disk, source } = await visited()
  source.produce(p0, 5)
  const life = await start(disk, source)
  expect(life.storage.owed.map(({ labels }) => labels[1])).toEqual(['4', '5', '6', '7', '8', '9'])
  expect(await source.assign(p0)).toMatchObject([{ kind: 'start', offset: 4 }])
  await life.deliver(3)
  expect(life.storage.owed).toHaveLength(3)
  await life.deliver(8)
  expect(life.storage.owed).toEqual([])
  expect(await states(life.storage)).toEqual(finished(15))
  expect(life.gaps()).toEqual([])
  expect(life.ledger.positions()[0]).toMatchObject({ nextOffset: 15, records: 15 })
  expect(await source.assign(p0)).toMatchObject([{ kind: 'start', offset: 15 }])
})

it('is owed on when the process dies in between', async () => {
  const { disk, source } = await visited()
  const life = await start(disk, source)
  await source.assign(p0)
  await life.deliver(3)
  disk.killProcess()
  disk.restart()
  const again = await start(disk, source)
  expect(await source.assign(p0)).toMatchObject([{ kind: 'start', offset: 7 }])
  await again.deliver(3)
  expect(await states(again.storage)).toEqual(finished(10))
})

it('is a gap where Kafka has no such record any more, also for the start after it', async () => {
  const { disk, source } = await visited()
  source.log(p0).low = 6
  source.log(p0).missing.add(8)
  const life = await start(disk, source)
  expect(await source.assign(p0)).toMatchObject([{ kind: 'start', offset: 6 }])
  await life.deliver(4)
  const deleted = [
    { class: 'deleted', fromOffset: 4, nextOffset: 6 },
    { class: 'deleted', fromOffset: 8, nextOffset: 9 },
  ]
  expect(life.gaps()).toEqual([2, 1].map((offsets) => ({ ...p0, class: 'deleted', offsets })))
  expect(life.ledger.positions()[0]).toMatchObject({ nextOffset: 10, records: 7, gaps: deleted })
  expect(life.storage.owed).toEqual([])
  const failed = (await states(life.storage)).filter((row) => row.includes('errored'))
  expect(failed).toEqual(['4 errored -', '5 errored -', '8 errored -'])
  disk.cutPower({ seed: 1 })
  disk.restart()
  const again = await start(disk, source)
  expect(again.storage.owed).toEqual([])
  expect(again.ledger.positions()[0]).toMatchObject({ nextOffset: 10, records: 7, gaps: deleted })
  expect(await source.assign(p0)).toMatchObject([{ kind: 'start', offset: 10 }])
})

it('is forgotten by a start after a death between naming the gap and forgetting', async () => {
  const { disk, source } = await visited()
  source.log(p0).low = 6
  const life = await start(disk, source)
  const gaps = [{ class: 'deleted', fromOffset: 4, nextOffset: 6 } as const]
  const revision = { ...p0, fromOffset: 4, nextOffset: 6, records: 0, gaps, isRevision: true }
  const { clusterId } = life.ledger.positions()[0]!
  await life.storage.submit({ writes: [], delta: encodeDelta(clusterId, [revision]) })
  disk.killProcess()
  disk.restart()
  const again = await start(disk, source)
  expect(await source.assign(p0)).toMatchObject([{ kind: 'start', offset: 6 }])
  expect(again.storage.owed.map(({ labels }) => labels[1])).toEqual(['6', '7', '8', '9'])
  expect(again.gaps()).toEqual([])
  expect(again.ledger.positions()[0]).toMatchObject({ nextOffset: 10, records: 8, gaps })
})

it('stays owed where offsets began anew since, and Kafka has other records there', async () => {
  const { disk, source } = await visited()
  const life = await start(disk, source)
  const { clusterId } = life.ledger.positions()[0]!
  const gaps = [{ class: 'before-start', fromOffset: 0, nextOffset: 10 } as const]
  const anew = { ...p0, fromOffset: 0, nextOffset: 10, records: 0, gaps: [], incarnation: 1 }
  await life.storage.submit({ writes: [], delta: encodeDelta(clusterId, [{ ...anew, gaps }]) })
  source.log(p0).low = 6
  expect(await source.assign(p0)).toMatchObject([{ kind: 'start', offset: 6 }])
  expect(life.storage.owed).toHaveLength(6)
  expect(life.ledger.positions()[0]).toMatchObject({ incarnation: 1, nextOffset: 10, records: 0, gaps })
})

it('is named as lost once when the group moves on while losses are being named', async () => {
  const { disk, source } = await visited()
  for (const offset of [5, 7]) source.log(p0).missing.add(offset)
  source.log(p0).low = 9
  const life = await start(disk, source)
  const both = await Promise.all([source.assign(p0), source.assign(p0)])
  expect(both.map(([decision]) => decision?.kind)).toContain('start')
  await life.deliver(1)
  const deleted = [{ class: 'deleted', fromOffset: 4, nextOffset: 9 }]
  expect(life.ledger.positions()[0]).toMatchObject({ nextOffset: 10, records: 5, gaps: deleted })
  expect(life.sink.status().failure).toBeUndefined()
})

it('is not looked for where all is stored', async () => {
  const disk = new SimulatedDisk({ seed: 5 })
  const source = new FakeSource()
  source.produce(p0, 30_000)
  for (let offset = 10; offset < 29_990; offset++) source.log(p0).missing.add(offset)
  const first = await start(disk, source)
  await source.assign(p0)
  await first.deliver(30_000)
  disk.killProcess()
  await visitBlock(disk, 'kafka/orders/0', firstUs, (timestampUs) => timestampUs < firstUs + 9_000, true)
  disk.restart()
  const life = await start(disk, source)
  expect(await source.assign(p0)).toMatchObject([{ kind: 'start', offset: 9 }])
  expect(life.sink.status().partitions[0]?.isOwing).toBe(true)
  await life.deliver(5)
  expect(source.positions.get('orders/0')).toBe(29_990)
  await life.deliver(10)
  expect(life.storage.owed).toEqual([])
  expect(life.sink.status().partitions[0]?.isOwing).toBe(false)
})

it('waits for the next start where its record batch cannot be read', async () => {
  const { disk, source } = await visited()
  const life = await start(disk, source)
  await source.assign(p0)
  const batch = { nextOffset: 7, bytes: new Uint8Array(8) }
  const decision = await source.handler.undecodable?.(p0, 4, new SourceError('ERR_BATCH', 'CRC'), batch)
  expect(decision).toEqual({ kind: 'start', offset: 7 })
  expect(life.sink.status().partitions[0]?.hold).toBeUndefined()
  source.seek(p0, 7)
  await life.deliver(3)
  expect(life.storage.owed.map(({ labels }) => labels[1])).toEqual(['4', '5', '6'])
  expect(life.sink.status().partitions[0]?.isOwing).toBe(false)
  disk.killProcess()
  disk.restart()
  await start(disk, source)
  expect(await source.assign(p0)).toMatchObject([{ kind: 'start', offset: 4 }])
})
