import { join } from 'node:path'
import type { BenchContext } from '../context.ts'
import { quantile } from '../statistics.ts'
import type { Figure, PartResult } from './figure.ts'
import {
  START_US,
  entryName,
  openStore,
  randomOf,
  recordOf,
  requireRecords,
  submitAll,
} from './opened-store.ts'
import { dropFromPageCache, filesBelow } from './page-cache.ts'
import { StepProcess } from './step-process.ts'

/** One record by its time, from an entry with very many. */
interface PointReadOptions {
  readonly dataPath: string
  readonly records: number
  readonly coldReads: number
  readonly cachedReads: number
}

interface Waits {
  /** Ascending, µs. */
  readonly coldUs: readonly number[]
  readonly isDropped: boolean
  /** Nothing of ours cached, the file in the page cache. */
  readonly warmUs: readonly number[]
  readonly cachedUs: readonly number[]
}

const ENTRY = 'many'
const RECORD_BYTES = 200
const STEP_US = 100
/** Their descriptors fit into the read cache. */
const CACHED_BLOCKS = 10

export async function pointRead({ plan, say, dataPath }: BenchContext): Promise<PartResult> {
  const options = { ...plan.store.pointRead, dataPath: await dataPath('point-read') }
  const process = new StepProcess('point-read', options)
  await process.next<null>()
  say(`point read: ${options.records} records are stored`)
  const { coldUs, isDropped, warmUs, cachedUs } = await process.next<Waits>()
  await process.end()
  const figures = (what: string, waits: readonly number[]): Figure[] =>
    [0.5, 0.99].map((share) => ({
      what: `${what}: p${share * 100}`,
      value: quantile(Float64Array.from(waits), share),
      unit: 'µs',
    }))
  return {
    title: `Point read, ${options.records.toLocaleString('en-US')} records of ${RECORD_BYTES} B in one entry`,
    figures: [
      ...figures(isDropped ? 'from the disk' : 'page cache could not be dropped', coldUs),
      ...figures('our caches empty, page cache warm', warmUs),
      ...figures('cached', cachedUs),
    ],
  }
}

export async function* steps(options: PointReadOptions): AsyncGenerator<Waits | null, void, void> {
  const { dataPath, records } = options
  const name = entryName(ENTRY)
  const writer = await openStore(dataPath)
  await submitAll(writer.storage, ordered())
  await writer.close()
  yield null

  const random = randomOf(1)
  const anyTime = (among: number): bigint => BigInt(START_US + Math.floor(random() * among) * STEP_US)
  // Without room for one descriptor each read begins with nothing.
  const cold = await openStore(dataPath, { limits: { readCacheBytesMax: 0 } })
  await requireRecords(cold.storage, records)
  const ids = (await filesBelow(join(dataPath, name.bucket, ENTRY)))
    .filter((path) => path.endsWith('.meta'))
    .map((path) => path.slice(0, -'.meta'.length))
  const idOf = (timestampUs: bigint): string =>
    ids.findLast((path) => BigInt(path.slice(path.lastIndexOf('/') + 1)) <= timestampUs) as string
  let isDropped = true
  const drop = async (timestampUs: bigint): Promise<void> => {
    const path = idOf(timestampUs)
    isDropped &&= await dropFromPageCache([`${path}.meta`, `${path}.blk`])
  }
  const timed = async (
    { storage }: Pick<typeof cold, 'storage'>,
    count: number,
    among: number,
    before?: (timestampUs: bigint) => Promise<void>,
  ): Promise<number[]> => {
    const waits = new Float64Array(count)
    for (let read = 0; read < count; read++) {
      const timestampUs = anyTime(among)
      await before?.(timestampUs)
      const fromMs = performance.now()
      const record = await storage.get(name, timestampUs)
      const content = await record?.read()
      waits[read] = (performance.now() - fromMs) * 1000
      if (content?.byteLength !== RECORD_BYTES) throw new Error(`no record at ${timestampUs}`)
    }
    return [...waits.sort()]
  }
  // The code is compiled by then.
  await timed(cold, options.coldReads, records)
  const coldUs = await timed(cold, options.coldReads, records, drop)
  const warmUs = await timed(cold, options.coldReads, records)
  await cold.close()

  const cached = await openStore(dataPath)
  const among = Math.min(records, CACHED_BLOCKS * 8192)
  await timed(cached, options.cachedReads, among)
  const cachedUs = await timed(cached, options.cachedReads, among)
  await cached.close()
  yield { coldUs, isDropped, warmUs, cachedUs }

  function* ordered() {
    for (let number = 0; number < records; number++)
      yield recordOf(name, START_US + number * STEP_US, RECORD_BYTES)
  }
}
