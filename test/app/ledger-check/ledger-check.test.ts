/**
 * Goal: verify holds the ledger against the records, and a rebuilt ledger is what they prove.
 * Method: messages go through the real mapping into a store whose ledger rides along, on the simulated disk; files are
 * removed and exchanged, and records are written behind the ledger's back.
 */
import { describe, expect, it } from '@jest/globals'
import { checkStore, type CheckedStore } from '../../../src/app/ledger-check/check-store.ts'
import { repairStore } from '../../../src/app/ledger-check/repair-store.ts'
import { StoredOffsets } from '../../../src/app/ledger-check/stored-offsets.ts'
import type { Gap } from '../../../src/ledger/gap.ts'
import { encodePage } from '../../../src/ledger/gap-page.ts'
import { encodeDelta } from '../../../src/ledger/ledger-codec.ts'
import { OffsetLedger } from '../../../src/ledger/offset-ledger.ts'
import { defaultRule } from '../../../src/mapping/default-rule.ts'
import { createMapper } from '../../../src/mapping/mapper.ts'
import type { RecordWrite, StorageLimits } from '../../../src/storage/index.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore } from '../../support/storage/store.ts'
import { visitBlock } from '../../support/storage/visit-block.ts'

const CLUSTER = 'cluster'
const ARRIVAL_MS = 1_750_000_000_000
const mapper = createMapper([defaultRule])

function recordOf(topic: string, partition: number, offset: number): RecordWrite {
  const message = {
    offset,
    timestampMs: ARRIVAL_MS - 1_000_000 + offset,
    key: null,
    value: Buffer.from(`${topic} ${offset}`),
    headers: [],
  }
  const mapped = mapper.forPartition(topic, partition)?.map(message, ARRIVAL_MS)
  if (mapped === undefined || !('target' in mapped)) throw new Error('rejected')
  return mapped
}

class Store {
  readonly disk = new SimulatedDisk({ seed: 11 })
  ledger = new OffsetLedger()
  storage!: Storage

  async open(blockRecordsMax = 4, limits: Partial<StorageLimits> = {}): Promise<this> {
    this.ledger = new OffsetLedger()
    const settings = { blockRecordsMax }
    this.storage = await openStore(this.disk.fs, { companion: this.ledger, settings, limits })
    await this.storage.claim(CLUSTER, 'group')
    return this
  }

  /** Stores offsets up to `nextOffset`, as the sink does. */
  async store(
    topic: string,
    nextOffset: number,
    gaps: readonly Gap[] = [],
    { clusterId = CLUSTER, isAnew = false } = {},
  ): Promise<void> {
    const row = this.ledger.position({ clusterId, topic, partition: 0 })
    const incarnation = (row?.incarnation ?? 0) + (isAnew ? 1 : 0)
    const fromOffset = isAnew ? 0 : (row?.nextOffset ?? 0)
    const isGap = (offset: number): boolean =>
      gaps.some((gap) => gap.fromOffset <= offset && offset < gap.nextOffset)
    const offsets = Array.from({ length: nextOffset - fromOffset }, (_, index) => fromOffset + index)
    const writes = offsets.filter((offset) => !isGap(offset)).map((offset) => recordOf(topic, 0, offset))
    const step = { topic, partition: 0, fromOffset, nextOffset, records: writes.length, gaps, incarnation }
    await this.storage.submit({ writes, delta: encodeDelta(clusterId, [step]) })
  }

  check(): Promise<CheckedStore> {
    return checkStore(this.disk.fs, '/data', { checkContent: true })
  }

  async damage(): Promise<string[]> {
    const { report } = await this.check()
    return report.findings.filter(({ severity }) => severity === 'damaged').map(({ message }) => message)
  }

  async notes(): Promise<string[]> {
    return (await this.check()).report.notes.map(({ message }) => message)
  }

  async rebuild(): Promise<Record<string, unknown>[]> {
    const { rebuilt } = await repairStore({
      fs: this.disk.fs,
      dataPath: '/data',
      clock: new ManualClock(),
      clusterId: CLUSTER,
      rebuildLedger: true,
    })
    return (rebuilt?.rows ?? []).map(({ topic, nextOffset, records, gapOffsets }) => ({
      topic,
      nextOffset,
      records,
      ...Object.fromEntries(gapOffsets),
    }))
  }

  /** Takes a whole entry away as if it had never been listed. */
  forgetEntry(entry: string): void {
    for (const path of this.disk.paths(`/data/kafka/${entry}`)) this.disk.unlink(path)
  }
}

const control = (offset: number): Gap => ({
  class: 'control',
  fromOffset: offset,
  nextOffset: offset + 1,
})

describe('verify', () => {
  it('finds nothing in a store with gaps, closed or killed', async () => {
    const store = await new Store().open()
    await store.store('a', 10, [control(3)])
    await store.store('b', 5)
    await store.storage.settle()
    await store.store('a', 14)
    expect(await store.damage()).toEqual([])
    store.disk.killProcess()
    store.disk.restart()
    const killed = await store.check()
    expect(killed.report.ledger.unchecked).toBeUndefined()
    expect(killed.report.findings.filter(({ severity }) => severity === 'damaged')).toEqual([])
    await (await store.open()).storage.close()
    const { report } = await store.check()
    expect([report.findings, report.notes]).toEqual([[], []])
    expect(report.ledger.partitions).toEqual([
      { topic: 'a', partition: 0, nextOffset: 14, records: 13 },
      { topic: 'b', partition: 0, nextOffset: 5, records: 5 },
    ])
  })

  it('finds nothing after a power cut that took files whose records the log still has', async () => {
    for (let seed = 0; seed < 8; seed++) {
      const store = await new Store().open()
      await store.store('a', 10)
      await store.storage.settle()
      for (let next = 11; next < 30; next++) await store.store('a', next)
      store.disk.cutPower()
      store.disk.restart()
      expect([seed, await store.damage()]).toEqual([seed, []])
    }
  })

  it('names what is not there any more, where nothing was ever removed', async () => {
    const store = await new Store().open()
    await store.store('a', 10, [control(3)])
    await store.store('b', 5)
    await store.storage.close()
    store.forgetEntry('a/0')
    expect(await store.damage()).toEqual([
      'a/0: 9 offsets (0–2, 4–9) are acknowledged and not there; nothing was ever removed from this store',
    ])
  })

  it('only notes what is not there in a store that records were removed from', async () => {
    const store = await new Store().open()
    await store.store('a', 10)
    const { target, timestampUs } = recordOf('a', 0, 4)
    expect(await store.storage.removeRecords(target, [BigInt(timestampUs)])).toHaveLength(1)
    await store.storage.close()
    expect(await store.damage()).toEqual([])
    expect(await store.notes()).toEqual([
      'a/0: offset 4 is not there: removed, evicted or moved, or lost; what removals take leaves nothing to tell it from loss',
    ])
  })

  it.each<[string, (store: Store) => Promise<unknown>]>([
    ['removed entry', ({ storage }) => storage.removeEntry({ bucket: 'kafka', entry: 'a/0' })],
    ['renamed entry', ({ storage }) => storage.renameEntry({ bucket: 'kafka', entry: 'a/0' }, 'old/0')],
    ['removed bucket', ({ storage }) => storage.removeBucket('kafka')],
    [
      'quota that evicts',
      async ({ storage }) => storage.changeBucketSettings('kafka', { quota: { kind: 'fifo', bytes: 300 } }),
    ],
  ])('is not alarmed by a %s', async (_, change) => {
    const store = await new Store().open()
    await store.store('a', 12)
    await store.store('b', 3)
    await change(store)
    await store.store('b', 4)
    await store.storage.close()
    expect(await store.damage()).toEqual([])
  })

  it('names a record that is stored twice, and one that the ledger does not have', async () => {
    const store = await new Store().open()
    await store.store('a', 5)
    // Without a delta: as no version of ours does it.
    await store.storage.submit({
      writes: [{ ...recordOf('a', 0, 2), timestampUs: 1_750_000_001_000_000 }, recordOf('a', 0, 7)],
    })
    await store.storage.submit({ writes: [recordOf('c', 0, 0)] })
    await store.storage.close()
    const { report } = await store.check()
    expect(report.findings.map(({ message }) => message)).toEqual([
      expect.stringContaining('a/0: offset 7 is there, but the ledger ends at 5'),
      expect.stringContaining('a/0: one record is stored again: 2 at kafka/a/0 1750000001000000'),
      expect.stringContaining('c/0: offset 0 is there, but the ledger has no such partition'),
    ])
    expect(report.findings[0]).toMatchObject({
      severity: 'damaged',
      topic: 'a',
      partition: 0,
      offsets: 1,
      ranges: [[7, 8]],
      places: [{ offset: 7, bucket: 'kafka', entry: 'a/0' }],
    })
  })

  it('names a record where the ledger has a gap', async () => {
    const store = await new Store().open()
    await store.store('a', 5, [control(3)])
    await store.storage.submit({ writes: [recordOf('a', 0, 3)] })
    await store.storage.close()
    expect(await store.damage()).toEqual(['a/0: offset 3 is there, but the ledger says why there is nothing'])
  })

  it('finds two entries that changed places', async () => {
    const store = await new Store().open(100)
    await store.store('a', 5)
    await store.store('b', 9)
    await store.storage.close()
    const files = (entry: string): string[] => store.disk.paths(`/data/kafka/${entry}/0`)
    const [ofA, ofB] = [files('a'), files('b')].map((paths) =>
      paths.map((path) => [path, store.disk.peek(path) as Uint8Array] as const),
    )
    for (const path of [...files('a'), ...files('b')]) store.disk.unlink(path)
    for (const [path, bytes] of ofA!) store.disk.putFile(path.replace('/a/', '/b/'), bytes)
    for (const [path, bytes] of ofB!) store.disk.putFile(path.replace('/b/', '/a/'), bytes)
    expect(await store.damage()).toEqual([
      expect.stringContaining('a/0: 4 offsets (5–8) are there, but the ledger ends at 5'),
      expect.stringContaining('b/0: 4 offsets (5–8) are acknowledged and not there'),
    ])
  })
})

describe('a ledger that is lost', () => {
  it.each(['the checkpoint has a flipped bit', 'the checkpoint is missing'])(
    'because %s is rebuilt from the records, and reading goes on behind them',
    async (how) => {
      const store = await new Store().open()
      await store.store('a', 10, [control(3)])
      await store.store('b', 5)
      await store.storage.settle()
      await store.store('a', 12)
      store.disk.killProcess()
      store.disk.restart()
      if (how.includes('bit')) store.disk.flipBit('/data/.sediment/checkpoint', 99)
      else store.disk.unlink('/data/.sediment/checkpoint')

      const { report } = await store.check()
      expect(report.ledger.unchecked).toBe('the log or its checkpoint is damaged')
      expect(await store.rebuild()).toEqual([
        { topic: 'a', nextOffset: 12, records: 11, unknown: 1 },
        { topic: 'b', nextOffset: 5, records: 5 },
      ])
      expect(await store.damage()).toEqual([])
      await store.open()
      await store.store('a', 15)
      await store.storage.close()
      expect(await store.damage()).toEqual([])
    },
  )
})

describe('a ledger that contradicts its records', () => {
  it('becomes what they prove; what is gone is unknown, and gaps keep their reason', async () => {
    const store = await new Store().open(2)
    await store.store('a', 10, [control(3)])
    await store.storage.close()
    store.forgetEntry('a/0')
    await store.open(2)
    await store.storage.submit({ writes: [8, 11].map((offset) => recordOf('a', 0, offset)) })
    await store.storage.close()
    expect(await store.damage()).toHaveLength(2)
    expect(await store.rebuild()).toEqual([
      { topic: 'a', nextOffset: 12, records: 2, control: 1, unknown: 9 },
    ])
    expect(await store.damage()).toEqual([])
  })

  it('stays as it is where it does not contradict them', async () => {
    const store = await new Store().open()
    await store.store('a', 10, [control(3)])
    const before = store.ledger.snapshot()
    await store.storage.close()
    await store.rebuild()
    await store.open()
    expect(store.ledger.snapshot()).toEqual(before)
  })
})

it('offsets that are scattered over more runs than there is memory for are given up, one partition at a time', () => {
  const stored = new StoredOffsets(10)
  const visit = (topic: string, offset: number): void =>
    stored.visit({
      ...recordOf(topic, 0, offset),
      ...place,
      timestampUs: 0n,
      state: 'finished',
      entry: `${topic}/0`,
    })
  const place = { bucket: 'kafka' }
  for (let offset = 0; offset < 40; offset += 2) visit('scattered', offset)
  for (let offset = 0; offset < 1000; offset++) visit('whole', offset)
  expect(stored.partitions().map(({ topic, isGivenUp, runCount }) => [topic, isGivenUp, runCount])).toEqual([
    ['scattered', true, 0],
    ['whole', false, 1],
  ])
})

describe('content that ReductStore has cut off', () => {
  const revision = (fromOffset: number, nextOffset: number): Uint8Array => {
    const gaps: Gap[] = [{ class: 'deleted', fromOffset, nextOffset }]
    const range = { topic: 'a', partition: 0, fromOffset, nextOffset, records: 0, gaps, isRevision: true }
    return encodeDelta(CLUSTER, [range])
  }

  /** Of ten records that went home before their frame, those from 6 on. */
  const cut = async (): Promise<Store> => {
    const store = await new Store().open(100, { directBytesMin: 1 })
    await store.store('a', 10)
    store.disk.killProcess()
    const firstUs = Number(recordOf('a', 0, 0).timestampUs)
    const isKept = (timestampUs: number): boolean => timestampUs < firstUs + 6_000
    await visitBlock(store.disk, 'kafka/a/0', firstUs, isKept, true)
    store.disk.restart()
    return store
  }
  const severities = async (store: Store): Promise<string[]> =>
    (await store.check()).report.findings.map(({ severity }) => severity)

  it('is no loss while it is owed, nor when it is paid for', async () => {
    const store = await cut()
    expect(await store.damage()).toEqual([])
    await store.open()
    expect(store.storage.owed).toHaveLength(4)
    await store.storage.close()
    expect(await severities(store)).toEqual(['recoverable'])
    await store.open()
    for (const record of store.storage.owed) {
      const offset = Number(record.labels[record.labels.indexOf('offset') + 1])
      await store.storage.payOwed(record, recordOf('a', 0, offset).content)
    }
    await store.storage.close()
    expect(await severities(store)).toEqual([])
  })

  it('is no loss where the ledger has named it as a gap, forgotten yet or not', async () => {
    const store = await cut()
    await store.open()
    await store.storage.submit({ writes: [], delta: revision(6, 8) })
    store.disk.killProcess()
    store.disk.restart()
    expect(await store.damage()).toEqual([])
    await store.open()
    await store.storage.forgetOwed(store.storage.owed.slice(0, 2))
    await store.storage.close()
    expect(await severities(store)).toEqual(['recoverable'])
    expect(store.ledger.positions()[0]).toMatchObject({ nextOffset: 10, records: 8 })
  })

  it('is one where nobody owes it any more', async () => {
    const store = await cut()
    await store.open()
    await store.storage.forgetOwed(store.storage.owed)
    await store.storage.close()
    expect(await store.damage()).toEqual([
      expect.stringContaining('acknowledged and not there; nothing was ever removed from this store'),
    ])
  })

  it('counts as stored in a rebuilt ledger, but for what was given up', async () => {
    const store = await cut()
    await store.open()
    await store.storage.submit({ writes: [], delta: revision(6, 7) })
    await store.storage.close()
    expect(await store.rebuild()).toEqual([{ topic: 'a', nextOffset: 10, records: 9, deleted: 1 }])
  })
})

describe('where records do not say to which of several rows they belong', () => {
  const made = async (): Promise<Store> => {
    const store = await new Store().open()
    await store.store('anew', 10)
    await store.store('anew', 6, [control(2)], { isAnew: true })
    await store.store('both', 8)
    await store.store('both', 3, [], { clusterId: 'other' })
    await store.storage.close()
    return store
  }

  it('verify finds nothing wrong with what is there, and says what it looks for', async () => {
    const store = await made()
    expect(await store.damage()).toEqual([])
    const what = 'only offsets without any record are looked for'
    expect(await store.notes()).toEqual([
      expect.stringMatching(`^anew/0: ${what}: its offsets began anew`),
      expect.stringMatching(`^both/0: ${what}: .*several`),
    ])
  })

  it('verify finds what none of them has, for each row that counts it', async () => {
    const store = await made()
    store.forgetEntry('anew/0')
    store.forgetEntry('both/0')
    expect(await store.damage()).toEqual([
      expect.stringMatching('^anew/0: 5 offsets .*0–1, 3–5.* acknowledged and not there'),
      expect.stringMatching('^both/0: 8 offsets .* acknowledged and not there'),
      expect.stringMatching('^both/0: 3 offsets .* acknowledged and not there'),
    ])
  })

  it('verify finds a record behind all clusters, and none behind a topic that began anew', async () => {
    const store = await made()
    await store.open()
    await store.storage.submit({ writes: [recordOf('anew', 0, 30), recordOf('both', 0, 30)] })
    await store.storage.close()
    expect(await store.damage()).toEqual([
      expect.stringMatching('^both/0: offset 30 is there, but the ledger ends at 8'),
    ])
  })
})

describe('gap ranges that lie in their file', () => {
  const DIRECTORY = '/data/.sediment/gaps/cluster/many'
  const PATH = `${DIRECTORY}/0-0-0`
  /** Every second offset a gap: more than the checkpoint lists. */
  const made = async (): Promise<Store> => {
    const store = await new Store().open(1000)
    await store.store(
      'many',
      1400,
      Array.from({ length: 700 }, (_, index) => control(2 * index)),
    )
    await store.storage.close()
    expect(store.ledger.positions()[0]?.spilled?.pages).toBeGreaterThan(1)
    return store
  }
  const rebuilt = { topic: 'many', nextOffset: 1400 }

  it('are held against the records like all others, and put right by a rebuilt ledger', async () => {
    const store = await made()
    expect(await store.damage()).toEqual([])
    expect(await store.rebuild()).toEqual([{ ...rebuilt, records: 700, control: 700 }])
    await store.open()
    await store.storage.submit({ writes: [recordOf('many', 0, 20)] })
    await store.storage.close()
    expect(await store.damage()).toEqual([
      'many/0: offset 20 is there, but the ledger says why there is nothing',
    ])
    expect(await store.rebuild()).toEqual([{ ...rebuilt, records: 701, control: 699 }])
    expect(await store.damage()).toEqual([])
    await store.open()
    expect(store.ledger.positions()[0]).toMatchObject({ gapRangesForgotten: 0, spilled: { edition: 1 } })
    await store.store('many', 1500)
    await store.storage.close()
    expect(await store.damage()).toEqual([])
  })

  it('tell a lost record from a gap', async () => {
    const store = await made()
    store.forgetEntry('many/0')
    expect(await store.damage()).toEqual([
      expect.stringMatching(
        '^many/0: 700 offsets .1, 3, 5, 7, .* are acknowledged and not there; nothing was',
      ),
    ])
  })

  it('are named where they cannot be read, stop no start, and are counted from the next rebuilt ledger on', async () => {
    const store = await made()
    store.disk.flipBit(PATH, 800 * 8)
    const { report } = await store.check()
    expect(report.findings).toEqual([
      expect.objectContaining({
        severity: 'damaged',
        path: PATH,
        message: expect.stringMatching(
          '^many/0: 1 of its 2 pages cannot be read, page 1 the first',
        ) as unknown,
      }),
    ])
    await store.open()
    await store.store('many', 1500)
    await store.storage.close()
    expect(await store.damage()).toHaveLength(1)
    expect(await store.rebuild()).toEqual([{ topic: 'many', nextOffset: 1500, records: 800, control: 700 }])
    expect(await store.damage()).toEqual([])
    expect((await store.check()).rows[0]).toMatchObject({ gapRangesForgotten: 244 })
    // What is only counted hides no loss.
    store.forgetEntry('many/0')
    expect(await store.damage()).toEqual([
      expect.stringContaining('244 of them gaps that the ledger only counts'),
    ])
  })

  it('are all missing with their file, and no more than that', async () => {
    const store = await made()
    store.disk.unlink(PATH)
    expect(await store.damage()).toEqual([expect.stringMatching('^many/0: 2 of its 2 pages cannot be read:')])
    await (await store.open()).storage.close()
    expect(await store.rebuild()).toEqual([{ ...rebuilt, records: 700, control: 700 }])
    expect(await store.damage()).toEqual([])
  })

  it('are what is left of a ledger that is lost', async () => {
    const store = await made()
    const { ranges } = store.ledger.positions()[0]!.spilled!
    // Of a page that no checkpoint came to count, the part behind the last record.
    const garbage = { owner: 'cluster/many/0-0-0', pageNumber: 2 }
    const behind = [{ class: 'filtered' as const, fromOffset: 1400, nextOffset: 1500 }]
    const bytes = (await store.disk.fs.readFile(PATH))!
    store.disk.putFile(PATH, Buffer.concat([bytes, encodePage(garbage, behind).bytes]))
    store.disk.unlink('/data/.sediment/checkpoint')
    expect(await store.rebuild()).toEqual([
      { ...rebuilt, records: 700, control: ranges, unknown: 700 - ranges },
    ])
    expect(await store.damage()).toEqual([])
    await store.open()
    await store.store('many', 1500)
    await store.storage.close()
    expect(await store.damage()).toEqual([])
  })

  it.each([
    ['a repair was cut off before it had written a newer edition', false],
    ['the newest edition cannot be read', true],
  ])('are found in what is left when %s', async (_what, isUnreadable) => {
    const store = await made()
    const { ranges } = store.ledger.positions()[0]!.spilled!
    store.disk.putFile(`${DIRECTORY}/0-0-1`, new Uint8Array(700))
    for (const name of ['0-0-99999999999999999999', '0-0-x', '1-0-9'])
      store.disk.putFile(`${DIRECTORY}/${name}`, new Uint8Array(0))
    store.disk.unlink('/data/.sediment/checkpoint')
    if (isUnreadable) store.disk.failNext('fileBytes', { path: `${DIRECTORY}/0-0-1`, times: Infinity })
    expect(await store.rebuild()).toEqual([
      { ...rebuilt, records: 700, control: ranges, unknown: 700 - ranges },
    ])
  })

  it('are unknown where their directory cannot be read', async () => {
    const store = await made()
    store.disk.unlink('/data/.sediment/checkpoint')
    store.disk.failNext('list', { path: DIRECTORY, times: Infinity })
    expect(await store.rebuild()).toEqual([{ ...rebuilt, records: 700, unknown: 700 }])
  })
})
