import { crc32 } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import type { FileSystem } from '../../../src/fs/file-system.ts'
import { decodeIndex } from '../../../src/storage/codec/index-codec.ts'
import { silentStorageObserver, type StorageObserver } from '../../../src/storage/observer.ts'
import type { EntryName, RecordReader } from '../../../src/storage/record.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { checkSettled } from '../../support/independent/settled-check.ts'
import { readAsStock } from '../../support/independent/stock-reader.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { goldenDisk } from '../../support/storage/golden-disk.ts'
import { saveAsServer } from '../../support/storage/save-as-server.ts'
import { independentFiles, openStore, write, type StoreSetup } from '../../support/storage/store.ts'

/**
 * Goal: records of blocks that ReductStore has saved, and of directories that it has written, have CRC-32s again, in the
 * background and at a bounded speed; wherever it is interrupted nothing is lost, and a start without a visit reads nothing.
 * Method: closed stores on the simulated disk, saved as ReductStore saves them, and a golden directory; what readers, verify
 * and ReductStore's rules find; one crash before each change of the disk.
 */

const t0 = 1_750_000_000_000_000
const name: EntryName = { bucket: 'kafka', entry: 'camera/0' }
const directory = '/data/kafka/camera/0'
const setup: StoreSetup = { settings: { blockRecordsMax: 4 } }
const times = [0, 1, 2, 3, 10, 11, 12, 13, 20, 21]
const blocks = [0, 10, 20].map((us) => t0 + us)

/** Three blocks, closed; those of `saved` were saved by ReductStore since. */
async function visitedStore(saved = blocks): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 11 })
  const storage = await openStore(disk.fs, setup)
  await storage.submit({ writes: times.map((us) => write(name, t0 + us, `c${us}`, ['n', String(us)])) })
  await storage.close()
  saveAsServer(disk, 'kafka/camera/0', saved)
  disk.restart()
  return disk
}

/** Time and content of each record, and whether its CRC-32 is the one of its content. */
async function shown(reader: RecordReader): Promise<string[]> {
  const rows: string[] = []
  for await (const record of reader.records(name)) {
    const content = await record.read()
    const { contentChecksum } = record
    const checksum =
      contentChecksum === undefined ? 'none' : contentChecksum === crc32(content) ? 'right' : 'wrong'
    rows.push(`${Number(record.timestampUs) - t0} ${Buffer.from(content).toString()} ${checksum}`)
  }
  return rows
}

const rightRows = times.map((us) => `${us} c${us} right`)
const bareRows = times.map((us) => `${us} c${us} none`)

function counting(): { observer: StorageObserver; added: () => number } {
  let added = 0
  return {
    observer: { ...silentStorageObserver, checksumsAdded: (records) => (added += records) },
    added: () => added,
  }
}

async function expectWhole(fs: FileSystem): Promise<void> {
  expect(checkSettled(await independentFiles(fs))).toEqual([])
  const report = await verifyDirectory(fs, '/data', { checkContent: true })
  expect(report.findings).toEqual([])
  expect(report).toMatchObject({ contentUnchecked: 0, contentChecked: report.records })
}

const listedWith = (disk: SimulatedDisk): boolean[] =>
  [...decodeIndex(disk.peek(`${directory}/blocks.idx`)!).entries.values()].map(
    ({ hasChecksums }) => hasChecksums === true,
  )

describe('blocks that ReductStore saved', () => {
  it('have their CRC-32s again, as readers, verify and the metric say, and nothing else has changed', async () => {
    const disk = await visitedStore()
    const before = recordsOf(readAsStock(await independentFiles(disk.fs)))
    const { observer, added } = counting()
    const storage = await openStore(disk.fs, { ...setup, observer })
    expect(await shown(storage)).toEqual(bareRows)
    await storage.addChecksums()
    expect(added()).toBe(times.length)
    expect(await shown(storage)).toEqual(rightRows)
    await storage.close()
    expect(listedWith(disk)).toEqual([true, true, true])
    await expectWhole(disk.fs)
    expect(recordsOf(readAsStock(await independentFiles(disk.fs)))).toEqual(before)
  })

  it('are found by their index alone: a start without a visit reads no block', async () => {
    const disk = await visitedStore([])
    const { observer, added } = counting()
    let storage = await openStore(disk.fs, { ...setup, observer })
    await storage.addChecksums()
    await storage.close()
    expect([added(), listedWith(disk)]).toEqual([0, [true, true, true]])
    // It would not go unnoticed.
    for (const id of blocks) disk.unlink(`${directory}/${id}.blk`)
    storage = await openStore(disk.restart(), { ...setup, observer })
    const { operations } = disk
    await storage.addChecksums()
    expect([added(), disk.operations]).toEqual([0, operations])
    await storage.close()
  })

  it('get them in the background, no faster than they may', async () => {
    const disk = await visitedStore()
    const clock = new ManualClock()
    const { observer, added } = counting()
    const limits = { upkeepBytesPerSecond: 1024 * 1024 }
    const storage = await openStore(disk.fs, { ...setup, clock, observer, limits })
    await clock.advance(9_000)
    const seen = [added()]
    for (let second = 0; second < 6; second++) {
      await clock.advance(1_000)
      seen.push(added())
    }
    // A small block counts as a mebibyte.
    expect(seen).toEqual([0, 4, 8, 10, 10, 10, 10])
    await storage.close()
    await expectWhole(disk.fs)
  })

  it('that take late records get theirs once they are folded again', async () => {
    const disk = await visitedStore([t0 + 10])
    const storage = await openStore(disk.fs, setup)
    await storage.submit({ writes: [write(name, t0 + 14, 'late')] })
    await storage.addChecksums()
    await storage.settle()
    await storage.addChecksums()
    await storage.close()
    expect(listedWith(disk)).toEqual([true, true, true])
    await expectWhole(disk.fs)
  })

  it('that are split before it is their turn get theirs in the blocks that they become', async () => {
    const disk = await visitedStore([t0])
    const storage = await openStore(disk.fs, setup)
    await storage.submit({ writes: [4, 5, 6, 7].map((us) => write(name, t0 + us, `c${us}`)) })
    await storage.settle()
    await storage.addChecksums()
    await storage.close()
    expect(listedWith(disk)).toEqual([true, true, true, true])
    await expectWhole(disk.fs)
  })

  it('keep those CRC-32s that they have, and records whose content is gone stay without', async () => {
    const disk = await visitedStore([t0 + 10])
    const data = disk.peek(`${directory}/${t0 + 10}.blk`)!
    disk.putFile(`${directory}/${t0 + 10}.blk`, data.slice(0, data.length - 1))
    const { observer, added } = counting()
    const storage = await openStore(disk.restart(), { ...setup, observer })
    await storage.addChecksums()
    expect(added()).toBe(3)
    await storage.close()
    expect(listedWith(disk)).toEqual([true, false, true])
    const { contentUnchecked } = await verifyDirectory(disk.fs, '/data', { checkContent: true })
    expect(contentUnchecked).toBe(1)
  })

  it('may lose their content, or their entry, while they are read, and the store goes on', async () => {
    const disk = await visitedStore()
    disk.unlink(`${directory}/${t0 + 10}.blk`)
    const { observer, added } = counting()
    const { fs } = disk
    const storage = await openStore(fs, { ...setup, observer })
    const read = fs.read.bind(fs)
    let removal: Promise<void> | undefined
    fs.read = async (path, ...range) => {
      if (path.endsWith(`${t0 + 20}.blk`)) await (removal ??= storage.removeEntry(name))
      return read(path, ...range)
    }
    await storage.addChecksums()
    await removal
    expect(added()).toBe(4)
    await storage.submit({ writes: [write(name, t0, 'new')] })
    expect(await shown(storage)).toEqual(['0 new right'])
    await storage.close()
  })

  it('lose or change nothing, wherever a kill or a power cut comes, and have all of them in the end', async () => {
    const source = await visitedStore([t0, t0 + 10])
    let crashes = 0
    for (let operation = 1; ; operation++) {
      const disk = source.fork(operation)
      disk.crashAt(disk.operations + operation)
      if (await addsAll(disk.fs)) break
      crashes += 1
      disk.crashAt(undefined)
      if (operation % 2 === 0) disk.killProcess()
      else disk.cutPower({ seed: operation })
      const where = { operation }
      if (operation % 2 === 0) {
        const { problems, records } = readAsStock(await independentFiles(disk.restart()))
        expect({ where, problems, records: records.length }).toEqual({
          where,
          problems: [],
          records: times.length,
        })
      }
      const fs = disk.restart()
      const storage = await openStore(fs, setup)
      expect({ where, rows: (await shown(storage)).filter((row) => row.endsWith('wrong')) }).toEqual({
        where,
        rows: [],
      })
      expect({ where, rows: (await shown(storage)).length }).toEqual({ where, rows: times.length })
      await storage.addChecksums()
      expect({ where, rows: await shown(storage) }).toEqual({ where, rows: rightRows })
      await storage.close()
      await expectWhole(fs)
    }
    expect(crashes).toBeGreaterThan(40)
  })

  it('that are saved by ReductStore again before the change reaches them stay as it saved them', async () => {
    const disk = await visitedStore([t0])
    const storage = await openStore(disk.fs, setup)
    await storage.addChecksums()
    disk.killProcess()
    saveAsServer(disk, 'kafka/camera/0', [t0], 1)
    const again = await openStore(disk.restart(), setup)
    expect(await shown(again)).toEqual([...bareRows.slice(0, 3), ...rightRows.slice(4)])
    await again.addChecksums()
    expect(await shown(again)).toEqual(rightRows.filter((_, index) => index !== 3))
    await again.close()
    await expectWhole(disk.fs)
  })

  it('that a removal or a rename changes meanwhile are left to who comes later', async () => {
    const disk = await visitedStore()
    const clock = new ManualClock()
    const storage = await openStore(disk.fs, { ...setup, clock })
    const adding = storage.addChecksums()
    await storage.removeRecords(name, [BigInt(t0 + 11)])
    await storage.renameEntry(name, 'other')
    await adding
    await storage.close()
    const again = await openStore(disk.restart(), setup)
    await again.addChecksums()
    const info = (await again.entries())[0]
    expect(info).toMatchObject({ entry: 'other', recordCount: times.length - 1 })
    await again.close()
    await expectWhole(disk.fs)
  })
})

it('a directory that ReductStore wrote gets CRC-32s for all that can be read', async () => {
  const disk = await goldenDisk('killed-dirty-blocks')
  const { observer, added } = counting()
  const storage = await openStore(disk.restart(), { observer })
  await storage.addChecksums()
  await storage.close()
  expect(added()).toBeGreaterThan(0)
  await expectWhole(disk.fs)
})

function recordsOf({ problems, records }: ReturnType<typeof readAsStock>): object {
  return { problems, records }
}

async function addsAll(fs: FileSystem): Promise<boolean> {
  try {
    const storage = await openStore(fs, setup)
    await storage.addChecksums()
    await storage.close()
    return true
  } catch {
    return false
  }
}

it('a record that was listed before it got its CRC-32 is read all the same', async () => {
  const disk = await visitedStore()
  const storage = await openStore(disk.fs, setup)
  const listed = await storage.get(name, BigInt(t0 + 1))
  expect(listed).toMatchObject({ contentChecksum: undefined })
  await storage.addChecksums()
  await storage.removeRecords(name, [BigInt(t0 + 2)])
  expect(Buffer.from(await listed!.read()).toString()).toBe('c1')
  await storage.close()
})

it('a block that loses records while its CRC-32s are being added gets them afterwards', async () => {
  const disk = await visitedStore()
  const { fs } = disk
  const storage = await openStore(fs, setup)
  const rename = fs.rename.bind(fs)
  let adding: Promise<void> | undefined
  fs.rename = async (from, to) => {
    if (to === `${directory}/${t0}.meta`) {
      adding ??= storage.addChecksums()
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    await rename(from, to)
  }
  await storage.removeRecords(name, [BigInt(t0 + 2)])
  await adding
  await storage.addChecksums()
  expect(await shown(storage)).toEqual(rightRows.filter((row) => !row.startsWith('2 ')))
  await storage.close()
  await expectWhole(fs)
})
