import { crc32 } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '../../../src/base/logger.ts'
import type { FileSystem } from '../../../src/fs/file-system.ts'
import { decodeDescriptor, encodeDescriptor } from '../../../src/storage/codec/descriptor-codec.ts'
import { encodeIndex } from '../../../src/storage/codec/index-codec.ts'
import { decodeRecord, encodeRecord, recordBytes } from '../../../src/storage/codec/record-codec.ts'
import { openDirectory } from '../../../src/storage/query/directory-reader.ts'
import type { EntryName, LabelList, RecordReader, RecordWrite } from '../../../src/storage/record.ts'
import { verifyDirectory, type Storage } from '../../../src/storage/index.ts'
import { checkSettled } from '../../support/independent/settled-check.ts'
import { readAsStock } from '../../support/independent/stock-reader.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { independentFiles, openStore, write } from '../../support/storage/store.ts'
import { saveAsServer } from '../../support/storage/save-as-server.ts'
import { visitBlock } from '../../support/storage/visit-block.ts'

/**
 * Goal: what ReductStore did to a directory between a kill of ours and our start never stops the start: nothing
 * acknowledged is lost while the log has it, nothing comes twice, and content that is nowhere any more is owed.
 * Method: killed stores on the simulated disk, their blocks saved as ReductStore saves them; what they show by our readers
 * and by ReductStore's rules, also when the start is interrupted before each change of the disk.
 */

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }
const path = `/data/kafka/topic/0/${t0}`
const walPath = `/data/kafka/topic/0/.wal/${t0}.wal`
const owedPath = '/data/.sediment/owed'

const visit = (disk: SimulatedDisk, kept: readonly number[], isCut: boolean): Promise<void> =>
  visitBlock(disk, 'kafka/topic/0', t0, (timestampUs) => kept.includes(timestampUs - t0), isCut)
const labelsOf = (us: number): LabelList => ['offset', String(us), 'key', 'a']
const record = (us: number, content: string): RecordWrite => write(entry, t0 + us, content, labelsOf(us))
const direct = { limits: { directBytesMin: 100 } }
const inline = { limits: { directBytesMin: 1_000_000 } }

/** A block with one settled record, reopened by a frame with these; killed. */
async function killedStore(writes: readonly RecordWrite[], setup = direct): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 24 })
  const storage = await openStore(disk.fs, setup)
  await storage.submit({ writes: [record(0, 'first')] })
  await storage.settle()
  await storage.submit({ writes })
  disk.killProcess()
  return disk
}

/** Time and state; where there is content, checksum and content. */
async function shown(reader: RecordReader): Promise<string[]> {
  const rows: string[] = []
  for await (const { timestampUs, state, contentChecksum, contentBytes, read } of named(reader)) {
    const crc = contentChecksum === undefined ? '-' : 'crc'
    const what = state === 'finished' ? `${crc} ${(await read()).slice(0, 8)}` : `${contentBytes} bytes`
    rows.push(`${Number(timestampUs) - t0} ${state} ${what}`)
  }
  return rows
}

async function* named(reader: RecordReader) {
  for await (const stored of reader.records(entry, { anyState: true })) {
    const { timestampUs, state, contentChecksum, contentBytes } = stored
    const read = async (): Promise<string> => Buffer.from(await stored.read()).toString()
    yield { timestampUs, state, contentChecksum, contentBytes, read }
  }
}

const [x, y] = ['x'.repeat(500), 'y'.repeat(400)]
const first = '0 finished - first'
const cutRows = [first, '5 errored 500 bytes', '6 errored 400 bytes']
const paidRows = [first, '5 finished crc xxxxxxxx', '6 finished crc yyyyyyyy']

async function cutStore(): Promise<SimulatedDisk> {
  const disk = await killedStore([record(5, x), record(6, y)])
  await visit(disk, [0], true)
  return disk
}

/**
 * Its first record is one without CRC-32, whose labels were updated before the kill: changed, or to what they were.
 * @param left what a power cut brings back of the WAL that ReductStore has folded
 */
async function cutStoreWithWal(
  isChanged: boolean,
  left: 'nothing' | 'marker' | 'labels',
): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 25 })
  const before = await openStore(disk.fs, direct)
  await before.submit({ writes: [record(0, 'first')] })
  await before.close()
  saveAsServer(disk, 'kafka/topic/0', [t0])
  const storage = await openStore(disk.restart(), direct)
  await storage.updateLabels(entry, [
    { timestampUs: BigInt(t0), set: new Map([isChanged ? ['version', '2'] : ['key', 'a']]) },
  ])
  const wal = disk.peek(walPath)!.slice()
  await storage.submit({ writes: [record(5, x), record(6, y)] })
  disk.killProcess()
  await visit(disk, [0], true)
  if (left !== 'nothing') disk.putFile(walPath, left === 'labels' ? wal : Uint8Array.of(0xff))
  else await disk.restart().syncDirectories(['/data/kafka/topic/0/.wal'])
  return disk
}

describe('content that ReductStore has cut off', () => {
  it.each([
    ['saved without its records', cutStore],
    ['saved as it was, beside a WAL that came back', () => cutStoreWithWal(false, 'labels')],
  ])(
    'is owed, of a block %s: its records stand there as failed ones, and the start goes on',
    async (_name, cut) => {
      const disk = await cut()
      const before = await verifyDirectory(disk.fs, '/data', { checkContent: true })
      expect(before.findings).toContainEqual({
        severity: 'recoverable',
        path: owedPath,
        message: expect.stringContaining(`content of 2 records, the first in kafka/topic/0 at ${t0 + 5}`),
      })
      const fs = disk.restart()
      const storage = await openStore(fs)
      expect(await shown(storage)).toEqual(cutRows)
      expect(storage.owed).toEqual(
        [x, y].map((content, index) => ({
          ...entry,
          timestampUs: t0 + 5 + index,
          labels: labelsOf(5 + index),
          contentType: 'text/plain',
          contentBytes: content.length,
          contentChecksum: crc32(content),
        })),
      )
      await storage.submit({ writes: [record(7, 'behind')] })
      await storage.settle()
      const stock = readAsStock(await independentFiles(fs))
      expect(stock.problems).toEqual([])
      expect(stock.records.map(({ timestampUs, state }) => [Number(timestampUs) - t0, state])).toEqual([
        [0, 1],
        [5, 2],
        [6, 2],
        [7, 1],
      ])
      await storage.close()
      expect(checkSettled(await independentFiles(fs))).toEqual([])
      const after = await verifyDirectory(fs, '/data', { checkContent: true })
      expect(after.findings.map((finding) => finding.path)).toEqual([owedPath])
    },
  )

  it('is owed with the labels that its record had last', async () => {
    const disk = new SimulatedDisk({ seed: 25 })
    const before = await openStore(disk.fs, direct)
    await before.submit({ writes: [record(0, 'first')] })
    await before.close()
    saveAsServer(disk, 'kafka/topic/0', [t0])
    const storage = await openStore(disk.restart(), direct)
    await storage.submit({ writes: [record(5, x)] })
    await storage.updateLabels(entry, [{ timestampUs: BigInt(t0 + 5), set: new Map([['key', 'b']]) }])
    disk.killProcess()
    disk.putFile(`${path}.blk`, disk.peek(`${path}.blk`)!.slice(0, 5))
    const again = await openStore(disk.restart(), direct)
    const labels = ['offset', '5', 'key', 'b']
    expect(again.owed).toMatchObject([{ timestampUs: t0 + 5, labels }])
    await again.payOwed(again.owed[0]!, Buffer.from(x))
    expect(await again.get(entry, BigInt(t0 + 5))).toMatchObject({ state: 'finished', labels })
    await again.close()
    expect((await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it('is lost where ReductStore never saved the block: that harms its record only', async () => {
    const disk = new SimulatedDisk({ seed: 27 })
    const before = await openStore(disk.fs, direct)
    for (const one of [record(5, x), record(6, 'behind')]) await before.submit({ writes: [one] })
    disk.killProcess()
    const dataPath = `/data/kafka/topic/0/${t0 + 5}.blk`
    disk.putFile(dataPath, disk.peek(dataPath)!.slice(0, 300))
    const storage = await openStore(disk.restart(), direct)
    expect(storage.owed).toEqual([])
    const lost = await storage.get(entry, BigInt(t0 + 5))
    expect(lost?.state).toBe('finished')
    await expect(lost?.read()).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    expect(Buffer.from((await (await storage.get(entry, BigInt(t0 + 6)))?.read())!).toString()).toBe('behind')
    await storage.close()
  })

  it('is paid for in its place, and by nothing else', async () => {
    const disk = await cutStore()
    const fs = disk.restart()
    const storage = await openStore(fs)
    const [one, two] = storage.owed
    await expect(storage.payOwed(one!, Buffer.from(y))).rejects.toMatchObject({ code: 'ERR_INVALID' })
    await expect(storage.payOwed(one!, Buffer.from('z'.repeat(500)))).rejects.toMatchObject({
      code: 'ERR_INVALID',
    })
    await storage.payOwed(one!, Buffer.from(x))
    expect(storage.owed).toEqual([two])
    await expect(storage.payOwed(one!, Buffer.from(x))).rejects.toMatchObject({ code: 'ERR_EXISTS' })
    await storage.payOwed(two!, Buffer.from(y))
    expect(storage.owed).toEqual([])
    expect(disk.exists(owedPath)).toBe(false)
    expect(await shown(storage)).toEqual(paidRows)
    await storage.close()
    expect(await shown(await openDirectory(fs, '/data'))).toEqual(paidRows)
    expect((await verifyDirectory(fs, '/data', { checkContent: true })).findings).toEqual([])
  })

  it('is owed until it is paid for, over kills; what is paid for is not owed again', async () => {
    const disk = await cutStore()
    let storage = await openStore(disk.restart())
    await storage.payOwed(storage.owed[0]!, Buffer.from(x))
    disk.killProcess()
    storage = await openStore(disk.restart())
    expect(storage.owed.map(({ timestampUs }) => timestampUs - t0)).toEqual([6])
    disk.cutPower({ seed: 3 })
    storage = await openStore(disk.restart())
    expect(storage.owed.map(({ timestampUs }) => timestampUs - t0)).toEqual([6])
    await storage.removeRecords(entry, [BigInt(t0 + 6)])
    await expect(storage.payOwed(storage.owed[0]!, Buffer.from(y))).rejects.toMatchObject({
      code: 'ERR_EXISTS',
    })
    await storage.close()
    storage = await openStore(disk.restart())
    expect(storage.owed).toEqual([])
    expect(disk.exists(owedPath)).toBe(false)
    await storage.close()
  })

  it('keeps its entry and bucket where they are while it is owed', async () => {
    const disk = await cutStore()
    const storage = await openStore(disk.restart())
    const [one, two] = storage.owed
    const refused = { code: 'ERR_RECORD_STATE', message: expect.stringContaining("start 'sediment run'") }
    await expect(storage.renameEntry({ bucket: 'kafka', entry: 'topic' }, 'new')).rejects.toMatchObject(
      refused,
    )
    await expect(storage.renameBucket('kafka', 'new')).rejects.toMatchObject(refused)
    await storage.payOwed(one!, Buffer.from(x))
    await expect(storage.renameEntry(entry, 'new')).rejects.toMatchObject(refused)
    await storage.submit({ writes: [write({ bucket: 'kafka', entry: 'topic/01' }, t0)] })
    await storage.renameEntry({ bucket: 'kafka', entry: 'topic/01' }, 'other')
    await storage.removeRecords(entry, [BigInt(two!.timestampUs)])
    await storage.renameBucket('kafka', 'new')
    await storage.close()
  })

  it('goes with its entry', async () => {
    const disk = await cutStore()
    const storage = await openStore(disk.restart())
    const [one] = storage.owed
    await storage.removeEntry(entry)
    await expect(storage.payOwed(one!, Buffer.from(x))).rejects.toMatchObject({ code: 'ERR_EXISTS' })
    await storage.close()
    const again = await openStore(disk.restart())
    expect(again.owed).toEqual([])
    expect(disk.exists(owedPath)).toBe(false)
    await again.close()
  })

  it('is forgotten by whoever says that nobody can bring it', async () => {
    const disk = await cutStore()
    const storage = await openStore(disk.restart())
    await storage.forgetOwed([storage.owed[1]!])
    expect(storage.owed.map(({ timestampUs }) => timestampUs - t0)).toEqual([5])
    await storage.close()
    disk.cutPower({ seed: 4 })
    const again = await openStore(disk.restart())
    expect(again.owed.map(({ timestampUs }) => timestampUs - t0)).toEqual([5])
    expect(await shown(again)).toEqual(cutRows)
    await again.close()
  })

  it.each([
    ['wherever the start or the payment is interrupted', cutStore],
    [
      'also beside a WAL of labels alone that a power cut has brought back',
      () => cutStoreWithWal(true, 'labels'),
    ],
    ['also where the descriptor was saved as it was', () => cutStoreWithWal(false, 'nothing')],
    [
      'also where it was saved as it was, and a power cut has brought back the WAL',
      () => cutStoreWithWal(false, 'labels'),
    ],
    [
      'also where it was saved as it was, and a power cut has brought back an empty WAL',
      () => cutStoreWithWal(false, 'marker'),
    ],
  ])('is owed once, %s', async (_name, cut) => {
    const source = await cut()
    source.restart()
    const kept = (await shown(await openStore(source.fork(0).restart())))[0]
    const paid = [kept, ...paidRows.slice(1)]
    let crashes = 0
    for (let operation = 1; ; operation++) {
      const disk = source.fork(operation)
      disk.crashAt(disk.operations + operation)
      if (await paysAll(disk.fs)) break
      crashes += 1
      disk.crashAt(undefined)
      if (operation % 2 === 0) disk.killProcess()
      else disk.cutPower({ seed: operation })
      const fs = disk.restart()
      const storage = await openStore(fs)
      const where = { operation }
      const rows = await shown(storage)
      const owed = storage.owed.map(({ timestampUs }) => `${timestampUs - t0}`)
      const failed = rows.filter((row) => row.includes('errored')).map((row) => row.split(' ')[0])
      expect({ where, owed }).toEqual({ where, owed: failed })
      for (const one of storage.owed)
        await storage.payOwed(one, Buffer.from(one.contentBytes === 500 ? x : y))
      expect({ where, rows: await shown(storage) }).toEqual({ where, rows: paid })
      await storage.close()
      const { findings } = await verifyDirectory(fs, '/data', { checkContent: true })
      expect({ where, findings }).toEqual({ where, findings: [] })
    }
    expect(crashes).toBeGreaterThan(30)
  })
})

describe('a block that ReductStore saved', () => {
  it('gets what it does not hold, with content that lies behind its end, and its checksums again', async () => {
    const disk = await killedStore([record(5, x), record(6, y)])
    await visit(disk, [0], false)
    const storage = await openStore(disk.restart())
    expect(await shown(storage)).toEqual(paidRows)
    await storage.close()
  })

  it('gets back content that a power cut took, and the checksums of all that the log knows', async () => {
    const disk = await killedStore([record(5, x), record(6, y)], inline)
    await visit(disk, [0, 5, 6], false)
    const data = disk.peek(`${path}.blk`)!.slice()
    disk.putFile(`${path}.blk`, data.fill(0, 5, 505))
    const storage = await openStore(disk.restart(), inline)
    expect(await shown(storage)).toEqual(paidRows)
    expect(storage.owed).toEqual([])
    await storage.close()
  })

  it('gets back content that a power cut took, beside a WAL of which the cut has brought back the name only', async () => {
    for (const left of [0, 57]) {
      const disk = await killedStore([record(5, x), record(6, y)], inline)
      await visit(disk, [0, 5, 6], false)
      disk.putFile(`${path}.blk`, disk.peek(`${path}.blk`)!.slice().fill(0, 5, 505))
      disk.putFile(walPath, new Uint8Array(left))
      const fs = disk.restart()
      const storage = await openStore(fs, inline)
      expect(await shown(storage)).toEqual(paidRows)
      expect(storage.owed).toEqual([])
      await storage.close()
      expect(checkSettled(await independentFiles(fs))).toEqual([])
    }
  })

  it('does not get back what was removed there, where it holds what stood behind it in the WAL', async () => {
    for (const setup of [inline, direct]) {
      const disk = await killedStore([record(5, x), record(6, y), record(7, x), record(8, y)], setup)
      await visit(disk, [0, 7], false)
      const { findings } = await verifyDirectory(disk.fs, '/data', { checkContent: true })
      // The last one may never have been seen there: it comes back, and not silently.
      expect(findings).toContainEqual({
        severity: 'recoverable',
        path: `${path}.meta`,
        message: expect.stringContaining(`1 acknowledged record of kafka/topic/0, the first at ${t0 + 8}`),
      })
      const storage = await openStore(disk.restart(), setup)
      const times = (await shown(storage)).map((row) => row.split(' ')[0])
      expect(times).toEqual(['0', '7', '8'])
      expect(storage.owed).toEqual([])
      await storage.close()
    }
  })

  it('has what comes back named, wherever the start is interrupted', async () => {
    const source = await killedStore([record(5, x)], inline)
    await visit(source, [0], false)
    for (let operation = 1; ; operation++) {
      const disk = source.fork(operation)
      disk.crashAt(disk.operations + operation)
      const warnings: string[] = []
      const logger = {
        ...silentLogger,
        warn: (_facts: object, message: string) => void warnings.push(message),
      }
      const isOpen = await openStore(disk.fs, { ...inline, logger }).then(
        () => true,
        () => false,
      )
      disk.crashAt(undefined)
      disk.killProcess()
      const storage = await openStore(disk.restart(), { ...inline, logger })
      expect(await shown(storage)).toEqual([first, paidRows[1]])
      await storage.close()
      const named = warnings.filter((message) => message.includes(`the first at ${t0 + 5}`))
      expect({ operation, isNamed: named.length > 0 }).toEqual({ operation, isNamed: true })
      if (isOpen) break
    }
  })

  it('may be gone with all of its files: what the log has comes back', async () => {
    for (const setup of [inline, direct]) {
      const disk = await killedStore([record(5, x)], setup)
      const fs = disk.restart()
      for (const gone of [`${path}.meta`, `${path}.blk`, walPath, '/data/kafka/topic/0/blocks.idx'])
        await fs.unlink(gone)
      disk.putFile('/data/kafka/topic/0/blocks.idx', encodeIndex([]).bytes)
      const again = disk.restart()
      const storage = await openStore(again, setup)
      const isOwed = setup === direct
      expect(await shown(storage)).toEqual([isOwed ? '5 errored 500 bytes' : '5 finished crc xxxxxxxx'])
      expect(storage.owed).toHaveLength(isOwed ? 1 : 0)
      await storage.close()
      expect(checkSettled(await independentFiles(again))).toEqual([])
    }
  })
})

describe('a block that a frame has changed', () => {
  it('stays away where ReductStore has removed it since', async () => {
    const disk = new SimulatedDisk({ seed: 26 })
    const before = await openStore(disk.fs, inline)
    await before.submit({ writes: [record(0, 'first'), record(1, 'second')] })
    await before.settle()
    await before.removeRecords(entry, [BigInt(t0)])
    disk.killProcess()
    const fs = disk.restart()
    for (const gone of [`${path}.meta`, `${path}.blk`]) await fs.unlink(gone)
    disk.putFile('/data/kafka/topic/0/blocks.idx', encodeIndex([]).bytes)
    const again = disk.restart()
    const storage = await openStore(again, inline)
    expect(await shown(storage)).toEqual([])
    await storage.submit({ writes: [record(5, 'behind')] })
    await storage.close()
    expect(checkSettled(await independentFiles(again))).toEqual([])
  })
})

describe('an entry that ReductStore removed', () => {
  it('stays away but for what the log has', async () => {
    const disk = await killedStore([record(5, x)], inline)
    let storage = await openStore(disk.restart(), inline)
    await storage.submit({ writes: [record(6, y)] })
    disk.killProcess()
    const fs = disk.restart()
    await fs.removeTree('/data/kafka/topic')
    storage = await openStore(fs, inline)
    expect(await shown(storage)).toEqual(['6 finished crc yyyyyyyy'])
    await storage.close()
  })
})

it('a record that ReductStore put where it did not see a block of ours leaves the entry whole', async () => {
  const disk = new SimulatedDisk({ seed: 24 })
  const setup = { settings: { blockRecordsMax: 2 } }
  const storage = await openStore(disk.fs, setup)
  await storage.submit({ writes: [record(0, 'first'), record(10, 'second')] })
  await storage.settle()
  await storage.submit({ writes: [record(20, 'third'), record(5, 'late')] })
  disk.killProcess()
  await visit(disk, [0, 10], false)
  const theirs = decodeDescriptor(disk.peek(`${path}.meta`)!)
  const records = Array.from(theirs.recordFromBytes, (from, index) =>
    theirs.bytes.slice(from, theirs.recordToBytes[index]),
  )
  const put = { ...decodeRecord(records[1]!), timestampUs: t0 + 25 }
  const encoded = new Uint8Array(recordBytes(put))
  encodeRecord(encoded, 0, put)
  disk.putFile(
    `${path}.meta`,
    encodeDescriptor({ id: BigInt(t0), sizeBytes: theirs.sizeBytes }, [...records, encoded]),
  )
  for (const name of [`.wal/${t0 + 20}.wal`, `${t0 + 20}.blk`, 'blocks.idx'])
    disk.unlink(`/data/kafka/topic/0/${name}`)
  const again = await openStore(disk.restart(), setup)
  expect((await shown(again)).map((row) => row.split(' ')[0])).toEqual(['0', '5', '10', '20', '25'])
  for (const us of [5, 20, 25]) expect(await again.get(entry, BigInt(t0 + us))).toBeDefined()
  await again.close()
})

describe('labels of a record without a checksum', () => {
  const relabel = (storage: Storage, value: string): Promise<unknown> =>
    storage.updateLabels(entry, [{ timestampUs: BigInt(t0), set: new Map([['key', value]]) }])

  /** Killed behind the label `c`, and the WAL with `b`, which may have been folded. */
  async function relabelled(isFolded: boolean): Promise<{ disk: SimulatedDisk; early: Uint8Array }> {
    const disk = await killedStore([])
    await visit(disk, [0], false)
    disk.unlink('/data/kafka/topic/0/blocks.idx')
    const storage = await openStore(disk.restart())
    await relabel(storage, 'b')
    const early = disk.peek(walPath)!.slice()
    if (isFolded) expect(await storage.fold(entry, t0)).toBe(true)
    await relabel(storage, 'c')
    disk.killProcess()
    return { disk, early }
  }

  it.each([
    ['takes them from the WAL', false],
    ['brings a WAL back that was folded', true],
  ])('are as they were last where a power cut %s', async (_what, isFolded) => {
    const { disk, early } = await relabelled(isFolded)
    disk.putFile(walPath, early)
    const again = await openStore(disk.restart())
    const found = await again.get(entry, BigInt(t0))
    expect(found).toMatchObject({ contentChecksum: undefined, labels: ['offset', '0', 'key', 'c'] })
    await again.close()
  })
})

async function paysAll(fs: FileSystem): Promise<boolean> {
  try {
    const storage = await openStore(fs)
    for (const one of storage.owed) await storage.payOwed(one, Buffer.from(one.contentBytes === 500 ? x : y))
    await storage.close()
    return true
  } catch {
    return false
  }
}
