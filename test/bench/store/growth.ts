import type { RecordWrite, Storage } from '../../../src/storage/index.ts'
import type { BenchContext } from '../context.ts'
import { ratios } from '../statistics.ts'
import { ratioFigure, type Figure, type PartResult } from './figure.ts'
import {
  START_US,
  costOf,
  entryName,
  openStore,
  randomOf,
  recordOf,
  submitAll,
  type Cost,
} from './opened-store.ts'
import { StepProcess, roundsOf } from './step-process.ts'

/**
 * What a record costs beside much that is stored already, over what it costs beside a hundredth of that. Both sides write,
 * fold and read the same; only what lies there before differs.
 */
type Side =
  | { readonly what: 'blocks'; readonly blocksBefore: number; readonly isFresh: boolean }
  | { readonly what: 'entries'; readonly entries: number }

type GrowthOptions = Side & { readonly dataPath: string; readonly rounds: number }

interface RoundCost {
  readonly write: Cost
  readonly read: Cost
}

const FACTOR = 100
const FLAT = { bound: 'most', value: 1.1 } as const
const RECORD_BYTES = 256
const BLOCK_RECORDS = 100
const BLOCKS_A_ROUND = 50
const ENTRIES_A_ROUND = 100
const RECORDS_A_ROUND = 20_000
const READS_A_ROUND = 2000
const STEP_US = 10

export async function growth({ plan, say, dataPath }: BenchContext): Promise<PartResult> {
  const { blocks, entries, rounds } = plan.store.growth
  const byBlocks = await compared('blocks', [
    { what: 'blocks', blocksBefore: blocks, isFresh: true },
    { what: 'blocks', blocksBefore: blocks * FACTOR, isFresh: false },
  ])
  const byEntries = await compared('entries', [
    { what: 'entries', entries },
    { what: 'entries', entries: entries * FACTOR },
  ])
  return { title: `Cost per record as the store grows ${FACTOR}-fold`, figures: [...byBlocks, ...byEntries] }

  async function compared(what: string, sides: readonly Side[]): Promise<Figure[]> {
    const processes: StepProcess[] = []
    for (const side of sides) {
      const process = new StepProcess('growth', { ...side, rounds, dataPath: await dataPath('growth') })
      processes.push(process)
      await process.next<undefined>()
    }
    const [few = [], many = []] = await roundsOf<RoundCost>(processes, rounds, (round, costs) => {
      const [one, other] = costs.map(({ write }) => `${(write.seconds * 1000).toFixed(0)} ms`)
      say(`growth in ${what}, round ${round}/${rounds}: ${one} and ${other}`)
    })
    for (const process of processes) await process.kill()
    const figure = (name: string, cost: (of: RoundCost) => number): Figure =>
      ratioFigure(`${what}: ${name}`, ratios(many.map(cost), few.map(cost)), FLAT)
    return [
      figure('time to write', ({ write }) => write.seconds),
      figure('CPU to write', ({ write }) => write.cpuSeconds),
      figure('time of a point read', ({ read }) => read.seconds),
    ]
  }
}

export async function* steps(options: GrowthOptions): AsyncGenerator<RoundCost | null, void, void> {
  const settings = options.what === 'blocks' ? { blockRecordsMax: BLOCK_RECORDS } : {}
  const { storage } = await openStore(options.dataPath, { settings })
  yield* options.what === 'blocks' ? blockSteps(storage, options) : entrySteps(storage, options)
}

/** Whole blocks behind those of an entry, until they are folded; a side that must stay small has one entry a round. */
async function* blockSteps(
  storage: Storage,
  { blocksBefore, isFresh, rounds }: Extract<GrowthOptions, { what: 'blocks' }>,
): AsyncGenerator<RoundCost | null, void, void> {
  const ends = new Map<string, number>()
  const append = async (entry: string, blocks: number): Promise<void> => {
    const from = ends.get(entry) ?? 0
    const to = from + blocks * BLOCK_RECORDS
    ends.set(entry, to)
    await submitAll(storage, ordered(entry, from, to))
    await storage.settle()
  }
  const entryOf = (round: number): string => (isFresh ? `fresh-${round}` : 'grown')
  for (let round = 0; round <= rounds; round++)
    if (isFresh || round === 0) await append(entryOf(round), blocksBefore)
  const random = randomOf(1)
  // The last one warms the code up, and is not counted.
  await append(entryOf(rounds), BLOCKS_A_ROUND)
  yield null
  for (let round = 0; round < rounds; round++) {
    const entry = entryOf(round)
    const write = await costOf(() => append(entry, BLOCKS_A_ROUND))
    const read = await costOf(() => readSome(storage, entry, ends.get(entry) ?? 0, random))
    yield { write, read }
  }
}

function* ordered(entry: string, from: number, to: number): Generator<RecordWrite> {
  const name = entryName(entry)
  for (let number = from; number < to; number++)
    yield recordOf(name, START_US + number * STEP_US, RECORD_BYTES)
}

/** Records of the last blocks, whose descriptors the cache holds. */
async function readSome(
  storage: Storage,
  entry: string,
  records: number,
  random: () => number,
): Promise<void> {
  const among = Math.min(records, 20 * BLOCK_RECORDS)
  for (let count = 0; count < READS_A_ROUND; count++) {
    const number = records - 1 - Math.floor(random() * among)
    const record = await storage.get(entryName(entry), BigInt(START_US + number * STEP_US))
    if (record === undefined) throw new Error(`record ${number} of ${entry} was not found`)
    await record.read()
  }
}

/** Records into the same number of entries while all others are open too. */
async function* entrySteps(
  storage: Storage,
  { entries, rounds }: Extract<GrowthOptions, { what: 'entries' }>,
): AsyncGenerator<RoundCost | null, void, void> {
  let numbers = 0
  function* over(count: number, records: number): Generator<RecordWrite> {
    for (let record = 0; record < records; record++, numbers++)
      yield recordOf(entryName(`entry-${record % count}`), START_US + numbers * STEP_US, RECORD_BYTES)
  }
  const touched = Math.min(entries, ENTRIES_A_ROUND)
  await submitAll(storage, over(entries, entries))
  const random = randomOf(1)
  await submitAll(storage, over(touched, RECORDS_A_ROUND))
  await storage.checkpoint()
  yield null
  for (let round = 0; round < rounds; round++) {
    const first = numbers
    const write = await costOf(() => submitAll(storage, over(touched, RECORDS_A_ROUND)))
    const read = await costOf(async () => {
      for (let count = 0; count < READS_A_ROUND; count++) {
        const number = Math.floor(random() * RECORDS_A_ROUND)
        const name = entryName(`entry-${number % touched}`)
        const record = await storage.get(name, BigInt(START_US + (first + number) * STEP_US))
        if (record === undefined) throw new Error(`record ${number} of ${name.entry} was not found`)
        await record.read()
      }
    })
    yield { write, read }
  }
}
