import { describe, expect, it } from '@jest/globals'
import { atomicWrite } from '../../src/fs/atomic-write.ts'
import type { FileRef, FileSystem } from '../../src/fs/file-system.ts'
import { writeAll } from '../../src/fs/write-all.ts'
import { Random } from './random.ts'
import { ProcessKilled, SimulatedDisk, type PowerCutOptions } from './simulated-disk.ts'

/**
 * Goal: the simulated disk forgets what a real one may forget, and nothing else; the same seed gives the same picture.
 * Method: small scripts, then a look at what is left after the crash; many seeds where the disk may choose.
 */

const file: FileRef = { path: '/data/a.log', kind: 'log' }

const text = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString()
const bytesOf = (content: string) => new Uint8Array(Buffer.from(content))

function newDisk(seed = 1): SimulatedDisk {
  const disk = new SimulatedDisk({ seed })
  disk.putDirectory('/data')
  return disk
}

async function write(fs: FileSystem, content: string, atBytes = 0, ref: FileRef = file): Promise<void> {
  await writeAll(fs, 'log', [{ file: ref, atBytes, bytes: bytesOf(content) }])
}

/** The distinct outcomes of many power cuts at this moment. */
function outcomes(disk: SimulatedDisk, path: string, options: PowerCutOptions = {}, cuts = 300): Set<string> {
  const seen = new Set<string>()
  for (let seed = 0; seed < cuts; seed++) {
    const image = disk.fork()
    image.cutPower({ ...options, seed })
    seen.add(text(image.peek(path)) ?? 'missing')
  }
  return seen
}

describe('a power cut', () => {
  it('keeps a file whose content and name were synced', async () => {
    const disk = newDisk()
    await write(disk.fs, 'hello')
    await disk.fs.syncFiles([file])
    await disk.fs.syncDirectories(['/data'])

    expect(outcomes(disk, file.path)).toEqual(new Set(['hello']))
    expect(disk.pending()).toEqual({ files: 0, changes: 0, names: 0 })
  })

  it('may lose the name of a file whose content was synced', async () => {
    const disk = newDisk()
    await write(disk.fs, 'hello')
    await disk.fs.syncFiles([file])

    expect(outcomes(disk, file.path)).toEqual(new Set(['hello', 'missing']))
  })

  it('may keep the name of a file and lose its content or its length', async () => {
    const disk = newDisk()
    await write(disk.fs, 'hello')
    await disk.fs.syncDirectories(['/data'])

    expect(outcomes(disk, file.path, { garbage: 0 })).toEqual(new Set(['', 'hello', '\0\0\0\0\0']))
  })

  it('leaves each sector old or new, never a part of one', async () => {
    const disk = newDisk()
    disk.putFile(file.path, new Uint8Array(2048).fill(0x6f))
    await writeAll(disk.fs, 'log', [{ file, atBytes: 256, bytes: new Uint8Array(1536).fill(0x6e) }])

    const shapes = new Set<string>()
    for (const outcome of outcomes(disk, file.path, { data: 'soup', garbage: 0 })) {
      expect(outcome).toMatch(/^o{256}(o{256}|n{256})(o{512}|n{512})(o{512}|n{512})(o{256}|n{256})o{256}$/)
      shapes.add(outcome)
    }
    expect(shapes.size).toBe(16)
  })

  it('shows the writes of one sector in their order: a later one never without the earlier', async () => {
    const disk = newDisk()
    disk.putFile(file.path, bytesOf('....'))
    await write(disk.fs, 'B', 1)
    await write(disk.fs, 'A', 0)

    expect(outcomes(disk, file.path, { garbage: 0 })).toEqual(new Set(['....', '.B..', 'AB..']))
  })

  it('puts garbage only where an un-synced write was', async () => {
    const disk = newDisk()
    disk.putFile(file.path, bytesOf('....'))
    await write(disk.fs, 'xy', 1)

    const seen = outcomes(disk, file.path, { data: 'soup', garbage: 1 })
    expect(seen.size).toBeGreaterThan(50)
    for (const outcome of seen) expect(outcome).toMatch(/^\.[^]+\.$/)
  })

  it('keeps a first part of the changes in prefix mode', async () => {
    const disk = newDisk()
    disk.putFile(file.path, bytesOf(''))
    for (const [index, letter] of [...'abc'].entries()) await write(disk.fs, letter, index)

    expect(outcomes(disk, file.path, { data: 'prefix' })).toEqual(new Set(['', 'a', 'ab', 'abc']))
  })

  it('may undo a truncation that was not synced', async () => {
    const disk = newDisk()
    disk.putFile(file.path, bytesOf('abcdef'))
    await disk.fs.truncate(file, 2)

    expect(text(disk.peek(file.path))).toBe('ab')
    expect(outcomes(disk, file.path)).toEqual(new Set(['abcdef', 'ab']))
  })

  it('leaves the old or the new file, whole, after an atomic write at every operation', async () => {
    const counted = newDisk()
    counted.putFile('/data/x', bytesOf('old'))
    await atomicWrite(counted.fs, '/data/x', 'index', bytesOf('new'))
    expect(counted.operations).toBe(5)

    const seen = new Set<string>()
    for (let operation = 1; operation <= counted.operations; operation++) {
      const disk = newDisk(operation)
      disk.putFile('/data/x', bytesOf('old'))
      disk.crashAt(operation)
      await expect(atomicWrite(disk.fs, '/data/x', 'index', bytesOf('new'))).rejects.toThrow(ProcessKilled)
      for (const outcome of outcomes(disk, '/data/x')) seen.add(outcome)
    }
    expect(seen).toEqual(new Set(['old', 'new']))
    expect(outcomes(counted, '/data/x')).toEqual(new Set(['new']))
  })

  it('never shows a moved file twice or nowhere', async () => {
    const disk = newDisk()
    disk.putFile('/data/from/x', bytesOf('x'))
    disk.putDirectory('/data/to')
    await disk.fs.rename('/data/from/x', '/data/to/y')
    await disk.fs.rename('/data/to/y', '/data/to/z')

    const seen = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const image = disk.fork()
      image.cutPower({ seed })
      seen.add(image.paths('/data').join())
    }
    expect(seen).toEqual(new Set(['/data/from/x', '/data/to/y', '/data/to/z']))
  })

  it('makes a move durable by a sync of either directory', async () => {
    for (const directory of ['/data/from', '/data/to']) {
      const disk = newDisk()
      disk.putDirectory('/data/from')
      disk.putDirectory('/data/to')
      await write(disk.fs, 'x', 0, { path: '/data/from/x', kind: 'data' })
      await disk.fs.rename('/data/from/x', '/data/to/y')
      await disk.fs.syncDirectories([directory])
      disk.cutPower()

      expect(disk.paths('/data')).toEqual(['/data/to/y'])
    }
  })

  it('may lose any of several names of one directory, and brings back removed ones', async () => {
    const disk = newDisk()
    disk.putFile('/data/old', bytesOf('old'))
    await disk.fs.unlink('/data/old')
    await write(disk.fs, '1', 0, { path: '/data/1', kind: 'data' })
    await write(disk.fs, '2', 0, { path: '/data/2', kind: 'data' })

    const seen = new Set<string>()
    for (let seed = 0; seed < 300; seed++) {
      const image = disk.fork()
      image.cutPower({ seed, names: 'subset' })
      seen.add(image.paths('/data').join())
    }
    expect(seen.size).toBe(8)
  })

  it('loses everything below a directory whose own name was not synced', async () => {
    const disk = newDisk()
    await disk.fs.makeDirectory('/data/entry')
    const ref: FileRef = { path: '/data/entry/1.blk', kind: 'data' }
    await write(disk.fs, 'x', 0, ref)
    await disk.fs.syncFiles([ref])
    await disk.fs.syncDirectories(['/data/entry'])
    disk.cutPower({ names: 'nothing' })

    expect(disk.paths('/')).toEqual([])
  })

  it('does not count a write that came after the sync was asked for as synced', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 40; seed++) {
      const disk = newDisk(seed)
      disk.putFile(file.path, bytesOf('..'))
      await write(disk.fs, 'A')
      await Promise.all([disk.fs.syncFiles([file]), write(disk.fs, 'B', 1)])
      disk.cutPower({ data: 'nothing' })
      seen.add(text(disk.peek(file.path)) ?? '')
    }
    expect(seen).toEqual(new Set(['A.']))
  })
})

describe('a failing sync', () => {
  it('fails once, then succeeds, while the bytes are only in the cache', async () => {
    const disk = newDisk()
    disk.putFile(file.path, bytesOf('old'))
    await write(disk.fs, 'new')
    disk.failNext('sync', { kind: 'log' })

    await expect(disk.fs.syncFiles([file])).rejects.toMatchObject({ code: 'ERR_IO', path: file.path })
    await disk.fs.syncFiles([file])

    expect(text(disk.peek(file.path))).toBe('new')
    const restarted = disk.restart()
    expect(text(await restarted.readFile(file.path))).toBe('new')
    await restarted.syncFiles([file])
    disk.cutPower()
    expect(text(disk.peek(file.path))).toBe('old')
  })

  it('is healed by writing the bytes again', async () => {
    const disk = newDisk()
    disk.putFile(file.path, bytesOf('old'))
    await write(disk.fs, 'new')
    disk.failNext('sync')
    await expect(disk.fs.syncFiles([file])).rejects.toThrow()
    await write(disk.fs, 'ne')
    await disk.fs.syncFiles([file])
    disk.cutPower()

    expect(text(disk.peek(file.path))).toBe('ned')
  })

  it('shows the medium when the cache is dropped', async () => {
    const disk = newDisk()
    disk.putFile(file.path, bytesOf('old'))
    await write(disk.fs, 'new')
    disk.failNext('sync')
    await expect(disk.fs.syncFiles([file])).rejects.toThrow()
    disk.dropCaches()

    expect(text(disk.peek(file.path))).toBe('old')
  })

  it('loses names in the same way', async () => {
    const disk = newDisk()
    await write(disk.fs, 'x')
    disk.failNext('syncDirectory', { path: '/data' })
    await expect(disk.fs.syncDirectories(['/data'])).rejects.toMatchObject({ code: 'ERR_IO' })
    await disk.fs.syncDirectories(['/data'])

    expect(disk.paths()).toEqual([file.path])
    disk.cutPower()
    expect(disk.paths()).toEqual([])
  })
})

describe('a kill', () => {
  it('keeps the cache, frees locks and fences the dead process', async () => {
    const disk = newDisk()
    const dead = disk.fs
    await write(dead, 'hello')
    expect(await dead.lock('/data/lock')).toBeDefined()
    expect(await disk.attach().lock('/data/lock')).toBeUndefined()
    const late = write(dead, 'LATE!')
    const { operations } = disk

    const alive = disk.restart()

    await expect(late).rejects.toThrow(ProcessKilled)
    await expect(dead.unlink(file.path)).rejects.toThrow(ProcessKilled)
    expect(text(await alive.readFile(file.path))).toBe('hello')
    expect(await alive.lock('/data/lock')).toBeDefined()
    expect(disk.operations).toBe(operations)
  })

  it('leaves a batch at any of its ops, a large write torn at a page', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const disk = newDisk(seed)
      disk.crashAt(1 + (seed % 4))
      const bytes = new Uint8Array(10_000).fill(1)
      const ops = [0, 10_000].map((atBytes) => ({ file, atBytes, bytes }))
      const written = disk.fs.writeSome('projection', ops).catch((error: unknown) => error)
      if (seed % 4 < 3) expect(await written).toBeInstanceOf(ProcessKilled)
      else expect(await written).toEqual([10_000, 10_000])
      seen.add(String(disk.peek(file.path)?.length))
    }
    expect([...seen].sort()).toEqual(
      ['undefined', 0, 4096, 8192, 10_000, 12_288, 16_384, 20_000].map(String).sort(),
    )
  })

  it('can leave calls hanging, as nothing runs on in a dead process', async () => {
    const disk = new SimulatedDisk({ afterKill: 'hang' })
    disk.crashAt(1)
    const killed = disk.whenKilled()
    const call = disk.fs.makeDirectory('/data').then(() => 'settled')

    await killed

    expect(await Promise.race([call, Promise.resolve('hanging')])).toBe('hanging')
    expect(disk.paths()).toEqual([])
  })
})

describe('faults', () => {
  it('fails the n-th call, of a kind, as often as told', async () => {
    const disk = newDisk()
    disk.failNext('write', { kind: 'log', nth: 2, times: 2, code: 'ERR_NO_SPACE' })
    await write(disk.fs, 'x', 0, { path: '/data/other', kind: 'data' })
    await write(disk.fs, '1')

    await expect(write(disk.fs, '2', 1)).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
    await expect(write(disk.fs, '3', 1)).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
    await write(disk.fs, '4', 1)
    expect(text(disk.peek(file.path))).toBe('14')
  })

  it('writes short once; the ops behind are not tried', async () => {
    const disk = newDisk()
    disk.shortWriteNext({ bytes: 3 })
    const ops = [0, 5].map((atBytes) => ({ file, atBytes, bytes: bytesOf('hello') }))

    expect(await disk.fs.writeSome('log', ops)).toEqual([3, 0])
    expect(text(disk.peek(file.path))).toBe('hel')

    disk.shortWriteNext()
    await writeAll(disk.fs, 'log', ops)
    expect(text(disk.peek(file.path))).toBe('hellohello')
  })

  it('runs full with a short count, then an error, and has room again after an unlink', async () => {
    const disk = newDisk()
    disk.setFreeBytes(8192)
    const big = { file, atBytes: 0, bytes: new Uint8Array(10_000) }

    expect(await disk.fs.writeSome('log', [big])).toEqual([8192])
    await expect(writeAll(disk.fs, 'log', [big])).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
    expect((await disk.fs.freeSpace('/data')).bytes).toBe(0)
    await disk.fs.unlink(file.path)
    expect((await disk.fs.freeSpace('/data')).bytes).toBe(8192)
  })

  it('flips one bit for good', async () => {
    const disk = newDisk()
    disk.putFile(file.path, bytesOf('abc'))
    disk.flipBit(file.path, 8)
    disk.cutPower()

    expect(text(disk.peek(file.path))).toBe('acc')
  })
})

describe('a fork', () => {
  it('and its origin never see each other change', async () => {
    const disk = newDisk()
    await write(disk.fs, 'base')
    const fork = disk.fork()
    await write(disk.fs, 'D')
    await write(fork.fs, 'F')
    fork.cutPower({ data: 'nothing', names: 'all' })

    expect(text(disk.peek(file.path))).toBe('Dase')
    expect(text(fork.peek(file.path))).toBe('')
    expect(disk.pending().changes).toBe(2)
  })

  it('can be drawn inside the hook, before each operation', async () => {
    const disk = newDisk()
    const images: string[] = []
    disk.onOperation = (call) => {
      const image = disk.fork()
      image.killProcess()
      images.push(`${call}:${text(image.peek(file.path)) ?? '-'}`)
    }
    await write(disk.fs, 'a')
    await disk.fs.syncFiles([file])
    await disk.fs.unlink(file.path)

    expect(images).toEqual(['create:-', 'write:', 'sync:a', 'unlink:a'])
  })
})

describe('the order of concurrent calls', () => {
  it('is kept within a lane and open between lanes', async () => {
    const orders = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      const disk = newDisk(seed)
      const order: string[] = []
      const put = async (lane: 'log' | 'projection', name: string) => {
        await disk.fs.writeSome(lane, [
          { file: { path: `/data/${name}`, kind: 'data' }, atBytes: 0, bytes: bytesOf('x') },
        ])
        order.push(name)
      }
      await Promise.all([
        put('log', 'l1'),
        put('projection', 'p1'),
        put('log', 'l2'),
        put('projection', 'p2'),
      ])
      expect(order.indexOf('l1')).toBeLessThan(order.indexOf('l2'))
      expect(order.indexOf('p1')).toBeLessThan(order.indexOf('p2'))
      orders.add(order.join())
    }
    expect(orders.size).toBe(6)
  })

  it('is the same for the same seed', async () => {
    const run = async (seed: number) => {
      const disk = newDisk(seed)
      const calls: string[] = []
      disk.onOperation = (call, path) => calls.push(`${call} ${path}`)
      await Promise.all(
        [0, 1, 2, 3, 4].map(async (index) => {
          const ref: FileRef = { path: `/data/${index}`, kind: 'data' }
          await write(disk.fs, 'x', 0, ref)
          await disk.fs.syncFiles([ref])
        }),
      )
      disk.cutPower()
      return `${calls.join()} ${disk.digest()}`
    }
    expect(await run(5)).toBe(await run(5))
    expect(await run(5)).not.toBe(await run(6))
  })
})

describe('a seeded workload against a plain model', () => {
  it('reads back what the model says while nothing crashes, and after a kill', async () => {
    const random = new Random(7)
    const disk = newDisk(7)
    const model = new Map<string, Buffer>()
    for (let step = 0; step < 400; step++) {
      const path = `/data/${random.below(5)}`
      const ref: FileRef = { path, kind: 'data' }
      const content = model.get(path)
      const choice = random.below(8)
      if (choice < 4) {
        const atBytes = random.below(9000)
        const bytes = random.bytes(random.below(6000))
        await writeAll(disk.fs, 'projection', [{ file: ref, atBytes, bytes }])
        const next = Buffer.alloc(
          Math.max(content?.length ?? 0, bytes.length === 0 ? 0 : atBytes + bytes.length),
        )
        content?.copy(next)
        Buffer.from(bytes).copy(next, atBytes)
        model.set(path, next)
      } else if (content !== undefined && choice === 4) {
        const length = random.below(12_000)
        await disk.fs.truncate(ref, length)
        const next = Buffer.alloc(length)
        content.copy(next)
        model.set(path, next)
      } else if (content !== undefined && choice === 5) {
        await disk.fs.syncFiles([ref])
      } else if (content !== undefined && choice === 6) {
        const toPath = `/data/${random.below(5)}`
        await disk.fs.rename(path, toPath)
        model.delete(path)
        model.set(toPath, content)
      } else if (choice === 7) {
        await disk.fs.unlink(path)
        model.delete(path)
      }
      if (step % 50 === 0) disk.restart()
      for (const [name, expected] of model)
        expect(expected.equals(disk.peek(name) ?? Buffer.alloc(0))).toBe(true)
    }
    expect(disk.paths('/data')).toEqual([...model.keys()].sort())
  })
})
