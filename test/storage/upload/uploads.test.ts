import { describe, expect, it } from '@jest/globals'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import type { EntryName, RecordBegin, RecordReader, RecordWriter } from '../../../src/storage/record.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { readAsStock } from '../../support/independent/stock-reader.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { Random } from '../../support/random.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { independentFiles, openStore, write, type StoreSetup } from '../../support/storage/store.ts'

/**
 * Goal: a record whose content comes in pieces is there as a whole or has failed, whatever happens, and harms no other.
 * Method: uploads on the simulated disk, ended in every way, and looked at live, by the files alone, after a restart, and
 * with ReductStore's rules.
 */

const t0 = 1_750_000_000_000_000
const name: EntryName = { bucket: 'kafka', entry: 'camera/0' }
const at = (us: number): bigint => BigInt(t0 + us)
const setup: StoreSetup = { settings: { blockRecordsMax: 4, blockBytesMax: 4_000 } }

let disk: SimulatedDisk
const open = async (more: StoreSetup = {}): Promise<Storage> => {
  disk = new SimulatedDisk({ seed: 7 })
  return openStore(disk.fs, { ...setup, ...more })
}

function begin(us: number, contentBytes: number, more: Partial<RecordBegin> = {}): RecordBegin {
  return {
    target: name,
    timestampUs: t0 + us,
    labels: ['n', `${us}`],
    contentType: 'video/mp4',
    contentBytes,
    ...more,
  }
}

async function upload(storage: Storage, us: number, content: Uint8Array, pieceBytes = 300): Promise<void> {
  const writer = await storage.beginRecord(begin(us, content.byteLength))
  for (let from = 0; from < content.byteLength; from += pieceBytes)
    await writer.write(content.subarray(from, from + pieceBytes))
  await writer.finish()
}

/** Time, state, and content where there is one. */
async function shown(reader: RecordReader): Promise<[number, string, string?][]> {
  const rows: [number, string, string?][] = []
  for await (const record of reader.records(name, { anyState: true })) {
    const us = Number(record.timestampUs) - t0
    if (record.state === 'finished')
      rows.push([us, 'finished', Buffer.from(await record.read()).toString('hex')])
    else rows.push([us, record.state])
  }
  return rows
}

/** The rows live, by the files, by ReductStore's rules, and after a kill and after a clean stop. */
async function expectEverywhere(storage: Storage, rows: readonly [number, string, string?][]): Promise<void> {
  expect(await shown(storage)).toEqual(rows)
  expect(await shown(await openDirectory(disk.fs, '/data'))).toEqual(rows)
  disk.killProcess()
  const fs = disk.restart()
  const stock = readAsStock(await independentFiles(fs))
  expect(
    stock.records.map(({ timestampUs, state, content }) => [
      Number(timestampUs) - t0,
      ...(state === 1 ? ['finished', Buffer.from(content ?? []).toString('hex')] : ['errored']),
    ]),
  ).toEqual(rows)
  const again = await openStore(fs, setup)
  expect(await shown(again)).toEqual(rows)
  const [info] = await again.entries()
  expect(info?.recordCount).toBe(rows.length)
  await again.settle()
  expect(await shown(again)).toEqual(rows)
  await again.close()
  expect(await shown(await openDirectory(fs, '/data'))).toEqual(rows)
  expect((await verifyDirectory(fs, '/data', { checkContent: true })).findings).toEqual([])
}

const hex = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('hex')
const bytesOf = (count: number, seed = 1): Uint8Array => new Random(seed).bytes(count)

describe('an upload', () => {
  it.each([0, 1, 1_000, 10_000])(
    'of %i bytes is a record like any other when it is finished',
    async (count) => {
      const storage = await open()
      await storage.submit({ writes: [write(name, t0, 'before')] })
      const content = bytesOf(count)
      await upload(storage, 5, content)
      await storage.submit({ writes: [write(name, t0 + 9, 'after'), write(name, t0 + 2, 'late')] })
      const record = await storage.get(name, at(5))
      expect(record).toMatchObject({ labels: ['n', '5'], contentType: 'video/mp4', contentBytes: count })
      await expectEverywhere(storage, [
        [0, 'finished', hex('before')],
        [2, 'finished', hex('late')],
        [5, 'finished', hex(content)],
        [9, 'finished', hex('after')],
      ])
    },
  )

  it('larger than a block has a block of its own', async () => {
    const storage = await open()
    await storage.submit({ writes: [write(name, t0, 'before')] })
    await upload(storage, 5, bytesOf(10_000))
    await storage.submit({ writes: [write(name, t0 + 9, 'after')] })
    expect((await storage.entries())[0]).toMatchObject({ blockCount: 3, recordCount: 3 })
    await storage.close()
  })

  it('is started for readers of the store until it is finished, and too early to read', async () => {
    const storage = await open()
    const writer = await storage.beginRecord(begin(0, 4))
    await writer.write(Buffer.from('ab'))
    const early = await storage.get(name, at(0))
    expect(early?.state).toBe('started')
    const tooEarly = { code: 'ERR_RECORD_STATE', facts: { state: 'started', timestampUs: at(0) } }
    await expect(early?.read()).rejects.toMatchObject(tooEarly)
    await expect(early?.open()).rejects.toMatchObject(tooEarly)
    expect(await shown(await openDirectory(disk.fs, '/data'))).toEqual([[0, 'errored']])
    await writer.write(Buffer.from('cd'))
    await writer.finish()
    await expectEverywhere(storage, [[0, 'finished', hex('abcd')]])
  })

  it('shares a block with others that finish in any order, and with ordinary records', async () => {
    const storage = await open()
    const writers = new Map<number, RecordWriter>()
    for (const us of [0, 1, 2]) writers.set(us, await storage.beginRecord(begin(us, 600)))
    await storage.submit({ writes: [write(name, t0 + 3, 'ordinary')] })
    for (const part of [0, 300])
      for (const us of [1, 0, 2]) await writers.get(us)?.write(bytesOf(600, us).subarray(part, part + 300))
    await storage.checkpoint()
    for (const us of [2, 0, 1]) await writers.get(us)?.finish()
    expect((await storage.entries())[0]).toMatchObject({ blockCount: 1, recordCount: 4 })
    await expectEverywhere(storage, [
      ...[0, 1, 2].map((us): [number, string, string] => [us, 'finished', hex(bytesOf(600, us))]),
      [3, 'finished', hex('ordinary')],
    ])
  })

  it.each(['short', 'long', 'aborted', 'idle', 'closed', 'killed'])(
    'that is %s has failed, and harms nothing',
    async (how) => {
      const clock = new ManualClock()
      const storage = await open({ clock, limits: { uploadIdleMs: 5_000 } })
      await storage.submit({ writes: [write(name, t0, 'before')] })
      const writer = await storage.beginRecord(begin(1, 1_000))
      await storage.submit({ writes: [write(name, t0 + 2, 'after')] })
      await writer.write(bytesOf(700))
      const rows: [number, string, string?][] = [
        [0, 'finished', hex('before')],
        [1, 'errored'],
        [2, 'finished', hex('after')],
      ]
      if (how === 'short') await expect(writer.finish()).rejects.toThrow('ends after 700 of the 1000 bytes')
      if (how === 'long')
        await expect(writer.write(bytesOf(301))).rejects.toThrow('longer than the 1000 bytes')
      if (how === 'aborted') await writer.abort('the client went away')
      if (how === 'idle') await clock.advance(5_001)
      if (how === 'closed') await storage.close()
      if (how !== 'killed') {
        const why = {
          aborted: 'the client went away',
          idle: 'nothing was written for 5000 ms',
          closed: 'closed',
        }[how]
        await expect(writer.write(bytesOf(1))).rejects.toThrow(why ?? 'its upload has ended')
        await expect(writer.finish()).rejects.toMatchObject({ code: 'ERR_RECORD_STATE' })
      }
      if (how === 'closed') expect(await shown(await openDirectory(disk.fs, '/data'))).toEqual(rows)
      else if (how === 'killed') expect(await shown(storage)).toEqual([rows[0], [1, 'started'], rows[2]])
      else await expectEverywhere(storage, rows)
      if (how === 'killed') {
        disk.killProcess()
        await expectEverywhere(await openStore(disk.restart(), setup), rows)
      }
    },
  )

  it('is not removed, relabelled or folded while it runs', async () => {
    const storage = await open()
    const writer = await storage.beginRecord(begin(0, 2))
    const [removed] = await storage.removeRecords(name, [at(0)])
    const [updated] = await storage.updateLabels(name, [{ timestampUs: at(0), remove: ['n'] }])
    expect(removed?.error?.code).toBe('ERR_RECORD_STATE')
    expect(updated?.error?.code).toBe('ERR_RECORD_STATE')
    await storage.settle()
    expect(storage.openBlocks).toBe(1)
    await writer.write(Buffer.from('ok'))
    await writer.finish()
    await storage.settle()
    expect(storage.openBlocks).toBe(0)
    await expectEverywhere(storage, [[0, 'finished', hex('ok')]])
  })

  it('finds no room before it begins', async () => {
    const storage = await open({ limits: { logBytesMax: 1_000_000 } })
    await storage.submit({ writes: [write(name, t0, 'before')] })
    disk.setFreeBytes(2_000_000)
    const first = await storage.beginRecord(begin(1, 600_000))
    await expect(storage.beginRecord(begin(2, 600_000))).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
    await first.abort()
    const second = await storage.beginRecord(begin(2, 600_000))
    await second.abort()
    await storage.close()
  })
})

describe('a time that is taken', () => {
  it('is refused, but for a failed record of equal length', async () => {
    const storage = await open()
    await storage.submit({ writes: [write(name, t0, 'first'), write(name, t0 + 3, 'last')] })
    const failed = await storage.beginRecord(begin(1, 500))
    await failed.write(bytesOf(400, 3))
    const exists = { code: 'ERR_EXISTS', facts: { timestampUs: at(1) } }
    await expect(storage.beginRecord(begin(1, 500))).rejects.toMatchObject(exists)
    await failed.abort()
    await storage.settle()
    await expect(storage.beginRecord(begin(1, 501))).rejects.toMatchObject(exists)
    await expect(storage.beginRecord(begin(0, 5))).rejects.toMatchObject({ code: 'ERR_EXISTS' })

    const bytes = async (): Promise<number> => (await storage.entries())[0]?.bytes ?? 0
    const bytesBefore = await bytes()
    const again = await storage.beginRecord(
      begin(1, 500, { labels: ['other', 'x'], contentType: 'text/csv' }),
    )
    await again.write(bytesOf(500, 4))
    await again.finish()
    expect(await storage.get(name, at(1))).toMatchObject({ labels: ['other', 'x'], contentType: 'text/csv' })
    await expect(storage.beginRecord(begin(1, 500))).rejects.toMatchObject(exists)
    await storage.settle()
    expect((await storage.entries())[0]).toMatchObject({ blockCount: 1, recordCount: 3 })
    expect(Math.abs((await bytes()) - bytesBefore)).toBeLessThan(20)
    await expectEverywhere(storage, [
      [0, 'finished', hex('first')],
      [1, 'finished', hex(bytesOf(500, 4))],
      [3, 'finished', hex('last')],
    ])
  })
})

it('counts of an entry with uploads are those that its files give', async () => {
  const storage = await open()
  await upload(storage, 0, bytesOf(700))
  const failed = await storage.beginRecord(begin(1, 300))
  await failed.abort()
  await upload(storage, 2, bytesOf(0))
  const [before] = await storage.entries()
  await storage.checkpoint()
  disk.killProcess()
  const again = await openStore(disk.restart(), setup)
  expect((await again.entries())[0]).toEqual(before)
  await again.close()
})

it.each([1, 2])(
  'a crash at any moment of two uploads leaves each old or new (seed %i)',
  async (seed) => {
    const crashed = new SimulatedDisk({ seed, afterKill: 'hang' })
    let acked = 0
    const points: { disk: SimulatedDisk; acked: number; operation: number }[] = []
    const storage = await openStore(crashed.fs, setup)
    await storage.submit({ writes: [write(name, t0, 'before')] })
    let operation = 0
    crashed.onOperation = () => {
      points.push({ disk: crashed.fork(++operation), acked, operation })
    }
    const [one, other] = [bytesOf(900, 1), bytesOf(400, 2)]
    const first = await storage.beginRecord(begin(1, 900))
    const second = await storage.beginRecord(begin(2, 400))
    for (let from = 0; from < 900; from += 300) await first.write(one.subarray(from, from + 300))
    await second.write(other)
    await storage.submit({ writes: [write(name, t0 + 3, 'ordinary')] })
    acked = 1
    await second.finish()
    acked = 2
    const failed = await storage.beginRecord(begin(4, 100))
    await failed.abort()
    await first.finish()
    acked = 3
    const again = await storage.beginRecord(begin(4, 100))
    await again.write(bytesOf(100, 5))
    await again.finish()
    acked = 4
    await storage.settle()
    crashed.onOperation = undefined
    expect(points.length).toBeGreaterThan(40)

    for (const point of points) {
      for (const way of ['kill', 'power'] as const) {
        const image = point.disk.fork(point.operation)
        if (way === 'power') image.cutPower({ seed: point.operation })
        else image.killProcess()
        const fs = image.restart()
        const what = `${way} at operation ${point.operation}, seed ${seed}`
        if (way === 'kill') {
          const stock = readAsStock(await independentFiles(fs))
          const finished = stock.records.filter(({ state }) => state === 1)
          expect([what, finished.length]).toEqual([what, expect.any(Number)])
          expect(finished.every(({ content }) => content !== undefined)).toBe(true)
          expect(finished.length).toBeGreaterThanOrEqual(1 + point.acked)
        }
        const mended = await openStore(fs, setup)
        const rows = new Map((await shown(mended)).map(([us, state, content]) => [us, [state, content]]))
        const expected = (us: number, content: Uint8Array | string, since: number): void => {
          const row = rows.get(us)
          const isDone = row?.[0] === 'finished' && row[1] === hex(content)
          if (isDone || (point.acked < since && (row === undefined || row[0] === 'errored'))) return
          throw new Error(`${what}: record ${us} is ${row?.[0]}`)
        }
        expected(0, 'before', 0)
        expected(3, 'ordinary', 1)
        expected(2, other, 2)
        expected(1, one, 3)
        expected(4, bytesOf(100, 5), 4)
        await mended.close()
        const { findings } = await verifyDirectory(fs, '/data', { checkContent: true })
        expect([what, findings]).toEqual([what, []])
      }
    }
  },
  120_000,
)
