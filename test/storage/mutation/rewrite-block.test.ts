import { describe, expect, it, test } from '@jest/globals'
import { FileSystemError } from '../../../src/fs/file-system.ts'
import { cutIntoParts, isHollow, isOverfull } from '../../../src/storage/block/plan-rewrite.ts'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import type { EntryName, RecordReader } from '../../../src/storage/record.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { checkSettled } from '../../support/independent/settled-check.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { independentFiles, openStore, write } from '../../support/storage/store.ts'

const limits = { blockBytesMax: 100, blockRecordsMax: 4, quota: { kind: 'none', bytes: 0 } } as const

describe('what is rewritten', () => {
  test('a block is too full a quarter beyond its limits', () => {
    expect(isOverfull({ recordCount: 5, sizeBytes: 50 }, limits)).toBe(false)
    expect(isOverfull({ recordCount: 6, sizeBytes: 50 }, limits)).toBe(true)
    expect(isOverfull({ recordCount: 2, sizeBytes: 126 }, limits)).toBe(true)
    expect(isOverfull({ recordCount: 1, sizeBytes: 1_000 }, limits)).toBe(false)
  })

  test('holes count from a mebibyte and half of the block on', () => {
    const mebibyte = 1024 * 1024
    expect(isHollow(mebibyte, 1, mebibyte)).toBe(false)
    expect(isHollow(4 * mebibyte, 3 * mebibyte, mebibyte)).toBe(false)
    expect(isHollow(4 * mebibyte, 2 * mebibyte, mebibyte)).toBe(true)
  })

  test('parts keep to both limits, and a giant stands alone', () => {
    expect(cutIntoParts([10, 10, 10, 10, 10], limits)).toEqual([0, 4])
    expect(cutIntoParts([60, 60, 500, 1, 1], limits)).toEqual([0, 1, 2, 3])
    expect(cutIntoParts([], limits)).toEqual([0])
  })
})

const t0 = 1_750_000_000_000_000
const name: EntryName = { bucket: 'kafka', entry: 'camera/0' }

async function shown(reader: RecordReader): Promise<string[]> {
  const rows: string[] = []
  for await (const record of reader.records(name))
    rows.push(
      `${Number(record.timestampUs) - t0} ${Buffer.from(await record.read())
        .toString()
        .slice(0, 20)}`,
    )
  return rows
}

describe('a sealed block that late records have filled', () => {
  it('is split into blocks within the limits, and every record is found by time and by range', async () => {
    const disk = new SimulatedDisk({ seed: 3 })
    const settings = { blockRecordsMax: 4 }
    const storage = await openStore(disk.fs, { settings })
    await storage.submit({ writes: [100, 200, 300, 400, 500].map((us) => write(name, t0 + us)) })
    await storage.settle()
    const late = Array.from({ length: 11 }, (_, index) => 110 + index)
    await storage.submit({ writes: late.map((us) => write(name, t0 + us)) })
    await storage.settle()
    const [info] = await storage.entries()
    expect(info).toMatchObject({ blockCount: 5, recordCount: 16 })
    const rows = [100, ...late, 200, 300, 400, 500].map(
      (us) => `${us} ${`content of ${t0 + us}`.slice(0, 20)}`,
    )
    expect(await shown(storage)).toEqual(rows)
    for (const us of [100, 110, 113, 120, 400, 500])
      expect((await storage.get(name, BigInt(t0 + us)))?.contentBytes).toBeGreaterThan(0)
    await storage.submit({ writes: [write(name, t0 + 111, 'again')] })
    await storage.close()
    expect(checkSettled(await independentFiles(disk.fs))).toEqual([])
    expect(await shown(await openDirectory(disk.fs, '/data'))).toHaveLength(17)
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })
})

describe('many sealed blocks that late records have filled', () => {
  const settings = { blockRecordsMax: 4 }
  const blocks = 16
  const sealed = Array.from({ length: blocks * 4 }, (_, at) => at * 10)
  const late = sealed.flatMap((us, at) => (at % 4 < 2 ? [us + 1] : []))

  async function filled(disk: SimulatedDisk): Promise<Storage> {
    const storage = await openStore(disk.fs, { settings })
    await storage.submit({ writes: sealed.map((us) => write(name, t0 + us)) })
    await storage.settle()
    await storage.submit({ writes: late.map((us) => write(name, t0 + us)) })
    return storage
  }

  async function blockCount(storage: Storage): Promise<number | undefined> {
    const rows = [...sealed, ...late].sort((a, b) => a - b)
    expect(await shown(storage)).toEqual(rows.map((us) => `${us} ${`content of ${t0 + us}`.slice(0, 20)}`))
    return (await storage.entries())[0]?.blockCount
  }

  /** How often the directory of staged blocks is synced: for each frame before it, and when the parts have their place. */
  async function settleCounting(storage: Storage, { fs }: SimulatedDisk): Promise<number> {
    const syncDirectories = fs.syncDirectories.bind(fs)
    let rounds = 0
    fs.syncDirectories = (paths) => {
      if (paths.some((path) => path.endsWith('/staged'))) rounds++
      return syncDirectories(paths)
    }
    await storage.settle()
    return rounds
  }

  it('are split together, with the syncs of one', async () => {
    const disk = new SimulatedDisk({ seed: 3 })
    const storage = await filled(disk)
    expect(await settleCounting(storage, disk)).toBe(2)
    expect(await blockCount(storage)).toBe(2 * blocks)
    await storage.close()
    expect(checkSettled(await independentFiles(disk.fs))).toEqual([])
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it('are split but for one that cannot be read', async () => {
    const disk = new SimulatedDisk({ seed: 3 })
    const storage = await filled(disk)
    const { fs } = disk
    const read = fs.read.bind(fs)
    const path = `/data/kafka/camera/0/${t0 + 40}.blk`
    fs.read = (of, ...range) =>
      of === path ? Promise.reject(new FileSystemError('ERR_IO', 'read', of, 'EIO')) : read(of, ...range)
    await storage.settle()
    fs.read = read
    expect(await blockCount(storage)).toBe(2 * blocks - 1)
    await storage.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it('are split one by one where there is no room for all of them', async () => {
    const disk = new SimulatedDisk({ seed: 3 })
    const storage = await filled(disk)
    const { fs } = disk
    const freeSpace = fs.freeSpace.bind(fs)
    let asked = 0
    fs.freeSpace = async (path) => {
      const free = await freeSpace(path)
      return asked++ === 0 ? { ...free, bytes: 0 } : free
    }
    expect(await settleCounting(storage, disk)).toBe(2 * blocks)
    expect(await blockCount(storage)).toBe(2 * blocks)
    await storage.close()
  })
})

describe('content that came in any order', () => {
  it('is read once, in large pieces, when its block is split', async () => {
    const disk = new SimulatedDisk({ seed: 3 })
    const records = 6_000
    const storage = await openStore(disk.fs, { settings: { blockRecordsMax: records / 2 } })
    const times = [
      0,
      records,
      ...Array.from({ length: records - 1 }, (_, at) => 1 + ((at * 2_741) % records)),
    ]
    const content = (us: number): string => `${us} `.padEnd(1_024, '.')
    const distinct = [...new Set(times)]
    for (let from = 0; from < distinct.length; from += 500)
      await storage.submit({
        writes: distinct.slice(from, from + 500).map((us) => write(name, t0 + us, content(us))),
      })
    const { fs } = disk
    const read = fs.read.bind(fs)
    let bytesRead = 0
    let reads = 0
    fs.read = async (path, ...range) => {
      const bytes = await read(path, ...range)
      if (path.endsWith('.blk')) [bytesRead, reads] = [bytesRead + bytes.byteLength, reads + 1]
      return bytes
    }
    await storage.settle()
    expect(bytesRead).toBe(distinct.length * 1_024)
    expect(reads).toBeLessThan(30)
    expect((await storage.entries())[0]?.blockCount).toBe(2)
    const rows = distinct.sort((one, other) => one - other).map((us) => `${us} ${content(us).slice(0, 20)}`)
    expect(await shown(storage)).toEqual(rows)
    await storage.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })
})

describe('a block that is split while the one before it grows', () => {
  it('leaves its place to what came there meanwhile', async () => {
    const disk = new SimulatedDisk({ seed: 3 })
    const settings = { blockRecordsMax: 4 }
    const storage = await openStore(disk.fs, { settings })
    const before = [0, 1, 2, 3]
    const late = [110, 111, 112]
    const submit = (times: readonly number[]): Promise<void> =>
      storage.submit({ writes: times.map((us) => write(name, t0 + us)) })
    await submit([...before, 100, 200, 300, 400])
    await storage.settle()
    await submit(late)
    const { fs } = disk
    const read = fs.read.bind(fs)
    let growing: Promise<void> | undefined
    fs.read = async (path, ...range) => {
      if (path.endsWith(`/${t0 + 100}.blk`)) await (growing ??= submit([99]))
      return read(path, ...range)
    }
    await storage.settle()
    await growing
    expect(await shown(storage)).toHaveLength(12)
    expect((await storage.get(name, BigInt(t0 + 99)))?.contentBytes).toBeGreaterThan(0)
    await storage.close()
    expect(checkSettled(await independentFiles(disk.fs))).toEqual([])
    expect(await shown(await openDirectory(disk.fs, '/data'))).toHaveLength(12)
  })
})

describe('a block that removals have hollowed out', () => {
  it.each([
    ['its first record', [1, 2, 3]],
    ['its last record', [0, 1, 2]],
  ])('keeps only what is left, also %s', async (_name, gone) => {
    const disk = new SimulatedDisk({ seed: 3 })
    const storage = await openStore(disk.fs)
    const content = (us: number): string => `${us}`.repeat(600_000)
    await storage.submit({ writes: [0, 1, 2, 3].map((us) => write(name, t0 + us, content(us))) })
    await storage.removeRecords(
      name,
      gone.map((us) => BigInt(t0 + us)),
    )
    expect((await storage.entries())[0]?.bytes).toBeGreaterThan(2_400_000)
    await storage.settle()
    expect((await storage.entries())[0]?.bytes).toBeLessThan(600_500)
    const left = [0, 1, 2, 3].filter((us) => !gone.includes(us))
    expect(await shown(storage)).toEqual(left.map((us) => `${us} ${content(us).slice(0, 20)}`))
    await storage.close()
    expect(disk.paths('/data/kafka/camera/0').filter((path) => path.endsWith('.blk'))).toHaveLength(1)
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it.each<[string, (disk: SimulatedDisk) => Promise<void> | void]>([
    ['content cannot be read', (disk) => disk.failNext('read', { path: /blk$/ })],
    ['descriptor cannot be read', (disk) => disk.failNext('read', { path: /meta$/ })],
    ['content is not there', (disk) => disk.fs.unlink(blockIn(disk))],
  ])('stays as it is while its %s, and the store goes on', async (_what, damage) => {
    const { disk, storage } = await hollowed()
    await damage(disk)
    await storage.settle()
    await storage.submit({ writes: [write({ bucket: 'kafka', entry: 'other' }, t0)] })
    expect(await storage.entries()).toMatchObject([{ recordCount: 2 }, { recordCount: 1 }])
    await storage.close()
  })

  it('may go with its entry while it is copied', async () => {
    const { disk, storage } = await hollowed()
    const { fs } = disk
    const read = fs.read.bind(fs)
    let removal: Promise<void> | undefined
    fs.read = async (path, ...range) => {
      if (path.endsWith('.blk')) await (removal ??= storage.removeEntry(name))
      return read(path, ...range)
    }
    await storage.settle()
    await removal
    await storage.submit({ writes: [write(name, t0, 'new')] })
    expect(await shown(storage)).toEqual(['0 new'])
    await storage.close()
  })
})

function blockIn(disk: SimulatedDisk): string {
  return disk.paths('/data/kafka').find((path) => path.endsWith('.blk')) ?? ''
}

async function hollowed(): Promise<{ disk: SimulatedDisk; storage: Storage }> {
  const disk = new SimulatedDisk({ seed: 3 })
  const storage = await openStore(disk.fs)
  const content = 'x'.repeat(1_000_000)
  await storage.submit({ writes: [0, 1, 2, 3].map((us) => write(name, t0 + us, content)) })
  await storage.removeRecords(name, [BigInt(t0 + 1), BigInt(t0 + 2)])
  return { disk, storage }
}
