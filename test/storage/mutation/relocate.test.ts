import { describe, expect, it } from '@jest/globals'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import type { RecordReader, StoredRecord } from '../../../src/storage/record.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { readAsStock } from '../../support/independent/stock-reader.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { independentFiles, openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: entries and buckets are renamed and removed with everything below them, as one step that a crash at any moment
 * leaves done or not done.
 * Method: a store with nested entries, attachments and open blocks on the simulated disk. Each change is made once; right
 * before every operation of it the disk is forked, and each fork ends by a kill and by several power cuts.
 */

const t0 = 1_750_000_000_000_000
const settings = { blockRecordsMax: 2 }

/** `bucket/entry` with the contents of its records, in order. */
type Shown = Record<string, string[]>

const everything: Shown = {
  'kafka/a': ['a0', 'a1', 'a2'],
  'kafka/a/$meta': ['note'],
  'kafka/a/b': ['ab0', 'ab1', 'ab2'],
  'kafka/ab': ['no child'],
  'kafka/plain/0': ['p0', 'p1', 'p2'],
  'other/x': ['x0'],
}

/** @param whole with entries that have no records */
async function shown(reader: RecordReader, whole = false): Promise<Shown> {
  const all: Shown = {}
  for (const { bucket, entry } of await reader.entries({ attachments: true })) {
    const contents: string[] = []
    for await (const record of reader.records({ bucket, entry }))
      contents.push(Buffer.from(await record.read()).toString())
    // ReductStore takes an empty directory for an entry, and an interrupted change may leave one.
    if (contents.length > 0 || whole) all[`${bucket}/${entry}`] = contents
  }
  return all
}

/** The same by stock's rules alone. */
async function shownToStock(disk: SimulatedDisk): Promise<Shown> {
  const all: Shown = {}
  for (const { bucket, entry, content } of readAsStock(await independentFiles(disk.fs)).records)
    (all[`${bucket}/${entry}`] ??= []).push(Buffer.from(content ?? []).toString())
  return all
}

async function filledStore(disk: SimulatedDisk): Promise<Storage> {
  const storage = await openStore(disk.fs, { settings })
  for (const [path, contents] of Object.entries(everything)) {
    const [bucket = '', ...segments] = path.split('/')
    const target = { bucket, entry: segments.join('/') }
    await storage.submit({ writes: contents.map((content, at) => write(target, t0 + at, content)) })
  }
  return storage
}

function without(shown: Shown, ...prefixes: string[]): Shown {
  return Object.fromEntries(
    Object.entries(shown).filter(
      ([path]) => !prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)),
    ),
  )
}

function renamed(from: string, to: string): Shown {
  return Object.fromEntries(
    Object.entries(everything).map(([path, contents]) => [
      path === from || path.startsWith(`${from}/`) ? `${to}${path.slice(from.length)}` : path,
      contents,
    ]),
  )
}

interface Change {
  readonly what: string
  readonly make: (storage: Storage) => Promise<void>
  readonly after: Shown
}

const kafka = (entry: string) => ({ bucket: 'kafka', entry })

const changes: Change[] = [
  {
    what: 'an entry with children removed',
    make: (storage) => storage.removeEntry(kafka('a')),
    after: without(everything, 'kafka/a'),
  },
  {
    what: 'a path above entries removed',
    make: (storage) => storage.removeEntry(kafka('plain')),
    after: without(everything, 'kafka/plain'),
  },
  {
    what: 'the last entry below a path removed',
    make: (storage) => storage.removeEntry(kafka('plain/0')),
    after: without(everything, 'kafka/plain'),
  },
  {
    what: 'attachments removed',
    make: (storage) => storage.removeEntry(kafka('a/$meta')),
    after: without(everything, 'kafka/a/$meta'),
  },
  {
    what: 'an entry with children renamed to a path without parents',
    make: (storage) => storage.renameEntry(kafka('a'), 'new/deep/er'),
    after: renamed('kafka/a', 'kafka/new/deep/er'),
  },
  {
    what: 'a path above entries renamed',
    make: (storage) => storage.renameEntry(kafka('plain'), 'ab/0'),
    after: renamed('kafka/plain', 'kafka/ab/0'),
  },
  {
    what: 'a bucket removed',
    make: (storage) => storage.removeBucket('kafka'),
    after: without(everything, 'kafka'),
  },
  {
    what: 'a bucket renamed',
    make: (storage) => storage.renameBucket('kafka', 'archive'),
    after: renamed('kafka', 'archive'),
  },
]

function isBeforeOrAfter(state: Shown, after: Shown): boolean {
  return [everything, after].some((known) => {
    expect(typeof known).toBe('object')
    return JSON.stringify(sorted(known)) === JSON.stringify(sorted(state))
  })
}

function sorted(state: Shown): [string, string[]][] {
  return Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1))
}

describe.each(changes)('$what', ({ make, after }) => {
  it('shows live, after a restart, to a stranger and to stock, and the store goes on', async () => {
    const disk = new SimulatedDisk({ seed: 7 })
    const storage = await filledStore(disk)
    await make(storage)
    expect(await shown(storage)).toEqual(after)
    expect(await shown(await openDirectory(disk.fs, '/data'))).toEqual(after)
    expect(await shownToStock(disk)).toEqual(after)
    await storage.submit({ writes: [write(kafka('a'), t0, 'anew')] })
    disk.killProcess()
    const again = await openStore(disk.restart(), { settings })
    expect((await shown(again))['kafka/a']?.[0]).toBe(after['kafka/a'] === undefined ? 'anew' : 'a0')
    await again.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
    expect(disk.paths('/data/.sediment').filter((path) => /removed-|moving/.test(path))).toEqual([])
  })

  it('is whole or not begun after a crash at any operation', async () => {
    const disk = new SimulatedDisk({ seed: 11 })
    const storage = await filledStore(disk)
    await storage.settle()
    await storage.updateLabels(kafka('a'), [{ timestampUs: BigInt(t0), set: new Map([['open', 'yes']]) }])
    const forks: { disk: SimulatedDisk; what: string }[] = []
    disk.onOperation = (call, path, operation) =>
      forks.push({ disk: disk.fork(operation), what: `${operation} ${call} ${path}` })
    await make(storage)
    disk.onOperation = undefined
    forks.push({ disk: disk.fork(1), what: 'done' })
    await storage.close()
    expect(forks.length).toBeGreaterThan(10)
    for (const { disk: fork, what } of forks) {
      for (const seed of [undefined, fork.seed]) {
        const image = fork.fork(seed ?? 5)
        if (seed === undefined) {
          image.killProcess()
          const stock = await shownToStock(image)
          expect([what, seed, isBeforeOrAfter(stock, after) ? 'fine' : stock]).toEqual([what, seed, 'fine'])
        } else {
          image.cutPower({ seed })
        }
        const again = await openStore(image.fs, { settings })
        const state = await shown(again)
        expect([what, seed, isBeforeOrAfter(state, after) ? 'fine' : state]).toEqual([what, seed, 'fine'])
        if (what === 'done') expect(state).toEqual(after)
        await again.close()
        expect([what, (await verifyDirectory(image.fs, '/data', { checkContent: false })).findings]).toEqual([
          what,
          [],
        ])
        expect(image.paths('/data/.sediment').filter((path) => /removed-|moving/.test(path))).toEqual([])
      }
    }
  })
})

/** One each of those that leave a directory empty, make some, and do neither. */
const distinctChanges = changes.filter(({ what }) => /last entry|without parents|bucket renamed/.test(what))

describe.each(distinctChanges)('$what, killed, and the power fails', ({ make, after }) => {
  it('while it is recovered: whole or not begun, without an empty entry; later: as it was shown', async () => {
    const disk = new SimulatedDisk({ seed: 11 })
    const storage = await filledStore(disk)
    const killed: SimulatedDisk[] = []
    const seen = new Set<string>()
    let isMoving = false
    disk.onOperation = (call, path) => {
      isMoving ||= path.endsWith('/moving.tmp')
      if (isMoving) killed.push(disk.fork(1))
    }
    await make(storage)
    disk.onOperation = undefined
    await storage.close()
    for (const [operation, image] of killed.entries()) {
      image.killProcess()
      const forks: { disk: SimulatedDisk; what: string }[] = []
      image.onOperation = (call, path, inRecovery) => {
        const mayLose = call === 'unlink' || call === 'removeDirectory' || call === 'syncDirectory'
        if (mayLose) forks.push({ disk: image.fork(inRecovery), what: `${inRecovery} ${call} ${path}` })
      }
      const recovered = await openStore(image.restart(), { settings })
      image.onOperation = undefined
      const later = image.fork(1)
      const state = await shown(recovered, true)
      image.killProcess()
      later.cutPower({ seed: 1, names: 'nothing' })
      expect([operation, await shown(await openStore(later.fs, { settings }), true)]).toEqual([
        operation,
        state,
      ])
      later.killProcess()
      for (const { disk: fork, what } of forks) {
        for (const names of ['nothing', 'subset'] as const) {
          const cut = fork.fork(fork.seed)
          cut.cutPower({ seed: fork.seed, names })
          const digest = cut.digest()
          if (seen.has(digest)) continue
          seen.add(digest)
          const again = await openStore(cut.fs, { settings })
          const state = await shown(again, true)
          const where = [operation, what, names]
          expect([where, isBeforeOrAfter(state, after) ? 'fine' : state]).toEqual([where, 'fine'])
          cut.killProcess()
        }
      }
    }
    expect(seen.size).toBeGreaterThan(10)
  })
})

describe('what cannot be', () => {
  it.each([
    ['an entry that is not there', 'ERR_NOT_FOUND', (s: Storage) => s.removeEntry(kafka('none'))],
    ['a bucket that is not there', 'ERR_NOT_FOUND', (s: Storage) => s.renameBucket('none', 'some')],
    ['a bucket that is there', 'ERR_EXISTS', (s: Storage) => s.createBucket('other')],
    ['a name with dots', 'ERR_INVALID', (s: Storage) => s.createBucket('my.bucket')],
    ['an entry into itself', 'ERR_INVALID', (s: Storage) => s.renameEntry(kafka('a'), 'a/c')],
    ['an entry onto another', 'ERR_EXISTS', (s: Storage) => s.renameEntry(kafka('a'), 'ab')],
    ['an entry onto a path above entries', 'ERR_EXISTS', (s: Storage) => s.renameEntry(kafka('a'), 'plain')],
    ['a bucket onto another', 'ERR_EXISTS', (s: Storage) => s.renameBucket('kafka', 'other')],
    [
      'a quota without bytes',
      'ERR_INVALID',
      (s: Storage) => s.changeBucketSettings('kafka', { quota: { kind: 'hard', bytes: 0 } }),
    ],
  ])('is refused and changes nothing: %s', async (_what, code, attempt) => {
    const disk = new SimulatedDisk({ seed: 3 })
    const storage = await filledStore(disk)
    await expect((async () => attempt(storage))()).rejects.toMatchObject({ code })
    expect(await shown(storage)).toEqual(everything)
    await storage.close()
  })
})

it('a reader that has begun learns that the entry has gone, also when it is made anew', async () => {
  const disk = new SimulatedDisk({ seed: 3 })
  const storage = await filledStore(disk)
  const records = storage.records(kafka('a'))
  const first = (await records.next()).value as StoredRecord
  await storage.removeEntry(kafka('a'))
  await storage.submit({ writes: [write(kafka('a'), t0, 'zz'), write(kafka('a'), t0 + 2, 'yy')] })
  await expect(first.read()).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  await expect(records.next().then(() => records.next())).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  expect(await storage.removeRecords(kafka('a'), [BigInt(t0)])).toEqual([{ timestampUs: BigInt(t0) }])
  await storage.close()
})

it('directories with names of others go when a rename leaves them empty', async () => {
  const disk = new SimulatedDisk({ seed: 3 })
  const before = await filledStore(disk)
  await before.close()
  await disk.fs.rename('/data/kafka/plain', '/data/kafka/größe 1.5')
  const storage = await openStore(disk.restart(), { settings })
  await storage.renameEntry(kafka('größe 1.5/0'), 'plain')
  expect((await disk.fs.list('/data/kafka'))?.map(({ name }) => name)).not.toContain('größe 1.5')
  expect(await shown(storage)).toEqual(renamed('kafka/plain/0', 'kafka/plain'))
  await storage.close()
})

it('settings are made, changed for entries that are there, and kept', async () => {
  const disk = new SimulatedDisk({ seed: 3 })
  const storage = await openStore(disk.fs, { settings })
  await storage.createBucket('made', { quota: { kind: 'hard', bytes: 5_000 } })
  const name = { bucket: 'made', entry: 'e' }
  const put = (us: number) => storage.submit({ writes: [write(name, t0 + us, 'x')] })
  for (const us of [0, 1, 2]) await put(us)
  expect((await storage.entries())[0]?.blockCount).toBe(2)
  await storage.changeBucketSettings('made', { blockRecordsMax: 10 })
  for (const us of [3, 4, 5, 6]) await put(us)
  expect((await storage.entries())[0]?.blockCount).toBe(2)
  const expected = { blockBytesMax: 64_000_000, blockRecordsMax: 10, quota: { kind: 'hard', bytes: 5_000 } }
  expect(storage.bucketSettings('made')).toEqual(expected)
  disk.killProcess()
  const again = await openStore(disk.restart(), { settings })
  expect(again.bucketSettings('made')).toEqual(expected)
  await again.close()
})

it('attachments are left out of lists unless asked for, and have small blocks', async () => {
  const disk = new SimulatedDisk({ seed: 3 })
  const storage = await filledStore(disk)
  expect((await storage.entries()).map(({ entry }) => entry)).not.toContain('a/$meta')
  const big = Buffer.alloc(100_000, 7)
  const meta = kafka('a/$meta')
  await storage.changeBucketSettings('kafka', { blockRecordsMax: 1_000 })
  for (const us of [1, 2, 3]) await storage.submit({ writes: [write(meta, t0 + us, big)] })
  const listed = await storage.entries({ attachments: true })
  expect(listed.find(({ entry }) => entry === 'a/$meta')).toMatchObject({ blockCount: 3, recordCount: 4 })
  await storage.close()
})
