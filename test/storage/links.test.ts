import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { DiscardedTrees } from '../../src/storage/mutation/discarded-trees.ts'
import { discover } from '../../src/storage/query/discover.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { openStore, write } from '../support/storage/store.ts'

/**
 * Goal: symbolic links in a data directory neither take anything outside it away, nor show files twice, nor make anything
 * run for ever. Method: a store on the real disk.
 */

let above: string
let data: string
let fs: NodeFileSystem

beforeEach(async () => {
  above = await mkdtemp(join(tmpdir(), 'sediment-links-'))
  data = join(above, 'data')
  fs = await NodeFileSystem.open()
})
afterEach(async () => {
  await fs.close()
  await rm(above, { recursive: true })
})

const target = { bucket: 'b', entry: 'entry' }

async function withEntry(use: (storage: Storage) => Promise<void>): Promise<void> {
  const storage = await openStore(fs, { dataPath: data })
  await storage.submit({ writes: [write(target, 1, 'content')] })
  await use(storage)
  await storage.close()
}

async function refused(): Promise<string[]> {
  const { unreadable } = await discover(fs, data)
  return unreadable.map(({ bucket, entry }) => (entry === undefined ? bucket : `${bucket}/${entry}`))
}

describe('symbolic links in a data directory', () => {
  it('are removed with their entry, and nothing that they point to', async () => {
    const foreign = join(above, 'foreign')
    await mkdir(foreign)
    await writeFile(join(foreign, 'file'), 'precious')
    const removed = join(above, 'removed-1')
    await mkdir(removed)
    await symlink(foreign, join(removed, 'link'))
    const trees = new DiscardedTrees(fs, (cause) => {
      throw cause
    })
    trees.discard(removed)
    await trees.settled()
    expect(await readdir(above)).toEqual(['foreign'])
    expect(await readFile(join(foreign, 'file'), 'utf8')).toBe('precious')
  })

  it.each([
    ['itself', '.'],
    ['what is above the data directory', '../..'],
    ['the whole disk', '/'],
    ['another entry', 'entry'],
  ])('to %s harm nothing but their name', async (_, to) => {
    await withEntry(() => symlink(to, join(data, 'b/link')))
    expect(await refused()).toEqual(['b/link'])
    const storage = await openStore(fs, { dataPath: data })
    await expect(
      storage.submit({ writes: [write({ bucket: 'b', entry: 'link' }, 2, 'twice')] }),
    ).rejects.toMatchObject({ code: 'ERR_CORRUPT', message: expect.stringContaining('symbolic link') })
    await storage.submit({ writes: [write(target, 3, 'more')] })
    expect((await storage.entries()).map(({ entry, recordCount }) => [entry, recordCount])).toEqual([
      ['entry', 2],
    ])
    await storage.close()
  })

  it('in the place of a bucket are refused where they lead back', async () => {
    await withEntry(async () => {
      await symlink('b', join(data, 'twin'))
      await symlink('..', join(data, 'parent'))
    })
    expect(await refused()).toEqual(['parent', 'twin'])
  })

  it('that lead nowhere, or to themselves, are no directories', async () => {
    await withEntry(async () => {
      await symlink('nowhere', join(data, 'b/dangling'))
      await symlink('self', join(data, 'b/self'))
      await symlink('self', join(data, 'self'))
    })
    expect(await discover(fs, data)).toMatchObject({ entries: [target], unreadable: [] })
  })

  it('to another volume stand for what is there', async () => {
    await withEntry(async () => {})
    await mkdir(join(above, 'volume'))
    await fs.rename(join(data, 'b/entry'), join(above, 'volume/entry'))
    await symlink(join(above, 'volume/entry'), join(data, 'b/entry'))
    expect(await discover(fs, data)).toMatchObject({ entries: [target], unreadable: [] })
  })
})
