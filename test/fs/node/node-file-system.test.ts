import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, readdir, readlink, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { FileKind, FileRef, WriteOp } from '../../../src/fs/file-system.ts'
import { defaultHandlesMax } from '../../../src/fs/node/descriptor-limit.ts'
import { NodeFileSystem } from '../../../src/fs/node/node-file-system.ts'
import { SharedSlab } from '../../../src/fs/node/shared-slab.ts'
import { pageGap } from '../../../src/fs/page.ts'
import { writeAll } from '../../../src/fs/write-all.ts'
import { Random } from '../../support/random.ts'

/** Goal: what only a real kernel can show: limits, locks between processes, descriptors, the number of syncs. */

const childProgram = fileURLToPath(new URL('../../support/disk-child.ts', import.meta.url))

let root: string
let children: ChildProcess[]
let opened: NodeFileSystem[]
let synced: FileKind[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sediment-node-fs-'))
  children = []
  opened = []
  synced = []
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const fs of opened) await fs.close()
  await rm(root, { recursive: true })
})

async function open(handlesMax: number): Promise<NodeFileSystem> {
  const fs = await NodeFileSystem.open({
    handlesMax,
    observer: { synced: ({ kind }) => void synced.push(kind) },
  })
  opened.push(fs)
  return fs
}

/** Runs a task of `disk-child` under a shell limit, and gives the first fact it tells. */
async function startChild(task: string, limit = 'true'): Promise<{ child: ChildProcess; fact: unknown }> {
  const command = `${limit} && exec "$0" --import tsx "$1" "$2" "$3"`
  const child = spawn('sh', ['-c', command, process.execPath, childProgram, task, root], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TSX_DISABLE_CACHE: '1', NODE_OPTIONS: '' },
  })
  children.push(child)
  for await (const line of createInterface({ input: child.stdout })) return { child, fact: JSON.parse(line) }
  throw new Error(`${task} ended without a word`)
}

const ref = (name: string, kind: FileKind = 'data'): FileRef => ({ path: `${root}/${name}`, kind })
const op = (name: string, content: string, atBytes = 0): WriteOp => ({
  file: ref(name),
  atBytes,
  bytes: Buffer.from(content),
})

describe('the lock', () => {
  it('keeps another process out, and is free as soon as the holder is killed', async () => {
    const fs = await open(4)
    const { child, fact } = await startChild('hold-lock')
    expect(fact).toEqual({ locked: true })
    expect(await fs.lock(`${root}/lock`)).toBeUndefined()

    child.kill('SIGKILL')
    await once(child, 'exit')

    expect(await fs.lock(`${root}/lock`)).toBeDefined()
  })
})

describe('limits', () => {
  it('gives a short count at a file size limit, and writeAll turns it into ERR_NO_SPACE', async () => {
    const { fact } = await startChild('write-past-limit', 'ulimit -f 256')
    const { counts, code } = fact as { counts: number[]; code: string }

    expect(counts[0]).toBeGreaterThan(0)
    expect(counts).toEqual([(await stat(`${root}/a`)).size, 0])
    expect(counts[0]).toBeLessThan(1_000_000)
    expect(code).toBe('ERR_NO_SPACE')
  })

  it('gives a short count at a file size limit inside a page, also past the page cache, and writes on', async () => {
    // A shell counts in blocks of 512 bytes: 100 pages and a half.
    const { fact } = await startChild('write-pages-past-limit', 'ulimit -f 804')

    expect(fact).toEqual({ counts: [(await stat(`${root}/a`)).size, 100_000] })
    const written = await readFile(`${root}/a`)
    expect(written.length).toBeGreaterThan(0)
    expect(written.length).toBeLessThanOrEqual(1_000_000)
    expect(written.every((byte) => byte === 7)).toBe(true)
  })

  it('opens more files than descriptors are allowed', async () => {
    const { fact } = await startChild('open-many', 'ulimit -n 100')

    expect(fact).toEqual({ done: true })
    for (const name of ['0', '150', '299']) expect(await readFile(`${root}/${name}`, 'utf8')).toBe(name)
  })

  it('takes its share of the descriptors that the process may have', () => {
    expect(defaultHandlesMax()).toBeGreaterThanOrEqual(16)
    expect(defaultHandlesMax()).toBeLessThanOrEqual(16_384)
  })
})

describe('large writes from allocated memory', () => {
  it('put each byte in its place, wherever in their pages they lie, beside small ones', async () => {
    const seed = Date.now() % 1_000_000
    const random = new Random(seed)
    const fs = await open(4)
    const memory = fs.allocate(1_000_000)
    memory.set(random.bytes(memory.byteLength))
    const expected = { a: Buffer.alloc(0), b: Buffer.alloc(0) }
    for (let round = 0; round < 60; round++) {
      const ops = Array.from({ length: 1 + random.below(3) }, (): WriteOp => {
        const name = random.pick(['a', 'b'] as const)
        const known = expected[name]
        const atBytes = random.chance(0.6) ? known.length : random.below(known.length + 10_000)
        const lengthBytes = random.pick([
          random.below(5000),
          65_536 + random.below(9000),
          random.below(400_000),
        ])
        const from = random.chance(0.7) ? pageGap(memory.byteOffset, atBytes) : random.below(5000)
        const bytes = memory
          .subarray(from + 4096 * random.below(50), memory.byteLength)
          .subarray(0, lengthBytes)
        const file = Buffer.alloc(
          Math.max(known.length, bytes.byteLength > 0 ? atBytes + bytes.byteLength : 0),
        )
        known.copy(file)
        file.set(bytes, atBytes)
        expected[name] = file
        return { file: ref(name), atBytes, bytes }
      })
      if (random.chance(0.5)) await fs.writeAndSync('projection', ops)
      else await fs.writeSome('projection', ops)

      for (const { file } of ops) {
        const name = file.path.endsWith('a') ? 'a' : 'b'
        const isRight = expected[name].equals(await readFile(file.path))
        expect({ seed, round, name, isRight }).toEqual({ seed, round, name, isRight: true })
      }
    }
  })
})

describe('handles', () => {
  const openPaths = async () => {
    const links = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    )
    return links.filter((link) => link.startsWith(root)).map((link) => link.slice(root.length + 1))
  }

  it('are synced when they are evicted dirty, and not when they are clean', async () => {
    const fs = await open(4)
    for (let file = 0; file < 12; file++) await writeAll(fs, 'projection', [op(`f${file}`, 'x')])
    expect(synced).toEqual(Array.from({ length: 8 }, () => 'data'))
    expect((await openPaths()).length).toBe(4)

    await fs.syncFiles([8, 9, 10, 11].map((file) => ref(`f${file}`)))
    expect(synced.length).toBe(12)
    await writeAll(fs, 'projection', [op('another', 'x')])
    expect(synced.length).toBe(12)
  })

  it('of removed and replaced files are closed', async () => {
    const fs = await open(50)
    for (const name of ['a', 'b', 'c']) await writeAll(fs, 'projection', [op(name, 'x')])
    await writeAll(fs, 'log', [op('c', 'y')])
    await fs.makeDirectory(`${root}/d`)
    await writeAll(fs, 'log', [op('d/e', 'x')])
    await fs.rename(`${root}/a`, `${root}/b`)
    await fs.unlink(`${root}/c`)
    await fs.removeTree(`${root}/d`)

    expect(await openPaths()).toEqual([])
  })

  it('are all closed by close, and later calls are refused', async () => {
    const fs = await open(50)
    await writeAll(fs, 'projection', [op('a', 'x')])
    await writeAll(fs, 'log', [op('b', 'x')])
    expect(await fs.lock(`${root}/lock`)).toBeDefined()
    await fs.close()
    await fs.close()

    expect(await openPaths()).toEqual([])
    await expect(fs.writeSome('log', [op('a', 'x')])).rejects.toMatchObject({
      name: 'FileSystemError',
      code: 'ERR_IO',
    })
  })

  it('write on while a sync of the same file runs', async () => {
    const fs = await open(4)
    await writeAll(fs, 'projection', [op('a', 'x'.repeat(100_000))])
    const calls: Promise<unknown>[] = []
    for (let round = 0; round < 20; round++) {
      calls.push(fs.syncFiles([ref('a')]))
      for (let file = 0; file < 5; file++)
        calls.push(writeAll(fs, 'projection', [op(`f${file}`, `${round}`)]))
      calls.push(writeAll(fs, 'projection', [op('a', 'y', round)]))
    }
    await Promise.all(calls)

    expect((await readFile(`${root}/a`, 'utf8')).slice(0, 21)).toBe(`${'y'.repeat(20)}x`)
    for (let file = 0; file < 5; file++) expect(await readFile(`${root}/f${file}`, 'utf8')).toBe('19')
  })
})

describe('opening', () => {
  afterEach(() => {
    delete process.env['UV_USE_IO_URING']
  })

  it('is refused when libuv was told to use io_uring', async () => {
    process.env['UV_USE_IO_URING'] = '1'

    await expect(NodeFileSystem.open()).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
  })
})

describe('SharedSlab', () => {
  it('gives shared memory that does not overlap', () => {
    const slab = new SharedSlab()
    const buffers = Array.from({ length: 500 }, (_, index) => slab.allocate(index * 37).fill(index % 251))

    for (const [index, buffer] of buffers.entries()) {
      expect(buffer.length).toBe(index * 37)
      expect(buffer.every((byte) => byte === index % 251)).toBe(true)
      expect(buffer.buffer).toBeInstanceOf(SharedArrayBuffer)
    }
    expect(new Set(buffers.map(({ buffer }) => buffer)).size).toBeLessThan(10)
  })
})

describe('a pipe in the place of a file', () => {
  it('fails when it is read, instead of waiting for a writer', async () => {
    const fs = await open(4)
    const path = join(root, 'pipe')
    execFileSync('mkfifo', [path])
    await expect(fs.readFile(path)).rejects.toMatchObject({ code: 'ERR_WRONG_KIND', path })
    await expect(fs.read(path, 0, 1)).rejects.toMatchObject({ code: 'ERR_WRONG_KIND', path })
    const reader = fs.openToRead(path)
    await expect(reader.read(0, new Uint8Array(1))).rejects.toMatchObject({ code: 'ERR_WRONG_KIND', path })
    await reader.close()
  })
})
