import { describe, expect, it } from '@jest/globals'
import type { EntryName, RecordWrite } from '../../../src/storage/record.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: content that went home ahead of a frame that never became durable leaves nothing behind, and nothing of anybody else
 * is removed with it.
 * Method: frames fail on the simulated disk after their content is in the data file; kills and power cuts follow.
 */

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }
const directory = '/data/kafka/topic/0'
const data = `${directory}/${t0}.blk`
const note = '/data/.sediment/ahead'
const content = Uint8Array.from({ length: 300 * 1024 }, (_, index) => (index * 13) & 0xff)
const large = (us: number): RecordWrite => ({ ...write(entry, t0 + us), content })

/**
 * The store has failed: content of a new block is in its data file, and the frame that would name it was not written, or is
 * in the page cache only.
 */
async function failedStore(
  before: readonly RecordWrite[] = [],
  call: 'write' | 'sync' = 'write',
): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 11 })
  const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 1 } })
  await storage.submit({ writes: [write({ bucket: 'kafka', entry: 'other' }, t0), ...before] })
  disk.failNext(call, { path: /\.log$/ })
  await expect(storage.submit({ writes: [large(0)] })).rejects.toMatchObject({ code: 'ERR_POISONED' })
  await storage.close().catch(() => undefined)
  disk.clearFailures()
  expect(disk.paths(directory)).toContain(data)
  return disk
}

const findings = async (disk: SimulatedDisk): Promise<string[]> =>
  (await verifyDirectory(disk.fs, '/data', { checkContent: true })).findings.map(
    ({ severity, path, message }) => `${severity} ${path.slice('/data/'.length)}: ${message}`,
  )

const kept = (disk: SimulatedDisk): string[] =>
  disk.paths('/data/.sediment/quarantine').filter((path) => !path.endsWith('.reason'))

describe('content ahead of a frame that never became durable', () => {
  it.each([
    ['the process ends', (disk: SimulatedDisk) => disk.killProcess()],
    [
      'a power cut keeps every name',
      (disk: SimulatedDisk) => void disk.cutPower({ names: 'all', data: 'all' }),
    ],
    [
      'a power cut keeps what was synced',
      (disk: SimulatedDisk) => void disk.cutPower({ names: 'nothing', data: 'nothing' }),
    ],
  ])('is gone after the next open when %s', async (_name, crash) => {
    const disk = await failedStore()
    crash(disk)
    expect(disk.paths(directory)).toContain(data)
    const fs = disk.restart()
    expect(await findings(disk)).toContain(
      `recoverable kafka/topic/0/${t0}.blk: content of a group that was never finished`,
    )
    const again = await openStore(fs)
    expect(disk.paths(directory)).not.toContain(data)
    expect(disk.paths('/data/.sediment')).not.toContain(note)
    expect(kept(disk)).toEqual([])
    await again.submit({ writes: [large(0), large(1)] })
    const record = await again.get(entry, BigInt(t0))
    expect(Buffer.compare(await record!.read(), content)).toBe(0)
    await again.close()
    expect(await findings(disk)).toEqual([])
  })

  it('stays gone when the names come back after another power cut', async () => {
    const disk = await failedStore()
    disk.killProcess()
    const fs = disk.restart()
    let operations = 0
    disk.onOperation = (call, path) => {
      if (call === 'unlink' && path === data) operations += 1
    }
    const again = await openStore(fs)
    expect(operations).toBe(1)
    await again.close()
    disk.cutPower({ names: 'nothing', data: 'nothing' })
    expect(disk.paths(directory)).not.toContain(data)
    expect(await findings(disk)).toEqual([])
  })

  it('stays gone when an interrupted open has removed it, and a power cut follows the next one', async () => {
    const disk = await failedStore()
    disk.killProcess()
    await disk.restart().unlink(data)
    disk.killProcess()
    const again = await openStore(disk.restart())
    disk.killProcess()
    await again.close().catch(() => undefined)
    disk.cutPower({ names: 'nothing', data: 'nothing' })
    const last = await openStore(disk.restart())
    expect(disk.paths(directory)).not.toContain(data)
    expect(kept(disk)).toEqual([])
    await last.close()
  })

  it.each(['write', 'sync'] as const)(
    'leaves nothing of a failed %s wherever the next open is interrupted',
    async (call) => {
      const failed = await failedStore([], call)
      failed.killProcess()
      for (let operation = 1; ; operation++) {
        const disk = failed.fork(operation)
        disk.crashAt(operation)
        const finished = await openStore(disk.fs).then(
          () => true,
          () => false,
        )
        disk.crashAt(undefined)
        disk.cutPower({ seed: operation })
        const again = await openStore(disk.restart())
        if (call === 'write') expect(disk.paths(directory)).not.toContain(data)
        expect(kept(disk)).toEqual([])
        await again.close()
        expect(await findings(disk)).toEqual([])
        if (finished) return
      }
    },
  )

  it('is kept aside where the note of it cannot be read, and nothing else is harmed by that', async () => {
    const disk = await failedStore()
    disk.killProcess()
    disk.restart()
    disk.failNext('read', { path: note, times: 2 })
    expect(await findings(disk)).toContain(
      `recoverable kafka/topic/0/${t0}.blk: data file that nothing names: it goes to the quarantine`,
    )
    await (await openStore(disk.fs)).close()
    expect(disk.failures).toBe(2 + 1)
    expect(kept(disk)).toEqual([expect.stringContaining(`${t0}.blk`)])
    expect(disk.paths('/data/.sediment')).not.toContain(note)
    expect(await findings(disk)).toEqual([])
  })

  it('is removed from an entry whose index is damaged too', async () => {
    const disk = await failedStore([write(entry, t0 - 10)])
    disk.killProcess()
    disk.flipBit(`${directory}/blocks.idx`, 60)
    await (await openStore(disk.restart())).close()
    expect(disk.paths(directory)).not.toContain(data)
    expect(await findings(disk)).toEqual([])
  })

  it('is kept where somebody has begun a block of its id since', async () => {
    const disk = await failedStore()
    disk.killProcess()
    // What ReductStore writes first of a block that it saves.
    disk.putFile(`${directory}/${t0}.meta`, new Uint8Array(0))
    await (await openStore(disk.restart())).close()
    expect(kept(disk)).toEqual([expect.stringContaining(`${t0}.blk`)])
  })
})

describe('a data file that nothing names', () => {
  it('goes to the quarantine where it is not known to be ours', async () => {
    const disk = await failedStore()
    disk.killProcess()
    await disk.restart().unlink(note)
    expect(await findings(disk)).toContain(
      `recoverable kafka/topic/0/${t0}.blk: data file that nothing names: it goes to the quarantine`,
    )
    await (await openStore(disk.restart())).close()
    expect(kept(disk)).toEqual([`/data/.sediment/quarantine/2-kafka%2Ftopic%2F0%2F${t0}.blk`])
    expect(await disk.fs.readFile(kept(disk)[0] as string)).toEqual(Buffer.from(content))
    expect(await findings(disk)).toEqual([])
  })

  it('is not removed by a note that a later group has made void', async () => {
    const disk = new SimulatedDisk({ seed: 12 })
    const storage = await openStore(disk.fs)
    await storage.submit({ writes: [large(0)] })
    await storage.close()
    expect(disk.paths('/data/.sediment')).toContain(note)
    await disk.fs.unlink(`${directory}/${t0}.meta`)
    await disk.fs.unlink(`${directory}/blocks.idx`)
    await (await openStore(disk.restart())).close()
    expect(kept(disk)).toHaveLength(1)
  })

  it('keeps its id taken where the index that may have listed it is damaged', async () => {
    const disk = new SimulatedDisk({ seed: 13 })
    const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 2 } })
    await storage.submit({ writes: [0, 1, 2, 3].map((us) => write(entry, t0 + us)) })
    await storage.close()
    const bytes = await disk.fs.readFile(data)
    await disk.fs.unlink(`${directory}/${t0}.meta`)
    disk.flipBit(`${directory}/blocks.idx`, 60)
    expect(await findings(disk)).toContain(
      `damaged kafka/topic/0/${t0}.blk: data file without descriptor or WAL, and the index is damaged`,
    )
    for (let starts = 0; starts < 2; starts++) {
      const again = await openStore(disk.restart(), { settings: { blockRecordsMax: 2 } })
      await expect(again.submit({ writes: [write(entry, t0)] })).rejects.toMatchObject({
        code: 'ERR_CORRUPT',
      })
      await again.submit({ writes: [write(entry, t0 + 10 + starts)] })
      await again.close()
      expect(await disk.fs.readFile(data)).toEqual(bytes)
    }
    expect(await findings(disk)).toContain(`damaged kafka/topic/0/${t0}.meta: listed block has no descriptor`)
  })

  it('keeps its id taken also where recovery writes the damaged index anew', async () => {
    const disk = new SimulatedDisk({ seed: 14 })
    const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 2 } })
    await storage.submit({ writes: [0, 1].map((us) => write(entry, t0 + us)) })
    await storage.settle()
    await storage.submit({ writes: [write(entry, t0 + 20)] })
    disk.killProcess()
    const bytes = await disk.restart().readFile(data)
    await disk.fs.unlink(`${directory}/${t0}.meta`)
    disk.flipBit(`${directory}/blocks.idx`, 60)
    const again = await openStore(disk.fs, { settings: { blockRecordsMax: 2 } })
    await expect(again.submit({ writes: [write(entry, t0)] })).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    await again.close()
    expect(await disk.fs.readFile(data)).toEqual(bytes)
  })
})
