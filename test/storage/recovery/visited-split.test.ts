import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '../../../src/base/logger.ts'
import { decodeDescriptor } from '../../../src/storage/codec/descriptor-codec.ts'
import { decodeIndex, encodeIndex } from '../../../src/storage/codec/index-codec.ts'
import type { EntryName, RecordReader } from '../../../src/storage/record.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { checkSettled } from '../../support/independent/settled-check.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { independentFiles, openStore, write } from '../../support/storage/store.ts'
import { saveAsServer } from '../../support/storage/save-as-server.ts'

/**
 * Goal: what ReductStore removed of a block that we were killed in splitting, and that comes back with the blocks which were
 * written aside, is named: by `verify` before the start, and by the start.
 * Method: a split on the simulated disk, killed before each change; then ReductStore's files of the block, less records.
 */

const t0 = 1_750_000_000_000_000
const name: EntryName = { bucket: 'kafka', entry: 'camera/0' }
const directory = '/data/kafka/camera/0'
const limits = { blockRecordsMax: 4 }
const times = [0, 1, 2, 3, 4, 5, 6, 7]

/** A full block. */
async function full(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 31 })
  const storage = await openStore(disk.fs, { settings: limits })
  await storage.submit({ writes: [0, 1, 2, 7].map((us) => write(name, t0 + us)) })
  await storage.close()
  disk.restart()
  return disk
}

/** Late records make it twice its limit. */
async function split(disk: SimulatedDisk): Promise<{ isDone: boolean; isAcknowledged: boolean }> {
  let isAcknowledged = false
  try {
    const storage = await openStore(disk.fs, { settings: limits })
    await storage.submit({ writes: [3, 4, 5, 6].map((us) => write(name, t0 + us)) })
    isAcknowledged = true
    await storage.settle()
    await storage.close()
    return { isDone: true, isAcknowledged }
  } catch {
    return { isDone: false, isAcknowledged }
  }
}

async function shown(reader: RecordReader): Promise<number[]> {
  const found: number[] = []
  for await (const { timestampUs } of reader.records(name)) found.push(Number(timestampUs) - t0)
  return found
}

/** The last record of the block goes, or all of it. @returns what was removed; nothing where the block is not whole any more */
function visit(disk: SimulatedDisk, isWhole: boolean): number[] {
  const [index, meta, wal] = [`blocks.idx`, `${t0}.meta`, `.wal/${t0}.wal`].map(
    (path) => `${directory}/${path}`,
  )
  const listed = decodeIndex(disk.peek(index as string) ?? new Uint8Array(0))
  const isThere = listed.verdict === 'valid' && listed.entries.has(BigInt(t0)) && disk.exists(meta as string)
  if (!isThere || disk.exists(wal as string)) return []
  if (!isWhole) {
    saveAsServer(disk, 'kafka/camera/0', [t0], 1)
    return [7]
  }
  for (const path of [meta as string, `${directory}/${t0}.blk`]) disk.unlink(path)
  listed.entries.delete(BigInt(t0))
  disk.putFile(index as string, encodeIndex([...listed.entries.values()]).bytes)
  const left = [...listed.entries.keys()].flatMap((id) => [
    ...decodeDescriptor(disk.peek(`${directory}/${id}.meta`)!).timestampsUs,
  ])
  return times.filter((us) => !left.includes(BigInt(t0 + us)))
}

describe('a block that ReductStore changed before its split was finished', () => {
  it.each([
    ['one record less', false],
    ['removed as a whole', true],
  ])('%s: what comes back is named, and nothing else is', async (_name, isWhole) => {
    const source = await full()
    let namings = 0
    for (let operation = 1; ; operation++) {
      const disk = source.fork(operation)
      disk.crashAt(disk.operations + operation)
      const { isDone, isAcknowledged } = await split(disk)
      if (isDone) break
      if (!isAcknowledged) continue
      disk.crashAt(undefined)
      disk.killProcess()
      const fs = disk.restart()
      const removed = visit(disk, isWhole)
      const { findings } = await verifyDirectory(fs, '/data', { checkContent: true })
      const said = findings.filter(({ message }) => message.includes('does not have'))
      const warnings: string[] = []
      const logger = {
        ...silentLogger,
        warn: (_facts: object, message: string) => void warnings.push(message),
      }
      const storage = await openStore(fs, { settings: limits, logger })
      const rows = await shown(storage)
      const where = { operation }
      const back = removed.filter((us) => rows.includes(us)).length
      const counts = said.map(({ message }) => Number(/(\d+) acknowledged record/.exec(message)?.[1]))
      expect({ where, named: counts.reduce((sum, count) => sum + count, 0) }).toEqual({ where, named: back })
      expect(warnings.filter((message) => message.includes('does not have'))).toHaveLength(said.length)
      // What stayed there is there, once.
      const kept = times.filter((us) => !removed.includes(us))
      expect({ where, rows: rows.filter((us) => !removed.includes(us)) }).toEqual({ where, rows: kept })
      expect(new Set(rows).size).toBe(rows.length)
      await storage.close()
      expect(checkSettled(await independentFiles(fs))).toEqual([])
      if (back > 0) namings += 1
    }
    expect(namings).toBeGreaterThan(0)
  })
})

describe('a part of a split that ReductStore removed before the next checkpoint', () => {
  /** @returns the times that it held; `undefined` where the split is not finished */
  function removePart(disk: SimulatedDisk): number[] | undefined {
    const indexPath = `${directory}/blocks.idx`
    const { entries, verdict } = decodeIndex(disk.peek(indexPath) ?? new Uint8Array(0))
    const id = [...entries.keys()].sort((a, b) => (a < b ? -1 : 1)).at(-1)
    const isSplit = verdict === 'valid' && !entries.has(BigInt(t0)) && !disk.exists(`${directory}/${t0}.blk`)
    if (!isSplit || id === undefined || disk.exists(`${directory}/.wal/${t0}.wal`)) return undefined
    const held = decodeDescriptor(disk.peek(`${directory}/${id}.meta`)!).timestampsUs
    for (const ending of ['meta', 'blk']) disk.unlink(`${directory}/${id}.${ending}`)
    entries.delete(id)
    disk.putFile(indexPath, encodeIndex([...entries.values()]).bytes)
    return [...held].map((us) => Number(us) - t0)
  }

  it('stays away, and harms neither the other parts nor the entry', async () => {
    const source = await full()
    let visits = 0
    for (let operation = 1; ; operation++) {
      const disk = source.fork(operation)
      disk.crashAt(disk.operations + operation)
      if ((await split(disk)).isDone) break
      disk.crashAt(undefined)
      disk.killProcess()
      disk.restart()
      const removed = removePart(disk)
      if (removed === undefined) continue
      visits += 1
      // The first start is interrupted.
      disk.crashAt(disk.operations + (operation % 30))
      await openStore(disk.fs, { settings: limits }).catch(() => undefined)
      disk.crashAt(undefined)
      disk.killProcess()
      const fs = disk.restart()
      const storage = await openStore(fs, { settings: limits })
      const where = { operation }
      const left = times.filter((us) => !removed.includes(us))
      expect({ where, rows: await shown(storage) }).toEqual({ where, rows: left })
      await storage.submit({ writes: [write(name, t0 + 9)] })
      await storage.close()
      expect(checkSettled(await independentFiles(fs))).toEqual([])
      const { findings } = await verifyDirectory(fs, '/data', { checkContent: true })
      expect({ where, findings }).toEqual({ where, findings: [] })
    }
    expect(visits).toBeGreaterThan(3)
  })
})
