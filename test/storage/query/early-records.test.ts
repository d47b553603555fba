import { describe, expect, it } from '@jest/globals'
import { crc64 } from '../../../src/base/crc64.ts'
import { decodeDescriptor, encodeDescriptor } from '../../../src/storage/codec/descriptor-codec.ts'
import { encodeIndex } from '../../../src/storage/codec/index-codec.ts'
import { indexEntryOf } from '../../../src/storage/codec/index-entry.ts'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import type { EntryName, RecordReader } from '../../../src/storage/record.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: a record that is earlier than the id of its block is found by its time as well as by ranges.
 * Method: blocks of ours get other ids, in a directory without anything of ours.
 */

const t0 = 1_750_000_000_000_000
const name: EntryName = { bucket: 'b', entry: 'a' }
const directory = '/data/b/a'
const allUs = [0, 100, 200, 300]

/** Two blocks of two records, each with an id between its records. */
async function foreignDirectory(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 2 })
  const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 2 } })
  await storage.submit({ writes: allUs.map((us) => write(name, t0 + us)) })
  await storage.close()
  await disk.fs.removeTree('/data/.sediment')
  const listed = []
  for (const us of [0, 200]) {
    const { bytes, recordFromBytes, recordToBytes, sizeBytes } = decodeDescriptor(
      disk.peek(`${directory}/${t0 + us}.meta`) as Uint8Array,
    )
    const records = Array.from(recordFromBytes, (from, index) => bytes.subarray(from, recordToBytes[index]))
    const id = BigInt(t0 + us + 50)
    const descriptor = encodeDescriptor({ id, sizeBytes }, records)
    disk.putFile(`${directory}/${id}.meta`, descriptor)
    disk.putFile(`${directory}/${id}.blk`, disk.peek(`${directory}/${t0 + us}.blk`) as Uint8Array)
    for (const suffix of ['meta', 'blk']) await disk.fs.unlink(`${directory}/${t0 + us}.${suffix}`)
    listed.push({ ...indexEntryOf(id, decodeDescriptor(descriptor)), crc64: crc64(descriptor) })
  }
  disk.putFile(`${directory}/blocks.idx`, encodeIndex(listed).bytes)
  return disk
}

async function foundByTime(reader: RecordReader, wantedUs: readonly number[]): Promise<number[]> {
  const found: number[] = []
  for (const us of wantedUs) {
    const record = await reader.get(name, BigInt(t0 + us))
    if (record === undefined) continue
    expect(Buffer.from(await record.read()).toString()).toBe(`content of ${t0 + us}`)
    found.push(us)
  }
  return found
}

describe('a record earlier than the id of its block', () => {
  it('is found by its time in a directory', async () => {
    const disk = await foreignDirectory()
    expect(await foundByTime(await openDirectory(disk.fs, '/data'), allUs)).toEqual(allUs)
  })

  it('is found by its time in a store that took the directory over, beside records of its own', async () => {
    const disk = await foreignDirectory()
    const storage = await openStore(disk.fs)
    expect(await foundByTime(storage, allUs)).toEqual(allUs)
    await storage.submit({ writes: [10, 260, 400].map((us) => write(name, t0 + us)) })
    const nowUs = [...allUs, 10, 260, 400].sort((a, b) => a - b)
    expect(await foundByTime(storage, nowUs)).toEqual(nowUs)
    expect(await foundByTime(storage, [5, 150, 500])).toEqual([])
    expect(
      await storage.updateLabels(name, [{ timestampUs: BigInt(t0), set: new Map([['a', '1']]) }]),
    ).toEqual([{ timestampUs: BigInt(t0) }])
    await storage.settle()
    expect(await foundByTime(storage, nowUs)).toEqual(nowUs)
    await storage.close()
  })

  it('is found by ranges that end at or below this id, in a directory and in a store', async () => {
    const disk = await foreignDirectory()
    const inRange = async (reader: RecordReader, fromUs: number, toUs: number): Promise<number[]> => {
      const found: number[] = []
      const range = { startUs: BigInt(t0 + fromUs), stopUs: BigInt(t0 + toUs) }
      for await (const { timestampUs } of reader.records(name, range)) found.push(Number(timestampUs) - t0)
      return found
    }
    const storage = await openStore(disk.fork(1).fs)
    for (const reader of [await openDirectory(disk.fs, '/data'), storage])
      for (let fromUs = 0; fromUs <= 350; fromUs += 50)
        for (let toUs = fromUs + 50; toUs <= 350; toUs += 50)
          expect({ fromUs, toUs, found: await inRange(reader, fromUs, toUs) }).toEqual({
            fromUs,
            toUs,
            found: allUs.filter((us) => us >= fromUs && us < toUs),
          })
    expect(await storage.removeRange(name, { startUs: BigInt(t0 + 150), stopUs: BigInt(t0 + 240) })).toBe(1)
    expect(await inRange(storage, 0, 350)).toEqual([0, 100, 300])
    await storage.close()
  })

  it('is missed, and no range before it is, where its block is damaged', async () => {
    const disk = await foreignDirectory()
    disk.flipBit(`${directory}/${t0 + 250}.meta`, 77)
    const found: number[] = []
    for await (const { timestampUs } of (await openDirectory(disk.fs, '/data')).records(name, {
      stopUs: BigInt(t0 + 240),
    }))
      found.push(Number(timestampUs) - t0)
    expect(found).toEqual([0, 100])
  })

  it('costs a time without record one more descriptor at most, however many blocks there are', async () => {
    const disk = new SimulatedDisk({ seed: 2 })
    const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 2 } })
    await storage.submit({
      writes: Array.from({ length: 400 }, (_, index) => write(name, t0 + 10 * index)),
    })
    await storage.close()
    const read: string[] = []
    const counting = new Proxy(disk.fs, {
      get(target, key) {
        const method = Reflect.get(target, key) as (...given: unknown[]) => unknown
        if (key !== 'readFile') return method.bind(target)
        return (path: string) => {
          if (path.endsWith('.meta')) read.push(path)
          return method.call(target, path)
        }
      },
    })
    const again = await openStore(counting)
    read.length = 0
    expect(await again.get(name, BigInt(t0 + 1005))).toBeUndefined()
    expect(read.length).toBeLessThanOrEqual(2)
    await again.close()
  })
})
