import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import type { FileSystem } from '../../src/fs/file-system.ts'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { writeAll } from '../../src/fs/write-all.ts'
import { openDirectory } from '../../src/storage/query/directory-reader.ts'
import { verifyDirectory } from '../../src/storage/verify/verify-directory.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { filesBelow, openStore, write } from '../support/storage/store.ts'

const entry = { bucket: 'kafka', entry: 'topic/0' }

async function put(fs: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const file = { path, kind: 'data' } as const
  await writeAll(fs, 'projection', [{ file, atBytes: 0, bytes }])
}

describe('opening a data directory', () => {
  it('writes nothing into a directory of other things', async () => {
    const { fs } = new SimulatedDisk()
    await fs.makeDirectory('/data')
    await fs.makeDirectory('/data/Documents')
    await put(fs, '/data/Documents/letter', new Uint8Array([1]))
    await expect(openStore(fs)).rejects.toMatchObject({ code: 'ERR_NOT_A_STORE' })
    await expect(openStore(fs)).rejects.toThrow(/Documents/)
    expect([...(await filesBelow(fs)).keys()]).toEqual(['Documents/', 'Documents/letter'])
  })

  it('leaves nothing of an interrupted recovery beside a block that was folded', async () => {
    const disk = new SimulatedDisk({ seed: 1 })
    const storage = await openStore(disk.fs)
    await storage.submit({ writes: [write(entry, 1_000)] })
    expect(await storage.fold(entry, 1_000)).toBe(true)
    disk.killProcess()
    const fs = disk.restart()
    await put(fs, '/data/kafka/topic/0/.wal/1000.wal.tmp', new Uint8Array([0]))
    await (await openStore(fs)).close()
    expect([...(await filesBelow(fs)).keys()].filter((path) => path.endsWith('.tmp'))).toEqual([])
  })

  it('takes the root of a fresh volume', async () => {
    const { fs } = new SimulatedDisk()
    await fs.makeDirectory('/data')
    await fs.makeDirectory('/data/lost+found')
    await (await openStore(fs)).close()
  })

  it('refuses a file in the place of the directory, and a directory above it that is missing', async () => {
    const above = await mkdtemp(join(tmpdir(), 'sediment-opening-'))
    const fs = await NodeFileSystem.open()
    try {
      await writeFile(join(above, 'file'), 'text')
      for (const name of ['file', 'file/data', 'missing/data']) {
        await expect(openStore(fs, { dataPath: join(above, name) })).rejects.toMatchObject({
          code: 'ERR_NOT_A_STORE',
        })
      }
      expect(await readdir(above)).toEqual(['file'])
    } finally {
      await fs.close()
      await rm(above, { recursive: true })
    }
  })

  it('does not become another store when the format file is gone', async () => {
    const { fs } = new SimulatedDisk()
    const storage = await openStore(fs)
    await storage.submit({ writes: [write(entry, 1, 'a')], delta: new Uint8Array(0) })
    await storage.close()
    await fs.unlink('/data/.sediment/format')
    await expect(openStore(fs)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
  })

  it('is refused to readers as well when a newer release wrote it', async () => {
    const { fs } = new SimulatedDisk()
    await (await openStore(fs)).close()
    await fs.unlink('/data/.sediment/format')
    await put(fs, '/data/.sediment/format', Buffer.from('{"version":9}'))
    await expect(openDirectory(fs, '/data')).rejects.toMatchObject({ code: 'ERR_FORMAT' })
  })

  it('is no store for readers and verify either when it holds other things', async () => {
    const { fs } = new SimulatedDisk()
    await fs.makeDirectory('/data')
    await put(fs, '/data/hosts', Buffer.from('127.0.0.1'))
    await expect(openDirectory(fs, '/data')).rejects.toMatchObject({ code: 'ERR_NOT_A_STORE' })
    await expect(verifyDirectory(fs, '/data', { checkContent: true })).rejects.toMatchObject({
      code: 'ERR_NOT_A_STORE',
    })
  })

  it.each([
    ['is missing', () => Promise.resolve()],
    ['is empty', (fs: FileSystem) => fs.makeDirectory('/data')],
    [
      'is a volume that nothing was stored on',
      async (fs: FileSystem) => {
        await fs.makeDirectory('/data')
        await fs.makeDirectory('/data/lost+found')
        await put(fs, '/data/.note', Buffer.from('x'))
      },
    ],
  ])('is no store for readers and verify either when it %s', async (_name, make) => {
    const { fs } = new SimulatedDisk()
    await make(fs)
    await expect(openDirectory(fs, '/data')).rejects.toMatchObject({ code: 'ERR_NOT_A_STORE' })
    await expect(verifyDirectory(fs, '/data', { checkContent: true })).rejects.toMatchObject({
      code: 'ERR_NOT_A_STORE',
    })
    await (await openStore(fs)).close()
    expect(await (await openDirectory(fs, '/data')).entries()).toEqual([])
    expect((await verifyDirectory(fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it('takes no directory of other things in a bucket for an entry, and writes nothing into it', async () => {
    const disk = new SimulatedDisk()
    const first = await openStore(disk.fs)
    await first.submit({ writes: [write(entry, 1, 'a')] })
    await first.close()
    disk.putFile('/data/kafka/photos/2026/one.jpg', Buffer.from('x'))
    disk.putFile('/data/kafka/topic/0/notes/read.me', Buffer.from('x'))
    disk.putFile('/data/kafka/topic/0/note.txt', Buffer.from('x'))
    disk.putFile('/data/kafka/note.txt', Buffer.from('x'))
    disk.putFile('/data/note.txt', Buffer.from('x'))
    disk.putDirectory('/data/kafka/empty')

    const storage = await openStore(disk.fs)
    expect((await storage.entries()).map(({ entry }) => entry)).toEqual(['empty', 'topic/0'])
    expect((await (await openDirectory(disk.fs, '/data')).entries()).map(({ entry }) => entry)).toEqual([
      'empty',
      'topic/0',
    ])
    await storage.submit({ writes: [write(entry, 2, 'b')] })
    await storage.close()
    for (const path of ['/data/kafka/photos', '/data/kafka/topic/0/notes'])
      expect(disk.paths(path)).toHaveLength(1)
    const { findings, notes } = await verifyDirectory(disk.fs, '/data', { checkContent: true })
    expect(findings).toEqual([])
    expect(notes).toEqual(
      expect.arrayContaining(
        ['kafka/photos/2026', 'kafka/topic/0/notes'].map((stray) => ({
          path: `/data/${stray}`,
          message: 'directory of other things in a bucket: ReductStore takes it for an entry',
        })),
      ),
    )
  })

  it('makes an entry of such a directory when records are stored there', async () => {
    const disk = new SimulatedDisk()
    const first = await openStore(disk.fs)
    await first.createBucket('kafka')
    await first.close()
    disk.putFile('/data/kafka/topic/0/note.txt', Buffer.from('x'))
    const storage = await openStore(disk.fs)
    expect(await storage.entries()).toEqual([])
    await storage.submit({ writes: [write(entry, 1, 'a')] })
    await storage.close()
    const again = await openStore(disk.restart())
    expect((await again.entries()).map(({ entry, recordCount }) => [entry, recordCount])).toEqual([
      ['topic/0', 1],
    ])
    await again.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it('reads an entry with a name that could not be made, and refuses to store there', async () => {
    const disk = new SimulatedDisk()
    const first = await openStore(disk.fs)
    await first.submit({ writes: [write(entry, 1, 'a')] })
    await first.close()
    await disk.fs.rename('/data/kafka/topic', '/data/kafka/my.topic')
    const storage = await openStore(disk.fs)
    expect(storage.damaged()).toEqual([])
    const name = { bucket: 'kafka', entry: 'my.topic/0' }
    expect(Buffer.from((await (await storage.get(name, 1n))?.read()) ?? []).toString()).toBe('a')
    await expect(storage.submit({ writes: [write(name, 2)] })).rejects.toMatchObject({ code: 'ERR_INVALID' })
    await storage.submit({ writes: [write(entry, 2, 'b')] })
    await storage.close()
  })
})
