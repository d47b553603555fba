import { describe, expect, it } from '@jest/globals'
import { BlockIndex } from '../../src/storage/block/block-index.ts'
import { BlockManager } from '../../src/storage/block/block-manager.ts'
import { OpenBlock } from '../../src/storage/block/block.ts'
import { IndexFile } from '../../src/storage/block/index-file.ts'
import { Bucket } from '../../src/storage/bucket.ts'
import { Entry } from '../../src/storage/entry.ts'
import { Maintenance } from '../../src/storage/maintenance.ts'
import { defaultBucketSettings, defaultLimits } from '../../src/storage/options.ts'
import { EntryPaths } from '../../src/storage/paths.ts'
import type { FileSystem } from '../../src/fs/file-system.ts'
import type { EntryName } from '../../src/storage/record.ts'
import type { Storage } from '../../src/storage/index.ts'
import { silentStorageObserver } from '../../src/storage/observer.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { openStore, write } from '../support/storage/store.ts'

/** Goal: blocks that are done with are sealed. Method: a store on the simulated disk, and time that the test moves. */

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'camera/0' }

async function open(): Promise<{
  storage: Storage
  clock: ManualClock
  fs: FileSystem
  sealed: () => number
}> {
  const { fs } = new SimulatedDisk({ seed: 41 })
  const clock = new ManualClock(t0)
  let sealed = 0
  const storage = await openStore(fs, {
    clock,
    observer: { ...silentStorageObserver, blockSealed: () => (sealed += 1) },
    limits: { sealIdleMs: 1000 },
    settings: { blockBytesMax: 1000 },
  })
  return { storage, clock, fs, sealed: () => sealed }
}

/** A time in which every timer of a second has come. */
async function rest(clock: ManualClock): Promise<void> {
  for (let tick = 0; tick < 8; tick++) await clock.advance(250)
}

describe('a block that is full by its bytes', () => {
  it('is sealed once the next one has begun and its late records have stopped', async () => {
    const { storage, clock, sealed } = await open()
    for (let index = 0; index < 10; index++) {
      await storage.submit({ writes: [write(entry, t0 + index * 1000, new Uint8Array(300))] })
    }
    // Three of 300 bytes fit into 1,000: blocks of 3, 3, 3 and 1.
    expect(sealed()).toBe(0)
    await rest(clock)
    expect(sealed()).toBe(3)
    await storage.close()
  })

  it('stays open behind one whose clock ran ahead by years', async () => {
    const { storage, clock, sealed } = await open()
    await storage.submit({ writes: [write(entry, t0 + 1e15, new Uint8Array(300))] })
    await storage.submit({ writes: [write(entry, t0, new Uint8Array(300))] })
    await rest(clock)
    expect(sealed()).toBe(0)
    await storage.close()
  })
})

it('an entry can be removed while one of its blocks is sealed', async () => {
  const { storage, clock, fs } = await open()
  for (let index = 0; index < 3; index++)
    await storage.submit({ writes: [write(entry, t0 + index * 1000, new Uint8Array(600))] })
  const sync = fs.syncFiles.bind(fs)
  const unlink = fs.unlink.bind(fs)
  const secondIsSealed = new Promise<void>((resolve) => {
    fs.unlink = async (path) => {
      await unlink(path)
      if (path.endsWith(`/${t0 + 1000}.wal`)) resolve()
    }
  })
  fs.syncFiles = async (files) => {
    if (files.some(({ path }) => path.endsWith(`/${t0}.blk`))) await secondIsSealed
    await sync(files)
  }
  const removal = storage.removeEntry(entry)
  await rest(clock)
  await removal
  expect(await storage.entries()).toEqual([])
  await storage.close()
})

it('a block is closed behind every fold of it that gives up, also one that somebody else began', async () => {
  const { block, maintenance, ends } = foldedByHand()
  const first = maintenance.fold(block)
  const second = first.then(() => maintenance.fold(block))
  const closed = maintenance.close(block)
  ends.shift()?.(false)
  await first
  ends.shift()?.(true)
  expect(await second).toBe(true)
  expect(await closed).toBe(true)
})

/** Folds end as the test says. */
function foldedByHand(): {
  block: OpenBlock
  maintenance: Maintenance
  ends: ((isCold: boolean) => void)[]
} {
  const paths = new EntryPaths('/data', entry)
  const bucket = new Bucket(entry.bucket, defaultBucketSettings)
  const owner = new Entry(entry, paths, bucket, new BlockIndex(), new IndexFile(paths.index))
  const clock = new ManualClock(t0)
  const manager = new BlockManager({
    clock,
    observer: silentStorageObserver,
    load: () => Promise.reject(new Error('nothing is cold here')),
  })
  const block = new OpenBlock(owner, t0, 0)
  manager.adopt(block)
  const ends: ((isCold: boolean) => void)[] = []
  const maintenance = new Maintenance({
    clock,
    observer: silentStorageObserver,
    limits: defaultLimits,
    manager,
    fold: async () => {
      const isCold = await new Promise<boolean>((resolve) => ends.push(resolve))
      if (isCold) manager.forget(block)
      return isCold
    },
    rewrite: () => Promise.resolve(),
    relieve: () => undefined,
    poison: () => undefined,
    keepQuotas: () => Promise.resolve(),
  })
  return { block, maintenance, ends }
}
