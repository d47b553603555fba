import type { BenchContext } from '../context.ts'
import { spread } from '../statistics.ts'
import type { PartResult } from './figure.ts'
import { START_US, entryName, openStore, recordOf, requireRecords, submitAll } from './opened-store.ts'
import { StepProcess } from './step-process.ts'

/** Very many entries: what they cost while all are written to, to start with after kill -9, and to start with at rest. */
interface ManyEntriesOptions {
  readonly dataPath: string
  readonly entries: number
  /** Stored before. */
  readonly records: number
}

interface ManyEntriesFacts {
  readonly openSeconds: number
  readonly rssBytes: number
  readonly peakRssBytes: number
}

const RECORDS_EACH = 3
const RECORD_BYTES = 1024
const STEP_US = 100
const CLEAN_STARTS = 3

export async function manyEntries({ plan, say, dataPath }: BenchContext): Promise<PartResult> {
  const { entries } = plan.store.manyEntries
  const path = await dataPath('many-entries')
  const start = (records: number): StepProcess =>
    new StepProcess('many-entries', { dataPath: path, entries, records } satisfies ManyEntriesOptions)
  const records = entries * RECORDS_EACH

  const writer = start(0)
  const writing = await writer.next<ManyEntriesFacts>()
  await writer.kill()
  say(`many entries: ${entries} are open`)
  const afterKill = start(records)
  const dirty = await afterKill.next<ManyEntriesFacts>()
  await afterKill.end()
  say(`many entries: opened after kill -9 in ${dirty.openSeconds.toFixed(2)} s`)
  const clean: ManyEntriesFacts[] = []
  for (let round = 0; round < CLEAN_STARTS; round++) {
    const process = start(records)
    clean.push(await process.next<ManyEntriesFacts>())
    await process.end()
  }
  const cleanSeconds = spread(clean.map(({ openSeconds }) => openSeconds))
  const megabytes = (bytes: number): number => bytes / 1e6
  return {
    title: `${entries.toLocaleString('en-US')} entries`,
    figures: [
      {
        what: 'all open: RSS',
        value: megabytes(writing.rssBytes),
        unit: 'MB',
        goal: { bound: 'most', value: 400 },
      },
      { what: 'all open: peak RSS', value: megabytes(writing.peakRssBytes), unit: 'MB' },
      { what: 'start after kill -9, a dirty block in each', value: dirty.openSeconds, unit: 's' },
      { what: 'the same: peak RSS', value: megabytes(dirty.peakRssBytes), unit: 'MB' },
      { what: 'start after a clean stop', value: cleanSeconds.median, unit: 's', spread: cleanSeconds },
    ],
  }
}

export async function* steps(options: ManyEntriesOptions): AsyncGenerator<ManyEntriesFacts, void, void> {
  const { dataPath, entries, records } = options
  const { storage, openSeconds, close } = await openStore(dataPath)
  await requireRecords(storage, records)
  if (records === 0) await submitAll(storage, toEach())
  yield {
    openSeconds,
    rssBytes: process.memoryUsage.rss(),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }
  await close()

  function* toEach() {
    for (let number = 0; number < entries * RECORDS_EACH; number++)
      yield recordOf(
        entryName(`group-${number % 100}/entry-${number % entries}`),
        START_US + number * STEP_US,
        RECORD_BYTES,
      )
  }
}
