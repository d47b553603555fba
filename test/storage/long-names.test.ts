import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { openStore, write } from '../support/storage/store.ts'

/**
 * Goal: no name that is taken is too long for the file system, and one that is refused harms nothing: a message would
 * come with it again after each restart. Method: stores on the real disk.
 */

let data: string
let fs: NodeFileSystem

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'sediment-names-'))
  fs = await NodeFileSystem.open()
})
afterEach(async () => {
  await fs.close()
  await rm(data, { recursive: true })
})

/** As long as an entry's name may be, but for one byte. */
const longestEntry = Array<string>(8).fill('e'.repeat(255)).join('/')
const names = [
  { bucket: 'b'.repeat(255), entry: 'e' },
  { bucket: 'b'.repeat(252), entry: 'e'.repeat(255) },
  { bucket: 'c'.repeat(255), entry: longestEntry },
]

it('the longest names that are allowed are made, written, moved and removed', async () => {
  const storage = await openStore(fs, { dataPath: data })
  for (const target of names) await storage.submit({ writes: [write(target, 1, 'content')] })
  await storage.settle()
  await storage.renameBucket(names[0]!.bucket, 'd'.repeat(255))
  await storage.renameEntry(names[1]!, 'f'.repeat(255))
  await storage.createBucket('g'.repeat(255))
  await storage.removeEntry(names[2]!)
  expect((await storage.entries()).map(({ bucket, entry }) => [bucket[0], entry[0]])).toEqual([
    ['b', 'f'],
    ['d', 'e'],
  ])
  await storage.close()
})

it.each<[string, (storage: Storage) => Promise<unknown>]>([
  ['a bucket made', (storage) => storage.createBucket('b'.repeat(256))],
  ['a bucket renamed', (storage) => storage.renameBucket('kafka', 'b'.repeat(256))],
  ['an entry renamed', (storage) => storage.renameEntry({ bucket: 'kafka', entry: 'a' }, 'e'.repeat(256))],
  [
    'an entry renamed, too long as a whole',
    (s) => s.renameEntry({ bucket: 'kafka', entry: 'a' }, 'e/'.repeat(1_024) + 'e'),
  ],
  [
    'an entry renamed, too long for what is below it',
    (s) => s.renameEntry({ bucket: 'kafka', entry: 'a' }, 'e/'.repeat(1_023) + 'e'),
  ],
  ['a record written', (s) => s.submit({ writes: [write({ bucket: 'b'.repeat(256), entry: 'e' }, 1)] })],
])('%s with a name too long is refused, and the store goes on', async (_what, attempt) => {
  const storage = await openStore(fs, { dataPath: data })
  await storage.submit({ writes: [write({ bucket: 'kafka', entry: 'a/b' }, 1)] })
  await expect((async () => attempt(storage))()).rejects.toMatchObject({ code: 'ERR_INVALID' })
  await storage.submit({ writes: [write({ bucket: 'kafka', entry: 'a/b' }, 2)] })
  expect(await storage.entries()).toMatchObject([{ entry: 'a/b', recordCount: 2 }])
  await storage.close()
})
