import { describe, expect, it } from '@jest/globals'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import type { EntryName, RecordReader } from '../../../src/storage/record.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: labels change and records go, each time as one atom, in open and in sealed blocks, and the directory is one that
 * a stranger finds whole.
 * Method: a store on the simulated disk with blocks of four records; what it shows is compared live, after a restart,
 * and by a reader that only has the files.
 */

const t0 = 1_750_000_000_000_000
const name: EntryName = { bucket: 'kafka', entry: 'camera/0' }
const at = (us: number): bigint => BigInt(t0 + us)

async function shown(reader: RecordReader): Promise<[number, string, string[]][]> {
  const rows: [number, string, string[]][] = []
  for await (const record of reader.records(name)) {
    const content = Buffer.from(await record.read()).toString()
    rows.push([Number(record.timestampUs) - t0, content, [...record.labels]])
  }
  return rows
}

async function storeOf(times: readonly number[]): Promise<{ disk: SimulatedDisk; storage: Storage }> {
  const disk = new SimulatedDisk({ seed: 5 })
  const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 4 } })
  await storage.submit({ writes: times.map((us) => write(name, t0 + us, `c${us}`, ['n', String(us)])) })
  return { disk, storage }
}

async function expectEverywhere(
  disk: SimulatedDisk,
  storage: Storage,
  rows: readonly [number, string, string[]][],
): Promise<void> {
  expect(await shown(storage)).toEqual(rows)
  expect(await shown(await openDirectory(disk.fs, '/data'))).toEqual(rows)
  disk.killProcess()
  const again = await openStore(disk.restart(), { settings: { blockRecordsMax: 4 } })
  expect(await shown(again)).toEqual(rows)
  await again.close()
  expect(await shown(await openDirectory(disk.fs, '/data'))).toEqual(rows)
  expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
}

const row = (us: number, labels: string[] = ['n', String(us)]): [number, string, string[]] => [
  us,
  `c${us}`,
  labels,
]

describe.each([
  ['open', false],
  ['sealed', true],
])('in %s blocks', (_name, isSealed) => {
  it('labels are set, changed and removed, each record by itself', async () => {
    const { disk, storage } = await storeOf([0, 1, 2, 3, 4, 5])
    if (isSealed) await storage.settle()
    const results = await storage.updateLabels(name, [
      { timestampUs: at(1), set: new Map([['n', 'one']]) },
      { timestampUs: at(5), set: new Map([['colour', 'red']]), remove: ['n'] },
      { timestampUs: at(1), set: new Map([['again', 'yes']]) },
      { timestampUs: at(77), remove: ['n'] },
      { timestampUs: at(2), set: new Map([['bad name', 'x']]) },
    ])
    expect(results.map(({ error }) => error?.code)).toEqual([
      undefined,
      undefined,
      undefined,
      'ERR_NOT_FOUND',
      'ERR_INVALID',
    ])
    await expectEverywhere(disk, storage, [
      row(0),
      row(1, ['n', 'one', 'again', 'yes']),
      row(2),
      row(3),
      row(4),
      row(5, ['colour', 'red']),
    ])
  })

  it('records go, and with its last one a block', async () => {
    const { disk, storage } = await storeOf([0, 1, 2, 3, 4, 5, 6, 7, 8])
    if (isSealed) await storage.settle()
    const results = await storage.removeRecords(name, [at(1), at(4), at(5), at(6), at(7), at(1_000)])
    expect(results.map(({ error }) => error?.code)).toEqual([
      ...Array.from({ length: 5 }, () => undefined),
      'ERR_NOT_FOUND',
    ])
    const [info] = await storage.entries()
    expect(info).toMatchObject({ blockCount: 2, recordCount: 4 })
    await expectEverywhere(disk, storage, [row(0), row(2), row(3), row(8)])
  })

  it('new records follow removed ones, at their times too', async () => {
    const { disk, storage } = await storeOf([0, 1, 2, 3, 4, 5, 6, 7, 8])
    if (isSealed) await storage.settle()
    expect(await storage.removeRange(name, { startUs: at(2), stopUs: at(9) })).toBe(7)
    await storage.submit({ writes: [4, 3, 9].map((us) => write(name, t0 + us, `c${us}`, ['n', String(us)])) })
    await expectEverywhere(disk, storage, [row(0), row(1), row(3), row(4), row(9)])
  })
})

it('a block that is about to get labels is not folded, and none of them is lost', async () => {
  const { disk, storage: before } = await storeOf([0, 1, 2, 3, 4, 5])
  await before.close()
  const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 4 } })
  const { fs } = disk
  const readFile = fs.readFile.bind(fs)
  const folds: Promise<boolean>[] = []
  fs.readFile = async (path) => {
    const bytes = await readFile(path)
    folds.push(storage.fold(name, t0), storage.fold(name, t0 + 4))
    return bytes
  }
  const results = await storage.updateLabels(
    name,
    [1, 5, 2, 4].map((us) => ({ timestampUs: at(us), set: new Map([['n', 'new']]) })),
  )
  expect(results.filter(({ error }) => error !== undefined)).toEqual([])
  fs.readFile = readFile
  await Promise.all(folds)
  expect(folds.length).toBeGreaterThan(0)
  const changed = (us: number): [number, string, string[]] => row(us, ['n', 'new'])
  await expectEverywhere(disk, storage, [row(0), changed(1), changed(2), row(3), changed(4), changed(5)])
})

it('a range goes by what its records say', async () => {
  const { disk, storage } = await storeOf([0, 1, 2, 3, 4, 5, 6, 7, 8])
  const removed = await storage.removeRange(name, {
    startUs: at(1),
    where: ({ labels }) => Number(labels[1]) % 2 === 1,
  })
  expect(removed).toBe(4)
  await expectEverywhere(disk, storage, [row(0), row(2), row(4), row(6), row(8)])
})

it('an entry can be emptied and written again, but for the id that the log still knows', async () => {
  const { disk, storage } = await storeOf([0, 1, 2, 3, 4])
  expect(await storage.removeRange(name)).toBe(5)
  expect(await shown(storage)).toEqual([])
  await storage.submit({ writes: [write(name, t0, 'c1', ['n', '1'])] })
  await storage.checkpoint()
  await storage.submit({ writes: [write(name, t0, 'c0', ['n', '0'])] })
  await expectEverywhere(disk, storage, [row(0), row(1)])
})

it('content kept for a reader is gone after a power cut, whatever names come back', async () => {
  const { disk, storage } = await storeOf([0, 1, 2, 3])
  await storage.settle()
  for await (const record of storage.records(name)) {
    if (record.timestampUs > at(0)) break
    await storage.removeRange(name)
    await storage.checkpoint()
  }
  const isContent = (path: string): boolean => path.endsWith('.blk')
  const after = await new Promise<SimulatedDisk>((resolve) => {
    disk.onOperation = (call, path) => {
      if (call === 'unlink' && path.endsWith('.wal')) setImmediate(() => resolve(disk.fork()))
    }
  })
  for (let seed = 0; seed < 20; seed++) {
    const image = after.fork()
    image.cutPower({ seed, names: 'subset' })
    await (await openStore(image.restart(), { settings: { blockRecordsMax: 4 } })).close()
    expect({ seed, left: image.paths('/data').filter(isContent) }).toEqual({ seed, left: [] })
  }
})

it('an entry that is not there is named', async () => {
  const { storage } = await storeOf([0])
  const other = { bucket: 'kafka', entry: 'none' }
  await expect(storage.removeRecords(other, [1n])).rejects.toThrow('there is no entry kafka/none')
  await storage.close()
})
