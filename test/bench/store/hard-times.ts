import type { RecordWrite } from '../../../src/storage/index.ts'
import type { BenchContext } from '../context.ts'
import { ratios } from '../statistics.ts'
import { ratioFigure, type Figure, type PartResult } from './figure.ts'
import {
  START_US,
  costOf,
  entryName,
  openStore,
  recordOf,
  requireRecords,
  submitAll,
  type Cost,
} from './opened-store.ts'
import { StepProcess, roundsOf } from './step-process.ts'

/** Timestamps as no clock should give them, over the same number of records in order. */
interface HardTimesOptions {
  readonly dataPath: string
  readonly order: Order
  readonly records: number
  /** Stored in order, each a block, over a day, before it begins. */
  readonly sealedBlocks: number
}

type Order = keyof typeof orders

type HardCase = Omit<HardTimesOptions, 'dataPath'> & { readonly what: string; readonly isOnce?: boolean }

interface OrderCost {
  readonly durable: Cost
  readonly folded: Cost
}

const RECORD_BYTES = 200
const BLOCK_RECORDS = 64
const STEP_US = 100
const MINUTE_US = 60_000_000
const DAY_US = 86_400_000_000
/** Prime, and no divisor of a number of records: its multiples come to each of them once. */
const STRIDE = 1_000_003
const YEAR_2099_US = 4_070_908_800_000_000

/** The time of record `number` of `records`. */
const orders = {
  'in order': (number: number) => START_US + DAY_US + number * STEP_US,
  descending: (number: number, records: number) => START_US + DAY_US + (records - number) * STEP_US,
  'behind one of 2099': (number: number) =>
    number === 0 ? YEAR_2099_US : START_US + DAY_US + number * STEP_US,
  'behind one an hour ahead': (number: number) =>
    START_US + DAY_US + (number === 1 ? 59 * MINUTE_US : number * STEP_US),
  'no order': (number: number, records: number) =>
    START_US + DAY_US + ((number * STRIDE) % records) * STEP_US,
  equal: () => START_US + DAY_US,
  'a day late': (number: number, records: number) => START_US + 1 + Math.floor((number / records) * DAY_US),
} as const

export async function hardTimes({ plan, say, dataPath }: BenchContext): Promise<PartResult> {
  const { records, equalRecords, lateRecords, sealedBlocks, rounds } = plan.store.hardTimes
  const figures: Figure[] = []
  const cases: readonly HardCase[] = [
    { order: 'descending', what: 'descending', records, sealedBlocks: 0 },
    { order: 'behind one of 2099', what: 'in order behind one of the year 2099', records, sealedBlocks: 0 },
    {
      order: 'behind one an hour ahead',
      what: 'in order behind one 59 minutes ahead',
      records,
      sealedBlocks: 0,
    },
    { order: 'no order', what: 'in no order at all', records, sealedBlocks: 0 },
    {
      order: 'equal',
      what: `${equalRecords.toLocaleString('en-US')} equal times`,
      records: equalRecords,
      sealedBlocks: 0,
      isOnce: true,
    },
    {
      order: 'a day late',
      what: `a day late over ${sealedBlocks} sealed blocks`,
      records: lateRecords,
      sealedBlocks,
    },
  ]
  for (const { what, order, isOnce = false, ...sizes } of cases) {
    const turns = isOnce ? 1 : rounds
    const processes: StepProcess[] = []
    for (const side of [order, 'in order'] as const) {
      const options = { ...sizes, order: side, dataPath: await dataPath('hard-times') }
      processes.push(new StepProcess('hard-times', options satisfies HardTimesOptions))
    }
    const [hard = [], plain = []] = await roundsOf<OrderCost>(processes, turns, (round, costs) => {
      const texts = costs.map(
        ({ durable, folded }) => `${durable.seconds.toFixed(2)} s + ${folded.seconds.toFixed(2)} s`,
      )
      say(`hard times, ${what}, round ${round}/${turns}: ${texts.join(' and in order ')}`)
    })
    for (const process of processes) await process.kill()
    const whole = ({ durable, folded }: OrderCost): number => durable.seconds + folded.seconds
    const durable = (cost: OrderCost): number => cost.durable.seconds
    figures.push(
      ratioFigure(`${what}: time until durable`, ratios(hard.map(durable), plain.map(durable))),
      ratioFigure(`${what}: time until folded`, ratios(hard.map(whole), plain.map(whole))),
    )
  }
  return { title: 'Hard timestamps, over the same number of records in order', figures }
}

/** Each round has an entry of its own. */
export async function* steps(options: HardTimesOptions): AsyncGenerator<OrderCost, void, void> {
  const { dataPath, order, records, sealedBlocks } = options
  const settings = sealedBlocks > 0 ? { blockRecordsMax: BLOCK_RECORDS } : {}
  const { storage } = await openStore(dataPath, { settings })
  let stored = 0
  for (let round = 0; ; round++) {
    const name = entryName(`entry-${round}`)
    await submitAll(
      storage,
      timed(
        sealedBlocks * BLOCK_RECORDS,
        (number, count) => START_US + Math.floor((number / count) * DAY_US),
      ),
    )
    await storage.settle()
    const durable = await costOf(() => submitAll(storage, timed(records, orders[order])))
    const folded = await costOf(() => storage.settle())
    stored += sealedBlocks * BLOCK_RECORDS + records
    await requireRecords(storage, stored)
    yield { durable, folded }

    function* timed(
      count: number,
      timeOf: (number: number, count: number) => number,
    ): Generator<RecordWrite> {
      for (let number = 0; number < count; number++) yield recordOf(name, timeOf(number, count), RECORD_BYTES)
    }
  }
}
