import { describe, expect, it } from '@jest/globals'
import type { FileSystem } from '../../../src/fs/file-system.ts'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import type { EntryName, LabelList, RecordReader } from '../../../src/storage/record.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { readAsStock } from '../../support/independent/stock-reader.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { independentFiles, openStore } from '../../support/storage/store.ts'

/**
 * Goal: an attachment takes the place of the one with its key, as one atom: ReductStore's queries, which pass over what has
 * the label `remove=true`, show one of each key at any moment; then what was replaced goes for good, as ReductStore has it.
 * Method: attachments on the simulated disk, one crash before each change of the disk; what ReductStore's rules show.
 */

const t0 = 1_750_000_000_000_000
const name: EntryName = { bucket: 'kafka', entry: 'camera/0/$meta' }

async function attach(storage: Storage, us: number, key: string, content: string): Promise<void> {
  const bytes = Buffer.from(content)
  const labels = ['key', key]
  const begin = {
    target: name,
    timestampUs: t0 + us,
    labels,
    contentType: 'text/plain',
    contentBytes: bytes.length,
  }
  const writer = await storage.beginRecord(begin)
  await writer.write(bytes)
  await writer.finish()
}

/** What a query shows: key and content. */
async function shown(reader: RecordReader): Promise<string[]> {
  const rows: string[] = []
  for await (const record of reader.records(name)) {
    const labels = pairs(record.labels)
    if (labels.get('remove') !== 'true')
      rows.push(`${labels.get('key')} ${Buffer.from(await record.read()).toString()}`)
  }
  return rows.sort()
}

/** Of all records, taken away or not, behind `t0`. */
async function times(reader: RecordReader): Promise<number[]> {
  const all: number[] = []
  for await (const { timestampUs } of reader.records(name, { anyState: true }))
    all.push(Number(timestampUs) - t0)
  return all
}

const pairs = (labels: LabelList): Map<string, string> =>
  new Map(labels.flatMap((label, index) => (index % 2 === 0 ? [[label, labels[index + 1] as string]] : [])))

async function shownByStock(fs: FileSystem): Promise<string[]> {
  const { records, problems } = readAsStock(await independentFiles(fs))
  expect(problems).toEqual([])
  return records
    .filter(
      ({ state, labels }) =>
        state === 1 && !labels.some(([label, value]) => label === 'remove' && value === 'true'),
    )
    .map(({ labels, content }) => `${new Map(labels).get('key')} ${Buffer.from(content!).toString()}`)
    .sort()
}

async function storeOfTwo(isSettled: boolean): Promise<{ disk: SimulatedDisk; storage: Storage }> {
  const disk = new SimulatedDisk({ seed: 19 })
  const storage = await openStore(disk.fs)
  await attach(storage, 0, 'schema', 'one')
  await attach(storage, 1, 'calib', 'two')
  if (isSettled) await storage.settle()
  return { disk, storage }
}

describe('an attachment', () => {
  it.each([
    ['open', false],
    ['sealed', true],
  ])('takes the place of the one with its key, in %s blocks, and of no other', async (_name, isSettled) => {
    const { disk, storage } = await storeOfTwo(isSettled)
    await attach(storage, 2, 'schema', 'three')
    const rows = ['calib two', 'schema three']
    expect(await shown(storage)).toEqual(rows)
    expect(await times(storage)).toEqual([1, 2])
    expect(await storage.get(name, BigInt(t0))).toBeUndefined()
    disk.killProcess()
    expect(await shownByStock(disk.restart())).toEqual(rows)
    const again = await openStore(disk.restart())
    expect(await shown(again)).toEqual(rows)
    await again.close()
    expect(await shown(await openDirectory(disk.fs, '/data'))).toEqual(rows)
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it('takes along what was labelled as taken away, by a client of ReductStore or before a crash', async () => {
    const { storage } = await storeOfTwo(true)
    const set = new Map([['remove', 'true']])
    await storage.updateLabels(
      name,
      [0, 1].map((us) => ({ timestampUs: BigInt(t0 + us), set })),
    )
    expect(await times(storage)).toEqual([0, 1])
    await attach(storage, 2, 'schema', 'three')
    expect(await times(storage)).toEqual([1, 2])
    await storage.close()
  })

  it('stays, hidden, while content is uploaded into its block, and goes with the next of its key', async () => {
    const { storage } = await storeOfTwo(false)
    const begin = { target: name, timestampUs: t0 + 9, contentType: '', contentBytes: 1 }
    const writer = await storage.beginRecord({ ...begin, labels: ['key', 'other'] })
    await attach(storage, 2, 'schema', 'three')
    expect(await times(storage)).toEqual([0, 1, 2, 9])
    expect(await shown(storage)).toEqual(['calib two', 'schema three'])
    await writer.abort()
    await attach(storage, 3, 'schema', 'four')
    expect(await times(storage)).toEqual([1, 3, 9])
    await storage.close()
  })

  it('leaves no mark that records were removed: the offset ledger has none of it', async () => {
    const { disk, storage } = await storeOfTwo(false)
    await attach(storage, 2, 'schema', 'three')
    await storage.close()
    expect(await disk.restart().fileBytes('/data/.sediment/removals')).toBeUndefined()
  })

  it('needs a key, and is not begun as one that is taken away', async () => {
    const { storage } = await storeOfTwo(false)
    const begin = { target: name, timestampUs: t0 + 5, contentType: '', contentBytes: 0 }
    for (const labels of [
      ['n', '1'],
      ['key', 'a', 'remove', 'true'],
    ])
      await expect(storage.beginRecord({ ...begin, labels })).rejects.toMatchObject({ code: 'ERR_INVALID' })
    await storage.close()
  })

  it.each([
    ['open', false],
    ['sealed', true],
  ])(
    'stands for its key alone, in %s blocks, wherever a kill or a power cut comes',
    async (_name, isSettled) => {
      const { disk: source, storage } = await storeOfTwo(isSettled)
      await storage.close()
      source.restart()
      const before = ['calib two', 'schema one']
      const after = ['calib two', 'schema three']
      let crashes = 0
      for (let operation = 1; ; operation++) {
        const disk = source.fork(operation)
        disk.crashAt(disk.operations + operation)
        const { isDone, isAcknowledged } = await attachesAndCloses(disk.fs)
        if (isDone) break
        crashes += 1
        disk.crashAt(undefined)
        const isKill = operation % 2 === 0
        if (isKill) disk.killProcess()
        else disk.cutPower({ seed: operation })
        const where = { operation, isAcknowledged }
        const isRight = (rows: readonly string[]): boolean =>
          rows.join() === after.join() || (!isAcknowledged && rows.join() === before.join())
        const fs = disk.restart()
        if (isKill)
          expect({ where, isRight: isRight(await shownByStock(fs)) }).toEqual({ where, isRight: true })
        const again = await openStore(fs)
        expect({ where, isRight: isRight(await shown(again)) }).toEqual({ where, isRight: true })
        await again.close()
        const { findings } = await verifyDirectory(fs, '/data', { checkContent: true })
        expect({ where, findings }).toEqual({ where, findings: [] })
      }
      expect(crashes).toBeGreaterThan(20)
    },
  )
})

async function attachesAndCloses(fs: FileSystem): Promise<{ isDone: boolean; isAcknowledged: boolean }> {
  let isAcknowledged = false
  try {
    const storage = await openStore(fs)
    await attach(storage, 2, 'schema', 'three')
    isAcknowledged = true
    await storage.close()
    return { isDone: true, isAcknowledged }
  } catch {
    return { isDone: false, isAcknowledged }
  }
}

describe('an attachment that takes the place of many', () => {
  it('lets ingestion in between their removals', async () => {
    const disk = new SimulatedDisk({ seed: 19 })
    const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 1 } })
    const writes = Array.from({ length: 40 }, (_, us) => ({
      target: name,
      timestampUs: t0 + us,
      labels: ['key', 'schema'],
      contentType: 'text/plain',
      content: Buffer.from(`version ${us}`),
    }))
    await storage.submit({ writes })
    await storage.settle()
    const { fs } = disk
    const rename = fs.rename.bind(fs)
    const writeAndSync = fs.writeAndSync.bind(fs)
    const intents = [0]
    fs.rename = (from, to) => {
      if (to.endsWith('.wal')) intents[intents.length - 1]! += 1
      return rename(from, to)
    }
    fs.writeAndSync = (lane, ops) => {
      if (lane === 'log') intents.push(0)
      return writeAndSync(lane, ops)
    }
    await attach(storage, 100, 'schema', 'newest')
    expect(Math.max(...intents)).toBe(16)
    expect(intents.reduce((sum, count) => sum + count, 0)).toBe(40)
    expect(await shown(storage)).toEqual(['schema newest'])
    expect(await times(storage)).toEqual([100])
    await storage.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })
})
