import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '../../src/base/logger.ts'
import type { EntryName, RecordWrite } from '../../src/storage/record.ts'
import { repairDirectory } from '../../src/storage/repair.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { verifyDirectory } from '../../src/storage/verify/verify-directory.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { saveAsServer } from '../support/storage/save-as-server.ts'
import { openStore, write } from '../support/storage/store.ts'

/**
 * Goal: damage to one sealed block stops what belongs into that block, and nothing else.
 * Method: its descriptor is changed, removed or made unreadable on the simulated disk before a late record needs it.
 */

const t0 = 1_750_000_000_000_000
const hurt: EntryName = { bucket: 'kafka', entry: 'hurt/0' }
const sound: EntryName = { bucket: 'kafka', entry: 'sound/0' }
const path = `/data/kafka/hurt/0/${t0 + 2}.meta`

/** An open store; the blocks of `hurt` are sealed: two records each, the first block without a gap before the second. */
async function sealedStore(): Promise<{ disk: SimulatedDisk; storage: Storage }> {
  const disk = new SimulatedDisk({ seed: 5 })
  const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 2 } })
  await storage.submit({ writes: [0, 1, 2, 30, 40].map((us) => write(hurt, t0 + us)) })
  await storage.settle()
  return { disk, storage }
}

async function timesOf(storage: Storage, entry: EntryName): Promise<number[]> {
  const times: number[] = []
  for await (const { timestampUs } of storage.records(entry)) times.push(Number(timestampUs) - t0)
  return times
}

const damages: [string, (disk: SimulatedDisk) => void][] = [
  ['has a flipped bit', (disk) => disk.flipBit(path, 77)],
  ['cannot be read', (disk) => disk.failNext('read', { path })],
]

describe.each(damages)('a sealed block whose descriptor %s', (_name, damage) => {
  it('refuses the submission that needs it, whole, and takes all others', async () => {
    const { disk, storage } = await sealedStore()
    damage(disk)
    const outcomes = await Promise.allSettled([
      storage.submit({ writes: [write(sound, t0)] }),
      storage.submit({ writes: [write(sound, t0 + 1), write(hurt, t0 + 50), write(hurt, t0 + 7)] }),
      storage.submit({ writes: [write(sound, t0 + 2), write(hurt, t0 + 60)] }),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(outcomes[1]).toMatchObject({ reason: { code: 'ERR_CORRUPT', facts: { path } } })
    expect(await timesOf(storage, sound)).toEqual([0, 2])
    expect((await storage.entries()).map((info) => Number(info.recordCount))).toEqual([6, 2])
    await storage.close()
  })
})

describe('a sealed block that is damaged', () => {
  it('takes records again when its descriptor is back, and nothing of the refused ones is there', async () => {
    const { disk, storage } = await sealedStore()
    disk.flipBit(path, 77)
    const late = [write(sound, t0 + 1), write(hurt, t0 + 50), write(hurt, t0 + 7)]
    await expect(storage.submit({ writes: late })).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    disk.flipBit(path, 77)
    await storage.submit({ writes: [write(hurt, t0 + 7)] })
    expect(await timesOf(storage, hurt)).toEqual([0, 1, 2, 7, 30, 40])
    expect(await timesOf(storage, sound)).toEqual([])
    await storage.close()
    const again = await openStore(disk.restart())
    expect(await timesOf(again, hurt)).toEqual([0, 1, 2, 7, 30, 40])
    await again.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it('is noticed by records that overflow into it from the block before', async () => {
    const { disk, storage } = await sealedStore()
    disk.flipBit(path, 77)
    // The first goes to a new block behind all others, the second finds no free microsecond before the damaged block.
    const writes = [write(hurt, t0 + 90), write(hurt, t0 + 91), write(hurt, t0 + 92), write(hurt, t0)]
    await expect(storage.submit({ writes })).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    await storage.submit({ writes: [write(hurt, t0 + 93)] })
    const infos = await storage.entries()
    await storage.close()
    expect(infos.map((info) => Number(info.recordCount))).toEqual([6])
    disk.flipBit(path, 77)
    const again = await openStore(disk.restart())
    expect(await timesOf(again, hurt)).toEqual([0, 1, 2, 30, 40, 93])
    await again.close()
  })

  it('stops the stream of the refused submission, whatever it goes on with, and no other', async () => {
    const { disk, storage } = await sealedStore()
    disk.flipBit(path, 77)
    const stream = {}
    const submit = (writes: RecordWrite[], of?: object): Promise<string> =>
      storage.submit({ writes, ...(of === undefined ? {} : { stream: of }) }).then(
        () => 'stored',
        (error: { code: string }) => error.code,
      )
    expect(
      await Promise.all([
        submit([write(sound, t0)], stream),
        submit([write(hurt, t0 + 7)], stream),
        submit([write(sound, t0 + 1)], stream),
        submit([write(sound, t0 + 2)], {}),
      ]),
    ).toEqual(['stored', 'ERR_CORRUPT', 'ERR_CORRUPT', 'stored'])
    expect(await submit([], stream)).toBe('ERR_CORRUPT')
    expect(await submit([write(sound, t0 + 3)])).toBe('stored')
    expect(await timesOf(storage, sound)).toEqual([0, 2, 3])
    await storage.close()
  })

  it('leaves no hole in the companion: what was refused was never applied', async () => {
    const { disk, storage } = await sealedStore()
    await storage.close()
    const applied: number[] = []
    const companion = {
      snapshot: () => new Uint8Array(0),
      restore: () => undefined,
      apply: (delta: Uint8Array) => void applied.push(delta[0] as number),
    }
    const again = await openStore(disk.fs, { companion })
    disk.flipBit(path, 77)
    const stream = {}
    await Promise.allSettled(
      [t0 + 100, t0 + 7, t0 + 101].map((us, index) =>
        again.submit({ writes: [write(hurt, us)], delta: Uint8Array.of(index), stream }),
      ),
    )
    expect(applied).toEqual([0])
    await again.close()
  })
})

describe('the last block of an entry, not full, whose descriptor is damaged', () => {
  const last = `/data/kafka/hurt/0/${t0 + 40}.meta`
  const settings = { blockRecordsMax: 3 }

  async function damagedStore(): Promise<{ disk: SimulatedDisk; storage: Storage }> {
    const disk = new SimulatedDisk({ seed: 6 })
    const storage = await openStore(disk.fs, { settings })
    await storage.submit({ writes: [0, 1, 2, 40, 50].map((us) => write(hurt, t0 + us)) })
    await storage.settle()
    disk.flipBit(last, 60)
    return { disk, storage }
  }

  it('takes nothing, and what is later goes on behind it', async () => {
    const { disk, storage } = await damagedStore()
    await storage.submit({ writes: [write(hurt, t0 + 51), write(hurt, t0 + 60)] })
    const late = storage.submit({ writes: [write(hurt, t0 + 45)] })
    await expect(late).rejects.toMatchObject({ code: 'ERR_CORRUPT', facts: { path: last } })
    expect((await storage.get(hurt, BigInt(t0 + 60)))?.timestampUs).toBe(BigInt(t0 + 60))
    await storage.close()
    const again = await openStore(disk.restart(), { settings })
    await again.submit({ writes: [write(hurt, t0 + 70)] })
    await again.close()
    const { findings } = await verifyDirectory(disk.fs, '/data', { checkContent: true })
    expect(findings).toMatchObject([{ severity: 'damaged', message: expect.stringContaining(last) }])
    disk.flipBit(last, 60)
    const mended = await openStore(disk.restart(), { settings })
    await mended.submit({ writes: [write(hurt, t0 + 45)] })
    expect(await timesOf(mended, hurt)).toEqual([0, 1, 2, 40, 45, 50, 51, 60, 70])
    await mended.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it('has uploads go on behind it too', async () => {
    const { storage } = await damagedStore()
    const { content: _, ...record } = write(hurt, t0 + 60)
    const upload = await storage.beginRecord({ ...record, contentBytes: 3 })
    await upload.write(new Uint8Array(3))
    await upload.finish()
    expect((await storage.get(hurt, BigInt(t0 + 60)))?.contentBytes).toBe(3)
    await storage.close()
  })
})

describe('a block whose descriptor cannot be decoded, in an entry whose index is damaged', () => {
  it('is never begun anew over its data', async () => {
    const { disk, storage } = await sealedStore()
    await storage.close()
    const data = `/data/kafka/hurt/0/${t0 + 2}.blk`
    const content = await disk.fs.readFile(data)
    disk.putFile(path, new Uint8Array(50).fill(0xff))
    disk.flipBit('/data/kafka/hurt/0/blocks.idx', 60)
    for (let starts = 0; starts < 2; starts++) {
      const again = await openStore(disk.restart(), { settings: { blockRecordsMax: 2 } })
      await expect(again.submit({ writes: [write(hurt, t0 + 2)] })).rejects.toMatchObject({
        code: 'ERR_CORRUPT',
      })
      await again.submit({ writes: [write(hurt, t0 + 41 + starts)] })
      await again.close()
      expect(await disk.fs.readFile(data)).toEqual(content)
    }
    const { findings } = await verifyDirectory(disk.fs, '/data', { checkContent: true })
    expect(findings).toContainEqual(
      expect.objectContaining({ severity: 'damaged', message: `descriptor ${path} cannot be decoded` }),
    )
    await repairDirectory({
      dataPath: '/data',
      fs: disk.fs,
      clock: new ManualClock(),
      logger: silentLogger,
      companion: { snapshot: () => new Uint8Array(0), restore: () => undefined, apply: () => undefined },
    })
    const mended = await openStore(disk.restart(), { settings: { blockRecordsMax: 2 } })
    expect(await timesOf(mended, hurt)).toEqual([0, 1, 40, 41, 42])
    await mended.submit({ writes: [write(hurt, t0 + 2)] })
    await mended.close()
  })
})

describe('a block without CRC-32s whose data file is gone', () => {
  it('takes nothing, so that what is missing never reads as zeros', async () => {
    const { disk, storage } = await sealedStore()
    await storage.close()
    saveAsServer(disk, 'kafka/hurt/0', [t0 + 2])
    const data = `/data/kafka/hurt/0/${t0 + 2}.blk`
    await disk.restart().unlink(data)
    const again = await openStore(disk.restart(), { settings: { blockRecordsMax: 2 } })
    const late = again.submit({ writes: [write(hurt, t0 + 7)] })
    await expect(late).rejects.toMatchObject({ code: 'ERR_CORRUPT', facts: { path: data } })
    const read = again.get(hurt, BigInt(t0 + 2)).then((record) => record?.read())
    await expect(read).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    await again.close()
  })
})
