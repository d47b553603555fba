import { describe, expect, it } from '@jest/globals'
import type { BatchOptions, EntryName, RecordReader } from '../../../src/storage/record.ts'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { Random } from '../../support/random.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: contents that are read along are those of their records, checked, whatever lies where.
 * Method: small batches over blocks with many sizes, orders, holes and damage, against what was written.
 */

const t0 = 1_750_000_000_000_000
const name: EntryName = { bucket: 'kafka', entry: 'camera/0' }

async function storeOf(
  contents: ReadonlyMap<number, Uint8Array>,
): Promise<{ disk: SimulatedDisk; storage: Storage }> {
  const disk = new SimulatedDisk({ seed: 5 })
  const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 50 } })
  for (const [us, content] of contents) await storage.submit({ writes: [write(name, t0 + us, content)] })
  return { disk, storage }
}

/** Copies of what was read along, by time, and how many came with each batch. */
async function readAlong(
  reader: RecordReader,
  options: BatchOptions = {},
): Promise<{ contents: Map<number, Uint8Array | undefined>; counts: number[] }> {
  const contents = new Map<number, Uint8Array | undefined>()
  const counts: number[] = []
  for await (const batch of reader.batches(name, { contents: true, batchBytes: 1024, ...options })) {
    counts.push(batch.length)
    for (const { timestampUs, content } of batch) contents.set(Number(timestampUs) - t0, content?.slice())
  }
  return { contents, counts }
}

function someContents(count: number, random: Random): Map<number, Uint8Array> {
  const times = Array.from({ length: count }, (_, us) => us)
  for (let at = count - 1; at > 0; at--) {
    const other = random.between(Math.max(0, at - 9), at)
    ;[times[at], times[other]] = [times[other] as number, times[at] as number]
  }
  return new Map(times.map((us) => [us, random.bytes(random.chance(0.1) ? 0 : random.below(700))]))
}

function byTime(contents: ReadonlyMap<number, Uint8Array>): [number, Uint8Array][] {
  return [...contents].sort(([one], [other]) => one - other)
}

/** A matcher looks at bytes one by one. */
function asText(contents: Iterable<readonly [number, Uint8Array | undefined]>): string[] {
  return Array.from(contents, ([us, content]) => `${us} ${content && Buffer.from(content).toString('hex')}`)
}

describe('batches', () => {
  it.each([1, 2, 3, 4])(
    'hold every record with its content, in the order of time (seed %i)',
    async (seed) => {
      const random = new Random(seed)
      const contents = someContents(220, random)
      const { disk, storage } = await storeOf(contents)
      for (const us of [3, 60, 61, 62, 140]) {
        await storage.removeRecords(name, [BigInt(t0 + us)])
        contents.delete(us)
      }
      const expected = byTime(contents)
      for (const reader of [storage, await openDirectory(disk.fs, '/data')]) {
        const read = await readAlong(reader)
        expect(asText(read.contents)).toEqual(asText(expected))
        expect(Math.max(...read.counts)).toBeGreaterThan(1)
        const part = await readAlong(reader, { startUs: BigInt(t0 + 31), stopUs: BigInt(t0 + 152) })
        expect(asText(part.contents)).toEqual(asText(expected.filter(([us]) => us >= 31 && us < 152)))
      }
    },
  )

  it('come without contents unless these are asked for, and their records can be read', async () => {
    const contents = someContents(60, new Random(7))
    const { storage } = await storeOf(contents)
    for await (const batch of storage.batches(name))
      for (const record of batch) {
        expect(record.content).toBeUndefined()
        expect(await record.read()).toEqual(contents.get(Number(record.timestampUs) - t0))
      }
  })

  it('leave out the content of a record eight times as large as a batch, which can still be read', async () => {
    const random = new Random(9)
    const contents = new Map([8 * 1024, 8 * 1024 + 1, 10].map((bytes, us) => [us, random.bytes(bytes)]))
    const { storage } = await storeOf(contents)
    const along = [...(await readAlong(storage)).contents]
    expect(along.map(([, content]) => content?.byteLength)).toEqual([8 * 1024, undefined, 10])
    for await (const [, record] of storage.batches(name))
      expect(await record?.read()).toEqual(contents.get(1))
  })

  it('never show bytes that are not those of the record: the one that is damaged says so', async () => {
    const { disk, storage } = await storeOf(
      new Map(Array.from({ length: 9 }, (_, us) => [us, Buffer.from(`content ${us}`)])),
    )
    await storage.close()
    const path = disk.paths('/data').find((found) => found.endsWith('.blk')) ?? ''
    disk.flipBit(path, 8 * (4 * 9 + 2))
    const reader = await openDirectory(disk.fs, '/data')
    const { contents } = await readAlong(reader)
    expect([...contents].filter(([, content]) => content === undefined).map(([us]) => us)).toEqual([4])
    for await (const batch of reader.batches(name, { contents: true }))
      await expect(batch[4]?.read()).rejects.toMatchObject({
        code: 'ERR_CORRUPT',
        facts: { timestampUs: BigInt(t0 + 4) },
      })
  })

  it('take their contents back, and read them anew for who asks later', async () => {
    const contents = someContents(120, new Random(11))
    const { storage } = await storeOf(contents)
    const all = []
    for await (const batch of storage.batches(name, { contents: true, batchBytes: 1024 })) {
      const [first] = batch
      expect(await first?.read()).toEqual(contents.get(Number(first?.timestampUs) - t0))
      all.push(...batch)
    }
    for (const record of all) {
      expect(record.content).toBeUndefined()
      expect(await record.read()).toEqual(contents.get(Number(record.timestampUs) - t0))
    }
  })
})
