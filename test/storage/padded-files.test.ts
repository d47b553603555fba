import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { openDirectory } from '../../src/storage/query/directory-reader.ts'
import type { EntryName, RecordReader } from '../../src/storage/record.ts'
import { verifyDirectory } from '../../src/storage/verify/verify-directory.ts'
import { realClock } from '../support/real-clock.ts'
import { openStore, write } from '../support/storage/store.ts'

/**
 * Goal: an index or descriptor that was made longer and never written harms what it says, and is not held in memory.
 * Method: sparse files of 1.9 GB on a real disk; what is shown, and the most memory that the process ever had.
 */

const t0 = 1_750_000_000_000_000
const name: EntryName = { bucket: 'kafka', entry: 'orders/0' }
const PADDED_BYTES = 1_900_000_000
const GROWTH_KIBIBYTES_MAX = 150 * 1024
let root: string
let fs: NodeFileSystem

/** Two blocks of two records. */
async function storeIn(directory: string): Promise<string> {
  const dataPath = join(root, directory)
  const storage = await openStore(fs, { dataPath, clock: realClock, settings: { blockRecordsMax: 2 } })
  await storage.submit({ writes: [0, 1, 2, 3].map((us) => write(name, t0 + us)) })
  await storage.close()
  return dataPath
}

async function timesOf(reader: RecordReader): Promise<number[]> {
  const times: number[] = []
  for await (const { timestampUs } of reader.records(name)) times.push(Number(timestampUs) - t0)
  return times
}

async function withoutMuchMemory(use: () => Promise<void>): Promise<void> {
  const before = process.resourceUsage().maxRSS
  await use()
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(GROWTH_KIBIBYTES_MAX)
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sediment-padded-'))
  fs = await NodeFileSystem.open()
})

afterAll(async () => {
  await fs.close()
  await rm(root, { recursive: true, force: true })
})

it('a descriptor padded to 1.9 GB is damage of its block alone', async () => {
  const dataPath = await storeIn('descriptor')
  const path = join(dataPath, 'kafka/orders/0', `${t0}.meta`)
  await truncate(path, PADDED_BYTES)
  await withoutMuchMemory(async () => {
    const { findings } = await verifyDirectory(fs, dataPath, { checkContent: true })
    expect(findings).toMatchObject([{ severity: 'damaged', message: expect.stringContaining(path) }])
    const storage = await openStore(fs, { dataPath, clock: realClock })
    for (const reader of [await openDirectory(fs, dataPath), storage]) {
      await expect(reader.get(name, BigInt(t0))).rejects.toMatchObject({
        code: 'ERR_CORRUPT',
        facts: { path },
      })
      expect((await reader.get(name, BigInt(t0 + 3)))?.contentBytes).toBeGreaterThan(0)
    }
    await storage.submit({ writes: [write(name, t0 + 9)] })
    await storage.close()
  })
})

it('an index padded to 1.9 GB is made anew from the descriptors', async () => {
  const dataPath = await storeIn('index')
  await truncate(join(dataPath, 'kafka/orders/0', 'blocks.idx'), PADDED_BYTES)
  await withoutMuchMemory(async () => {
    expect(await timesOf(await openDirectory(fs, dataPath))).toEqual([0, 1, 2, 3])
    const storage = await openStore(fs, { dataPath, clock: realClock })
    expect(await timesOf(storage)).toEqual([0, 1, 2, 3])
    await storage.close()
    expect((await verifyDirectory(fs, dataPath, { checkContent: true })).findings).toEqual([])
  })
})

it('index and descriptor padded at once leave the other blocks', async () => {
  const dataPath = await storeIn('both')
  for (const file of ['blocks.idx', `${t0}.meta`])
    await truncate(join(dataPath, 'kafka/orders/0', file), PADDED_BYTES)
  await withoutMuchMemory(async () => {
    const storage = await openStore(fs, { dataPath, clock: realClock })
    expect((await storage.get(name, BigInt(t0 + 3)))?.contentBytes).toBeGreaterThan(0)
    await expect(storage.get(name, BigInt(t0))).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    await storage.close()
  })
})
