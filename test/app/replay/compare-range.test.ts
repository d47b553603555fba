// Goal: a comparison says exactly what is the same, and what is missing is stored once. Method: messages mapped by the real
// rules into the real engine on a simulated disk, held against a fake log of Kafka.
import { beforeEach, describe, expect, it } from '@jest/globals'
import { compareRange, unlistedFiltered, type RangeReport } from '../../../src/app/replay/compare-range.ts'
import { MissingStore } from '../../../src/app/replay/store-missing.ts'
import type { SourceRecord } from '../../../src/kafka/source.ts'
import type { Gap } from '../../../src/ledger/gap.ts'
import { readGaps } from '../../../src/ledger/gap-files.ts'
import { encodeDelta } from '../../../src/ledger/ledger-codec.ts'
import { OffsetLedger, unknownRow } from '../../../src/ledger/offset-ledger.ts'
import { createMapper } from '../../../src/mapping/mapper.ts'
import { quarantinedRecord } from '../../../src/sink/quarantine.ts'
import type { RecordWrite, Storage } from '../../../src/storage/index.ts'
import { ruleWith } from '../../support/mapping/rules.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore } from '../../support/storage/store.ts'

const NOW_MS = 1_700_000_100_000
const place = { topic: 'orders', partition: 0 }
const entry = { bucket: 'kafka', entry: 'orders/0' }
const mapper = createMapper([ruleWith()])

/** Times run backwards now and then, as producers' clocks do. */
const message = (offset: number, change: Partial<SourceRecord> = {}): SourceRecord => ({
  offset,
  timestampMs: 1_700_000_000_000 + (offset % 7) * 10,
  timestampType: 'create',
  key: offset % 3 === 0 ? null : Buffer.from(`k${offset}`),
  value: offset % 5 === 0 ? null : Buffer.from(`value ${offset}`),
  headers: [{ name: Buffer.from('h'), value: offset % 2 === 0 ? null : Buffer.from([offset]) }],
  ...change,
})

let store: Storage
let log: SourceRecord[]

beforeEach(async () => {
  store = await openStore(new SimulatedDisk({ seed: 1 }).fs)
  log = Array.from({ length: 40 }, (_, offset) => message(offset))
})

const put = (...messages: SourceRecord[]): Promise<void> =>
  store.submit({
    writes: messages.map((one) => mapper.forPartition('orders', 0)!.map(one, NOW_MS) as RecordWrite),
  })

async function* piecesOf(gaps: readonly Gap[]): AsyncGenerator<readonly Gap[]> {
  for (const gap of gaps) yield Promise.resolve([gap])
}

interface Asked {
  readonly low?: number
  readonly gaps?: readonly Gap[]
  readonly next?: number
  readonly from?: number
  readonly to?: number
  readonly missing?: MissingStore
}

const compare = ({
  low = 0,
  gaps = [],
  next = 40,
  from = 0,
  to = 40,
  missing,
}: Asked = {}): Promise<RangeReport> =>
  compareRange({
    reader: store,
    gaps: piecesOf(gaps),
    row: { ...unknownRow({ clusterId: 'c', ...place }, 0), nextOffset: next, gaps },
    fromOffset: from,
    toOffset: to,
    lowWatermark: low,
    async *read(position, end) {
      for (; position < end; position += 10) {
        const records = log.filter(({ offset }) => offset >= position && offset < position + 10)
        yield Promise.resolve({ records, nextOffset: position + 10 })
      }
    },
    ...(missing && { onMissing: (record: SourceRecord) => missing.add(record) }),
  })

describe('a comparison', () => {
  it('finds what is stored the same, in quarantine too', async () => {
    const reason = { cause: 'no-time', detail: '', rule: 'default' }
    await put(...log.slice(1))
    await store.submit({ writes: [quarantinedRecord(log[0]!, reason, place, NOW_MS)] })
    expect(await compare()).toMatchObject({
      equal: 40,
      quarantined: 1,
      different: 0,
      missing: 0,
      duplicates: 0,
    })
    expect(await compare({ from: 7, to: 11 })).toMatchObject({ equal: 4, onlyInStore: 0 })
    await store.close()
  })

  it.each<[string, Partial<SourceRecord>]>([
    ['key', { key: Buffer.alloc(0) }],
    ['value', { value: Buffer.from('value 8') }],
    ['value', { value: null }],
    ['headers', { headers: [] }],
    ['headers', { headers: [{ name: Buffer.from('h'), value: Buffer.alloc(0) }] }],
    ['time', { timestampMs: 1_700_000_000_001 }],
  ])('sees another %s', async (what, change) => {
    await put(...log)
    log[7] = message(7, change)
    expect(await compare()).toMatchObject({
      equal: 39,
      different: 1,
      differentOffsets: [{ offset: 7, what: `other ${what}` }],
    })
    await store.close()
  })

  it('tells missing, gaps, what is not read yet, what only the store has, and what is there twice', async () => {
    await put(...log.filter(({ offset }) => ![3, 4, 5].includes(offset) && offset < 35), log[20]!)
    log = log.filter(({ offset }) => offset !== 30)
    const gaps: Gap[] = [{ class: 'filtered', fromOffset: 4, nextOffset: 5 }]
    expect(await compare({ gaps, next: 38, low: 2 })).toMatchObject({
      equal: 29,
      missing: 5,
      missingOffsets: [3, 5, 35, 36, 37],
      inGaps: { filtered: 1 },
      notYet: 2,
      onlyInStore: 1,
      onlyInStoreOffsets: [30],
      expiredInKafka: 2,
      duplicates: 1,
    })
    await store.close()
  })
})

describe('what is missing', () => {
  it('is stored once, however often it is asked for', async () => {
    await put(...log)
    const gone: bigint[] = []
    for await (const { labels, timestampUs } of store.records(entry))
      if (['3', '17'].includes(labels[1] as string)) gone.push(timestampUs)
    await store.removeRecords(entry, gone)

    for (const stored of [2, 0]) {
      const missing = new MissingStore(store, mapper, place, () => NOW_MS)
      expect(await compare({ missing })).toMatchObject({ missing: stored })
      expect(await missing.finish()).toEqual({ stored, quarantined: 0, left: 0 })
    }
    expect(await compare()).toMatchObject({ equal: 40, missing: 0, duplicates: 0 })
    await store.close()
  })

  it('is nothing that was filtered, however long ago and whatever the rule says now', async () => {
    const disk = new SimulatedDisk({ seed: 2 })
    let ledger = new OffsetLedger()
    let filtering = await openStore(disk.fs, { companion: ledger })
    log = Array.from({ length: 1400 }, (_, offset) => message(offset))
    const isStored = ({ offset }: SourceRecord): boolean => offset % 2 === 0
    for (let from = 0; from < 1400; from += 100) {
      const batch = log.slice(from, from + 100)
      const gaps = batch
        .filter((one) => !isStored(one))
        .map(({ offset }): Gap => ({ class: 'filtered', fromOffset: offset, nextOffset: offset + 1 }))
      const writes = batch
        .filter(isStored)
        .map((one) => mapper.forPartition('orders', 0)!.map(one, NOW_MS) as RecordWrite)
      const step = { ...place, fromOffset: from, nextOffset: from + 100, records: writes.length, gaps }
      await filtering.submit({ writes, delta: encodeDelta('c', [step]) })
    }
    await filtering.close()
    ledger = new OffsetLedger()
    filtering = await openStore(disk.fs, { companion: ledger })
    const row = ledger.position({ clusterId: 'c', ...place })!
    expect(row.gaps.length).toBeLessThan(300)
    const missing = new MissingStore(filtering, mapper, place, () => NOW_MS)
    const report = await compareRange({
      reader: filtering,
      row,
      gaps: readGaps(row, { fs: disk.fs, directory: '/data/.sediment/gaps' }, ({ message: damage }) => {
        throw new Error(damage)
      }),
      fromOffset: 0,
      toOffset: 1400,
      lowWatermark: 0,
      async *read(from, to) {
        for (let at = from; at < to; at += 100)
          yield Promise.resolve({ records: log.slice(at, at + 100), nextOffset: at + 100 })
      },
      onMissing: (record) => missing.add(record),
    })
    expect(report).toMatchObject({ equal: 700, missing: 0, inGaps: { filtered: 700 } })
    expect(await missing.finish()).toMatchObject({ stored: 0 })
    await filtering.close()
  })

  it('cannot be told where filtered messages are only counted, and can where the file has them', async () => {
    const gaps = Array.from({ length: 600 }, (_, index): Gap => {
      const gapClass = index % 2 === 0 ? 'filtered' : 'control'
      return { class: gapClass, fromOffset: 2 * index, nextOffset: 2 * index + 1 }
    })
    const ledger = new OffsetLedger()
    const step = { ...place, fromOffset: 0, nextOffset: 1200, records: 600, gaps }
    ledger.apply(encodeDelta('c', [step]))
    const row = ledger.position({ clusterId: 'c', ...place })!
    const disk = { fs: new SimulatedDisk().fs, directory: '/gaps' }
    expect(
      await unlistedFiltered(
        row,
        readGaps(row, disk, () => {}),
      ),
    ).toBe(0)
    const left = row.gaps.filter((gap) => gap.class === 'filtered').length
    const { spilled, ...ofOldRelease } = { ...row, gapRangesForgotten: row.spilled!.ranges }
    expect(spilled).toBeDefined()
    expect(
      await unlistedFiltered(
        row,
        readGaps(ofOldRelease, disk, () => {}),
      ),
    ).toBe(300 - left)
    // Pages that are on disk by what the row says, and are not there.
    ledger.snapshot()
    await ledger.spill(new SimulatedDisk().fs, '/')
    expect(
      await unlistedFiltered(
        row,
        readGaps(row, disk, () => {}),
      ),
    ).toBe(300 - left)
    await store.close()
  })

  it('goes where its rule sends it now: quarantine, or nowhere', async () => {
    const strict = createMapper([ruleWith({ tombstones: 'skip', contentBytesMax: 7 })])
    const missing = new MissingStore(store, strict, place, () => NOW_MS)
    await compare({ missing })
    // 8 of 40 are tombstones; `value 1` to `value 9` fit.
    expect(await missing.finish()).toEqual({ stored: 32, quarantined: 24, left: 8 })
    expect(await compare()).toMatchObject({ equal: 32, quarantined: 24, missing: 8 })
    await store.close()
  })
})
