import { crc32 } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { FileSystem } from '../../src/fs/file-system.ts'
import { openDirectory } from '../../src/storage/query/directory-reader.ts'
import type { EntryName, RecordWrite } from '../../src/storage/record.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { toHex } from '../support/bytes.ts'
import { crc64 } from '../support/independent/crc64.ts'
import { indexCrc64, readDescriptor, readIndex } from '../support/independent/messages.ts'
import { checkSettled } from '../support/independent/settled-check.ts'
import { readAsStock } from '../support/independent/stock-reader.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { contentsOf, readRecord, type ReadRecord } from '../support/storage/contents.ts'
import { StoreModel } from '../support/storage/model.ts'
import { filesBelow, independentFiles, openStore, write } from '../support/storage/store.ts'

/**
 * Goal: what the engine leaves is a clean ReductStore directory that shows exactly what was written. Method: whole
 * stores on the simulated disk, read by the engine, by its read-only reader and by readers that know nothing of it.
 */

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }

async function expectClean(fs: FileSystem, model: StoreModel): Promise<void> {
  const files = await independentFiles(fs)
  expect(checkSettled(files)).toEqual([])
  const stock = readAsStock(files)
  expect(stock.problems).toEqual([])
  expect(
    Object.fromEntries(
      stock.entries.map((one) => [
        `${one.bucket}/${one.entry}`,
        one.records.map(({ timestampUs }) => String(timestampUs)),
      ]),
    ),
  ).toEqual(
    Object.fromEntries(Object.entries(model.contents).map(([name, all]) => [name, all.map(({ ts }) => ts)])),
  )
  const missed = stock.entries.flatMap((one) =>
    one.records.filter(({ timestampUs, content }) => {
      const found = one.at(timestampUs)?.content
      return found === undefined || content === undefined || Buffer.compare(found, content) !== 0
    }),
  )
  expect(missed).toEqual([])
  expect(await contentsOf(await openDirectory(fs, '/data'))).toEqual(model.contents)
}

/** Settles, closes and opens again, and looks at the directory and the store after each. */
async function expectKept(fs: FileSystem, storage: Storage, model: StoreModel): Promise<void> {
  expect(await contentsOf(storage)).toEqual(model.contents)
  await storage.settle()
  await expectClean(fs, model)
  await storage.close()
  await expectClean(fs, model)
  const again = await openStore(fs)
  expect(await contentsOf(again)).toEqual(model.contents)
  await again.close()
  expect(checkSettled(await independentFiles(fs))).toEqual([])
}

class Session {
  readonly fs = new SimulatedDisk({ seed: 5 }).fs
  readonly model = new StoreModel()

  async store(storage: Storage, ...writes: RecordWrite[]): Promise<void> {
    for (const one of writes) this.model.add(one)
    await storage.submit({ writes })
  }
}

describe('a settled directory', () => {
  it('is clean after many blocks, late records, reopened blocks, empty and direct content', async () => {
    const session = new Session()
    const storage = await openStore(session.fs, {
      settings: { blockRecordsMax: 5, blockBytesMax: 600 },
      limits: { directBytesMin: 200, logBytesCheckpoint: 8192 },
    })
    const entries = ['a', 'a/b', 'a/b/c', 'topic/0', 'topic/1'].map((name) => ({
      bucket: 'kafka',
      entry: name,
    }))
    const other = { bucket: 'other', entry: 'a' }
    for (let round = 0; round < 40; round++) {
      const writes = entries.map((target, index) =>
        write(target, t0 + round * 1000, round % 7 === index ? '' : 'x'.repeat((round * 37 + index) % 300), [
          'offset',
          String(round),
        ]),
      )
      if (round % 10 === 9) writes.push(write(other, t0, new Uint8Array(1000).fill(round)))
      await session.store(storage, ...writes)
      if (round % 8 === 7) {
        await storage.settle()
        await session.store(storage, write(entries[1] as EntryName, t0 + 2500 + round, 'late'))
        await session.store(storage, write(entries[1] as EntryName, t0 - round * 1000, 'before all'))
      }
    }
    await expectKept(session.fs, storage, session.model)
  })

  it('keeps everything of a block that was sealed and is reopened by late records', async () => {
    const session = new Session()
    const storage = await openStore(session.fs, { settings: { blockRecordsMax: 4 } })
    await session.store(storage, ...[0, 10, 20, 30, 40, 50].map((us) => write(entry, t0 + us)))
    await storage.settle()
    const sealed = await filesBelow(session.fs)
    const before = readDescriptor(sealed.get(`kafka/topic/0/${t0}.meta`) as Uint8Array, true)
    expect(before.records).toHaveLength(4)

    await session.store(storage, write(entry, t0 + 15, 'late'))
    const open = await filesBelow(session.fs)
    expect([...open.keys()].filter((path) => path.endsWith('.wal'))).toEqual([`kafka/topic/0/.wal/${t0}.wal`])
    expect(open.get(`kafka/topic/0/${t0}.meta`)).toEqual(sealed.get(`kafka/topic/0/${t0}.meta`))
    expect(await contentsOf(storage)).toEqual(session.model.contents)
    expect(await storage.fold(entry, t0)).toBe(true)

    const folded = await filesBelow(session.fs)
    const after = readDescriptor(folded.get(`kafka/topic/0/${t0}.meta`) as Uint8Array, true)
    expect(after.records.filter(({ timestampUs }) => timestampUs !== BigInt(t0 + 15))).toEqual(before.records)
    const content = sealed.get(`kafka/topic/0/${t0}.blk`) as Uint8Array
    expect(folded.get(`kafka/topic/0/${t0}.blk`)?.subarray(0, content.length)).toEqual(content)
    for (const [path, bytes] of sealed) {
      if (path.includes(String(t0 + 40))) expect([path, folded.get(path)]).toEqual([path, bytes])
    }
    await expectKept(session.fs, storage, session.model)
  })

  it('holds 2,000 equal timestamps in order, those that leave their millisecond with the original time', async () => {
    const session = new Session()
    const storage = await openStore(session.fs, { settings: { blockRecordsMax: 300 } })
    for (let from = 0; from < 2000; from += 250) {
      await session.store(
        storage,
        ...Array.from({ length: 250 }, (_, index) =>
          write(entry, t0, `${from + index}`, ['n', `${from + index}`]),
        ),
      )
    }
    await expectKept(session.fs, storage, session.model)
    const records = session.model.recordsOf('kafka/topic/0') as Extract<ReadRecord, { labels: object }>[]
    expect(records.map(({ labels }) => labels['n'])).toEqual(Array.from({ length: 2000 }, (_, n) => `${n}`))
    expect(records.filter(({ labels }) => labels['ts_original'] === String(t0))).toHaveLength(1000)
  })

  it('holds 2,000 falling timestamps', async () => {
    const session = new Session()
    const storage = await openStore(session.fs, { settings: { blockRecordsMax: 300 } })
    for (let from = 0; from < 2000; from += 100) {
      await session.store(
        storage,
        ...Array.from({ length: 100 }, (_, index) =>
          write(entry, t0 - (from + index) * 1000, `${from + index}`),
        ),
      )
    }
    await expectKept(session.fs, storage, session.model)
  })

  it('holds records larger than a block and a group, alone and beside small ones', async () => {
    const session = new Session()
    const storage = await openStore(session.fs, {
      settings: { blockBytesMax: 1000 },
      limits: { directBytesMin: 50_000, groupBytesMax: 10_000 },
    })
    await session.store(storage, write(entry, t0, 'small'))
    await session.store(storage, write(entry, t0 + 1, new Uint8Array(30_000).fill(1)))
    await session.store(
      storage,
      write(entry, t0 + 2, new Uint8Array(100_000).fill(2)),
      write(entry, t0 + 3, 'small'),
    )
    await session.store(storage, write({ bucket: 'kafka', entry: 'big' }, t0, new Uint8Array(60_000).fill(3)))
    await expectKept(session.fs, storage, session.model)
    const stems = [...(await filesBelow(session.fs)).keys()].filter((path) => /topic.*blk$/.test(path))
    expect(stems).toEqual([0, 1, 2, 3].map((us) => `kafka/topic/0/${t0 + us}.blk`))
  })

  it('holds a block of empty records only', async () => {
    const session = new Session()
    const storage = await openStore(session.fs)
    await session.store(storage, write(entry, t0, ''), write(entry, t0, ''), write(entry, t0 + 5, ''))
    await expectKept(session.fs, storage, session.model)
  })

  it('holds labels, content types and times at the limits of what is allowed', async () => {
    const session = new Session()
    const storage = await openStore(session.fs)
    const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('')
    const many = Array.from({ length: 500 }, (_, index) => [`name-${index}`, `${index}`]).flat()
    await session.store(
      storage,
      write(entry, 0, 'time zero'),
      write(entry, Number.MAX_SAFE_INTEGER, 'the last time'),
      write(entry, t0, 'x', ['all', printable, 'none', ''], printable),
      write(entry, t0 + 1, 'x', ['long', 'y'.repeat(65_536)], ''),
      write(entry, t0 + 2, 'x', many),
      write(entry, t0 + 3, 'x', ['A.b_c-9', '1', 'a', 'first', 'a', 'second']),
    )
    await expectKept(session.fs, storage, session.model)
  })

  it.each<[string, Partial<RecordWrite>]>([
    ['a label name with a space', { labels: ['a b', ''] }],
    ['an empty label name', { labels: ['', 'x'] }],
    ['a label name beyond ASCII', { labels: ['größe', ''] }],
    ['a label value with a line break', { labels: ['a', 'b\n'] }],
    ['a label value beyond ASCII', { labels: ['a', 'é'] }],
    ['a label value with DEL', { labels: ['a', '\x7f'] }],
    ['a content type with a tab', { contentType: 'text\tplain' }],
    ['a negative time', { timestampUs: -1 }],
    ['a time between microseconds', { timestampUs: 0.5 }],
    ['a time from 2^53', { timestampUs: 2 ** 53 }],
    ['an entry named wal', { target: { bucket: 'kafka', entry: 'a/wal' } }],
    ['an entry with a dot', { target: { bucket: 'kafka', entry: 'a.b' } }],
    ['a bucket with a slash', { target: { bucket: 'a/b', entry: 'a' } }],
  ])('refuses %s and stores nothing of the submission', async (_, change) => {
    const session = new Session()
    const storage = await openStore(session.fs)
    const writes = [write(entry, t0), { ...write(entry, t0 + 1), ...change }]
    await expect(storage.submit({ writes })).rejects.toMatchObject({ code: 'ERR_INVALID' })
    await session.store(storage, write(entry, t0 + 2))
    await expectKept(session.fs, storage, session.model)
  })
})

describe('the bytes of a directory', () => {
  const target: EntryName = { bucket: 'bucket-1', entry: 'a' }
  const contents = ['0123456789', 'abcdefghij']
  /** Our field 1000, which stock skips. */
  const checksum = (content: string): string => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(crc32(content))
    return `c53e${bytes.toString('hex')}`
  }
  const records = [
    `0a0310e807180a2001320a746578742f706c61696e${checksum(contents[0] as string)}`,
    `0a05080210904e100a18142001320a746578742f706c61696e${checksum(contents[1] as string)}`,
  ]
  const u64 = (value: bigint): string => value.toString(16).padStart(16, '0')
  const bytesOf = (hex: string): Buffer => Buffer.from(hex, 'hex')

  async function vectorA(): Promise<{ fs: FileSystem; storage: Storage }> {
    const { fs } = new SimulatedDisk({ seed: 1 })
    const storage = await openStore(fs, { settings: { blockRecordsMax: 1024 } })
    await storage.submit({
      writes: [write(target, 1, contents[0]), write(target, 2_000_010, contents[1])],
    })
    return { fs, storage }
  }

  it('are those of the format for settings and folders', async () => {
    const { fs, storage } = await vectorA()
    await storage.submit({ writes: [write({ ...target, entry: 'a/b' }, 1)] })
    await storage.close()
    const files = await filesBelow(fs)
    expect(toHex(files.get('bucket-1/bucket.settings') as Uint8Array)).toBe(
      '0880a0c21e10001800208008c53e1c913b66',
    )
    expect(toHex(files.get('.folder') as Uint8Array)).toBe('0a140a086275636b65742d3112086275636b65742d31')
    expect(toHex(files.get('bucket-1/.folder') as Uint8Array)).toBe(
      '0a060a01611201610a0a0a03612f621203612f62',
    )
  })

  it('are those of the format for the WAL of an open block', async () => {
    const { fs, storage } = await vectorA()
    const wal = records.map((record) => {
      const head = `00${u64(BigInt(record.length / 2))}${record}`
      return head + u64(crc64(bytesOf(head)))
    })
    expect(toHex((await fs.readFile(`/data/bucket-1/a/.wal/1.wal`)) as Uint8Array)).toBe(`${wal.join('')}ff`)
    expect(Buffer.from((await fs.readFile('/data/bucket-1/a/1.blk')) as Uint8Array).toString()).toBe(
      contents.join(''),
    )
    const { blocks, crc64: outer } = readIndex(
      (await fs.readFile('/data/bucket-1/a/blocks.idx')) as Uint8Array,
    )
    expect(blocks).toEqual([
      { id: 1n, size: 20n, recordCount: 2n, metadataSize: 54n, latestUs: 2_000_010n, crc64: undefined },
    ])
    expect(outer).toBe(indexCrc64(blocks))
    await storage.close()
  })

  it('are those of the format, and our own two fields, for a folded block', async () => {
    const { fs, storage } = await vectorA()
    await storage.settle()
    // 42 of the vector, and twice the six bytes of our field, for the metadata size; 1001 = the first frame.
    const expected = '0a0310e8071205080210904e1814' + `221b${records[0]}221f${records[1]}` + '30023836c83e01'
    const descriptor = (await fs.readFile('/data/bucket-1/a/1.meta')) as Uint8Array
    expect(toHex(descriptor)).toBe(expected)
    const { blocks, crc64: outer } = readIndex(
      (await fs.readFile('/data/bucket-1/a/blocks.idx')) as Uint8Array,
    )
    expect(blocks.at(-1)).toEqual({
      id: 1n,
      size: 20n,
      recordCount: 2n,
      metadataSize: BigInt(descriptor.length),
      latestUs: 2_000_010n,
      crc64: crc64(bytesOf(expected)),
    })
    expect(outer).toBe(indexCrc64(blocks))
    await storage.close()
  })
})

describe('any sequence of operations', () => {
  const names = ['a', 'a/b', 'c'].map((name): EntryName => ({ bucket: 'kafka', entry: name }))
  const HOUR_US = 3_600_000_000
  const timestamp = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }).map((us) => t0 + us) },
    { weight: 2, arbitrary: fc.integer({ min: -3, max: 30 }).map((hours) => t0 + hours * HOUR_US) },
    { weight: 1, arbitrary: fc.integer({ min: -3, max: 3 }).map((days) => t0 + days * 24 * HOUR_US) },
  )
  const record = fc.record({
    target: fc.constantFrom(...names),
    timestampUs: timestamp,
    labels: fc.array(
      fc.tuple(fc.constantFrom('a', 'b', 'offset'), fc.string({ unit: 'binary-ascii' }).map(printable)),
      {
        maxLength: 3,
      },
    ),
    contentType: fc.constantFrom('', 'text/plain'),
    content: fc.tuple(fc.integer({ min: 0, max: 255 }), fc.oneof(fc.nat(40), fc.nat(900))),
  })
  const operation = fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        beside: fc.constantFrom('nothing', 'checkpoint', 'settle', 'read'),
        submit: fc.array(fc.array(record, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ fold: fc.tuple(fc.constantFrom(...names), fc.nat(5)) }) },
    {
      weight: 3,
      arbitrary: fc.record({ range: fc.tuple(fc.constantFrom(...names), timestamp, fc.nat(50)) }),
    },
    { weight: 3, arbitrary: fc.record({ point: fc.tuple(fc.constantFrom(...names), timestamp) }) },
    { weight: 1, arbitrary: fc.constant('checkpoint' as const) },
    { weight: 1, arbitrary: fc.constant('settle' as const) },
    { weight: 1, arbitrary: fc.constant('reopen' as const) },
  )
  const setup = {
    settings: { blockRecordsMax: 6, blockBytesMax: 1500 },
    limits: {
      groupBytesMax: 4096,
      directBytesMin: 700,
      directBlocksMax: 2,
      logBytesCheckpoint: 65_536,
      readCacheBytesMax: 1000,
    },
  }

  it('shows what a map with the slot rule holds, and leaves a clean directory', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(operation, { maxLength: 25 }), async (seed, operations) => {
        const { fs } = new SimulatedDisk({ seed })
        const model = new StoreModel()
        let storage = await openStore(fs, setup)
        for (const one of operations) {
          if (one === 'checkpoint') await storage.checkpoint()
          else if (one === 'settle') {
            await storage.settle()
            await expectClean(fs, model)
          } else if (one === 'reopen') {
            await storage.close()
            storage = await openStore(fs, setup)
          } else if ('submit' in one) {
            const submissions = one.submit.map((batch) =>
              batch.map(({ target, timestampUs, labels, contentType, content: [byte, length] }) =>
                write(target, timestampUs, new Uint8Array(length).fill(byte), labels.flat(), contentType),
              ),
            )
            for (const writes of submissions) for (const each of writes) model.add(each)
            const running: Promise<unknown>[] = submissions.map((writes) => storage.submit({ writes }))
            if (one.beside === 'checkpoint') running.push(storage.checkpoint())
            else if (one.beside === 'settle') running.push(storage.settle())
            else if (one.beside === 'read') running.push(contentsOf(storage))
            await Promise.all(running)
          } else if ('fold' in one) {
            const [name, place] = one.fold
            const stems = ((await fs.list(`/data/kafka/${name.entry}/.wal`)) ?? []).map((item) => item.name)
            const stem = stems[place % stems.length]
            if (stem !== undefined) expect(await storage.fold(name, parseInt(stem))).toBe(true)
          } else if ('range' in one) {
            const [name, startUs, length] = one.range
            const found: ReadRecord[] = []
            const range = { startUs: BigInt(startUs), stopUs: BigInt(startUs + length) }
            for await (const each of storage.records(name, range)) found.push(await readRecord(each))
            expect(found).toEqual(
              model
                .recordsOf(`kafka/${name.entry}`)
                .filter(({ ts }) => Number(ts) >= startUs && Number(ts) < startUs + length),
            )
          } else {
            const [name, timestampUs] = one.point
            const found = await storage.get(name, BigInt(timestampUs))
            expect(found && (await readRecord(found))).toEqual(
              model.recordsOf(`kafka/${name.entry}`).find(({ ts }) => Number(ts) === timestampUs),
            )
          }
        }
        for (const { entry: name, recordCount, latestUs } of await storage.entries()) {
          const records = model.recordsOf(`kafka/${name}`)
          expect([name, recordCount, latestUs]).toEqual([
            name,
            records.length,
            BigInt(records.at(-1)?.ts ?? 0),
          ])
        }
        expect(await contentsOf(storage)).toEqual(model.contents)
        await storage.close()
        await expectClean(fs, model)
      }),
      { numRuns: 40 },
    )
  })
})

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '.')
}
