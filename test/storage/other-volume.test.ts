import { cp, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { Quarantine } from '../../src/storage/recovery/adopt/quarantine.ts'
import type { RecordReader } from '../../src/storage/record.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { verifyDirectory } from '../../src/storage/verify/verify-directory.ts'
import { requireSecondVolume } from '../support/second-volume.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { openStore, write } from '../support/storage/store.ts'

/**
 * Goal: a bucket or entry on another volume is split, kept aside and refused as the file system allows it, and nothing
 * of that ends the store.
 * Method: a bucket behind a symbolic link to a real second volume; and a simulated disk that renames nothing to or from
 * an entry, ended at every operation of a split.
 */

const t0 = 1_750_000_000_000_000
const name = { bucket: 'kafka', entry: 'topic/0' }
const settings = { blockRecordsMax: 4 }

/** A block of its limits and one behind it, then as many late ones into the first. */
async function overfill(storage: Storage): Promise<void> {
  const writes = (times: number[]) => times.map((us) => write(name, t0 + us, `c${us}`))
  await storage.submit({ writes: writes([0, 10, 20, 30, 40]) })
  await storage.submit({ writes: writes([5, 15, 25, 26, 27]) })
}
const times = [0, 5, 10, 15, 20, 25, 26, 27, 30, 40]

async function shown(reader: RecordReader): Promise<string[]> {
  const contents: string[] = []
  for await (const record of reader.records(name)) contents.push(Buffer.from(await record.read()).toString())
  return contents
}
const all = times.map((us) => `c${us}`)

it('a split that is interrupted at any operation is done or not begun', async () => {
  const disk = new SimulatedDisk({ seed: 9 })
  disk.otherVolume = '/data/kafka'
  const storage = await openStore(disk.fs, { settings })
  await overfill(storage)
  const forks: SimulatedDisk[] = []
  disk.onOperation = () => forks.push(disk.fork())
  await storage.settle()
  disk.onOperation = undefined
  expect((await storage.entries())[0]).toMatchObject({ blockCount: 4, recordCount: 10 })
  await storage.close()
  expect(forks.length).toBeGreaterThan(30)
  for (const fork of forks) {
    const seed = fork.seed
    for (const isKilled of [true, false]) {
      const image = fork.fork(seed)
      if (isKilled) image.killProcess()
      else image.cutPower({ seed })
      const again = await openStore(image.fs, { settings })
      expect([seed, isKilled, await shown(again)]).toEqual([seed, isKilled, all])
      await again.close()
      expect((await verifyDirectory(image.fs, '/data', { checkContent: true })).findings).toEqual([])
    }
  }
})

it('a volume that is mounted in what is removed stays, and stops neither the store nor the next start', async () => {
  const disk = new SimulatedDisk({ seed: 10 })
  const mounted = { path: /removed-/, code: 'ERR_OTHER_VOLUME', times: Infinity } as const
  const storage = await openStore(disk.fs, { settings })
  await overfill(storage)
  disk.failNext('removeDirectory', mounted)
  await storage.removeEntry(name)
  await storage.settle()
  await storage.submit({ writes: [write(name, t0 + 50, 'c50')] })
  await storage.close()
  const again = await openStore(disk.restart(), { settings })
  expect(await shown(again)).toEqual(['c50'])
  await again.close()
  disk.clearFailures()
  await (await openStore(disk.restart(), { settings })).close()
  expect(disk.paths('/data/.sediment').filter((path) => path.includes('removed-'))).toEqual([])
})

const second = requireSecondVolume(tmpdir())
const describeWithVolume = second === undefined ? describe.skip : describe

describeWithVolume('behind a symbolic link to a real one', () => {
  let data: string
  let volume: string
  let fs: NodeFileSystem

  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'sediment-volume-'))
    volume = await mkdtemp(join(second ?? '', 'sediment-volume-'))
    fs = await NodeFileSystem.open()
    const storage = await openStore(fs, { dataPath: data, settings })
    await storage.createBucket('kafka')
    await storage.close()
    await cp(join(data, 'kafka'), join(volume, 'kafka'), { recursive: true })
    await rm(join(data, 'kafka'), { recursive: true })
    await symlink(join(volume, 'kafka'), join(data, 'kafka'))
  })
  afterEach(async () => {
    await fs.close()
    await rm(data, { recursive: true })
    await rm(volume, { recursive: true })
  })

  it('blocks are split', async () => {
    const storage = await openStore(fs, { dataPath: data, settings })
    await overfill(storage)
    await storage.settle()
    expect((await storage.entries())[0]).toMatchObject({ blockCount: 4, recordCount: 10 })
    await storage.close()
    const again = await openStore(fs, { dataPath: data, settings })
    expect(await shown(again)).toEqual(all)
    await again.close()
    expect(await readdir(join(data, '.sediment/staged'))).toEqual([])
    expect((await verifyDirectory(fs, data, { checkContent: true })).findings).toEqual([])
  })

  it('an entry is not removed but renamed, its bucket both, and the store goes on', async () => {
    const storage = await openStore(fs, { dataPath: data, settings })
    await overfill(storage)
    await expect(storage.removeEntry(name)).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringContaining('different volumes'),
    })
    expect(await shown(storage)).toEqual(all)
    await storage.submit({ writes: [write(name, t0 + 50, 'c50')] })
    expect(await shown(storage)).toEqual([...all, 'c50'])
    expect(await readdir(join(data, '.sediment'))).not.toContain('moving')
    await storage.renameEntry(name, 'other')
    await storage.renameBucket('kafka', 'moved')
    await storage.removeBucket('moved')
    expect(await storage.entries()).toEqual([])
    await storage.close()
  })

  it('a file is kept aside as a copy', async () => {
    const path = join(data, 'kafka/stray')
    const content = Buffer.alloc(5_000_000, 'stray ')
    await writeFile(path, content)
    const directory = join(data, '.sediment/quarantine')
    const quarantine = new Quarantine({ fs, logger: silentLogger, root: data, directory, generation: 7 })
    await quarantine.take(path, 'a reason')
    expect((await readFile(join(directory, '7-kafka%2Fstray'))).equals(content)).toBe(true)
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
