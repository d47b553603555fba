import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '../../../src/base/logger.ts'
import type { EntryName } from '../../../src/storage/record.ts'
import { repairDirectory } from '../../../src/storage/repair.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { Random } from '../../support/random.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: whatever happens to a file of one entry while the store is down, the store starts, everything of the others is
 * there, and of the damaged entry each record is served as it was or named as damaged: never left out, never wrong.
 * Method: every file of an entry of a killed store – sealed blocks that were opened again before and behind the checkpoint,
 * a new block, content that went home before its frame – is removed, cut, overwritten, lengthened or has a bit flipped.
 */

const t0 = 1_750_000_000_000_000
const hurt: EntryName = { bucket: 'kafka', entry: 'hurt/0' }
const sound: EntryName = { bucket: 'kafka', entry: 'sound/0' }
const limits = { directBytesMin: 200 }
const allUs = [0, 10, 15, 16, 20, 30, 40, 45, 50, 60, 70, 80, 81, 82]
const companion = { restore: () => undefined, apply: () => undefined, snapshot: () => new Uint8Array(0) }

function contentAt(us: number): string {
  return `content of ${t0 + us}`.padEnd(us === 82 ? 300 : 0, '.')
}

async function killedStore(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 7 })
  const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 4 }, limits })
  const submit = async (timesUs: number[]): Promise<void> => {
    for (const name of [hurt, sound])
      await storage.submit({ writes: timesUs.map((us) => write(name, t0 + us, contentAt(us))) })
  }
  await submit([0, 10, 20, 30, 40, 50, 60, 70])
  await storage.settle()
  await submit([15, 80])
  await storage.checkpoint()
  await submit([16, 81])
  await submit([82])
  await submit([45])
  disk.killProcess()
  disk.restart()
  return disk
}

/** Times that are served as they were, and those that are named as damaged; anything else fails the test. */
async function recordsOf(storage: Storage, name: EntryName): Promise<{ served: number[]; named: number[] }> {
  const served: number[] = []
  const named: number[] = []
  for (const us of allUs) {
    try {
      const record = await storage.get(name, BigInt(t0 + us))
      expect([us, record?.state]).toEqual([us, 'finished'])
      expect(Buffer.from((await record?.read()) ?? '').toString()).toBe(contentAt(us))
      served.push(us)
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_CORRUPT') throw error
      named.push(us)
    }
  }
  return { served, named }
}

async function damagedOf(storage: Storage): Promise<string[]> {
  const places: string[] = []
  await storage.entries({ onDamaged: ({ bucket, entry }) => places.push(`${bucket}/${entry}`) })
  return places
}

type Damage = (disk: SimulatedDisk, path: string, bytes: Uint8Array, random: Random) => unknown
const damages: Record<string, Damage> = {
  'is gone': (disk, path) => disk.fs.unlink(path),
  'is empty': (disk, path) => disk.putFile(path, new Uint8Array(0)),
  'is half as long': (disk, path, bytes) => disk.putFile(path, bytes.slice(0, bytes.byteLength >> 1)),
  'is garbage': (disk, path, bytes) => disk.putFile(path, new Uint8Array(bytes.byteLength).fill(0xa7)),
  'goes on with garbage': (disk, path, bytes) =>
    disk.putFile(path, Buffer.concat([bytes, new Uint8Array(33).fill(0x5b)])),
  'has a flipped bit': (disk, path, bytes, random) => disk.flipBit(path, random.below(bytes.byteLength * 8)),
}

const files = ['blocks.idx', '0.meta', '0.blk', '.wal/0.wal', '40.meta', '40.blk', '.wal/40.wal']
files.push('80.blk', '.wal/80.wal')
const pathOf = (file: string): string =>
  `/data/kafka/hurt/0/${file.replace(/\d+/, (us) => String(t0 + Number(us)))}`
const seed = 20261123

describe.each(files)('when %s of an entry', (file) => {
  it.each(Object.entries(damages))('%s, only that entry is harmed', async (_what, damage) => {
    const killed = await killedStore()
    const path = pathOf(file)
    const bytes = killed.peek(path) as Uint8Array
    const disk = killed.fork(seed)
    await damage(disk, path, bytes, new Random(seed))
    const forRepair = disk.fork(seed)

    const storage = await openStore(disk.fs, { limits })
    const damaged = await damagedOf(storage)
    expect((await recordsOf(storage, sound)).named).toEqual([])
    const { served, named } = await recordsOf(storage, hurt)
    expect([...served, ...named].sort((a, b) => a - b)).toEqual(allUs)
    await storage.submit({ writes: [write(sound, t0 + 900)] })
    await storage.settle()
    await storage.close()
    const verified = await verifyDirectory(disk.fs, '/data', { checkContent: true })
    const findings = verified.findings.filter(({ severity }) => severity === 'damaged')
    expect(findings.length > 0).toBe(named.length > 0)

    if (damaged.length > 0) {
      expect(damaged).toEqual(['kafka/hurt/0'])
      expect(disk.peek(path)).toEqual(forRepair.peek(path))
      disk.putFile(path, bytes)
      const again = await openStore(disk.fs, { limits })
      expect(await damagedOf(again)).toEqual([])
      expect((await recordsOf(again, hurt)).named).toEqual([])
      await again.close()
      expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
    }

    const options = { dataPath: '/data', clock: new ManualClock(), logger: silentLogger }
    await repairDirectory({ ...options, fs: forRepair.fs, companion })
    const repaired = await openStore(forRepair.fs, { limits })
    expect(await damagedOf(repaired)).toEqual([])
    expect((await recordsOf(repaired, sound)).named).toEqual([])
    await repaired.submit({ writes: [write(hurt, t0 + 900)] })
    await repaired.close()
    // Blocks that the file does not belong to have lost nothing, and what the log has is there.
    const harmed = file === 'blocks.idx' ? -1 : Math.floor(Number(/\d+/.exec(file)?.[0]) / 40)
    const left = await timesOf(forRepair, hurt)
    expect(left).toEqual(
      expect.arrayContaining(
        allUs.filter((us) => Math.floor(us / 40) !== harmed || [16, 45, 81].includes(us)),
      ),
    )
  })
})

async function timesOf(disk: SimulatedDisk, name: EntryName): Promise<number[]> {
  const storage = await openStore(disk.fs, { limits })
  const times: number[] = []
  for await (const { timestampUs } of storage.records(name)) times.push(Number(timestampUs) - t0)
  await storage.close()
  return times
}
