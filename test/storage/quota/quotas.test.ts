import { describe, expect, it } from '@jest/globals'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import { silentStorageObserver, type StorageObserver } from '../../../src/storage/observer.ts'
import type { BucketSettings, EntryName, RecordReader } from '../../../src/storage/record.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { ManualClock, settled } from '../../support/manual-clock.ts'
import { Random } from '../../support/random.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: a bucket keeps its quota, by refusing or by letting its oldest blocks go, and always knows what it uses.
 * Method: small blocks on the simulated disk; usage is compared with the sum over all blocks, and what is left with
 * what was acknowledged, live, after crashes at every operation, and by a reader that only has the files.
 */

const t0 = 1_750_000_000_000_000
const entry = (name: string): EntryName => ({ bucket: 'b', entry: name })
const fifo = (bytes: number): Partial<BucketSettings> => ({
  blockRecordsMax: 4,
  quota: { kind: 'fifo', bytes },
})
const content = (us: number): Buffer => Buffer.alloc(100, us % 251)

async function times(reader: RecordReader, name: EntryName): Promise<number[]> {
  const found: number[] = []
  for await (const record of reader.records(name)) {
    const us = Number(record.timestampUs) - t0
    expect(Buffer.from(await record.read())).toEqual(content(us))
    found.push(us)
  }
  return found
}

async function put(storage: Storage, name: EntryName, ...us: number[]): Promise<void> {
  await storage.submit({ writes: us.map((at) => write(name, t0 + at, content(at), [], '')) })
}

const used = (storage: Storage): number => storage.buckets()[0]?.usedBytes ?? 0

async function summed(storage: Storage): Promise<number> {
  return (await storage.entries({ attachments: true })).reduce((sum, { bytes }) => sum + bytes, 0)
}

describe('usage', () => {
  it('is the sum over all blocks after every change and every restart', async () => {
    const disk = new SimulatedDisk({ seed: 4 })
    const random = new Random(4)
    const setup = { settings: { blockRecordsMax: 4 } }
    let storage = await openStore(disk.fs, setup)
    const names = [entry('a'), entry('a/b'), entry('a/$meta'), entry('c')]
    let us = 0
    for (let step = 0; step < 120; step++) {
      const name = names[random.below(names.length)] as EntryName
      const kind = random.below(10)
      const isThere = (await storage.entries({ attachments: true })).some((one) => one.entry === name.entry)
      if (kind < 5 || !isThere) await put(storage, name, us++, us++, random.below(500) + 1000 * step)
      else if (kind === 5) await storage.removeRange(name, { stopUs: BigInt(t0 + us / 2) })
      else if (kind === 6) {
        const at = (await times(storage, name))[0]
        if (at !== undefined)
          await storage.updateLabels(name, [
            { timestampUs: BigInt(t0 + at), set: new Map([['l', `${step}`]]) },
          ])
      } else if (kind === 7) await storage.settle()
      else if (kind === 8 && random.chance(0.3)) await storage.removeEntry(name)
      else if (kind === 9 && random.chance(0.5)) {
        disk.killProcess()
        storage = await openStore(disk.restart(), setup)
      }
      expect([step, kind, used(storage)]).toEqual([step, kind, await summed(storage)])
    }
    await storage.renameBucket('b', 'd')
    expect(used(storage)).toBe(await summed(storage))
    await storage.close()
  })
})

describe('a hard quota', () => {
  it('refuses what does not fit, nothing of it is stored, and its stream waits for a new one', async () => {
    const disk = new SimulatedDisk({ seed: 4 })
    const refused: string[] = []
    const observer: StorageObserver = {
      ...silentStorageObserver,
      quotaRefused: ({ bucket }) => refused.push(bucket),
    }
    const settings: Partial<BucketSettings> = { quota: { kind: 'hard', bytes: 1_000 } }
    const storage = await openStore(disk.fs, { settings, observer })
    await put(storage, entry('a'), 0, 1, 2)
    const stream = {}
    const submit = (...us: number[]) =>
      storage.submit({ writes: us.map((at) => write(entry('a'), t0 + at, content(at), [], '')), stream })
    const tooMuch = submit(3, 4, 5)
    const behind = submit(6)
    await expect(tooMuch).rejects.toMatchObject({
      code: 'ERR_QUOTA',
      message: expect.stringMatching(/^quota of bucket 'b' exceeded: \d+ of 1000 bytes/) as unknown,
    })
    await expect(behind).rejects.toMatchObject({ code: 'ERR_QUOTA' })
    expect(refused).toEqual(['b'])
    expect(await times(storage, entry('a'))).toEqual([0, 1, 2])
    expect([storage.hasRoom('b', 684), storage.hasRoom('b', 100), storage.hasRoom('none', 1)]).toEqual([
      false,
      true,
      true,
    ])
    await storage.changeBucketSettings('b', { quota: { kind: 'hard', bytes: 2_000 } })
    expect(storage.hasRoom('b', 684)).toBe(true)
    await put(storage, entry('a'), 3, 4, 5)
    expect(used(storage)).toBeLessThanOrEqual(2_000)
    await storage.close()
  })
})

describe('a fifo quota', () => {
  it('lets the oldest blocks of all entries go, never attachments, and never stops writing', async () => {
    const disk = new SimulatedDisk({ seed: 4 })
    let evicted = 0
    const observer: StorageObserver = {
      ...silentStorageObserver,
      blockEvicted: ({ records }) => (evicted += records),
    }
    const storage = await openStore(disk.fs, { settings: fifo(8_000), observer })
    await put(storage, entry('a/$meta'), 0)
    for (let us = 1; us <= 200; us++) {
      await put(storage, entry(us % 2 === 0 ? 'a' : 'c'), us)
      expect(used(storage)).toBeLessThanOrEqual(8_000)
    }
    expect(used(storage)).toBeGreaterThan(6_000)
    const left = [...(await times(storage, entry('a'))), ...(await times(storage, entry('c')))]
    left.sort((a, b) => a - b)
    // Whole blocks of four go, of two entries in turn: at the border only one of the two may be gone yet.
    const firstWhole = (left[0] ?? 0) + 8
    expect(left.filter((us) => us >= firstWhole)).toEqual(
      Array.from({ length: 201 - firstWhole }, (_, index) => firstWhole + index),
    )
    expect(await times(storage, entry('a/$meta'))).toEqual([0])
    expect(evicted).toBe(200 - left.length)
    expect(used(storage)).toBe(await summed(storage))
    disk.killProcess()
    const again = await openStore(disk.restart(), { settings: fifo(8_000) })
    expect(
      [...(await times(again, entry('a'))), ...(await times(again, entry('c')))].sort((a, b) => a - b),
    ).toEqual(left)
    expect(used(again)).toBe(await summed(again))
    await again.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it('holds one busy entry to a quota smaller than its blocks', async () => {
    const disk = new SimulatedDisk({ seed: 4 })
    const storage = await openStore(disk.fs, { settings: { quota: { kind: 'fifo', bytes: 4_000 } } })
    for (let us = 0; us < 100; us++) await put(storage, entry('a'), us)
    expect(used(storage)).toBeLessThanOrEqual(4_000)
    expect((await times(storage, entry('a'))).at(-1)).toBe(99)
    await storage.close()
  })

  it('refuses a record larger than itself and keeps everything else', async () => {
    const disk = new SimulatedDisk({ seed: 4 })
    const storage = await openStore(disk.fs, { settings: fifo(4_000) })
    await put(storage, entry('a'), 0, 1, 2, 3, 4)
    const large = storage.submit({ writes: [write(entry('a'), t0 + 9, Buffer.alloc(4_000))] })
    await expect(large).rejects.toMatchObject({ code: 'ERR_QUOTA' })
    expect(await times(storage, entry('a'))).toEqual([0, 1, 2, 3, 4])
    await storage.close()
  })

  it('counts records that nobody has read', async () => {
    const disk = new SimulatedDisk({ seed: 4 })
    const seen: boolean[] = []
    const observer: StorageObserver = {
      ...silentStorageObserver,
      blockEvicted: ({ wasRead }) => seen.push(wasRead),
    }
    const storage = await openStore(disk.fs, { settings: fifo(2_000), observer })
    await put(storage, entry('a'), 0, 1, 2, 3)
    await put(storage, entry('a'), 4, 5, 6, 7)
    await storage.get(entry('a'), BigInt(t0 + 1))
    for (let us = 8; us < 24; us++) await put(storage, entry('a'), us)
    expect(seen.slice(0, 2)).toEqual([true, false])
    await storage.close()
  })

  it('that is lowered is kept also while nothing is written', async () => {
    const disk = new SimulatedDisk({ seed: 4 })
    const clock = new ManualClock()
    const storage = await openStore(disk.fs, { settings: fifo(100_000), clock })
    for (let us = 0; us < 60; us++) await put(storage, entry(us % 3 === 0 ? 'a' : 'c'), us)
    await storage.changeBucketSettings('b', { quota: { kind: 'fifo', bytes: 3_000 } })
    for (let tick = 0; tick < 8; tick++) {
      await clock.advance(250)
      await settled()
    }
    expect(used(storage)).toBeLessThanOrEqual(3_000)
    expect(used(storage)).toBe(await summed(storage))
    await storage.close()
  })

  it('is kept by whole blocks or not at all, whatever operation a crash comes before', async () => {
    const disk = new SimulatedDisk({ seed: 4 })
    const setup = { settings: fifo(2_500) }
    const storage = await openStore(disk.fs, setup)
    for (let us = 0; us < 16; us++) await put(storage, entry(us % 2 === 0 ? 'a' : 'c'), us)
    let acked = 15
    const forks: { image: SimulatedDisk; acked: number; what: string }[] = []
    disk.onOperation = (call, path, operation) =>
      forks.push({ image: disk.fork(operation), acked, what: `${operation} ${call} ${path}` })
    for (let us = 16; us < 24; us++) {
      await put(storage, entry(us % 2 === 0 ? 'a' : 'c'), us)
      acked = us
    }
    disk.onOperation = undefined
    await storage.close()
    expect(forks.length).toBeGreaterThan(20)
    for (const { image: fork, acked: atLeast, what } of forks) {
      for (const seed of [undefined, fork.seed]) {
        const image = fork.fork(seed ?? 9)
        if (seed === undefined) image.killProcess()
        else image.cutPower({ seed })
        if (seed === undefined) await openDirectory(image.fs, '/data').then((reader) => reader.entries())
        const again = await openStore(image.fs, setup)
        for (const [name, parity] of [
          [entry('a'), 0],
          [entry('c'), 1],
        ] as const) {
          const left = await times(again, name)
          const first = left[0] ?? 0
          const last = left.at(-1) ?? 0
          const expected = Array.from({ length: (last - first) / 2 + 1 }, (_, index) => first + 2 * index)
          expect([what, seed, left]).toEqual([what, seed, expected])
          expect([what, seed, (first - parity) % 8, last >= atLeast - 1]).toEqual([what, seed, 0, true])
        }
        expect([what, used(again)]).toEqual([what, await summed(again)])
        await again.close()
        const { findings } = await verifyDirectory(image.fs, '/data', { checkContent: true })
        expect([what, seed, findings]).toEqual([what, seed, []])
      }
    }
  })
})

describe('content that is uploaded', () => {
  const begin = (name: EntryName, us: number, contentBytes: number) => ({
    target: name,
    timestampUs: t0 + us,
    labels: [],
    contentType: '',
    contentBytes,
  })

  it('counts from its beginning on, and does not begin where a hard quota leaves no room for all of it', async () => {
    const disk = new SimulatedDisk({ seed: 5 })
    const storage = await openStore(disk.fs, { settings: { quota: { kind: 'hard', bytes: 2000 } } })
    const upload = await storage.beginRecord(begin(entry('a'), 0, 1500))
    expect(used(storage)).toBeGreaterThan(1500)
    const before = used(storage)
    await expect(storage.beginRecord(begin(entry('a'), 1, 1500))).rejects.toMatchObject({
      code: 'ERR_QUOTA',
      facts: { bucket: 'b' },
    })
    await expect(put(storage, entry('c'), 1, 2, 3, 4)).rejects.toMatchObject({ code: 'ERR_QUOTA' })
    expect(used(storage)).toBe(before)
    await upload.write(Buffer.alloc(1500))
    await upload.finish()
    expect(used(storage)).toBe(await summed(storage))
    await storage.close()
    const again = await openStore(disk.restart())
    expect(used(again)).toBe(await summed(again))
    await again.close()
  })

  it('that failed is written again in its range, however full the bucket is', async () => {
    const storage = await openStore(new SimulatedDisk({ seed: 5 }).fs, {
      settings: { quota: { kind: 'hard', bytes: 2000 } },
    })
    await (await storage.beginRecord(begin(entry('a'), 0, 1700))).abort()
    const upload = await storage.beginRecord(begin(entry('a'), 0, 1700))
    await upload.write(Buffer.alloc(1700, 7))
    await upload.finish()
    expect(await (await storage.get(entry('a'), BigInt(t0)))?.read()).toHaveLength(1700)
    await storage.close()
  })

  it('makes room in a bucket that evicts before it begins, and the oldest blocks go', async () => {
    const disk = new SimulatedDisk({ seed: 5 })
    const storage = await openStore(disk.fs, { settings: fifo(6000) })
    for (let us = 0; us < 24; us += 4) await put(storage, entry('a'), us, us + 1, us + 2, us + 3)
    await storage.settle()
    const upload = await storage.beginRecord(begin(entry('c'), 100, 4000))
    expect(used(storage)).toBeLessThanOrEqual(6000)
    expect((await times(storage, entry('a')))[0]).toBeGreaterThan(0)
    expect((await times(storage, entry('a'))).at(-1)).toBe(23)
    await upload.write(Buffer.alloc(4000, 1))
    await upload.finish()
    expect(used(storage)).toBe(await summed(storage))
    await expect(storage.beginRecord(begin(entry('c'), 101, 6001))).rejects.toMatchObject({
      code: 'ERR_QUOTA',
    })
    await storage.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it('is never evicted, neither for other uploads nor for records', async () => {
    const disk = new SimulatedDisk({ seed: 5 })
    const storage = await openStore(disk.fs, { settings: fifo(6000) })
    const [one, two] = [
      await storage.beginRecord(begin(entry('a'), 0, 2000)),
      await storage.beginRecord(begin(entry('c'), 1, 2000)),
    ]
    for (let us = 10; us < 90; us += 4) await put(storage, entry('d'), us, us + 1, us + 2, us + 3)
    const three = await storage.beginRecord(begin(entry('a/b'), 2, 2000))
    for (const upload of [one, two, three]) {
      await upload.write(Buffer.alloc(2000, 9))
      await upload.finish()
    }
    for (const [name, us] of [
      ['a', 0],
      ['c', 1],
      ['a/b', 2],
    ] as const)
      expect(await (await storage.get(entry(name), BigInt(t0 + us)))?.read()).toHaveLength(2000)
    await storage.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })
})

it('a removal that finds nothing, because a quota has let go of it, is durable all the same', async () => {
  for (let seed = 0; seed < 10; seed++) {
    const disk = new SimulatedDisk({ seed })
    const storage = await openStore(disk.fs, { settings: fifo(2000) })
    for (let us = 0; us < 12; us += 4) await put(storage, entry('a'), us, us + 1, us + 2, us + 3)
    await storage.settle()
    let removal: Promise<SimulatedDisk> | undefined
    disk.onOperation = (call, path) => {
      if (call !== 'write' || !path.endsWith('.log')) return
      removal ??= storage.removeRange(entry('a'), { stopUs: BigInt(t0 + 4) }).then(() => disk.fork(1))
    }
    await put(storage, entry('a'), 12, 13, 14, 15)
    const image = await removal
    if (image === undefined) throw new Error('nothing was written')
    image.cutPower({ data: 'nothing', names: 'nothing' })
    expect([seed, (await times(await openStore(image.fs), entry('a')))[0]]).toEqual([seed, 4])
  }
})
