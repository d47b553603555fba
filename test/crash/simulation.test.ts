import { spawnSync } from 'node:child_process'
import { beforeAll, expect, test } from '@jest/globals'
import { Coverage } from './coverage.ts'
import { simulate } from './simulation.ts'

/** Seeds that have found a mistake in the engine, with what it was when the workload still was the same. */
const regressions: readonly (readonly [seed: number, what: string])[] = [
  [1, 'log that the checkpoint stands on refused'],
  [3, 'frame lost to the mere header of the log that repeats it'],
  [22, 'a folded block without WAL stopped the store'],
  [33, 'submissions that waited for ever after a failure'],
  [75, 'two checkpoints at once'],
  [111, 'failed fold that did not stop the store'],
  [135, 'entry directory that only the cache knew'],
  [349, 'checkpoint after a failed projection'],
]

test.each(regressions)('seed %i holds (%s)', async (seed) => {
  await simulate(seed, new Coverage())
})

interface Result {
  readonly firstSeed: number
  readonly seeds: number
  readonly counts: Readonly<Record<string, number>>
  readonly failures: readonly { readonly seed: number; readonly message: string }[]
}

/** Two processes, so that the machine's cores are used however jest spreads its files. */
const statesMin = 27_000
let result: Result

beforeAll(() => {
  const { stdout, stderr, error } = spawnSync(
    process.execPath,
    ['dev/crash-campaign.mjs', '--states', String(statesMin), '--seed', '10000', '--json'],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  )
  if (error !== undefined || !stdout.startsWith('{')) throw new Error(`the campaign did not end: ${stderr}`)
  result = JSON.parse(stdout) as Result
  console.info(`seeds ${result.firstSeed} to ${result.firstSeed + result.seeds - 1}`, result.counts)
}, 1_800_000)

test('every crash image is recovered to what was acknowledged', () => {
  expect(result.failures).toEqual([])
  expect(result.counts['distinctImages']).toBeGreaterThanOrEqual(statesMin)
})

test.each([
  ['frame write', ['frame']],
  ['projection', ['projection']],
  ['fold and seal', ['fold', 'refold']],
  ['index append', ['indexAppend']],
  ['checkpoint', ['checkpoint']],
  ['roll of log and block', ['logRoll', 'blockRoll']],
  ['recovery', ['recovery']],
])('500 crashes in each place: %s', (_name, places) => {
  const crashes = places.reduce((sum, place) => sum + (result.counts[`crash.${place}`] ?? 0), 0)
  expect(crashes).toBeGreaterThanOrEqual(500)
})

test.each([
  ['opens', 20_000],
  ['opens.tornTail', 50],
  ['acknowledged', 2_000],
  ['groups.direct', 300],
  ['submissions.overEntries', 300],
  ['records.late', 300],
  ['records.spilled', 300],
  ['blocks.started', 1_000],
  ['blocks.sealed', 500],
  ['blocks.reopened', 300],
  ['evicted.write', 200],
  ['checkpoints', 500],
  ['folds.aborted', 10],
  ['settled', 3],
  ['closed', 30],
  ['poisoned.sync', 10],
  ['poisoned.syncDirectory', 5],
  ['poisoned.write', 5],
  ['poisoned.name', 3],
  ['poisoned.full', 4],
  ['opens.refused', 5],
])('the workloads meet %s', (name, countMin) => {
  expect(result.counts[name] ?? 0).toBeGreaterThanOrEqual(countMin)
})
