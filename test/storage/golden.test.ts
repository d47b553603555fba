import { createHash } from 'node:crypto'
import { createReadStream, readdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import type { LabelUpdate } from '../../src/storage/mutation/update-labels.ts'
import { isEntryName } from '../../src/storage/paths.ts'
import { openDirectory } from '../../src/storage/query/directory-reader.ts'
import { Storage } from '../../src/storage/storage.ts'
import { verifyDirectory } from '../../src/storage/verify/verify-directory.ts'
import { goldenManifests, isClean, unpackGolden, type GoldenManifest } from '../support/golden.ts'
import { nodeFiles } from '../support/independent/files.ts'
import { checkSettled } from '../support/independent/settled-check.ts'
import { readAsStock } from '../support/independent/stock-reader.ts'
import { realClock } from '../support/real-clock.ts'
import {
  contentsOf,
  recoverableContents,
  type Contents,
  type ReadRecord,
} from '../support/storage/contents.ts'

/**
 * Goal: a directory that ReductStore wrote opens in the engine with everything in it, and stays a ReductStore
 * directory. Method: every golden case against its manifest, on the real disk.
 */

const manifests = goldenManifests()
const clean119 = manifests.filter((one) => isClean(one) && one.server_version === '1.19.0')

/** What stock's own weak points leave behind: nothing of ours. */
const knownBreaches: Readonly<Record<string, readonly string[]>> = {
  'entry-named-wal': ['I11'],
  'nested-entries': ['I11'],
  'stray-directory': ['I1'],
}

/** What verify says of them in the end, though it is no fault: path and words. */
const noted: Readonly<Record<string, readonly [string, string]>> = {
  'entry-named-wal': [
    'b/wal',
    'named `wal`: ReductStore before 1.19 takes it for the log folder of the entry above',
  ],
}

let fs: NodeFileSystem
let root: string | undefined
let opened: Storage[] = []

beforeAll(async () => {
  fs = await NodeFileSystem.open()
})
afterAll(() => fs.close())
afterEach(async () => {
  for (const storage of opened) await storage.close()
  opened = []
  if (root !== undefined) rmSync(root, { recursive: true })
  root = undefined
})

async function unpack(name: string): Promise<string> {
  root = await unpackGolden(name)
  return root
}

async function adopt(dataPath: string): Promise<Storage> {
  const randomUuid = (): string => '00000000-0000-4000-8000-000000000000'
  const storage = await Storage.open({ dataPath, fs, clock: realClock, randomUuid })
  opened.push(storage)
  return storage
}

function recoverable(name: string): Contents {
  const manifest = manifests.find((one) => one.name === name)
  if (manifest?.recoverable === undefined) throw new Error(`${name} promises nothing`)
  return recoverableContents(manifest.recoverable)
}

/** Blocks that overlap are parted (W2), which changes their files; all others stay as they are, byte for byte. */
const isParted = (name: string): boolean => name.endsWith('late-overlap')

const named = (list: readonly GoldenManifest[]): [string][] => list.map(({ name }) => [name])
const breaches = (path: string): string[] => [
  ...new Set(checkSettled(nodeFiles(path)).map(({ invariant }) => invariant)),
]

describe('a directory that ReductStore 1.19 left cleanly', () => {
  it('is one of twenty', () => {
    expect(clean119).toHaveLength(20)
  })

  it.each(named(clean119))('%s is shown read-only as it was, and not changed', async (name) => {
    const path = await unpack(name)
    const before = await fileHashes(path)

    expect(await contentsOf(await openDirectory(fs, path))).toEqual(recoverable(name))
    expect(await fileHashes(path)).toEqual(before)
  })

  it.each(named(clean119))('%s is adopted with everything in it', async (name) => {
    const path = await unpack(name)
    const before = await fileHashes(path)
    const storage = await adopt(path)

    expect(await contentsOf(storage)).toEqual(recoverable(name))
    await storage.close()
    expect(await contentsOf(await openDirectory(fs, path))).toEqual(recoverable(name))
    expect(breaches(path)).toEqual(knownBreaches[name] ?? [])
    if (!isParted(name)) expect(await changedFiles(path, before)).toEqual([])
    if (knownBreaches[name] === undefined) expect(stockTimes(path)).toEqual(timesOf(recoverable(name)))
  })

  it.each(named(clean119))('%s takes records without losing any', async (name) => {
    const path = await unpack(name)
    const before = await fileHashes(path)
    const storage = await adopt(path)
    // Their quotas are kept too, and have no room for a record more.
    const limited = quotas[name] === undefined ? [] : ['b/bucket.settings']
    if (limited.length > 0) await storage.changeBucketSettings('b', { quota: { kind: 'none', bytes: 0 } })
    const { expected, touched } = await addRecords(storage, recoverable(name))
    await storage.close()

    expect(await contentsOf(await openDirectory(fs, path))).toEqual(expected)
    expect(breaches(path)).toEqual(knownBreaches[name] ?? [])
    const changed = await changedFiles(path, before)
    const others = changed.filter((file) => !touched.includes(file) && !limited.includes(file))
    if (!isParted(name)) expect(others).toEqual([])
    if (knownBreaches[name] === undefined) expect(stockTimes(path)).toEqual(timesOf(expected))
  })
})

describe('the quota of a bucket that ReductStore made', () => {
  it('FIFO takes the oldest block for a new record', async () => {
    const storage = await adopt(await unpack('fifo-quota'))
    const before = timesOf(await contentsOf(storage))
    await storage.submit({ writes: [{ ...newRecord, target: { bucket: 'b', entry: 'e1' } }] })
    const after = Object.values(timesOf(await contentsOf(storage))).flat()
    expect(after).toContain(String(newRecord.timestampUs))
    expect(after.length).toBeLessThan(Object.values(before).flat().length)
    await storage.close()
  })

  it('HARD refuses the record, and nothing else changes', async () => {
    const storage = await adopt(await unpack('hard-quota'))
    const before = await contentsOf(storage)
    const content = new Uint8Array(5_000)
    const writes = [{ ...newRecord, content, target: { bucket: 'b', entry: 'e' } }]
    await expect(storage.submit({ writes })).rejects.toMatchObject({ code: 'ERR_QUOTA' })
    expect(await contentsOf(storage)).toEqual(before)
    await storage.close()
  })
})

const newRecord = { timestampUs: 5_000, labels: [], contentType: 'text/plain', content: new Uint8Array(500) }

/** Cases whose bucket has one. */
const quotas: Readonly<Record<string, 'fifo' | 'hard'>> = { 'fifo-quota': 'fifo', 'hard-quota': 'hard' }

describe('a directory that ReductStore 1.21 left cleanly', () => {
  const cases = [
    ['v121-compressed'],
    ['v121-default'],
    ['v121-late-overlap'],
    ['v121-many-blocks'],
    ['v121-system-bucket'],
  ]

  it.each(cases)('%s is shown read-only as it was', async (name) => {
    expect(await contentsOf(await openDirectory(fs, await unpack(name)))).toEqual(recoverable(name))
  })

  it('v121-compressed is adopted with everything in it, and its compressed blocks are left as they are', async () => {
    const path = await unpack('v121-compressed')
    const before = await fileHashes(path)
    const storage = await adopt(path)
    expect(await contentsOf(storage)).toEqual(recoverable('v121-compressed'))
    await storage.close()
    expect(await contentsOf(await openDirectory(fs, path))).toEqual(recoverable('v121-compressed'))
    expect(await changedFiles(path, before)).toEqual([])
    expect(breaches(path)).toEqual([])
  })

  it('v121-compressed: labels in its compressed blocks stay, and why is said', async () => {
    const storage = await adopt(await unpack('v121-compressed'))
    const name = { bucket: 'b', entry: 'e' }
    const updates: LabelUpdate[] = []
    for await (const { timestampUs } of storage.records(name, { anyState: true }))
      updates.push({ timestampUs, set: new Map([['new', 'label']]) })
    const errors = (await storage.updateLabels(name, updates)).flatMap(({ error }) => error ?? [])
    expect(errors.length).toBeGreaterThan(0)
    for (const error of errors)
      expect(error).toMatchObject({ code: 'ERR_INVALID', message: expect.stringContaining('compressed') })
    await storage.close()
  })

  it('v121-compressed without its index is shown and adopted by its descriptors', async () => {
    const path = await unpack('v121-compressed')
    rmSync(join(path, 'b/e/blocks.idx'))
    expect(await contentsOf(await openDirectory(fs, path))).toEqual(recoverable('v121-compressed'))
    const storage = await adopt(path)
    expect(await contentsOf(storage)).toEqual(recoverable('v121-compressed'))
    await storage.close()
    expect(breaches(path)).toEqual([])
  })

  const extensible = cases.filter(([name]) => name !== 'v121-compressed')
  it.each(extensible)('%s is adopted and takes records without losing any', async (name) => {
    const path = await unpack(name)
    const before = await fileHashes(path)
    const storage = await adopt(path)
    expect(await contentsOf(storage)).toEqual(recoverable(name))
    const { expected, touched } = await addRecords(storage, recoverable(name))
    await storage.close()

    expect(await contentsOf(await openDirectory(fs, path))).toEqual(expected)
    const changed = (await changedFiles(path, before)).filter((file) => !touched.includes(file))
    if (!isParted(name)) expect(changed).toEqual([])
    expect(breaches(path)).toEqual(knownBreaches[name] ?? [])
  })

  it('v121-corrupted-flag: what the server does not trust is left to it, all else is shown', async () => {
    const path = await unpack('v121-corrupted-flag')
    const before = await fileHashes(path)
    const storage = await adopt(path)
    const times = timesOf(await contentsOf(storage))
    await storage.close()
    expect(times).toEqual({ 'b/e': ['103', '104', '105', '106', '107'] })
    expect(await changedFiles(path, before)).toEqual([])
    expect(breaches(path)).toEqual([])
  })
})

const unclean = manifests.filter((one) => !isClean(one) && one.recoverable !== undefined)

/** Blocks or records that are gone, and how many of them a reader that may not write names. */
const lossy: Readonly<Record<string, number>> = {
  'empty-meta': 1,
  'missing-blk': 3,
  'missing-meta': 1,
  'short-blk': 2,
  'truncated-meta': 1,
}

describe('a directory of a killed ReductStore, or a damaged one', () => {
  it('is one of forty', () => {
    expect(unclean).toHaveLength(40)
  })

  it.each(named(unclean))(
    '%s is shown read-only as far as it can be relied on, and not changed',
    async (name) => {
      const path = await unpack(name)
      const before = await fileHashes(path)
      const damage: string[] = []
      const reader = await openDirectory(fs, path)

      expect(await contentsOf(reader, ({ code }) => damage.push(code))).toEqual(recoverable(name))
      expect(damage).toEqual(Array(lossy[name] ?? 0).fill('ERR_CORRUPT'))
      expect(await fileHashes(path)).toEqual(before)
    },
  )

  it.each(named(unclean))('%s is adopted with all that can be recovered', async (name) => {
    const path = await unpack(name)
    const storage = await adopt(path)
    expect(await contentsOf(storage)).toEqual(recoverable(name))
    await storage.close()
    expect(await contentsOf(await openDirectory(fs, path))).toEqual(recoverable(name))
    expect(breaches(path)).toEqual(knownBreaches[name] ?? [])
    if (name !== 'stray-directory' && !name.startsWith('v121'))
      expect(stockTimes(path)).toEqual(timesOf(recoverable(name)))
  })

  it.each(named(unclean))('%s takes records after that, and is found sound', async (name) => {
    const path = await unpack(name)
    const storage = await adopt(path)
    const { expected } = await addRecords(storage, recoverable(name))
    await storage.close()
    const again = await adopt(path)
    expect(await contentsOf(again)).toEqual(expected)
    await again.close()
    const { findings, notes } = await verifyDirectory(fs, path, { checkContent: true })
    expect(findings).toEqual([])
    const expectedNote = noted[name]
    if (expectedNote !== undefined)
      expect(notes).toContainEqual({ path: `${path}/${expectedNote[0]}`, message: expectedNote[1] })
  })

  it.each(Object.keys(lossy).map((name) => [name]))('%s: no byte of what was there is gone', async (name) => {
    const path = await unpack(name)
    const before = await fileHashes(path)
    await (await adopt(path)).close()
    const now = await fileHashes(path)

    const kept = new Set(now.values())
    for (const [file, hash] of before)
      if (/100\.(blk|meta)$/.test(file))
        expect({ file, isKept: kept.has(hash) }).toEqual({ file, isKept: true })
    expect([...now.keys()].filter((file) => file.endsWith('.reason'))).not.toEqual([])
  })
})

/**
 * One record behind the last and one late record into each entry that we may write to.
 * @returns what must be there then, and the files that may differ: the index and the files of the blocks that these
 * times belong to
 */
async function addRecords(
  storage: Storage,
  before: Contents,
): Promise<{ expected: Contents; touched: string[] }> {
  const expected: Contents = { ...before }
  const touched: string[] = []
  for (const [path, records] of Object.entries(before)) {
    const slash = path.indexOf('/')
    const target = { bucket: path.slice(0, slash), entry: path.slice(slash + 1) }
    if (!isEntryName(target.entry) || !/^[A-Za-z0-9_-]+$/.test(target.bucket)) continue
    const added = newTimes(records.map(({ ts }) => BigInt(ts))).map(
      (ts): ReadRecord & { content: Buffer } => {
        const content = Buffer.from(`content of ${ts}`)
        return {
          ts: String(ts),
          labels: { offset: String(ts), note: 'a "quoted" one' },
          content_type: 'text/plain',
          size: content.length,
          sha256: createHash('sha256').update(content).digest('hex'),
          content,
        }
      },
    )
    touched.push(`${path}/blocks.idx`)
    const ids = readdirSync(join(root as string, path)).flatMap((file) =>
      file.endsWith('.meta') ? [BigInt(file.slice(0, -5))] : [],
    )
    for (const { ts, content } of added) {
      const id = ids.reduce((floor, one) => (one <= BigInt(ts) && one > floor ? one : floor), -1n)
      touched.push(`${path}/${id}.meta`, `${path}/${id}.blk`)
      const labels = ['offset', ts, 'note', 'a "quoted" one']
      await storage.submit({
        writes: [{ target, timestampUs: Number(ts), labels, contentType: 'text/plain', content }],
      })
    }
    expected[path] = [...records, ...added.map(({ content: _, ...record }) => record)].sort((a, b) =>
      BigInt(a.ts) < BigInt(b.ts) ? -1 : 1,
    )
  }
  return { expected, touched }
}

/** The first free microsecond behind the oldest record, and one behind the latest. */
function newTimes(taken: readonly bigint[]): bigint[] {
  let late = taken[0] ?? 5_000n
  while (taken.includes(late)) late += 1n
  const append = (taken.at(-1) ?? late) + 1_000n
  return append < 1n << 53n ? [append, late] : [late]
}

function stockTimes(path: string): Record<string, string[]> {
  return Object.fromEntries(
    readAsStock(nodeFiles(path)).entries.map(({ bucket, entry, records }) => [
      `${bucket}/${entry}`,
      records.map(({ timestampUs }) => String(timestampUs)),
    ]),
  )
}

function timesOf(contents: Contents): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(contents).map(([name, records]) => [name, records.map(({ ts }) => ts)]),
  )
}

async function fileHashes(path: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>()
  for (const item of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (!item.isFile()) continue
    const file = join(item.parentPath, item.name)
    const hash = createHash('sha1')
    await pipeline(createReadStream(file), hash)
    hashes.set(relative(path, file), hash.digest('hex'))
  }
  return hashes
}

/** Files of `before` that are gone or different. */
async function changedFiles(path: string, before: ReadonlyMap<string, string>): Promise<string[]> {
  const now = await fileHashes(path)
  return [...before.keys()].filter((file) => now.get(file) !== before.get(file))
}
