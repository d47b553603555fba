import { describe, expect, it } from '@jest/globals'
import type { ContentReader, EntryName, RecordReader, StoredRecord } from '../../../src/storage/record.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import { Random } from '../../support/random.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: a reader beside removals leaves out nothing that stays, shows nothing twice, and never other bytes than those
 * of the record it asked for.
 * Method: the store acts between two steps of a scan; files are damaged under records.
 */

const t0 = 1_750_000_000_000_000
const name: EntryName = { bucket: 'kafka', entry: 'camera/0' }
const at = (us: number): bigint => BigInt(t0 + us)

async function storeOf(count: number): Promise<{ disk: SimulatedDisk; storage: Storage }> {
  const disk = new SimulatedDisk({ seed: 5 })
  const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 4 } })
  const writes = Array.from({ length: count }, (_, us) => write(name, t0 + us, `c${us}`))
  await storage.submit({ writes })
  return { disk, storage }
}

async function requireRecord(reader: RecordReader, us = 0): Promise<StoredRecord> {
  const record = await reader.get(name, at(us))
  if (record === undefined) throw new Error(`no record at ${us}`)
  return record
}

async function collect(content: ContentReader, chunkBytes?: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const chunk of content.chunks(chunkBytes)) parts.push(chunk)
  return Buffer.concat(parts)
}

function dataPath(disk: SimulatedDisk): string {
  return disk.paths('/data').find((path) => path.endsWith('.blk')) ?? ''
}

describe('a scan', () => {
  it('goes on behind what it has passed when blocks ahead of it are removed', async () => {
    const { storage } = await storeOf(16)
    await storage.settle()
    const times: number[] = []
    for await (const record of storage.records(name)) {
      const us = Number(record.timestampUs) - t0
      times.push(us)
      expect(Buffer.from(await record.read()).toString()).toBe(`c${us}`)
      if (us === 1) await storage.removeRange(name, { startUs: at(4), stopUs: at(9) })
    }
    expect(times).toEqual([0, 1, 2, 3, 9, 10, 11, 12, 13, 14, 15])
  })

  it('shows each record once while blocks are folded, reopened, removed and begun around it', async () => {
    const { storage } = await storeOf(40)
    const random = new Random(3)
    const gone = new Set<number>()
    const shown: number[] = []
    for await (const { timestampUs } of storage.records(name)) {
      const us = Number(timestampUs) - t0
      shown.push(us)
      const victim = random.below(40)
      if (random.chance(0.3)) await storage.removeRecords(name, [at(victim)])
      if (random.chance(0.2)) await storage.settle()
      if (random.chance(0.2)) await storage.submit({ writes: [write(name, t0 + 100 + us)] })
      if ((await storage.get(name, at(victim))) === undefined) gone.add(victim)
    }
    expect(shown).toEqual([...new Set(shown)].sort((one, other) => one - other))
    for (let us = 0; us < 40; us++) if (!shown.includes(us)) expect(gone).toContain(us)
  })

  it('keeps the data file of a removed block until it has passed it, and gives its id to nobody', async () => {
    const { disk, storage } = await storeOf(8)
    await storage.settle()
    const path = dataPath(disk)
    const scan = storage.records(name)
    await scan.next()
    await storage.removeRange(name)
    await storage.checkpoint()
    await storage.checkpoint()
    await storage.submit({ writes: [write(name, t0, 'new')] })
    expect(disk.peek(path)).toBeDefined()
    await scan.return(undefined)
    await storage.checkpoint()
    expect(disk.peek(path)).toBeUndefined()
    expect(Buffer.from(await (await requireRecord(storage, 1)).read()).toString()).toBe('new')
    await storage.close()
    expect(Buffer.from(await (await requireRecord(await openDirectory(disk.fs, '/data'), 1)).read())).toEqual(
      Buffer.from('new'),
    )
  })
})

describe('a record that was removed', () => {
  it.each([
    ['with its block', 0, 4],
    ['from its block', 1, 2],
  ])('%s is not found, also where another has come to its time', async (_how, from, to) => {
    const { disk, storage } = await storeOf(8)
    const record = await requireRecord(storage, 1)
    const beside = await requireRecord(await openDirectory(disk.fs, '/data'), 1)
    await storage.removeRange(name, { startUs: at(from), stopUs: at(to) })
    await expect(record.read()).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      facts: { timestampUs: at(1) },
    })
    await storage.checkpoint()
    await storage.submit({ writes: [write(name, t0 + 1, 'other bytes')] })
    await expect(record.read()).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    await expect(record.open()).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    if (from === 0) await expect(beside.read()).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    await storage.close()
  })

  it('stays readable for whoever has opened it', async () => {
    const { disk, storage } = await storeOf(8)
    const path = dataPath(disk)
    const content = await (await requireRecord(storage, 2)).open()
    await storage.removeRange(name)
    expect((await collect(content)).toString()).toBe('c2')
    expect(Buffer.from(await content.read(1, 9)).toString()).toBe('2')
    content.close()
    await expect(content.read(0, 1)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await storage.checkpoint()
    expect(disk.peek(path)).toBeUndefined()
  })
})

describe('content in parts', () => {
  const bytes = new Random(8).bytes(1_000)

  async function opened(content: Uint8Array = bytes): Promise<{ disk: SimulatedDisk; storage: Storage }> {
    const disk = new SimulatedDisk({ seed: 6 })
    const storage = await openStore(disk.fs)
    const writes = [write(name, t0, content), write(name, t0 + 1, 'neighbour'), write(name, t0 + 2, '')]
    await storage.submit({ writes })
    return { disk, storage }
  }

  it('is the record and nothing beyond it, at any place and size', async () => {
    const { storage } = await opened()
    const content = await (await requireRecord(storage)).open()
    expect(content.contentBytes).toBe(1_000)
    for (const size of [1, 7, 333, 999, 1_000, 5_000])
      expect(await collect(content, size)).toEqual(Buffer.from(bytes))
    for (const [from, length] of [
      [0, 10],
      [990, 100],
      [1_000, 5],
      [4_000, 5],
      [-3, 10],
      [5, -1],
    ] as const) {
      const begin = Math.max(0, Math.min(from, 1_000))
      expect(Buffer.from(await content.read(from, length))).toEqual(
        Buffer.from(bytes.subarray(begin, begin + Math.max(0, length))),
      )
    }
    content.close()
  })

  it('of zero length reads no file', async () => {
    const { disk, storage } = await opened()
    await storage.settle()
    const path = dataPath(disk)
    const record = await requireRecord(storage, 2)
    await disk.fs.unlink(path)
    const content = await record.open()
    expect(await collect(content)).toEqual(Buffer.alloc(0))
    expect((await record.read()).byteLength).toBe(0)
    content.close()
  })

  it('is read in pieces of the size asked for, never whole', async () => {
    const { disk, storage } = await opened(new Random(1).bytes(200_000))
    await storage.settle()
    let largest = 0
    const counting = new Proxy(disk.fs, {
      get(target, key) {
        const method = Reflect.get(target, key) as (...given: unknown[]) => unknown
        if (key !== 'read') return method.bind(target)
        return (path: string, from: number, length: number) => {
          largest = Math.max(largest, length)
          return target.read(path, from, length)
        }
      },
    })
    const content = await (await requireRecord(await openDirectory(counting, '/data'))).open()
    expect((await collect(content, 1_000)).byteLength).toBe(200_000)
    expect(largest).toBe(1_000)
  })

  it.each(['live', 'directory'])(
    'with a flipped bit ends in an error before its last chunk (%s)',
    async (kind) => {
      const { disk, storage } = await opened()
      await storage.settle()
      const reader = kind === 'live' ? storage : await openDirectory(disk.fs, '/data')
      disk.flipBit(dataPath(disk), 8 * 500)
      const record = await requireRecord(reader)
      const corrupt = {
        code: 'ERR_CORRUPT',
        facts: { bucket: 'kafka', entry: 'camera/0', timestampUs: at(0) },
        message: expect.stringContaining(`kafka/camera/0 at ${t0}`) as unknown,
      }
      const content = await record.open()
      let read = 0
      const reading = async (): Promise<void> => {
        for await (const chunk of content.chunks(100)) read += chunk.byteLength
      }
      await expect(reading()).rejects.toMatchObject(corrupt)
      expect(read).toBe(900)
      await expect(content.read(0, 1)).rejects.toMatchObject(corrupt)
      await expect(record.read()).rejects.toMatchObject(corrupt)
      expect(Buffer.from(await (await requireRecord(reader, 1)).read()).toString()).toBe('neighbour')
      content.close()
    },
  )

  it.each(['missing', 'short'])('in a %s data file is an error of that record', async (what) => {
    const { disk, storage } = await opened()
    await storage.settle()
    const path = dataPath(disk)
    if (what === 'missing') await disk.fs.unlink(path)
    else await disk.fs.truncate({ path, kind: 'data' }, 700)
    for (const reader of [storage, await openDirectory(disk.fs, '/data')]) {
      const record = await requireRecord(reader)
      const content = await record.open()
      const corrupt = { code: 'ERR_CORRUPT', facts: { entry: 'camera/0', timestampUs: at(0) } }
      await expect(collect(content)).rejects.toMatchObject(corrupt)
      await expect(record.read()).rejects.toMatchObject(corrupt)
      expect((await (await requireRecord(reader, 2)).read()).byteLength).toBe(0)
      content.close()
    }
  })
})
