import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import type { FailingCall } from '../support/simulated-disk.ts'
import { openDirectory } from '../../src/storage/query/directory-reader.ts'
import type { EntryName, RecordReader } from '../../src/storage/record.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { verifyDirectory } from '../../src/storage/verify/verify-directory.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { openStore, write } from '../support/storage/store.ts'

/**
 * Goal: a bucket or entry that is damaged or cannot be read harms nothing else, and loses nothing that was acknowledged.
 * Method: settings are damaged, and calls for one bucket or entry fail for as long as the test wants, on the simulated disk.
 */

const t0 = 1_750_000_000_000_000
const hurt: EntryName = { bucket: 'hurt', entry: 'topic/0' }
const beside: EntryName = { bucket: 'hurt', entry: 'topic/1' }
const sound: EntryName = { bucket: 'sound', entry: 'topic/0' }
const settingsPath = '/data/hurt/bucket.settings'

/** Two sealed blocks in each entry, then an open block that is checkpointed, and three groups behind the checkpoint. */
async function killedStore(seed = 7): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed })
  const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 2 } })
  for (const name of [hurt, beside, sound])
    await storage.submit({ writes: [0, 1, 2, 3].map((us) => write(name, t0 + us)) })
  await storage.settle()
  for (const name of [hurt, beside, sound]) await storage.submit({ writes: [write(name, t0 + 10)] })
  await storage.checkpoint()
  for (const us of [11, 12, 13])
    await storage.submit({ writes: [hurt, beside, sound].map((name) => write(name, t0 + us)) })
  disk.killProcess()
  disk.restart()
  return disk
}

const allUs = [0, 1, 2, 3, 10, 11, 12, 13]

async function timesOf(storage: Pick<Storage, 'records'>, name: EntryName): Promise<number[]> {
  const times: number[] = []
  for await (const record of storage.records(name)) {
    expect(Buffer.from(await record.read()).toString()).toBe(`content of ${record.timestampUs}`)
    times.push(Number(record.timestampUs) - t0)
  }
  return times
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: { code: string }) => error.code,
  )

async function damagedOf(reader: Pick<RecordReader, 'entries'>): Promise<string[]> {
  const places: string[] = []
  await reader.entries({
    onDamaged: ({ bucket, entry }) => places.push(entry === undefined ? bucket : `${bucket}/${entry}`),
  })
  return places
}

describe.each<[string, (disk: SimulatedDisk) => unknown]>([
  ['whose settings have a flipped bit', (disk) => disk.flipBit(settingsPath, 13)],
  ['whose settings are garbage', (disk) => disk.putFile(settingsPath, Buffer.from('garbage'))],
  ['whose settings are gone', (disk) => disk.fs.unlink(settingsPath)],
  ['whose settings cannot be read', (disk) => disk.failNext('read', { path: settingsPath, times: Infinity })],
])('a bucket %s', (_name, damage) => {
  it('is named, can be read, takes nothing, and all others go on', async () => {
    const disk = await killedStore()
    await damage(disk)
    const storage = await openStore(disk.fs)
    expect(await damagedOf(storage)).toEqual(['hurt'])
    expect(await timesOf(storage, hurt)).toEqual(allUs)
    const refused = storage.submit({ writes: [write(sound, t0 + 20), write(hurt, t0 + 20)] })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_CORRUPT', facts: { bucket: 'hurt' } })
    expect(
      await Promise.all([
        codeOf(storage.submit({ writes: [write({ bucket: 'hurt', entry: 'new' }, t0)] })),
        codeOf(storage.removeRecords(hurt, [BigInt(t0)])),
        codeOf(storage.updateLabels(hurt, [])),
        codeOf(storage.beginRecord({ ...write(hurt, t0 + 30), contentBytes: 1 })),
        codeOf(storage.renameBucket('hurt', 'other')),
        codeOf(storage.removeEntry(hurt)),
        codeOf(storage.changeBucketSettings('hurt', {})),
      ]),
    ).toEqual(Array(7).fill('ERR_CORRUPT'))
    await storage.submit({ writes: [write(sound, t0 + 21)] })
    expect(await timesOf(storage, sound)).toEqual([...allUs, 21])
    await storage.close()
    const { findings } = await verifyDirectory(disk.fs, '/data', { checkContent: true })
    expect(findings).toEqual([expect.objectContaining({ severity: 'damaged' })])
    expect(await damagedOf(await openDirectory(disk.fs, '/data'))).toEqual(['hurt'])
  })

  it('has lost nothing when its settings are back', async () => {
    const disk = await killedStore()
    const settings = disk.peek(settingsPath) as Uint8Array
    await damage(disk)
    const storage = await openStore(disk.fs)
    await storage.submit({ writes: [write(sound, t0 + 20)] })
    disk.cutPower({ seed: 3 })
    disk.clearFailures()
    disk.putFile(settingsPath, settings)
    const again = await openStore(disk.fs)
    expect(await damagedOf(again)).toEqual([])
    await again.submit({ writes: [write(hurt, t0 + 21)] })
    expect(await timesOf(again, hurt)).toEqual([...allUs, 21])
    await again.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })
})

const unreadables: [string, string[], [FailingCall, RegExp][]][] = [
  ['an entry whose directory cannot be listed', ['hurt/topic/0'], [['list', /^\/data\/hurt\/topic\/0/]]],
  ['an entry whose index cannot be read', ['hurt/topic/0'], [['read', /hurt\/topic\/0\/blocks\.idx$/]]],
  ['an entry of which no WAL can be read', ['hurt/topic/0'], [['read', /hurt\/topic\/0\/\.wal\//]]],
  ['an entry of which no descriptor can be read', ['hurt/topic/0'], [['read', /hurt\/topic\/0\/\d+\.meta$/]]],
  [
    'a bucket into which nobody may look',
    ['hurt', 'hurt/topic/0', 'hurt/topic/1'],
    [
      ['list', /^\/data\/hurt/],
      ['read', /^\/data\/hurt/],
      ['fileBytes', /^\/data\/hurt/],
    ],
  ],
]

describe.each(unreadables)('%s', (_name, places, calls) => {
  const fail = (disk: SimulatedDisk): void => {
    for (const [call, path] of calls) disk.failNext(call, { path, times: Infinity })
  }

  it('is named, cannot be read, takes nothing, and all others go on', async () => {
    const disk = await killedStore()
    fail(disk)
    const storage = await openStore(disk.fs)
    const damaged = await damagedOf(storage)
    expect(damaged).toContain(places[0])
    expect(places).toEqual(expect.arrayContaining(damaged))
    await expect(timesOf(storage, hurt)).rejects.toMatchObject({
      code: 'ERR_CORRUPT',
      message: expect.stringContaining('hurt') as unknown,
    })
    await expect(storage.get(hurt, BigInt(t0))).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    expect(
      await Promise.all([
        codeOf(storage.submit({ writes: [write(hurt, t0 + 20)] })),
        codeOf(storage.removeRecords(hurt, [BigInt(t0)])),
        codeOf(storage.beginRecord({ ...write(hurt, t0 + 30), contentBytes: 1 })),
        codeOf(storage.renameBucket('hurt', 'other')),
        codeOf(storage.removeEntry({ bucket: 'hurt', entry: 'topic' })),
      ]),
    ).toEqual(Array(5).fill('ERR_CORRUPT'))
    if (places.length === 1) {
      await storage.submit({ writes: [write(beside, t0 + 21)] })
      expect(await timesOf(storage, beside)).toEqual([...allUs, 21])
    }
    await storage.submit({ writes: [write(sound, t0 + 21)] })
    await storage.settle()
    expect(await timesOf(storage, sound)).toEqual([...allUs, 21])
    await storage.close()
    const after = await verifyDirectory(disk.fs, '/data', { checkContent: true })
    expect(after.findings.filter(({ severity }) => severity === 'damaged').length).toBeGreaterThan(0)
  })

  it.each([1, 2, 3, 4])(
    'gets every record when it can be read again, however often the store ran (seed %d)',
    async (seed) => {
      const disk = await killedStore(seed)
      fail(disk)
      const added: number[] = []
      for (let life = 0; life < 3; life++) {
        const storage = await openStore(disk.fs)
        for (let us = 20 + life * 10; us < 23 + life * 10; us++) {
          await storage.submit({ writes: [write(sound, t0 + us)] })
          added.push(us)
        }
        if (life === 1) await storage.checkpoint()
        if (life === 2) await storage.close()
        if (seed % 2 === 0) disk.cutPower({ seed: seed + life })
        else disk.killProcess()
        disk.restart()
      }
      disk.clearFailures()
      const storage = await openStore(disk.fs)
      expect(await damagedOf(storage)).toEqual([])
      for (const name of [hurt, beside]) expect(await timesOf(storage, name)).toEqual(allUs)
      expect(await timesOf(storage, sound)).toEqual([...allUs, ...added])
      await storage.submit({ writes: [write(hurt, t0 + 90)] })
      await storage.close()
      expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
      expect(disk.paths('/data/.sediment/log')).toHaveLength(1)
      disk.cutPower({ seed })
      const last = await openStore(disk.fs)
      expect(await timesOf(last, hurt)).toEqual([...allUs, 90])
      await last.close()
    },
  )
})

describe('something else in the place of a bucket or entry', () => {
  it.each<[string, (disk: SimulatedDisk) => void, string]>([
    ['a directory without settings', (disk) => disk.putDirectory('/data/new'), '/data/new'],
    ['a file named as the bucket', (disk) => disk.putFile('/data/new', Buffer.from('x')), '/data/new'],
    [
      'a file named as the entry',
      (disk) => disk.putFile('/data/sound/topic/9', Buffer.from('x')),
      '/data/sound/topic/9',
    ],
    [
      'a file named as a parent',
      (disk) => disk.putFile('/data/sound/parent', Buffer.from('x')),
      '/data/sound/parent',
    ],
  ])('%s harms only what is to be stored there, until it is moved', async (_name, put, path) => {
    const disk = await killedStore()
    const storage = await openStore(disk.fs)
    put(disk)
    const name = path.startsWith('/data/new')
      ? { bucket: 'new', entry: 'topic/0' }
      : { bucket: 'sound', entry: path.endsWith('9') ? 'topic/9' : 'parent/child' }
    const outcomes = await Promise.allSettled([
      storage.submit({ writes: [write(name, t0)] }),
      storage.submit({ writes: [write(sound, t0 + 20)] }),
    ])
    expect(outcomes).toMatchObject([
      { reason: { code: 'ERR_CORRUPT', facts: { path } } },
      { status: 'fulfilled' },
    ])
    if (path === '/data/new') await disk.fs.rename(path, '/data/.elsewhere')
    else await disk.fs.unlink(path)
    await storage.submit({ writes: [write(name, t0)] })
    expect(await timesOf(storage, name)).toEqual([0])
    await storage.close()
  })
})

it('an entry that nobody may read on a real disk gets its records once it is back', async () => {
  const above = await mkdtemp(join(tmpdir(), 'sediment-damaged-'))
  const dataPath = join(above, 'data')
  let fs = await NodeFileSystem.open()
  const directory = join(dataPath, 'hurt/topic/0')
  try {
    const first = await openStore(fs, { dataPath })
    await first.submit({ writes: [write(hurt, t0), write(sound, t0)] })
    await first.checkpoint()
    await first.submit({ writes: [write(hurt, t0 + 1), write(sound, t0 + 1)] })
    // As a kill leaves it: the log has what no checkpoint covers.
    await cp(dataPath, join(above, 'killed'), { recursive: true })
    await first.close()
    // It has files of the other directory open.
    await fs.close()
    fs = await NodeFileSystem.open()
    await rm(dataPath, { recursive: true })
    await rename(join(above, 'killed'), dataPath)

    const isRoot = process.getuid?.() === 0
    await rename(directory, join(above, 'aside'))
    // No mode keeps root out.
    if (isRoot) await writeFile(directory, 'no directory')
    else await mkdir(directory, { mode: 0 })
    for (const us of [2, 3]) {
      const storage = await openStore(fs, { dataPath })
      expect(await damagedOf(storage)).toEqual(['hurt/topic/0'])
      expect(await codeOf(storage.submit({ writes: [write(hurt, t0 + us)] }))).toBe('ERR_CORRUPT')
      await storage.submit({ writes: [write(sound, t0 + us)] })
      await storage.close()
    }
    await rm(directory, { recursive: true })
    await rename(join(above, 'aside'), directory)
    const storage = await openStore(fs, { dataPath })
    expect(await damagedOf(storage)).toEqual([])
    expect(await timesOf(storage, hurt)).toEqual([0, 1])
    expect(await timesOf(storage, sound)).toEqual([0, 1, 2, 3])
    await storage.close()
    expect((await verifyDirectory(fs, dataPath, { checkContent: true })).findings).toEqual([])
  } finally {
    await fs.close()
    await rm(above, { recursive: true })
  }
})
