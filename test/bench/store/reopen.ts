import type { BenchContext } from '../context.ts'
import { spread } from '../statistics.ts'
import type { PartResult } from './figure.ts'
import { START_US, entryName, openStore, recordOf, requireRecords, submitAll } from './opened-store.ts'
import { StepProcess } from './step-process.ts'

/** The start after kill -9: most blocks are sealed, one of each entry has records that only log and WAL hold. */
interface ReopenOptions {
  readonly dataPath: string
  readonly entries: number
  /** Stored before. */
  readonly records: number
}

interface Reopened {
  readonly openSeconds: number
  readonly records: number
}

const SEALED_BLOCKS_AN_ENTRY = 2
const BLOCK_RECORDS = 64
const RECORD_BYTES = 1024
const STEP_US = 100

export async function reopen({ plan, say, dataPath }: BenchContext): Promise<PartResult> {
  const { entries, rounds } = plan.store.reopen
  const path = await dataPath('reopen')
  const seconds: number[] = []
  let records = 0
  for (let round = 0; round <= rounds; round++) {
    const process = new StepProcess('reopen', { dataPath: path, entries, records } satisfies ReopenOptions)
    const reopened = await process.next<Reopened>()
    if (round > 0) {
      seconds.push(reopened.openSeconds)
      say(`reopen round ${round}/${rounds}: ${reopened.openSeconds.toFixed(2)} s`)
    }
    records = (await process.next<Reopened>()).records
    await process.kill()
  }
  const { median } = spread(seconds)
  const sealed = entries * SEALED_BLOCKS_AN_ENTRY
  return {
    title: 'Start after kill -9',
    figures: [
      {
        what: `${sealed} sealed and ${entries} dirty blocks`,
        value: median,
        unit: 's',
        spread: spread(seconds),
        goal: { bound: 'most', value: 5 },
      },
    ],
  }
}

/** Opens, tells, writes to every entry, tells, and waits to be killed. */
export async function* steps({
  dataPath,
  entries,
  records,
}: ReopenOptions): AsyncGenerator<Reopened, void, void> {
  const settings = { blockRecordsMax: BLOCK_RECORDS }
  const { storage, openSeconds } = await openStore(dataPath, { settings })
  await requireRecords(storage, records)
  yield { openSeconds, records }
  let stored = records
  const write = async (recordsEach: number): Promise<void> => {
    const first = stored
    stored += entries * recordsEach
    await submitAll(storage, toEach(first, recordsEach))
  }
  if (records === 0) {
    for (let block = 0; block < SEALED_BLOCKS_AN_ENTRY; block++) {
      await write(BLOCK_RECORDS)
      await storage.settle()
    }
  }
  await write(BLOCK_RECORDS / 8)
  yield { openSeconds, records: stored }
  await new Promise(() => undefined)

  function* toEach(first: number, recordsEach: number) {
    for (let number = 0; number < entries * recordsEach; number++)
      yield recordOf(
        entryName(`entry-${number % entries}`),
        START_US + (first + number) * STEP_US,
        RECORD_BYTES,
      )
  }
}
