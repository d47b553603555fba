import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '../../src/base/logger.ts'
import type { LogCompanion } from '../../src/storage/index.ts'
import type { EntryName } from '../../src/storage/record.ts'
import { repairDirectory } from '../../src/storage/repair.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { verifyDirectory } from '../../src/storage/verify/verify-directory.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { openStore, write } from '../support/storage/store.ts'

/**
 * Goal: a damaged store opens again with everything that can be relied on, and nothing is deleted.
 * Method: a store with a settled entry and an open one is killed and damaged; it must refuse to open, or verify must
 * call it damaged, and after the repair it must be whole.
 */

const t0 = 1_750_000_000_000_000
const settled: EntryName = { bucket: 'kafka', entry: 'settled' }
const open: EntryName = { bucket: 'kafka', entry: 'open' }

/** Counts deltas. */
class Counter implements LogCompanion {
  count = 0
  restore(snapshot: Uint8Array | undefined): void {
    this.count = snapshot?.[0] ?? 0
  }
  apply(): void {
    this.count += 1
  }
  snapshot(): Uint8Array {
    return Uint8Array.of(this.count)
  }
}

async function killedStore(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 9 })
  const storage = await openStore(disk.fs, { companion: new Counter(), settings: { blockRecordsMax: 2 } })
  const delta = Uint8Array.of(1)
  await storage.submit({ writes: [0, 1, 2, 3].map((us) => write(settled, t0 + us)), delta })
  await storage.settle()
  for (let us = 10; us < 16; us++) await storage.submit({ writes: [write(open, t0 + us)], delta })
  disk.killProcess()
  disk.restart()
  return disk
}

async function timesOf(storage: Storage, name: EntryName): Promise<number[]> {
  const times: number[] = []
  for await (const record of storage.records(name)) {
    await record.read()
    times.push(Number(record.timestampUs) - t0)
  }
  return times
}

function logOf(disk: SimulatedDisk): string {
  const logs = disk.paths('/data/.sediment/log')
  return logs.at(-1) as string
}

interface Case {
  readonly what: string
  readonly damage: (disk: SimulatedDisk) => void
  readonly settledUs: readonly number[]
  readonly openUs: readonly number[]
  readonly deltas: number
}

const cases: readonly Case[] = [
  {
    what: 'the checkpoint has a flipped bit',
    damage: (disk) => disk.flipBit('/data/.sediment/checkpoint', 99),
    settledUs: [0, 1, 2, 3],
    openUs: [10, 11, 12, 13, 14, 15],
    deltas: 0,
  },
  {
    what: 'an acknowledged group in the log has a flipped bit',
    damage: (disk) => {
      const path = logOf(disk)
      const bytes = disk.peek(path) as Uint8Array
      const second = Buffer.from(bytes).indexOf('SEDF', Buffer.from(bytes).indexOf('SEDF') + 4)
      disk.flipBit(path, (second + 60) * 8)
    },
    settledUs: [0, 1, 2, 3],
    openUs: [10, 11, 12, 13, 14, 15],
    deltas: 2,
  },
  {
    what: 'the descriptor of a sealed block has a flipped bit',
    damage: (disk) => disk.flipBit(`/data/kafka/settled/${t0}.meta`, 77),
    settledUs: [2, 3],
    openUs: [10, 11, 12, 13, 14, 15],
    deltas: 7,
  },
]

describe.each(cases)('when $what', ({ damage, settledUs, openUs, deltas }) => {
  it('a repair keeps what can be relied on, and everything else aside', async () => {
    const disk = await killedStore()
    const before = new Set(disk.paths('/data'))
    damage(disk)
    const findings = (await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings
    expect(findings.filter(({ severity }) => severity === 'damaged')).not.toEqual([])

    const options = { dataPath: '/data', fs: disk.fs, clock: new ManualClock(), logger: silentLogger }
    const report = await repairDirectory({ ...options, companion: new Counter() })
    expect(report.quarantined).toBeGreaterThan(0)
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])

    const companion = new Counter()
    const storage = await openStore(disk.fs, { companion, settings: { blockRecordsMax: 2 } })
    expect(await timesOf(storage, settled)).toEqual(settledUs)
    expect(await timesOf(storage, open)).toEqual(openUs)
    expect(companion.count).toBe(deltas)
    await storage.submit({ writes: [write(open, t0 + 11), write(settled, t0 + 9)] })
    await storage.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
    const kept = disk.paths('/data/.sediment/quarantine').map((path) => decodeURIComponent(path))
    const gone = [...before].filter((path) => path.endsWith('.meta') && !disk.paths('/data').includes(path))
    for (const path of gone)
      expect(kept.some((other) => other.endsWith(path.slice('/data/'.length)))).toBe(true)
  })
})

const repair = (disk: SimulatedDisk): ReturnType<typeof repairDirectory> =>
  repairDirectory({
    dataPath: '/data',
    fs: disk.fs,
    clock: new ManualClock(),
    logger: silentLogger,
    companion: new Counter(),
  })

describe('damaged settings', () => {
  it.each<[string, (disk: SimulatedDisk) => unknown]>([
    ['that do not match their checksum', (disk) => disk.flipBit('/data/kafka/bucket.settings', 9)],
    ['that are gone', (disk) => disk.fs.unlink('/data/kafka/bucket.settings')],
  ])('%s give way to those of a new bucket, without a quota', async (_name, damage) => {
    const disk = await killedStore()
    await damage(disk)
    const { steps } = await repair(disk)
    expect(steps.join('; ')).toMatch(/give bucket kafka the settings of a new one/)
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
    const storage = await openStore(disk.fs, { companion: new Counter() })
    expect(storage.damaged()).toEqual([])
    expect(storage.bucketSettings('kafka').quota.kind).toBe('none')
    expect(await timesOf(storage, settled)).toEqual([0, 1, 2, 3])
    expect(await timesOf(storage, open)).toEqual([10, 11, 12, 13, 14, 15])
    await storage.submit({ writes: [write(settled, t0 + 20)] })
    await storage.close()
  })
})

describe('an entry that cannot be read', () => {
  it.each([0, 2])(
    'goes aside whole, and what the log has for it is stored (behind %d starts)',
    async (starts) => {
      const disk = await killedStore()
      const file = '/data/kafka/open'
      await disk.fs.rename(file, '/data/.aside')
      disk.putFile(file, Buffer.from('no directory'))
      for (let start = 0; start < starts; start++) {
        const storage = await openStore(disk.fs, { companion: new Counter() })
        expect(storage.damaged()).toMatchObject([{ bucket: 'kafka', entry: 'open' }])
        await storage.submit({ writes: [write(settled, t0 + 20 + start)] })
        await storage.close()
      }
      const { steps } = await repair(disk)
      expect(steps.join('; ')).toMatch(/keep kafka\/open aside/)
      expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
      expect(disk.paths('/data/.sediment/quarantine').some((path) => path.endsWith('kafka%2Fopen'))).toBe(
        true,
      )
      const companion = new Counter()
      const storage = await openStore(disk.fs, { companion })
      expect(await timesOf(storage, open)).toEqual([10, 11, 12, 13, 14, 15])
      expect(await timesOf(storage, settled)).toEqual([0, 1, 2, 3, 20, 21].slice(0, 4 + starts))
      expect(companion.count).toBe(7)
      await storage.close()
    },
  )
})

it('a repair that is cut off leaves what was sound before', async () => {
  const disk = new SimulatedDisk({ seed: 9 })
  const first = await openStore(disk.fs, { companion: new Counter() })
  await first.submit({ writes: [0, 1].map((us) => write(open, t0 + us)) })
  await first.submit({ writes: [write(settled, t0)] })
  await first.close()
  const second = await openStore(disk.fs, { companion: new Counter() })
  for (const us of [10, 11]) await second.submit({ writes: [write(open, t0 + us)] })
  disk.killProcess()
  disk.restart()
  disk.flipBit(`/data/kafka/settled/${t0}.meta`, 77)
  disk.failNext('write', { path: '/data/.sediment/checkpoint.tmp', code: 'ERR_NO_SPACE' })
  await expect(repair(disk)).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
  disk.clearFailures()
  const storage = await openStore(disk.restart(), { companion: new Counter() })
  expect(storage.damaged().map(({ entry }) => entry)).not.toContain(open.entry)
  expect(await timesOf(storage, open)).toEqual([0, 1, 10, 11])
})

it('a WAL that a power cut has brought back is not taken for one that goes on', async () => {
  const disk = new SimulatedDisk({ seed: 9 })
  const storage = await openStore(disk.fs, { companion: new Counter() })
  await storage.submit({ writes: [0, 10, 20, 30].map((us) => write(open, t0 + us)) })
  await storage.submit({ writes: [write(settled, t0)] })
  const wal = `/data/kafka/open/.wal/${t0}.wal`
  const old = disk.peek(wal)?.slice() ?? new Uint8Array(0)
  expect([await storage.fold(open, t0), await storage.fold(settled, t0)]).toEqual([true, true])
  await storage.submit({ writes: [write(open, t0 + 15)] })
  disk.killProcess()
  disk.restart()
  expect(disk.peek(wal)?.byteLength).toBeLessThan(old.byteLength)
  disk.putFile(wal, old)
  disk.flipBit(`/data/kafka/settled/${t0}.meta`, 77)
  await repair(disk)
  const again = await openStore(disk.restart(), { companion: new Counter() })
  expect(await timesOf(again, open)).toEqual([0, 10, 15, 20, 30])
})

it('a directory that is no store of ours is left alone', async () => {
  const disk = new SimulatedDisk({ seed: 9 })
  disk.putDirectory('/data')
  const options = { dataPath: '/data', fs: disk.fs, clock: new ManualClock(), logger: silentLogger }
  await expect(repairDirectory({ ...options, companion: new Counter() })).rejects.toMatchObject({
    code: 'ERR_NOT_A_STORE',
  })
})
