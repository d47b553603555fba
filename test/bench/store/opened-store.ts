/** What runs in the processes of the parts: a store on the real disk, from `dist/`, and records for it. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { FileSystem } from '../../../src/fs/file-system.ts'
import type {
  BucketSettings,
  EntryName,
  RecordWrite,
  Storage,
  StorageOptions,
} from '../../../src/storage/index.ts'
import { built } from '../built.ts'

export interface OpenedStore {
  readonly storage: Storage
  readonly fs: FileSystem
  /** Of `Storage.open` alone. */
  readonly openSeconds: number
  readonly close: () => Promise<void>
}

const BUCKET = 'bench'
const POOL_BYTES = 4 * 1024 * 1024
const BATCH_BYTES = 512 * 1024
const BATCH_RECORDS_MAX = 1024
const UNDERWAY_MAX = 16
/** 2024-01-01: far from now, so that no rule for records ahead of the clock applies. */
export const START_US = 1_704_067_200_000_000

export async function openStore(
  dataPath: string,
  options: Partial<Pick<StorageOptions, 'limits'>> & { settings?: Partial<BucketSettings> } = {},
): Promise<OpenedStore> {
  // As the sink does at its start.
  const { collectOnce } = await built('base/first-collection')
  collectOnce()
  const { NodeFileSystem } = await built('fs/node/node-file-system')
  const { systemClock } = await built('fs/system-clock')
  const { Storage, defaultBucketSettings } = await built('storage/index')
  const fs = await NodeFileSystem.open()
  const fromMs = performance.now()
  const storage = await Storage.open({
    dataPath,
    fs,
    clock: systemClock,
    randomUuid: randomUUID,
    bucketSettings: () => ({ ...defaultBucketSettings, ...options.settings }),
    ...(options.limits && { limits: options.limits }),
  })
  const openSeconds = (performance.now() - fromMs) / 1000
  return {
    storage,
    fs,
    openSeconds,
    close: async (): Promise<void> => {
      await storage.close()
      await fs.close()
    },
  }
}

const pool = randomBytes(POOL_BYTES)
const names = new Map<string, EntryName>()

export function entryName(entry: string): EntryName {
  const known = names.get(entry) ?? { bucket: BUCKET, entry }
  names.set(entry, known)
  return known
}

export function recordOf(target: EntryName, timestampUs: number, contentBytes: number): RecordWrite {
  const at = (timestampUs * 64) % (POOL_BYTES - contentBytes)
  return {
    target,
    timestampUs,
    labels: ['offset', String(timestampUs % 1_000_000)],
    contentType: 'application/octet-stream',
    content: pool.subarray(at, at + contentBytes),
  }
}

/** Submits all, in batches as fetches bring them. Resolves when everything is durable. */
export async function submitAll(storage: Storage, records: Iterable<RecordWrite>): Promise<void> {
  const underway = new Set<Promise<void>>()
  let writes: RecordWrite[] = []
  let bytes = 0
  const submit = async (): Promise<void> => {
    if (writes.length === 0) return
    if (underway.size >= UNDERWAY_MAX) await Promise.race(underway)
    const done: Promise<void> = storage.submit({ writes }).finally(() => underway.delete(done))
    underway.add(done)
    writes = []
    bytes = 0
    // What decodes and maps in the sink shares the thread with the engine too.
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (const record of records) {
    writes.push(record)
    bytes += record.content.byteLength
    if (bytes >= BATCH_BYTES || writes.length >= BATCH_RECORDS_MAX) await submit()
  }
  await submit()
  await Promise.all(underway)
}

export interface Cost {
  readonly seconds: number
  /** All threads. */
  readonly cpuSeconds: number
}

export async function costOf(work: () => Promise<void>): Promise<Cost> {
  const cpu = process.cpuUsage()
  const fromMs = performance.now()
  await work()
  const seconds = (performance.now() - fromMs) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { seconds, cpuSeconds: (user + system) / 1e6 }
}

/** @throws unless the store holds so many records in all */
export async function requireRecords(storage: Storage, records: number): Promise<void> {
  const entries = await storage.entries()
  const found = entries.reduce((sum, { recordCount }) => sum + recordCount, 0)
  if (found !== records) throw new Error(`${found} of ${records} records are stored`)
}

/** Seeded, so that every run touches the same places. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
