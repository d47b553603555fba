import { describe, expect, it } from '@jest/globals'
import type { FileSystem } from '../../src/fs/file-system.ts'
import { silentStorageObserver, type CacheName, type StorageObserver } from '../../src/storage/observer.ts'
import type { EntryName } from '../../src/storage/record.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { openStore, write } from '../support/storage/store.ts'

/** Goal: hits, misses and evictions of both caches are what can be computed by hand. */

/** The part of a second keeps all encoded times of the same length. */
const t0 = 1_750_000_000_300_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }

interface Counts {
  hits: number
  misses: number
  evictions: number
}

class CountingObserver {
  counts: Record<CacheName, Counts> = { write: zero(), read: zero() }

  get observer(): StorageObserver {
    return {
      ...silentStorageObserver,
      cacheHit: (cache) => void this.counts[cache].hits++,
      cacheMissed: (cache) => void this.counts[cache].misses++,
      cacheEvicted: (cache) => void this.counts[cache].evictions++,
    }
  }

  /** What was counted since the last call. */
  take(): Record<CacheName, Counts> {
    const taken = this.counts
    this.counts = { write: zero(), read: zero() }
    return taken
  }
}

function zero(): Counts {
  return { hits: 0, misses: 0, evictions: 0 }
}

async function readAll(storage: Storage): Promise<number> {
  let count = 0
  for await (const record of storage.records(entry)) count += (await record.read()).length > 0 ? 1 : 0
  return count
}

describe('the write cache', () => {
  it('is never hit where every record starts a block', async () => {
    const counting = new CountingObserver()
    const storage = await openStore(new SimulatedDisk().fs, {
      observer: counting.observer,
      settings: { blockRecordsMax: 1 },
    })
    for (let index = 0; index < 20; index++) await storage.submit({ writes: [write(entry, t0 + index)] })
    expect(counting.take().write).toEqual({ hits: 0, misses: 20, evictions: 0 })
    await storage.close()
  })

  it('is always hit by appends and late records to a block that is open, and by reading it', async () => {
    const counting = new CountingObserver()
    const storage = await openStore(new SimulatedDisk().fs, { observer: counting.observer })
    await storage.submit({ writes: [write(entry, t0)] })
    expect(counting.take().write).toEqual({ hits: 0, misses: 1, evictions: 0 })

    for (let index = 0; index < 20; index++)
      await storage.submit({ writes: [write(entry, t0 + index * 100), write(entry, t0 + index)] })
    expect(counting.take()).toEqual({ write: { hits: 40, misses: 0, evictions: 0 }, read: zero() })
    expect(await readAll(storage)).toBe(41)
    await storage.get(entry, BigInt(t0))
    expect(counting.take()).toEqual({ write: { hits: 2, misses: 0, evictions: 0 }, read: zero() })
    await storage.close()
  })

  it('is missed once by a late record for a sealed block', async () => {
    const counting = new CountingObserver()
    const storage = await openStore(new SimulatedDisk().fs, { observer: counting.observer })
    await storage.submit({ writes: [write(entry, t0), write(entry, t0 + 100)] })
    await storage.settle()
    counting.take()
    for (let index = 1; index <= 5; index++) await storage.submit({ writes: [write(entry, t0 + index)] })
    expect(counting.take().write).toEqual({ hits: 4, misses: 1, evictions: 0 })
    await storage.close()
  })

  it('folds the blocks used longest ago until its budget holds', async () => {
    const counting = new CountingObserver()
    const clock = new ManualClock()
    const { fs } = new SimulatedDisk()
    // An open block counts for 1,024 bytes and 16 for each run of occupied microseconds: four fit.
    const storage = await openStore(fs, {
      clock,
      observer: counting.observer,
      limits: { writeCacheBytesMax: 4 * 1040 },
    })
    const names = Array.from({ length: 10 }, (_, index): EntryName => ({
      bucket: 'kafka',
      entry: `e${index}`,
    }))
    for (const name of names) await storage.submit({ writes: [write(name, t0)] })
    // Used again: not among the oldest any more.
    await storage.submit({ writes: [write(names[0] as EntryName, t0 + 1)] })
    expect(counting.take().write).toEqual({ hits: 1, misses: 10, evictions: 0 })

    await clock.advance(250)
    await until(async () => (await openEntries(fs, names)).length <= 4)
    await clock.advance(1000)
    expect(await openEntries(fs, names)).toEqual(['e0', 'e7', 'e8', 'e9'])
    expect(counting.take().write).toEqual({ hits: 0, misses: 0, evictions: 6 })
    await storage.close()
  })
})

describe('the read cache', () => {
  /** Twenty sealed blocks whose descriptors are equally large, opened with room for `fitting` of them. */
  async function sealedBlocks(fitting: number): Promise<{ storage: Storage; counting: CountingObserver }> {
    const { fs } = new SimulatedDisk()
    const settings = { blockRecordsMax: 1 }
    const writer = await openStore(fs, { settings })
    for (let index = 0; index < 20; index++) await writer.submit({ writes: [write(entry, t0 + index)] })
    await writer.close()
    const sizes = new Set<number | undefined>()
    for (let index = 0; index < 20; index++)
      sizes.add(await fs.fileBytes(`/data/kafka/topic/0/${t0 + index}.meta`))
    expect(sizes.size).toBe(1)
    // Raw bytes, 38 for the one record, 256 for the rest.
    const readCacheBytesMax = fitting * (Number([...sizes][0]) + 38 + 256)
    const counting = new CountingObserver()
    const storage = await openStore(fs, {
      settings,
      observer: counting.observer,
      limits: { readCacheBytesMax },
    })
    return { storage, counting }
  }

  it('is always hit once all descriptors are in it', async () => {
    const { storage, counting } = await sealedBlocks(20)
    expect(await readAll(storage)).toBe(20)
    expect(counting.take()).toEqual({ write: zero(), read: { hits: 0, misses: 20, evictions: 0 } })
    expect(await readAll(storage)).toBe(20)
    for (let index = 0; index < 20; index++) await storage.get(entry, BigInt(t0 + index))
    expect(counting.take()).toEqual({ write: zero(), read: { hits: 40, misses: 0, evictions: 0 } })
    await storage.close()
  })

  it('is never hit by blocks in turn of which one more than fits is read', async () => {
    const { storage, counting } = await sealedBlocks(2)
    for (let round = 0; round < 5; round++)
      for (let index = 0; index < 3; index++) await storage.get(entry, BigInt(t0 + index))
    expect(counting.take()).toEqual({ write: zero(), read: { hits: 0, misses: 15, evictions: 13 } })
    await storage.close()
  })

  it('evicts what its budget does not hold, the least recently used first', async () => {
    const { storage, counting } = await sealedBlocks(5)
    await readAll(storage)
    expect(counting.take().read).toEqual({ hits: 0, misses: 20, evictions: 15 })
    for (let index = 15; index < 20; index++) await storage.get(entry, BigInt(t0 + index))
    expect(counting.take().read).toEqual({ hits: 5, misses: 0, evictions: 0 })
    await storage.get(entry, BigInt(t0))
    await storage.get(entry, BigInt(t0 + 16))
    await storage.get(entry, BigInt(t0 + 15))
    expect(counting.take().read).toEqual({ hits: 1, misses: 2, evictions: 2 })
    await storage.close()
  })

  it('is missed by a block that a late record has changed', async () => {
    const counting = new CountingObserver()
    const storage = await openStore(new SimulatedDisk().fs, { observer: counting.observer })
    await storage.submit({ writes: [write(entry, t0), write(entry, t0 + 100)] })
    await storage.settle()
    await storage.get(entry, BigInt(t0))
    await storage.get(entry, BigInt(t0))
    expect(counting.take().read).toEqual({ hits: 1, misses: 1, evictions: 0 })
    await storage.submit({ writes: [write(entry, t0 + 50)] })
    await storage.settle()
    await storage.get(entry, BigInt(t0))
    expect(counting.take().read).toEqual({ hits: 0, misses: 1, evictions: 0 })
    await storage.close()
  })
})

/** Entries that have an open block: those with a WAL. */
async function openEntries(fs: FileSystem, names: readonly EntryName[]): Promise<string[]> {
  const open: string[] = []
  for (const { bucket, entry: name } of names) {
    const wals = (await fs.list(`/data/${bucket}/${name}/.wal`)) ?? []
    if (wals.length > 0) open.push(name)
  }
  return open
}

/** Lets the simulated disk work on; a store that stalls fails the test. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    if (await isTrue()) return
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  throw new Error('it did not happen')
}
