import type { RecordWrite } from '../../../src/storage/index.ts'
import type { BenchContext } from '../context.ts'
import { ratios } from '../statistics.ts'
import { ratioFigure, type PartResult } from './figure.ts'
import {
  START_US,
  costOf,
  entryName,
  openStore,
  randomOf,
  recordOf,
  requireRecords,
  submitAll,
  type Cost,
} from './opened-store.ts'
import { StepProcess, roundsOf } from './step-process.ts'

/** The same records in another order: a share of them comes seconds late, into blocks that others have left behind. */
interface LateOptions {
  readonly dataPath: string
  readonly records: number
  /** Of the records, 0 to 1. */
  readonly share: number
}

interface LateCost {
  readonly durable: Cost
  readonly folded: Cost
}

const SHARES = [0, 0.1, 0.8]
const ENTRIES = 4
const RECORD_BYTES = 1024
/** 10,000 records a second in each entry: a block of 8,192 records is left after less than a second. */
const STEP_US = 100
const LATE_US_MEAN = 2_000_000

export async function late({ plan, say, dataPath }: BenchContext): Promise<PartResult> {
  const { records, rounds } = plan.store.late
  const processes: StepProcess[] = []
  for (const share of SHARES) {
    const options = { share, records, dataPath: await dataPath('late') } satisfies LateOptions
    processes.push(new StepProcess('late', options))
  }
  const [none = [], ...others] = await roundsOf<LateCost>(processes, rounds, (round, costs) => {
    const rates = costs.map(({ durable }) => Math.round(records / durable.seconds).toLocaleString('en-US'))
    say(`late, round ${round}/${rounds}: ${rates.join(', ')} records/s with none, 10 %, 80 %`)
  })
  for (const process of processes) await process.kill()
  const rate = ({ durable }: LateCost): number => records / durable.seconds
  const rateToFolded = ({ durable, folded }: LateCost): number => records / (durable.seconds + folded.seconds)
  return {
    title: `Late records, ${LATE_US_MEAN / 1e6} s in the mean, into ${ENTRIES} entries`,
    figures: others.flatMap((costs, index) => {
      const what = `${100 * (SHARES[index + 1] as number)} % late / none`
      return [
        ratioFigure(`${what}: rate until durable`, ratios(costs.map(rate), none.map(rate))),
        ratioFigure(`${what}: rate until folded`, ratios(costs.map(rateToFolded), none.map(rateToFolded))),
      ]
    }),
  }
}

export async function* steps(options: LateOptions): AsyncGenerator<LateCost, void, void> {
  const { storage } = await openStore(options.dataPath)
  const random = randomOf(1)
  let stored = 0
  for (;;) {
    const writes = inOrderOfArrival(options, stored, random)
    const durable = await costOf(() => submitAll(storage, writes))
    const folded = await costOf(() => storage.settle())
    stored += options.records
    await requireRecords(storage, stored)
    yield { durable, folded }
  }
}

function inOrderOfArrival(
  { records, share }: LateOptions,
  first: number,
  random: () => number,
): RecordWrite[] {
  const arrivals = Array.from({ length: records }, (_, index) => {
    const timestampUs = START_US + Math.floor((first + index) / ENTRIES) * STEP_US
    const isLate = random() < share
    const delayUs = isLate ? -Math.log(1 - random()) * LATE_US_MEAN : 0
    return { timestampUs, arrivesUs: timestampUs + delayUs, entry: `entry-${index % ENTRIES}` }
  })
  arrivals.sort((a, b) => a.arrivesUs - b.arrivesUs)
  return arrivals.map(({ timestampUs, entry }) => recordOf(entryName(entry), timestampUs, RECORD_BYTES))
}
