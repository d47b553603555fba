// Goal: no gap is forgotten, none is invented and none is told twice, however many there are and whenever the power goes.
// Method: a store with the ledger in it on a disk that forgets; a model that keeps every range.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { FileSystem } from '../../src/fs/file-system.ts'
import { type Gap, type GapClass } from '../../src/ledger/gap.ts'
import { readFormerRows } from '../../src/ledger/former-rows.ts'
import { gapFileOf, readGaps } from '../../src/ledger/gap-files.ts'
import { PAGE_BYTES } from '../../src/ledger/gap-page.ts'
import { type Advance, encodeDelta, type LedgerRow } from '../../src/ledger/ledger-codec.ts'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'
import type { Storage } from '../../src/storage/index.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { openStore } from '../support/storage/store.ts'

const cluster = 'cluster-1'
const directory = '/data/.sediment/gaps'
const key = (partition: number): { clusterId: string; topic: string; partition: number } => ({
  clusterId: cluster,
  topic: 'orders',
  partition,
})

/** All gaps of a row as one word an offset, and what was said to be damaged. */
async function readAll(row: LedgerRow, fs: FileSystem): Promise<{ gaps: Gap[]; damaged: string[] }> {
  const gaps: Gap[] = []
  const damaged: string[] = []
  for await (const some of readGaps(row, { fs, directory }, ({ path, message }) =>
    damaged.push(`${path}: ${message}`),
  ))
    gaps.push(...some)
  return { gaps, damaged }
}

/** `count` gaps with a stored offset behind each. */
function step(from: number, count: number, classOf: (index: number) => GapClass, partition = 0): Advance {
  const gaps = Array.from({ length: count }, (_, index): Gap => {
    const fromOffset = from + 2 * index
    return { class: classOf(index), fromOffset, nextOffset: fromOffset + 1 }
  })
  return {
    topic: 'orders',
    partition,
    fromOffset: from,
    nextOffset: from + 2 * count,
    records: count,
    gaps,
  }
}

const classes: readonly GapClass[] = ['control', 'aborted', 'compacted', 'filtered', 'deleted', 'filtered']
const classAt = (index: number): GapClass => classes[(index * 7 + (index >> 3)) % classes.length]!

const expected = (offsets: number): Gap[] =>
  Array.from({ length: offsets / 2 }, (_, index) => ({
    class: classAt(index),
    fromOffset: 2 * index,
    nextOffset: 2 * index + 1,
  }))

/** Submits the next `count` gaps of the story that `expected` tells. */
/** The disk after each kind of power cut, and the store that opens on it. */
async function* cutEachWay(
  image: SimulatedDisk,
): AsyncGenerator<{ seed: number; cut: SimulatedDisk; after: OffsetLedger; reopened: Storage }> {
  for (const [seed, data, names] of [
    [1, 'nothing', 'nothing'],
    [2, 'all', 'nothing'],
    [3, 'soup', 'subset'],
  ] as const) {
    const cut = image.fork(seed)
    cut.cutPower({ seed, data, names })
    const after = new OffsetLedger()
    yield { seed, cut, after, reopened: await openStore(cut.fs, { companion: after, limits: smallLog }) }
  }
}

function submit(storage: Storage, from: number, count: number): Promise<unknown> {
  const advance = step(from, count, (index) => classAt(from / 2 + index))
  return storage.submit({ writes: [], delta: encodeDelta(cluster, [advance]) })
}

const smallLog = { logBytesCheckpoint: 2_000, logBytesMax: 8_000, idleCheckpointMs: 1e9 }

describe('gap ranges', () => {
  it('are all there after any steps and restarts, each once and in order', async () => {
    const story = fc.array(
      fc.record({
        count: fc.integer({ min: 1, max: 400 }),
        partition: fc.nat({ max: 1 }),
        restart: fc.constantFrom('none', 'none', 'close', 'kill'),
      }),
      { maxLength: 12 },
    )
    await fc.assert(
      fc.asyncProperty(story, fc.nat(), async (steps, seed) => {
        const disk = new SimulatedDisk({ seed })
        let ledger = new OffsetLedger()
        let storage = await openStore(disk.fs, { companion: ledger, limits: smallLog })
        const model: Gap[][] = [[], []]
        const next = [0, 0]
        for (const { count, partition, restart } of steps) {
          const advance = step(next[partition]!, count, classAt, partition)
          await storage.submit({ writes: [], delta: encodeDelta(cluster, [advance]) })
          next[partition] = advance.nextOffset
          model[partition]!.push(...advance.gaps)
          if (restart === 'none') continue
          if (restart === 'close') await storage.close()
          disk.restart()
          ledger = new OffsetLedger()
          storage = await openStore(disk.fs, { companion: ledger, limits: smallLog })
        }
        for (const [partition, gaps] of model.entries()) {
          const row = ledger.position(key(partition))
          if (row === undefined) continue
          expect(await readAll(row, disk.fs)).toEqual({ gaps, damaged: [] })
          expect(row.gapRangesForgotten).toBe(0)
          expect(row.gaps.filter((gap) => gap.class !== 'deleted').length).toBeLessThanOrEqual(256)
          const ranges = (row.spilled?.ranges ?? 0) + row.gaps.length
          expect(ranges).toBe(gaps.length)
          for (const gapClass of classes)
            expect(row.gapOffsets.get(gapClass) ?? 0).toBe(
              gaps.filter((gap) => gap.class === gapClass).length,
            )
          expect(gaps.length + row.records).toBe(next[partition])
        }
        await storage.close()
      }),
      { numRuns: 25 },
    )
  }, 60_000)

  it('are neither lost nor wrong wherever the power goes while pages are written and a checkpoint is made', async () => {
    const disk = new SimulatedDisk({ seed: 20_261_123 })
    const ledger = new OffsetLedger()
    const storage = await openStore(disk.fs, { companion: ledger, limits: smallLog })
    const images: { disk: SimulatedDisk; call: string; acked: number }[] = []
    let acked = 0
    disk.onOperation = (call, path) => images.push({ disk: disk.fork(), call: `${call} ${path}`, acked })
    for (let round = 0; round < 3; round++) {
      await submit(storage, acked, 500)
      acked += 1000
    }
    await storage.close()
    disk.onOperation = undefined
    const ofPages = images.filter(({ call }) => call.includes('/gaps'))
    expect(ofPages.some(({ call }) => call.startsWith('sync '))).toBe(true)
    expect(ofPages.some(({ call }) => call.startsWith('syncDirectory '))).toBe(true)
    for (const image of images) {
      for await (const { seed, cut, after, reopened } of cutEachWay(image.disk)) {
        const row = after.position(key(0))
        const at = `${image.call}, acknowledged ${image.acked}, seed ${seed}`
        expect(`${at}: ${(row?.nextOffset ?? 0) >= image.acked}`).toBe(`${at}: true`)
        if (row === undefined) continue
        expect({ at, ...(await readAll(row, cut.fs)) }).toEqual({
          at,
          gaps: expected(row.nextOffset),
          damaged: [],
        })
        if (seed !== 3) {
          await reopened.close()
          continue
        }
        // And it goes on, over what the crash has left behind the pages that count.
        const goneOn = row.nextOffset + 1400
        await submit(reopened, row.nextOffset, 700)
        await reopened.close()
        const last = new OffsetLedger()
        const again = await openStore(cut.fs, { companion: last, limits: smallLog })
        expect(await readAll(last.position(key(0))!, cut.fs)).toEqual({
          gaps: expected(goneOn),
          damaged: [],
        })
        await again.close()
      }
    }
  }, 120_000)

  it('wait in memory no longer than until they are many', async () => {
    const disk = new SimulatedDisk()
    const ledger = new OffsetLedger()
    const limits = { unspilledBytesCheckpoint: 8 * PAGE_BYTES, idleCheckpointMs: 1e9 }
    const storage = await openStore(disk.fs, { companion: ledger, limits })
    let most = 0
    for (let round = 0; round < 100; round++) {
      await submit(storage, round * 1000, 500)
      most = Math.max(most, ledger.unspilledBytes)
    }
    expect(most).toBeGreaterThanOrEqual(8 * PAGE_BYTES)
    expect(most).toBeLessThan(40 * PAGE_BYTES)
    expect(ledger.snapshot().length).toBeLessThan(40_000)
    await storage.close()
  })

  it('of a partition that began anew are in a file of their own', async () => {
    const disk = new SimulatedDisk()
    const ledger = new OffsetLedger()
    const storage = await openStore(disk.fs, { companion: ledger })
    await submit(storage, 0, 1000)
    await storage.settle()
    const anew = { ...step(0, 600, () => 'aborted'), incarnation: 1 }
    await storage.submit({ writes: [], delta: encodeDelta(cluster, [anew]) })
    await storage.close()
    const row = ledger.position(key(0))!
    expect(await readAll(row, disk.fs)).toEqual({ gaps: anew.gaps, damaged: [] })
    expect((await disk.fs.list(`${directory}/${cluster}/orders`))?.map(({ name }) => name)).toEqual([
      '0-0-0',
      '0-0.row',
      '0-1-0',
    ])
    const damaged: string[] = []
    const former = () =>
      readFormerRows(row, ledger.former, { fs: disk.fs, directory }, ({ path }) => damaged.push(path))
    disk.flipBit(`${directory}/${cluster}/orders/0-0.row`, 100)
    expect(await former()).toEqual([])
    expect(damaged).toEqual([`${directory}/${cluster}/orders/0-0.row`])
  })

  it('of a partition before it began anew stay known, wherever the power goes', async () => {
    const disk = new SimulatedDisk({ seed: 7 })
    const ledger = new OffsetLedger()
    const storage = await openStore(disk.fs, { companion: ledger, limits: smallLog })
    const images: { disk: SimulatedDisk; call: string }[] = []
    await submit(storage, 0, 500)
    const hold = { reason: 'topic-recreated', offset: 0 } as const
    const held = { ...step(1000, 0, () => 'control'), topicId: 'T0', hold }
    await storage.submit({ writes: [], delta: encodeDelta(cluster, [held]) })
    const before = ledger.position(key(0))!
    const facts = { topicId: 'T0', nextOffset: 1000, records: 500, gapOffsets: new Map(before.gapOffsets) }
    const anew = { ...step(0, 1, () => 'aborted'), incarnation: 1, topicId: 'T1' }
    await storage.submit({ writes: [], delta: encodeDelta(cluster, [anew]) })
    disk.onOperation = (call, path) => images.push({ disk: disk.fork(), call: `${call} ${path}` })
    await storage.close()
    disk.onOperation = undefined
    expect(images.some(({ call }) => call.includes('0-0.row'))).toBe(true)
    for (const image of images) {
      for await (const { seed, cut, after, reopened } of cutEachWay(image.disk)) {
        const damaged: string[] = []
        const row = after.position(key(0))!
        const disk = { fs: cut.fs, directory }
        const [former] = await readFormerRows(row, after.former, disk, ({ path }) => damaged.push(path))
        const at = `${image.call}, seed ${seed}`
        expect({ at, damaged, former }).toMatchObject({ at, damaged: [], former: { ...facts, hold } })
        expect({ at, ...(await readAll(former!, cut.fs)) }).toEqual({ at, gaps: expected(1000), damaged: [] })
        await reopened.close()
      }
    }
  }, 120_000)

  it('of a damaged page are left out and named; the others are told', async () => {
    const disk = new SimulatedDisk()
    const ledger = new OffsetLedger()
    const storage = await openStore(disk.fs, { companion: ledger })
    const advance = step(0, 2000, () => 'control')
    await storage.submit({ writes: [], delta: encodeDelta(cluster, [advance]) })
    await storage.close()
    const row = ledger.position(key(0))!
    const path = `${directory}/${gapFileOf(row, 0)}`
    const { pages } = row.spilled!
    disk.flipBit(path, (2 * PAGE_BYTES + 300) * 8)
    const { gaps, damaged } = await readAll(row, disk.fs)
    expect(gaps).toHaveLength(2000 - 244)
    expect(damaged).toEqual([
      expect.stringContaining(`1 of its ${pages} pages cannot be read, page 2 the first`),
    ])
    await disk.fs.unlink(path)
    const without = await readAll(row, disk.fs)
    expect(without.gaps).toEqual(row.gaps)
    expect(without.damaged).toEqual([
      expect.stringContaining(`${pages} of its ${pages} pages cannot be read:`),
    ])
    // No start asks for them.
    const reopened = await openStore(disk.fs, { companion: new OffsetLedger() })
    await reopened.close()
  })
})
