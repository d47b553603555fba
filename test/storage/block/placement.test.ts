import { describe, expect, test } from '@jest/globals'
import { BlockIndex } from '../../../src/storage/block/block-index.ts'
import { BlockManager } from '../../../src/storage/block/block-manager.ts'
import { IndexFile } from '../../../src/storage/block/index-file.ts'
import type { IndexEntry } from '../../../src/storage/codec/index-codec.ts'
import { OpenBlock } from '../../../src/storage/block/block.ts'
import { Bucket } from '../../../src/storage/bucket.ts'
import { Entry } from '../../../src/storage/entry.ts'
import { silentStorageObserver } from '../../../src/storage/observer.ts'
import { EntryPaths } from '../../../src/storage/paths.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const HOUR_US = 3_600_000_000
const DAY_US = 24 * HOUR_US
const nowUs = 1_750_000_000_000_000
const startUs = nowUs - 10 * DAY_US
const name = { bucket: 'kafka', entry: 'topic/0' }

interface Made {
  readonly blockRecordsMax?: number
  readonly blockBytesMax?: number
}

/** An entry and its manager, without files: what is cold is read back as `fold` left it. */
function make({ blockRecordsMax = 4, blockBytesMax = 1_000 }: Made = {}) {
  const paths = new EntryPaths('/data', name)
  const settings = { blockRecordsMax, blockBytesMax, quota: { kind: 'none', bytes: 0 } } as const
  const entry = new Entry(
    name,
    paths,
    new Bucket(name.bucket, settings),
    new BlockIndex(),
    new IndexFile(paths.index),
  )
  const counts = { late: 0, spilled: 0, loaded: 0 }
  const folded = new Map<number, OpenBlock>()
  const manager = new BlockManager({
    clock: new ManualClock(nowUs),
    observer: {
      ...silentStorageObserver,
      recordLate: () => counts.late++,
      slotSpilled: () => counts.spilled++,
    },
    load: async (_entry, cold) => {
      counts.loaded++
      const before = folded.get(Number(cold.id)) as OpenBlock
      const block = new OpenBlock(entry, before.id, 0)
      block.latestUs = before.latestUs
      block.recordCount = before.recordCount
      block.blkReservedBytes = before.blkReservedBytes
      for (const slotUs of slotsOf.get(before.id) ?? []) block.slots.add(slotUs)
      return block
    },
  })
  const slotsOf = new Map<number, number[]>()
  const put = async (timestampUs: number, contentBytes = 1) => {
    const content = new Uint8Array(contentBytes)
    const write = { target: name, timestampUs, labels: [], contentType: '', content }
    if (!manager.tryReserve(entry, write)) await manager.reserve(entry, write)
    const [group] = manager.takeGroup()
    if (group === undefined) throw new Error('nothing was reserved')
    group.block.pendingGroups -= 1
    const slotUs = group.slotsUs[0] as number
    const known = slotsOf.get(group.block.id) ?? []
    known.push(slotUs)
    slotsOf.set(group.block.id, known)
    return { id: group.block.id, slotUs }
  }
  const fold = () => {
    for (const block of [...manager.openBlocks]) {
      folded.set(block.id, block)
      entry.index.set({ ...entry.indexEntryOf(block), crc64: 1n })
      manager.forget(block)
    }
  }
  const ids = () => entry.index.blocks.map(({ id }) => Number(id))
  const foreign = (block: IndexEntry) => entry.index.set(block)
  return { put, fold, ids, counts, slotsOf, foreign, manager, entry }
}

test('the first record names its block', async () => {
  const { put } = make()
  expect(await put(startUs)).toEqual({ id: startUs, slotUs: startUs })
})

test('records in order share a block until it is full, and the next one names the next', async () => {
  const { put, ids, counts } = make()
  for (let count = 0; count < 9; count++) await put(startUs + count)
  expect(ids()).toEqual([startUs, startUs + 4, startUs + 8])
  expect(counts.late).toBe(0)
})

test('a block whose descriptor has become very large is full, whatever its limits', async () => {
  const { put, manager } = make({ blockRecordsMax: 1_000_000 })
  await put(startUs)
  const [block] = manager.openBlocks
  block!.metadataBytes = 128 * 1024 * 1024
  expect(await put(startUs + 1)).toMatchObject({ id: startUs + 1 })
})

test('a block is taken in the turn in which it is chosen, and held for content that comes later', async () => {
  const { put, manager, entry } = make()
  await put(startUs)
  const [block] = manager.openBlocks
  const range = manager.reserveRange(entry, startUs + 1, 7)
  expect(block).toMatchObject({ recordCount: 2, holds: 1 })
  expect(await range).toEqual({ block, beginBytes: 1 })
  const content = new Uint8Array(1)
  const reserved = manager.reserve(entry, {
    target: name,
    timestampUs: startUs + 2,
    labels: [],
    contentType: '',
    content,
  })
  expect(block).toMatchObject({ recordCount: 3, pendingGroups: 1 })
  await reserved
})

test('content that would exceed the block starts a new one, unless the block is empty', async () => {
  const { put, ids } = make()
  await put(startUs, 5_000)
  await put(startUs + 1, 1)
  await put(startUs + 2, 999)
  await put(startUs + 3, 1)
  expect(ids()).toEqual([startUs, startUs + 1, startUs + 3])
})

test('a late record goes into the block that contains its time, full or not', async () => {
  const { put, ids, counts } = make()
  for (let count = 0; count < 9; count++) await put(startUs + 10 * count)
  const before = ids()
  expect(await put(startUs + 15)).toEqual({ id: startUs, slotUs: startUs + 15 })
  expect(ids()).toEqual(before)
  expect(counts.late).toBe(1)
})

test('a late record reopens a cold block', async () => {
  const { put, fold, ids } = make()
  for (let count = 0; count < 9; count++) await put(startUs + 10 * count)
  fold()
  const before = ids()
  expect(await put(startUs + 15)).toEqual({ id: startUs, slotUs: startUs + 15 })
  expect(await put(startUs + 10)).toEqual({ id: startUs, slotUs: startUs + 11 })
  expect(ids()).toEqual(before)
})

test('equal times pass over cold blocks that have no free microsecond, without reading them', async () => {
  const { put, fold, ids, counts } = make()
  for (let count = 0; count < 40; count++) {
    expect((await put(startUs)).slotUs).toBe(startUs + count)
    if (count % 4 === 3) fold()
  }
  expect(ids()).toEqual(Array.from({ length: 10 }, (_, block) => startUs + 4 * block))
  expect(counts.loaded).toBe(0)
})

test('a microsecond that is free in a cold block between full ones is found', async () => {
  const { put, fold, counts } = make()
  for (const us of [0, 1, 2, 3, 4, 5, 7, 8, 9, 10]) await put(startUs + us)
  fold()
  expect((await put(startUs)).slotUs).toBe(startUs + 6)
  expect((await put(startUs)).slotUs).toBe(startUs + 11)
  expect(counts.loaded).toBeGreaterThan(0)
})

test('a record behind a cold block that is full starts a new one, behind one that is not reopens it', async () => {
  const { put, fold, ids } = make()
  await put(startUs)
  fold()
  expect(await put(startUs + 1)).toEqual({ id: startUs, slotUs: startUs + 1 })
  await put(startUs + 2)
  await put(startUs + 3)
  fold()
  expect(await put(startUs + 4)).toEqual({ id: startUs + 4, slotUs: startUs + 4 })
  expect(ids()).toEqual([startUs, startUs + 4])
})

test.each([
  ['open', false],
  ['cold', true],
])(
  'an %s block that another one follows takes late records up to twice its limits',
  async (_is, isFolded) => {
    const { put, fold, ids, counts } = make()
    for (let index = 0; index < 4; index++) await put(startUs + index)
    await put(startUs + 1000)
    for (let index = 0; index < 4; index++) {
      if (isFolded) fold()
      expect(await put(startUs + 10 + index)).toEqual({ id: startUs, slotUs: startUs + 10 + index })
    }
    if (isFolded) fold()
    expect((await put(startUs + 20)).id).toBe(startUs + 20)
    expect(ids()).toEqual([startUs, startUs + 20, startUs + 1000])
    expect(counts.late).toBe(5)
  },
)

test.each([
  ['open', false],
  ['cold', true],
])('an %s block before one of the future keeps to its limits', async (_is, isFolded) => {
  const { put, fold, ids } = make()
  await put(nowUs)
  await put(nowUs + 900 * DAY_US)
  for (let index = 1; index < 6; index++) {
    if (isFolded) fold()
    await put(nowUs + index)
  }
  expect(ids()).toEqual([nowUs, nowUs + 4, nowUs + 900 * DAY_US])
})

test('100,000 equal times get slots one after another, in order, over as many blocks as they need', async () => {
  const count = 100_000
  const { put, ids, counts } = make({ blockRecordsMax: 1_000, blockBytesMax: 1e9 })
  for (let index = 0; index < count; index++) {
    const { slotUs } = await put(startUs)
    if (slotUs !== startUs + index) expect(slotUs).toBe(startUs + index)
  }
  expect(ids()).toHaveLength(count / 1_000)
  expect(counts.spilled).toBe(count - 1_000)
})

test('equal times do not go through the blocks of those before them again', async () => {
  const { put, fold, entry } = make({ blockRecordsMax: 1 })
  const { index } = entry
  const at = index.at.bind(index)
  let looks = 0
  index.at = (position) => {
    looks++
    return at(position)
  }
  const count = 1_000
  for (let number = 0; number < count; number++) {
    // Two senders that are stuck: neither makes the other one's way longer.
    expect((await put(startUs)).slotUs).toBe(startUs + number)
    expect((await put(startUs + HOUR_US)).slotUs).toBe(startUs + HOUR_US + number)
    if (number % 100 === 99) fold()
  }
  expect(looks).toBeLessThan(count * 2 * 12)
})

test('what is free again between equal times is found', async () => {
  const { put, fold, ids, manager, entry } = make()
  for (let number = 0; number < 12; number++) await put(startUs)
  fold()
  expect((await put(startUs)).slotUs).toBe(startUs + 12)
  manager.retire(entry, startUs + 4, 1)
  const slots: number[] = []
  for (let number = 0; number < 5; number++) slots.push((await put(startUs)).slotUs - startUs)
  expect(slots).toEqual([4, 5, 6, 7, 13])
  expect(ids()).toEqual([startUs, startUs + 8, startUs + 12])
})

test('what is taken back is free again', async () => {
  const { put, manager, entry } = make()
  for (let number = 0; number < 6; number++) await put(startUs)
  for (const block of manager.openBlocks) block.walReservedBytes = 1
  manager.beginUnit()
  const write = {
    target: name,
    timestampUs: startUs,
    labels: [],
    contentType: '',
    content: new Uint8Array(1),
  }
  for (let number = 0; number < 6; number++) expect(manager.tryReserve(entry, write)).toBe(true)
  manager.takeBackUnit()
  expect((await put(startUs)).slotUs).toBe(startUs + 6)
})

test('falling times stay in the block of their day, each in its slot', async () => {
  const { put, ids, counts } = make()
  await put(startUs)
  for (let step = 1; step <= 2_000; step++) {
    const { slotUs } = await put(startUs - step * 1_000)
    expect(slotUs).toBe(startUs - step * 1_000)
  }
  const day = Math.floor((startUs - 1_000) / DAY_US) * DAY_US
  expect(ids()).toEqual([day, startUs])
  expect(counts.late).toBe(2_000)
})

test('a record before all blocks opens the block of its UTC day', async () => {
  const { put, ids } = make()
  await put(startUs)
  const earlierUs = startUs - 3 * DAY_US - 5
  expect(await put(earlierUs)).toEqual({ id: Math.floor(earlierUs / DAY_US) * DAY_US, slotUs: earlierUs })
  expect(ids()).toHaveLength(2)
})

test('one record of the year 2099 gets a block of its own, and those of today go on in theirs', async () => {
  const { put, ids } = make({ blockRecordsMax: 100 })
  const farUs = Date.UTC(2099, 0, 1) * 1_000
  await put(nowUs)
  expect(await put(farUs)).toEqual({ id: farUs, slotUs: farUs })
  expect(await put(nowUs + 1_000)).toEqual({ id: nowUs, slotUs: nowUs + 1_000 })
  expect(await put(farUs + 1_000)).toEqual({ id: farUs, slotUs: farUs + 1_000 })
  expect(ids()).toEqual([nowUs, farUs])
})

test('a gap of hours in the past is no reason for a new block', async () => {
  const { put, ids } = make()
  await put(startUs)
  await put(startUs + 9 * HOUR_US)
  expect(ids()).toEqual([startUs])
})

test('where the range of a block has no free slot left the record goes on in the next', async () => {
  const { put, ids } = make({ blockRecordsMax: 2 })
  for (let count = 0; count < 4; count++) await put(startUs + count)
  expect(ids()).toEqual([startUs, startUs + 2])
  expect(await put(startUs)).toEqual({ id: startUs + 4, slotUs: startUs + 4 })
})

test('no block ever holds a time of another, whatever the order', async () => {
  const { put, fold, ids, slotsOf } = make({ blockRecordsMax: 3 })
  let state = 12_345
  const next = (below: number) => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % below
  for (let count = 0; count < 3_000; count++) {
    await put(startUs + next(40) * 1_000 + next(3) * HOUR_US * (next(50) === 0 ? 20 : 0))
    if (next(200) === 0) fold()
  }
  const all = ids()
  const seen = new Set<number>()
  for (const [id, slots] of slotsOf) {
    const end = all[all.indexOf(id) + 1] ?? Infinity
    for (const slotUs of slots) {
      expect(slotUs >= id && slotUs < end).toBe(true)
      expect(seen.has(slotUs)).toBe(false)
      seen.add(slotUs)
    }
  }
  expect(seen.size).toBe(3_000)
})

const sealed = (id: number, latestUs: number | bigint): IndexEntry => ({
  id: BigInt(id),
  sizeBytes: 2n,
  recordCount: 2,
  metadataBytes: 50n,
  latestUs: BigInt(latestUs),
  crc64: 7n,
})

describe.each([
  ['compressed', { compression: 1 }],
  ['flagged corrupted', { corrupted: true }],
])('a foreign block that is %s', (_name, flags) => {
  test('counts as occupied: a late record goes behind its latest time, into a block of its own', async () => {
    const { put, ids, counts, foreign } = make()
    foreign({ ...sealed(startUs, startUs + 100), ...flags })
    foreign(sealed(startUs + 1_000, startUs + 2_000))
    expect(await put(startUs)).toEqual({ id: startUs + 101, slotUs: startUs + 101 })
    expect(await put(startUs + 7)).toEqual({ id: startUs + 101, slotUs: startUs + 102 })
    expect(await put(startUs + 500)).toEqual({ id: startUs + 101, slotUs: startUs + 500 })
    expect(ids()).toEqual([startUs, startUs + 101, startUs + 1_000])
    expect(counts.late).toBeGreaterThan(0)
  })

  test('sends what it displaces into the next block where nothing is free before that', async () => {
    const { put, ids, foreign, fold } = make({ blockRecordsMax: 3 })
    for (const us of [0, 1, 3, 50]) await put(startUs + 101 + us)
    fold()
    foreign({ ...sealed(startUs, startUs + 100), ...flags })
    expect(await put(startUs + 9)).toEqual({ id: startUs + 101, slotUs: startUs + 103 })
    expect(await put(startUs + 9)).toEqual({ id: startUs + 101, slotUs: startUs + 105 })
    expect(ids()).toEqual([startUs, startUs + 101, startUs + 151])
  })

  test('is passed over, several of them in a row too', async () => {
    const { put, foreign } = make()
    foreign({ ...sealed(startUs, startUs + 100), ...flags })
    foreign({ ...sealed(startUs + 101, startUs + 200), ...flags })
    // Blocks of others may overlap.
    foreign({ ...sealed(startUs + 150, startUs + 180), ...flags })
    expect(await put(startUs + 9)).toEqual({ id: startUs + 201, slotUs: startUs + 201 })
  })

  test('is never replaced by a block of the same id', async () => {
    const { put, foreign, ids } = make()
    foreign({ ...sealed(startUs, 0), recordCount: 0, ...flags })
    expect(await put(startUs)).toEqual({ id: startUs + 1, slotUs: startUs + 1 })
    expect(ids()).toEqual([startUs, startUs + 1])
  })
})

test('a block without compression is not one that is compressed', async () => {
  const { put, fold, foreign, ids } = make()
  await put(startUs)
  fold()
  foreign({ ...sealed(startUs, startUs), recordCount: 1, compression: 0 })
  await put(startUs)
  expect(ids()).toEqual([startUs])
})

test('behind a foreign block with times from 2^53 on nothing is stored, before it everything is', async () => {
  const { put, foreign, ids } = make()
  foreign(sealed(startUs, 2n ** 53n + 1n))
  await expect(put(startUs + 5)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
  const day = Math.floor((startUs - 5) / DAY_US) * DAY_US
  expect(await put(startUs - 5)).toEqual({ id: day, slotUs: startUs - 5 })
  expect(ids()).toEqual([day, startUs])
})
