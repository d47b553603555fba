import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Storage } from '../../../src/storage/index.ts'
import type { BenchContext } from '../context.ts'
import { ratios } from '../statistics.ts'
import { ratioFigure, type Figure, type PartResult } from './figure.ts'
import { START_US, entryName, openStore, recordOf, submitAll } from './opened-store.ts'
import { dropFromPageCache, filesBelow } from './page-cache.ts'
import { StepProcess } from './step-process.ts'

/** Every record of an entry with its content, checked, beside reading the bytes of its files. */
interface ScanOptions {
  readonly dataPath: string
  readonly recordBytes: number
  readonly bytes: number
  readonly rounds: number
}

interface ScanSeconds {
  readonly raw: readonly number[]
  readonly records: readonly number[]
  readonly isDropped: boolean
}

const ENTRY = 'scanned'
const RAW_READ_BYTES = 1024 * 1024
const STEP_US = 100

export async function scan({ plan, say, dataPath }: BenchContext): Promise<PartResult> {
  const { recordBytes, bytes, rounds } = plan.store.scan
  const figures: Figure[] = []
  for (const size of recordBytes) {
    const options = { recordBytes: size, bytes, rounds, dataPath: await dataPath('scan') }
    const process = new StepProcess('scan', options)
    const cold = await process.next<ScanSeconds>()
    const warm = await process.next<ScanSeconds>()
    await process.end()
    const label = size >= 1024 ? `${size / 1024} KiB` : `${size} B`
    const ratio = ({ raw, records }: ScanSeconds) => ratios(raw, records)
    const where = cold.isDropped ? 'from the disk' : 'page cache could not be dropped'
    figures.push(
      ratioFigure(`${label}: entry / raw files, ${where}`, ratio(cold), { bound: 'least', value: 0.8 }),
      ratioFigure(`${label}: entry / raw files, page cache warm`, ratio(warm)),
    )
    const rate = (seconds: readonly number[]): string => (bytes / 1e6 / Math.min(...seconds)).toFixed(0)
    say(
      `scan, ${label}: disk ${rate(cold.records)} of ${rate(cold.raw)} MB/s, memory ${rate(warm.records)} of ${rate(warm.raw)} MB/s`,
    )
  }
  return { title: 'Sequential read of an entry', figures }
}

export async function* steps(options: ScanOptions): AsyncGenerator<ScanSeconds, void, void> {
  const { dataPath, recordBytes, bytes, rounds } = options
  const records = Math.floor(bytes / recordBytes)
  const writer = await openStore(dataPath)
  const name = entryName(ENTRY)
  await submitAll(writer.storage, ordered())
  await writer.close()

  const files = (await filesBelow(join(dataPath, name.bucket, ENTRY))).filter((path) =>
    /\d\.(blk|meta)$/.test(path),
  )
  let isDropped = true
  for (const isCold of [true, false]) {
    const raw: number[] = []
    const entry: number[] = []
    for (let round = 0; round < rounds; round++) {
      const readRaw = async (): Promise<void> => {
        if (isCold) isDropped &&= await dropFromPageCache(files)
        raw.push(await secondsOf(() => readFiles(files)))
      }
      if (round % 2 === 0) await readRaw()
      // Its own caches are empty each time.
      const { storage, close } = await openStore(dataPath)
      if (isCold) isDropped &&= await dropFromPageCache(files)
      entry.push(await secondsOf(() => readAll(storage, options)))
      await close()
      if (round % 2 === 1) await readRaw()
    }
    yield { raw, records: entry, isDropped }
  }

  function* ordered() {
    for (let number = 0; number < records; number++)
      yield recordOf(name, START_US + number * STEP_US, recordBytes)
  }
}

async function readFiles(paths: readonly string[]): Promise<void> {
  const buffer = new Uint8Array(RAW_READ_BYTES)
  for (const path of paths) {
    const file = await open(path)
    try {
      while ((await file.read(buffer, 0, RAW_READ_BYTES)).bytesRead > 0);
    } finally {
      await file.close()
    }
  }
}

async function readAll(storage: Storage, { recordBytes, bytes }: ScanOptions): Promise<void> {
  let read = 0
  for await (const batch of storage.batches(entryName(ENTRY), { contents: true }))
    for (const { content } of batch) read += content?.byteLength ?? 0
  const wanted = bytes - (bytes % recordBytes)
  if (read !== wanted) throw new Error(`${read} of ${wanted} bytes were read`)
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const fromMs = performance.now()
  await work()
  return (performance.now() - fromMs) / 1000
}
