import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { atomicWrite, clearTemporary } from '../../src/fs/atomic-write.ts'
import type { FileKind, FileRef, FileSystem, FileSystemObserver, WriteOp } from '../../src/fs/file-system.ts'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { replaceFiles } from '../../src/fs/replace-files.ts'
import { writeAll, writeAllAndSync } from '../../src/fs/write-all.ts'
import { Random } from '../support/random.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'

/**
 * Goal: the engine may take the simulated disk for a real one. Method: one suite, run against both.
 */

interface Disk {
  readonly fs: FileSystem
  /** Another process's view of the same disk. */
  another(): Promise<FileSystem>
  makeRoot(): Promise<string>
  dispose(): Promise<void>
}

async function openNode(observer: FileSystemObserver): Promise<Disk> {
  const base = await mkdtemp(join(tmpdir(), 'sediment-fs-'))
  const fs = await NodeFileSystem.open({ handlesMax: 4, observer })
  let another: Promise<NodeFileSystem> | undefined
  return {
    fs,
    another: () => (another ??= NodeFileSystem.open({ handlesMax: 4, observer })),
    makeRoot: () => mkdtemp(join(base, 'test-')),
    dispose: async () => {
      await fs.close()
      await (await another)?.close()
      await rm(base, { recursive: true })
    },
  }
}

async function openSimulated(observer: FileSystemObserver): Promise<Disk> {
  const disk = new SimulatedDisk({ seed: 11, observer })
  let tests = 0
  return {
    fs: disk.fs,
    another: async () => disk.attach(),
    makeRoot: async () => {
      const root = `/test-${++tests}`
      disk.putDirectory(root)
      return root
    },
    dispose: async () => undefined,
  }
}

const bytesOf = (content: string) => new Uint8Array(Buffer.from(content))
const text = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString()

describe.each([
  { name: 'NodeFileSystem', open: openNode },
  { name: 'SimulatedDisk', open: openSimulated },
])('$name', ({ open }) => {
  const synced: FileKind[] = []
  let disk: Disk
  let fs: FileSystem
  let root: string

  beforeAll(async () => {
    disk = await open({ synced: ({ kind }) => void synced.push(kind) })
    fs = disk.fs
  })
  beforeEach(async () => {
    root = await disk.makeRoot()
    synced.length = 0
  })
  afterAll(() => disk.dispose())

  /** Handles of `data` files that other tests left may be evicted, and synced, at any time. */
  const syncedOnPurpose = () => synced.filter((kind) => kind !== 'data').sort()
  const ref = (name: string, kind: FileKind = 'data'): FileRef => ({ path: `${root}/${name}`, kind })
  const op = (name: string, atBytes: number, content: string): WriteOp => {
    const bytes = fs.allocate(content.length)
    bytes.set(bytesOf(content))
    return { file: ref(name), atBytes, bytes }
  }
  const put = (name: string, content: string) => writeAll(fs, 'projection', [op(name, 0, content)])
  const contentOf = async (name: string) => text(await fs.readFile(ref(name).path))

  describe('writing', () => {
    it('puts bytes at their positions, over what is there and behind holes of zeros', async () => {
      expect(
        await fs.writeSome('projection', [op('x', 6, 'six'), op('x', 0, 'zero'), op('x', 1, 'E')]),
      ).toEqual([3, 4, 1])

      expect(await contentOf('x')).toBe('zEro\0\0six')
      expect(await fs.fileBytes(ref('x').path)).toBe(9)
    })

    it('applies ops in order, within a call and over un-awaited calls of one lane', async () => {
      const calls = []
      for (let round = 0; round < 40; round++)
        calls.push(fs.writeSome('log', [op('x', 0, 'a'), op('x', 0, `${round}`)]))
      await Promise.all(calls)

      expect(await contentOf('x')).toBe('39')
    })

    it('takes buffers that are not from allocate, and parts of larger ones', async () => {
      const whole = bytesOf('..middle..')
      await writeAll(fs, 'projection', [
        { file: ref('x'), atBytes: 0, bytes: whole.subarray(2, 8) },
        { file: ref('x'), atBytes: 6, bytes: Buffer.from('!') },
        op('x', 7, '?'),
      ])

      expect(await contentOf('x')).toBe('middle!?')
    })

    it('takes a batch of 3,000 ops over 30 files', async () => {
      const random = new Random(3)
      const expected = new Map<string, Buffer>()
      const ops: WriteOp[] = []
      for (let index = 0; index < 3000; index++) {
        const name = `f${random.below(30)}`
        const content = expected.get(name) ?? Buffer.alloc(0)
        const bytes = random.bytes(1 + random.below(60))
        ops.push({ file: ref(name), atBytes: content.length, bytes })
        expected.set(name, Buffer.concat([content, bytes]))
      }
      const counts = await fs.writeSome('projection', ops)

      expect(counts).toEqual(ops.map(({ bytes }) => bytes.byteLength))
      for (const [name, content] of expected) {
        expect(content.equals((await fs.readFile(ref(name).path)) ?? Buffer.alloc(0))).toBe(true)
      }
    })

    it('keeps the bytes of files whose handles were evicted', async () => {
      for (let round = 0; round < 3; round++) {
        for (let file = 0; file < 12; file++)
          await writeAll(fs, 'projection', [op(`f${file}`, round, `${round}`)])
      }

      for (let file = 0; file < 12; file++) expect(await contentOf(`f${file}`)).toBe('012')
    })

    it('creates an empty file by an op without bytes', async () => {
      await put('x', '')

      expect(await fs.fileBytes(ref('x').path)).toBe(0)
    })

    it('takes no op at all', async () => {
      expect(await fs.writeSome('log', [])).toEqual([])
      await writeAllAndSync(fs, 'log', [])
      await fs.syncFiles([])
      await fs.syncDirectories([])

      expect(synced).toEqual([])
    })

    it('fails where the directory is missing', async () => {
      await expect(put('nowhere/x', 'x')).rejects.toMatchObject({
        name: 'FileSystemError',
        code: 'ERR_NOT_FOUND',
        path: ref('nowhere/x').path,
      })
    })
  })

  describe('syncing', () => {
    it('reports each sync once, by kind', async () => {
      await writeAll(fs, 'log', [{ ...op('log', 0, 'x'), file: ref('log', 'log') }])
      await put('a', 'x')
      await fs.syncFiles([ref('log', 'log'), ref('a', 'wal')])
      await fs.syncDirectories([root])

      expect(syncedOnPurpose()).toEqual(['directory', 'log', 'wal'])
    })

    it('writes and syncs in one call', async () => {
      await writeAllAndSync(fs, 'log', [
        { file: ref('a', 'log'), atBytes: 0, bytes: bytesOf('a') },
        { file: ref('b', 'wal'), atBytes: 0, bytes: bytesOf('b') },
        { file: ref('a', 'log'), atBytes: 1, bytes: bytesOf('A') },
      ])

      expect(await contentOf('a')).toBe('aA')
      expect(syncedOnPurpose()).toEqual(['log', 'wal'])
    })

    it('fails for a missing file or directory', async () => {
      await expect(fs.syncFiles([ref('x')])).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
      await expect(fs.syncDirectories([`${root}/x`])).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
      expect(synced).toEqual([])
    })

    it('syncs files that were never opened, many at once', async () => {
      const names = Array.from({ length: 40 }, (_, index) => `f${index}`)
      for (const name of names) await put(name, name)
      const another = await disk.another()
      synced.length = 0
      await another.syncFiles(names.map((name) => ref(name)))

      expect(synced).toEqual(names.map(() => 'data'))
    })
  })

  describe('reading', () => {
    it('gives what was asked for, less at the end', async () => {
      await put('x', 'abcdef')

      expect(text(await fs.read(ref('x').path, 2, 3))).toBe('cde')
      expect(text(await fs.read(ref('x').path, 4, 10))).toBe('ef')
      expect(text(await fs.read(ref('x').path, 99, 1))).toBe('')
    })

    it('gives copies that are plain byte arrays', async () => {
      await put('x', 'abc')
      const bytes = await fs.readFile(ref('x').path)
      bytes?.slice(0, 1).fill(0)

      expect(text(bytes)).toBe('abc')
      expect(bytes?.constructor.name).toBe('Uint8Array')
    })

    it('reads parts of a file into memory of the caller', async () => {
      await put('a', 'settled')
      const reader = fs.openToRead(ref('a').path)
      const memory = new Uint8Array(5)
      expect(await reader.read(1, memory)).toBe(5)
      expect(text(memory)).toBe('ettle')
      expect(await reader.read(5, memory)).toBe(2)
      expect(await reader.read(9, memory)).toBe(0)
      await reader.close()
      const missing = fs.openToRead(ref('missing').path)
      await expect(missing.read(0, memory)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
      await missing.close()
    })

    it('tells a missing file', async () => {
      await expect(fs.read(ref('x').path, 0, 1)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
      expect(await fs.readFile(ref('x').path)).toBeUndefined()
      expect(await fs.fileBytes(ref('x').path)).toBeUndefined()
      expect(await fs.list(ref('x').path)).toBeUndefined()
      expect(await fs.fileBytes(ref('x/y').path)).toBeUndefined()
    })
  })

  describe('names', () => {
    it('lists a directory sorted, directories told apart', async () => {
      await fs.makeDirectory(ref('b').path)
      await fs.makeDirectory(ref('b').path)
      for (const name of ['a', 'c', '.hidden', 'B']) await put(name, '')

      expect(await fs.list(root)).toEqual([
        { name: '.hidden', isDirectory: false },
        { name: 'B', isDirectory: false },
        { name: 'a', isDirectory: false },
        { name: 'b', isDirectory: true },
        { name: 'c', isDirectory: false },
      ])
      await expect(fs.makeDirectory(ref('a').path)).rejects.toMatchObject({ code: 'ERR_WRONG_KIND' })
    })

    it('renames over an open file: later writes go to the new one', async () => {
      await put('old', 'old content')
      await put('new', 'new')
      await fs.rename(ref('new').path, ref('old').path)
      await writeAll(fs, 'projection', [op('old', 3, '!')])

      expect(await contentOf('old')).toBe('new!')
      expect(await contentOf('new')).toBeUndefined()
      await put('new', 'fresh')
      expect(await contentOf('old')).toBe('new!')
      await fs.syncFiles([ref('old'), ref('new')])
    })

    it('renames a directory with open files below', async () => {
      await fs.makeDirectory(ref('from').path)
      await put('from/x', 'x')
      await fs.rename(ref('from').path, ref('to').path)
      await writeAll(fs, 'projection', [op('to/x', 1, 'y')])
      await fs.makeDirectory(ref('from').path)
      await put('from/x', 'other')

      expect(await contentOf('to/x')).toBe('xy')
      expect(await contentOf('from/x')).toBe('other')
    })

    it('fails to rename what is not there', async () => {
      await expect(fs.rename(ref('x').path, ref('y').path)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    })

    it('starts anew after an unlink of an open file', async () => {
      await put('x', 'long content')
      await fs.unlink(ref('x').path)
      await fs.unlink(ref('x').path)
      expect(await contentOf('x')).toBeUndefined()
      await writeAll(fs, 'log', [op('x', 0, 'new')])

      expect(await contentOf('x')).toBe('new')
    })

    it('removes a tree with open files, and none', async () => {
      await fs.makeDirectory(ref('d').path)
      await fs.makeDirectory(ref('d/e').path)
      await put('d/e/x', 'x')
      await fs.removeTree(ref('d').path)
      await fs.removeTree(ref('d').path)
      expect(await fs.list(ref('d').path)).toBeUndefined()
      await fs.makeDirectory(ref('d').path)
      await fs.makeDirectory(ref('d/e').path)
      await put('d/e/x', 'y')

      expect(await contentOf('d/e/x')).toBe('y')
    })

    it('cuts and extends a file', async () => {
      await put('x', 'abcdef')
      await fs.truncate(ref('x'), 2)
      await fs.truncate(ref('x'), 4)
      await fs.syncFiles([ref('x')])

      expect(await contentOf('x')).toBe('ab\0\0')
      await expect(fs.truncate(ref('y'), 2)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    })

    it('replaces many files together, over leftovers of earlier attempts', async () => {
      const names = ['a', 'b', 'c']
      await put('a', 'old and long')
      await put('b.tmp', 'a leftover')
      for (const name of names) await clearTemporary(fs, ref(name).path)
      const replacements = names.map((name) => ({ file: ref(name), bytes: bytesOf(`new ${name}`) }))
      await replaceFiles(fs, replacements)
      await replaceFiles(fs, [])
      expect((await fs.list(root))?.map((item) => item.name)).toEqual(names)
      for (const name of names) expect(await contentOf(name)).toBe(`new ${name}`)
    })

    it('replaces a file atomically, over a leftover of an earlier attempt', async () => {
      await put('x', 'old and longer')
      await put('x.tmp', 'a leftover that is longer still')
      await atomicWrite(fs, ref('x').path, 'descriptor', bytesOf('new'))

      expect(await contentOf('x')).toBe('new')
      expect((await fs.list(root))?.map(({ name }) => name)).toEqual(['x'])
      expect(syncedOnPurpose()).toEqual(['descriptor', 'directory'])
    })
  })

  describe('the lock', () => {
    it('excludes others until it is released', async () => {
      const another = await disk.another()
      const lock = await fs.lock(ref('lock').path)
      expect(lock).toBeDefined()
      expect(await another.lock(ref('lock').path)).toBeUndefined()
      expect(await fs.lock(ref('lock').path)).toBeUndefined()

      await lock?.release()

      const taken = await another.lock(ref('lock').path)
      expect(taken).toBeDefined()
      await lock?.release()
      expect(await fs.lock(ref('lock').path)).toBeUndefined()
      await taken?.release()
    })
  })

  it('tells the free space', async () => {
    const { bytes, inodes } = await fs.freeSpace(root)

    expect(bytes).toBeGreaterThan(0)
    expect(inodes).toBeGreaterThan(0)
  })

  it('says after a seeded mix of calls what a plain model says', async () => {
    const random = new Random(5)
    const model = new Map<string, Buffer>()
    for (let step = 0; step < 150; step++) {
      const name = `f${random.below(8)}`
      const content = model.get(name)
      const choice = random.below(10)
      if (choice < 6) {
        const atBytes = random.below(200)
        const bytes = random.bytes(1 + random.below(100))
        await writeAll(fs, random.pick(['log', 'projection']), [{ file: ref(name), atBytes, bytes }])
        const next = Buffer.alloc(Math.max(content?.length ?? 0, atBytes + bytes.length))
        content?.copy(next)
        Buffer.from(bytes).copy(next, atBytes)
        model.set(name, next)
      } else if (content !== undefined && choice === 6) {
        await fs.syncFiles([ref(name)])
      } else if (content !== undefined && choice === 7) {
        const to = `f${random.below(8)}`
        await fs.rename(ref(name).path, ref(to).path)
        model.delete(name)
        model.set(to, content)
      } else if (content !== undefined && choice === 8) {
        const length = random.below(250)
        await fs.truncate(ref(name), length)
        const next = Buffer.alloc(length)
        content.copy(next)
        model.set(name, next)
      } else if (choice === 9) {
        await fs.unlink(ref(name).path)
        model.delete(name)
      }
    }
    const names = (await fs.list(root))?.map(({ name }) => name)
    expect(names).toEqual([...model.keys()].sort())
    for (const [name, expected] of model) {
      expect(expected.equals((await fs.readFile(ref(name).path)) ?? Buffer.alloc(0))).toBe(true)
    }
  })
})
