import { describe, expect, it } from '@jest/globals'
import { decodeRecord } from '../../../src/storage/codec/record-codec.ts'
import { storePaths } from '../../../src/storage/paths.ts'
import type { EntryName } from '../../../src/storage/record.ts'
import { readEntries } from '../../../src/storage/recovery/read-entries.ts'
import { readCheckpoint } from '../../../src/storage/recovery/recover.ts'
import { scanLog } from '../../../src/storage/recovery/scan-log.ts'
import type { LogFacts } from '../../../src/storage/recovery/facts.ts'
import { scanWal } from '../../../src/storage/wal/wal-codec.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: what is held of the log during recovery does not grow with the bytes in it.
 * Method: the log of a killed store on the simulated disk.
 */

const t0 = 1_750_000_000_000_000
const first: EntryName = { bucket: 'kafka', entry: 'topic/0' }
const second: EntryName = { bucket: 'kafka', entry: 'topic/1' }
const times = [0, 1, 2].map((us) => t0 + us)

async function killedStore(): Promise<{ disk: SimulatedDisk; log: LogFacts }> {
  const disk = new SimulatedDisk({ seed: 31 })
  const storage = await openStore(disk.fs)
  for (const us of times) {
    const writes = [write(first, us), write(second, us)]
    await storage.submit({ writes, delta: new Uint8Array(100).fill(us - t0 + 1) })
  }
  disk.killProcess()
  disk.restart()
  const paths = storePaths('/data')
  return { disk, log: await scanLog(disk.fs, paths, await readCheckpoint(disk.fs, paths)) }
}

describe('a scanned log', () => {
  it('says where the entries of every block lie', async () => {
    const { disk, log } = await killedStore()
    const found: [string, bigint][] = []
    for (const item of log.frames.flatMap(({ items }) => items)) {
      const entries = await readEntries(disk.fs, item)
      for (const { payloadFromBytes, payloadToBytes } of scanWal(entries).entries) {
        found.push([item.block.entry, decodeRecord(entries, payloadFromBytes, payloadToBytes).timestampUs])
      }
    }
    expect(found).toEqual(
      times.flatMap((us) => [
        ['topic/0', BigInt(us)],
        ['topic/1', BigInt(us)],
      ]),
    )
  })

  it('holds no bytes of a frame but its deltas', async () => {
    const { log } = await killedStore()
    const held = log.frames.flatMap(({ items }) => items.flatMap((item): unknown[] => Object.values(item)))
    expect(held.filter((value) => ArrayBuffer.isView(value))).toEqual([])
    const deltas = log.frames.flatMap((frame) => frame.deltas)
    expect(deltas.map((delta) => delta[0])).toEqual([1, 2, 3])
    expect(deltas.map((delta) => delta.buffer.byteLength)).toEqual([100, 100, 100])
  })

  it('names each block once', async () => {
    const { log } = await killedStore()
    expect(new Set(log.frames.flatMap(({ items }) => items.map(({ block }) => block))).size).toBe(2)
  })
})

describe('entries that have changed since their frame was verified', () => {
  it('are not taken', async () => {
    const { disk, log } = await killedStore()
    const item = log.frames[0]!.items[0]!
    disk.flipBit(item.logPath, (item.entriesInLogBytes + 1) * 8)
    await expect(readEntries(disk.fs, item)).rejects.toMatchObject({
      code: 'ERR_CORRUPT',
      message: expect.stringContaining(item.logPath),
    })
  })
})
