import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { crc64 } from '../../../src/base/crc64.ts'
import type { FileKind, FileSystem } from '../../../src/fs/file-system.ts'
import { NodeFileSystem } from '../../../src/fs/node/node-file-system.ts'
import { writeAll } from '../../../src/fs/write-all.ts'
import { decodeDescriptor, encodeDescriptor } from '../../../src/storage/codec/descriptor-codec.ts'
import { encodeIndex } from '../../../src/storage/codec/index-codec.ts'
import { scanRecord } from '../../../src/storage/codec/scan-record.ts'
import { StorageError } from '../../../src/storage/errors.ts'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import type { EntryName, RecordReader, StoredRecord } from '../../../src/storage/record.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { Random } from '../../support/random.ts'
import { realClock } from '../../support/real-clock.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: a reader of a directory that a live writer changes shows what was acknowledged, all of it, and never less than
 * before but for removals. Method: both on one simulated disk whose calls interleave as the seed says; ReductStore's way of
 * writing in place; a real writer process.
 */

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }
const directory = '/data/kafka/topic/0'
const contentOf = (us: number): string => `content of ${us} `.repeat(1 + (us % 7))

/** While a reader pauses, the writer goes on. */
const pausing = { sleep: () => new Promise<void>((resolve) => setImmediate(resolve)) }

interface Shown {
  readonly content: string
  readonly version: number
}

/** What a writer has asked for and what it was told. */
class Workload {
  readonly #storage: Storage
  readonly #random: Random
  readonly begun = new Set<number>()
  readonly acknowledged = new Map<number, { version: number }>()
  readonly versionBegun = new Map<number, number>()
  readonly removalBegun = new Set<number>()
  readonly removed = new Set<number>()
  #nextUs = 1000
  #version = 0

  constructor(storage: Storage, random: Random) {
    this.#storage = storage
    this.#random = random
  }

  async step(): Promise<void> {
    const random = this.#random
    const kind = random.below(12)
    if (kind < 6) await this.#write()
    else if (kind === 6) await this.#storage.settle()
    else if (kind === 7) await this.#storage.checkpoint()
    else if (kind < 10) await this.#label()
    else await this.#remove()
  }

  async #write(): Promise<void> {
    const times: number[] = []
    for (let left = this.#random.between(1, 4); left > 0; left--) {
      // Every third one is late, in a gap between those there are.
      const isLate = this.#random.chance(0.33)
      let us = isLate ? this.#random.between(1000, this.#nextUs) : (this.#nextUs += 100)
      while (this.begun.has(us)) us += 1
      this.begun.add(us)
      times.push(us)
    }
    await this.#storage.submit({ writes: times.map((us) => write(entry, t0 + us, contentOf(us))) })
    for (const us of times) this.acknowledged.set(us, { version: 0 })
  }

  async #label(): Promise<void> {
    const us = this.#one()
    if (us === undefined) return
    const version = ++this.#version
    this.versionBegun.set(us, version)
    await this.#storage.updateLabels(entry, [
      { timestampUs: BigInt(t0 + us), set: new Map([['version', String(version)]]) },
    ])
    this.acknowledged.set(us, { version })
  }

  async #remove(): Promise<void> {
    const us = this.#one()
    if (us === undefined) return
    this.removalBegun.add(us)
    await this.#storage.removeRecords(entry, [BigInt(t0 + us)])
    this.removed.add(us)
    this.acknowledged.delete(us)
  }

  #one(): number | undefined {
    return this.acknowledged.size === 0 ? undefined : this.#random.pick([...this.acknowledged.keys()])
  }
}

async function shownBy(
  reader: RecordReader,
  mayVanish: (us: number) => boolean,
): Promise<Map<number, Shown>> {
  const shown = new Map<number, Shown>()
  let previous = -1
  for await (const record of reader.records(entry)) {
    const us = Number(record.timestampUs) - t0
    if (us <= previous) throw new Error(`${us} comes after ${previous}`)
    previous = us
    try {
      const content = Buffer.from(await record.read()).toString()
      const at = record.labels.indexOf('version')
      shown.set(us, { content, version: at < 0 ? 0 : Number(record.labels[at + 1]) })
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'ERR_NOT_FOUND' || !mayVanish(us)) throw error
    }
  }
  return shown
}

async function timesOf(reader: RecordReader): Promise<number[]> {
  const times: number[] = []
  for await (const { timestampUs } of reader.records(entry)) times.push(Number(timestampUs) - t0)
  return times
}

/** `fs`, but `act` may answer in the place of `readFile`. */
function intercepted(
  fs: FileSystem,
  act: (path: string, read: () => Promise<Uint8Array | undefined>) => Promise<Uint8Array | undefined>,
): FileSystem {
  return new Proxy(fs, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...given: unknown[]) => unknown
      if (name !== 'readFile') return method.bind(target)
      return (path: string) => act(path, () => target.readFile(path))
    },
  })
}

describe('a follower of a live store', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'shows all that was acknowledged and never goes back (seed %i)',
    async (seed) => {
      const random = new Random(seed)
      const disk = new SimulatedDisk({ seed })
      const storage = await openStore(disk.fs, {
        settings: { blockRecordsMax: 4 },
        limits: { directBytesMin: 64, holesBytesMin: 40 },
      })
      await storage.submit({ writes: [write(entry, t0, contentOf(0))] })
      const work = new Workload(storage, random)
      work.begun.add(0)
      work.acknowledged.set(0, { version: 0 })
      const reader = await openDirectory(disk.attach(), '/data', pausing)
      const run = { isDone: false }
      const writing = (async () => {
        for (let left = 60; left > 0; left--) await work.step()
      })().finally(() => (run.isDone = true))

      let before = new Map<number, Shown>()
      let scans = 0
      for (let isLast = false; !isLast; scans++) {
        isLast = run.isDone
        const acknowledged = new Map(work.acknowledged)
        const removed = new Set(work.removed)
        const shown = await shownBy(reader, (us) => work.removalBegun.has(us))
        const isGoing = (us: number): boolean => work.removalBegun.has(us)
        for (const [us, { version }] of acknowledged) {
          if (isGoing(us)) continue
          expect({ scans, us, content: shown.get(us)?.content }).toEqual({
            scans,
            us,
            content: contentOf(us),
          })
          expect(shown.get(us)?.version).toBeGreaterThanOrEqual(version)
        }
        for (const [us, { version }] of before) {
          if (isGoing(us)) continue
          expect({ scans, us, isShown: shown.has(us) }).toEqual({ scans, us, isShown: true })
          expect(shown.get(us)?.version).toBeGreaterThanOrEqual(version)
        }
        for (const [us, { version }] of shown) {
          expect({ scans, us, isBegun: work.begun.has(us) }).toEqual({ scans, us, isBegun: true })
          expect({ scans, us, isRemoved: removed.has(us) }).toEqual({ scans, us, isRemoved: false })
          expect(version).toBeLessThanOrEqual(work.versionBegun.get(us) ?? 0)
        }
        if (scans % 4 === 0) {
          const image = disk.fork(seed * 1000 + scans)
          image.cutPower({ seed: seed * 1000 + scans })
          const recovered = await openStore(image.fs, { settings: { blockRecordsMax: 4 } })
          const durable = new Set(await timesOf(recovered))
          const lost = [...shown.keys()].filter((us) => !isGoing(us) && !durable.has(us))
          expect({ scans, lost }).toEqual({ scans, lost: [] })
          await recovered.close()
        }
        before = shown
      }
      await writing
      expect([...before.keys()].sort((a, b) => a - b)).toEqual(
        [...work.acknowledged.keys()].sort((a, b) => a - b),
      )
      expect(scans).toBeGreaterThan(3)
      await storage.close()
    },
  )

  it('reads content that was moved to other blocks after it was listed', async () => {
    const disk = new SimulatedDisk({ seed: 31 })
    const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 4 } })
    await storage.submit({ writes: [100, 200, 300, 400, 500].map((us) => write(entry, t0 + us)) })
    await storage.settle()
    await storage.submit({ writes: [110, 120, 130, 140].map((us) => write(entry, t0 + us)) })
    const reader = await openDirectory(disk.attach(), '/data', pausing)
    const listed: StoredRecord[] = []
    for await (const record of reader.records(entry)) listed.push(record)
    const streamed = await (listed[5] as StoredRecord).open()
    await storage.settle()
    expect((await storage.entries())[0]?.blockCount).toBeGreaterThan(2)

    for (const record of listed)
      expect(Buffer.from(await record.read()).toString()).toBe(`content of ${record.timestampUs}`)
    const chunks: Uint8Array[] = []
    for await (const chunk of streamed.chunks()) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe(`content of ${(listed[5] as StoredRecord).timestampUs}`)
    await storage.close()
  })

  it('reads no descriptor twice', async () => {
    const disk = new SimulatedDisk({ seed: 32 })
    const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 4 } })
    await storage.submit({ writes: Array.from({ length: 12 }, (_, us) => write(entry, t0 + us)) })
    await storage.settle()
    let descriptors = 0
    const counting = intercepted(disk.attach(), (path, read) => {
      if (path.endsWith('.meta')) descriptors += 1
      return read()
    })
    const reader = await openDirectory(counting, '/data')
    expect(await timesOf(reader)).toHaveLength(12)
    expect(descriptors).toBe(3)
    await storage.submit({ writes: [write(entry, t0 + 100)] })
    await storage.settle()
    descriptors = 0
    expect(await timesOf(reader)).toHaveLength(13)
    expect(descriptors).toBe(1)
    await storage.close()
  })

  it('does not believe an older index that it is shown for a moment', async () => {
    const disk = new SimulatedDisk({ seed: 33 })
    const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 2 } })
    await storage.submit({ writes: [0, 1].map((us) => write(entry, t0 + us)) })
    await storage.settle()
    const older = await disk.fs.readFile(`${directory}/blocks.idx`)
    await storage.submit({ writes: [2, 3].map((us) => write(entry, t0 + us)) })
    await storage.settle()
    let stale = 0
    const reader = await openDirectory(
      intercepted(disk.attach(), async (path, read) => {
        if (!path.endsWith('blocks.idx') || stale === 0) return read()
        stale -= 1
        return older
      }),
      '/data',
    )
    expect(await timesOf(reader)).toEqual([0, 1, 2, 3])
    stale = 4
    expect(await timesOf(reader)).toEqual([0, 1, 2, 3])
    expect(stale).toBe(0)
    await storage.close()
  })

  it('gives up on an index that never holds still', async () => {
    const disk = new SimulatedDisk({ seed: 34 })
    const storage = await openStore(disk.fs)
    await storage.submit({ writes: [write(entry, t0)] })
    let reads = 0
    const reader = await openDirectory(
      intercepted(disk.attach(), async (path, read) => {
        const bytes = await read()
        if (!path.endsWith('blocks.idx') || bytes === undefined) return bytes
        reads += 1
        // A field that nobody knows, with another value each time.
        return Buffer.concat([bytes, Buffer.from([0x98, 0x06, reads % 128])])
      }),
      '/data',
    )
    await expect(timesOf(reader)).rejects.toMatchObject({ code: 'ERR_BUSY' })
    await storage.close()
  })

  it('says that an entry is gone which was renamed during a scan, instead of ending it', async () => {
    const disk = new SimulatedDisk({ seed: 35 })
    const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 2 } })
    await storage.submit({ writes: Array.from({ length: 6 }, (_, us) => write(entry, t0 + us)) })
    await storage.settle()
    const reader = await openDirectory(disk.attach(), '/data', pausing)
    const scan = reader.records(entry)[Symbol.asyncIterator]()
    await scan.next()
    await storage.renameEntry(entry, 'other')
    const rest = async (): Promise<void> => {
      while ((await scan.next()).done !== true);
    }
    await expect(rest()).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    expect((await reader.entries()).map((info) => info.entry)).toEqual(['other'])
    await storage.close()
  })
})

/** A directory without anything of ours, with one block of `count` records of which the writer is to save more and more. */
async function foreignBlock(disk: SimulatedDisk, count: number): Promise<(records: number) => Promise<void>> {
  const storage = await openStore(disk.fs)
  await storage.submit({
    writes: Array.from({ length: count }, (_, us) => write(entry, t0 + us, contentOf(us))),
  })
  await storage.close()
  const fs = disk.fs
  await fs.removeTree('/data/.sediment')
  const path = `${directory}/${t0}.meta`
  const { bytes, recordFromBytes, recordToBytes } = decodeDescriptor((await fs.readFile(path)) as Uint8Array)
  const records = Array.from(recordFromBytes, (from, index) => bytes.subarray(from, recordToBytes[index]))
  const overwrite = async (file: { path: string; kind: FileKind }, now: Uint8Array): Promise<void> => {
    const half = now.byteLength >> 1
    await writeAll(fs, 'projection', [{ file, atBytes: 0, bytes: now.subarray(0, half) }])
    await writeAll(fs, 'projection', [{ file, atBytes: half, bytes: now.subarray(half) }])
    await fs.syncFiles([file])
  }
  return async (saved) => {
    const kept = records.slice(0, saved)
    const last = kept.at(-1) as Uint8Array
    const { endBytes } = scanRecord(last, 0, last.byteLength)
    const meta = encodeDescriptor({ id: BigInt(t0), sizeBytes: endBytes }, kept)
    const index = encodeIndex([
      {
        id: BigInt(t0),
        sizeBytes: BigInt(endBytes),
        recordCount: saved,
        metadataBytes: BigInt(meta.byteLength),
        latestUs: BigInt(t0 + saved - 1),
        crc64: crc64(meta),
      },
    ]).bytes
    // As ReductStore does it: the descriptor gets its length first, the index is cut to nothing.
    const descriptorFile = { path, kind: 'descriptor' } as const
    const indexFile = { path: `${directory}/blocks.idx`, kind: 'index' } as const
    await fs.truncate(descriptorFile, meta.byteLength)
    await overwrite(descriptorFile, meta)
    await fs.truncate(indexFile, 0)
    await overwrite(indexFile, index)
  }
}

describe('a follower of ReductStore', () => {
  it.each([41, 42, 43, 44])('is not fooled by files that are written in place (seed %i)', async (seed) => {
    const disk = new SimulatedDisk({ seed })
    const save = await foreignBlock(disk, 30)
    await save(1)
    const reader = await openDirectory(disk.attach(), '/data', pausing)
    const run = { isDone: false, saved: 1 }
    const writing = (async () => {
      for (let count = 2; count <= 30; count++) {
        await save(count)
        run.saved = count
      }
    })().finally(() => (run.isDone = true))
    let before = 1
    let scans = 0
    for (let isLast = false; !isLast; scans++) {
      isLast = run.isDone
      const { saved } = run
      const times = await timesOf(reader)
      expect(times).toEqual(Array.from({ length: times.length }, (_, us) => us))
      expect(times.length).toBeGreaterThanOrEqual(Math.max(saved, before))
      const [info] = await reader.entries()
      expect(info?.recordCount).toBeGreaterThanOrEqual(times.length)
      before = times.length
    }
    await writing
    expect(before).toBe(30)
    expect(scans).toBeGreaterThan(1)
  })

  it('looks again before it shows less, and then shows what the files say', async () => {
    const disk = new SimulatedDisk({ seed: 45 })
    const save = await foreignBlock(disk, 5)
    let indexReads = 0
    const reader = await openDirectory(
      intercepted(disk.attach(), (path, read) => {
        if (path.endsWith('blocks.idx')) indexReads += 1
        return read()
      }),
      '/data',
    )
    expect(await timesOf(reader)).toEqual([0, 1, 2, 3, 4])
    expect(indexReads).toBe(2)
    await save(3)
    expect(await timesOf(reader)).toEqual([0, 1, 2])
    expect(indexReads).toBeGreaterThan(2 + 2 * 4)
    indexReads = 0
    expect(await timesOf(reader)).toEqual([0, 1, 2])
    expect(indexReads).toBe(2)
  })

  it('shows what the descriptors say where the index stays empty', async () => {
    const disk = new SimulatedDisk({ seed: 46 })
    await foreignBlock(disk, 5)
    await disk.fs.truncate({ path: `${directory}/blocks.idx`, kind: 'index' }, 0)
    expect(await timesOf(await openDirectory(disk.attach(), '/data', pausing))).toEqual([0, 1, 2, 3, 4])
  })
})

describe('a follower in another process', () => {
  it('shows what the writer says it was told, at any moment', async () => {
    const root = mkdtempSync(join(tmpdir(), 'sediment-follow-'))
    const program = fileURLToPath(new URL('./followed-writer.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', program, root], {
      env: { ...process.env, TSX_DISABLE_CACHE: '1', NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const state = { acknowledged: 0 }
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    const begun = new Promise<void>((resolve) => {
      let text = ''
      child.stdout.setEncoding('utf8').on('data', (more: string) => {
        text += more
        const lines = text.split('\n')
        text = lines.pop() as string
        for (const line of lines) state.acknowledged = Number(line)
        resolve()
      })
    })
    const run = { isDone: false }
    void ended.then(() => (run.isDone = true))
    await Promise.race([begun, ended])
    const fs = await NodeFileSystem.open()
    try {
      const reader = await openDirectory(fs, root, realClock)
      let before = 0
      for (let isLast = false; !isLast;) {
        isLast = run.isDone
        const { acknowledged } = state
        const times: number[] = []
        for await (const record of reader.records(entry)) {
          const us = Number(record.timestampUs) - t0
          times.push(us)
          expect(Buffer.from(await record.read()).toString()).toBe(`content of ${t0 + us}`)
        }
        expect(times).toEqual(Array.from({ length: times.length }, (_, us) => us))
        expect(times.length).toBeGreaterThanOrEqual(Math.max(acknowledged, before))
        before = times.length
        await realClock.sleep(5)
      }
      expect(await ended).toBe(0)
      expect(before).toBe(600)
    } finally {
      await fs.close()
      child.kill('SIGKILL')
      rmSync(root, { recursive: true })
    }
  }, 30_000)
})
