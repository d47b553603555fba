import { describe, expect, it } from '@jest/globals'
import { inParallel } from '../../src/base/in-parallel.ts'
import { decodeDescriptor } from '../../src/storage/codec/descriptor-codec.ts'
import type { EntryName, RecordWrite } from '../../src/storage/record.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { verifyDirectory } from '../../src/storage/verify/verify-directory.ts'
import { Random } from '../support/random.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { openStore, write } from '../support/storage/store.ts'

/**
 * Goal: records that come late without end leave blocks, WALs and memory bounded. Method: writers that never pause, and a
 * clock that stands still, so that nothing is done but what groups wait for.
 */

const t0 = 1_750_000_000_000_000
const name: EntryName = { bucket: 'kafka', entry: 'camera/0' }
const settings = { blockRecordsMax: 256 }
const groupRecordsMax = 500
const limits = { groupRecordsMax, walBytesMax: 64 * 1024, logBytesCheckpoint: 1024 * 1024 }
/** Three times the limits, once the limits since it was opened, and a group; as `OpenBlock.isCrowded` says. */
const recordsMax = 4 * settings.blockRecordsMax + groupRecordsMax
/** Of a WAL entry; content is not in it. */
const entryBytesMax = 120
const writers = 3
const batch = 50

const minuteUs = 60_000_000
const streams: Readonly<Record<string, (records: number) => number[]>> = {
  'in order behind one that is 59 minutes ahead': (records) => [
    t0,
    t0 + 59 * minuteUs,
    ...Array.from({ length: records }, (_, at) => t0 + (1 + at) * 1_000),
  ],
  descending: (records) => Array.from({ length: records }, (_, at) => t0 + (records - at) * 1_000),
  'in no order at all': (records) => shuffled(Array.from({ length: records }, (_, at) => t0 + at * 1_000)),
}

function shuffled(times: number[]): number[] {
  const random = new Random(20261123)
  for (let at = times.length - 1; at > 0; at--) {
    const other = random.below(at + 1)
    ;[times[at], times[other]] = [times[other] as number, times[at] as number]
  }
  return times
}

/** A small content, for there are many. */
function record(timestampUs: number): RecordWrite {
  return write(name, timestampUs, String(timestampUs - t0), [], '')
}

async function expectAll(storage: Storage, times: readonly number[]): Promise<void> {
  const found: number[] = []
  for await (const { timestampUs } of storage.records(name)) found.push(Number(timestampUs))
  expect(found).toEqual(times.toSorted((one, other) => one - other))
  for (let at = 0; at < times.length; at += 997) {
    const timestampUs = times[at] as number
    const record = await storage.get(name, BigInt(timestampUs))
    expect(Buffer.from((await record?.read()) ?? '').toString()).toBe(String(timestampUs - t0))
  }
}

describe.each(Object.entries(streams))('a stream %s', (_name, timesOf) => {
  it('leaves every block and WAL within its bounds, and every record is found, also after a crash', async () => {
    const disk = new SimulatedDisk({ seed: 3 })
    const { fs } = disk
    const storage = await openStore(fs, { settings, limits })
    let largestRecords = 0
    const rename = fs.rename.bind(fs)
    fs.rename = async (from, to) => {
      if (to.endsWith('.meta'))
        largestRecords = Math.max(
          largestRecords,
          decodeDescriptor(disk.peek(from) ?? new Uint8Array(0)).timestampsUs.length,
        )
      await rename(from, to)
    }
    const times = timesOf(30_000)
    const batches: number[][] = []
    for (let from = 0; from < times.length; from += batch) batches.push(times.slice(from, from + batch))
    let walBytesMax = 0
    await inParallel(writers, [...batches.entries()], async ([at, some]) => {
      await storage.submit({ writes: some.map(record) })
      if (at % 50 > 0) return
      for (const path of disk.paths('/data/kafka/camera/0/.wal'))
        walBytesMax = Math.max(walBytesMax, disk.peek(path)?.byteLength ?? 0)
    })
    const [info] = await storage.entries()
    expect(info?.recordCount).toBe(times.length)
    expect(largestRecords).toBeLessThanOrEqual(recordsMax)
    expect(walBytesMax).toBeLessThanOrEqual(recordsMax * entryBytesMax)
    expect(info?.blockCount).toBeLessThanOrEqual((2 * times.length) / settings.blockRecordsMax)

    disk.cutPower()
    await storage.close().catch(() => undefined)
    const again = await openStore(disk.restart(), { settings, limits })
    await expectAll(again, times)
    await again.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })
})
