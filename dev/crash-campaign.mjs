#!/usr/bin/env node
/**
 * `npm run crash:campaign -- --states 1000000 --seed 1 [--changes] [--workers 2] [--json]`: the crash simulation until so many
 * distinct crash images were recovered and compared. Interrupted (SIGINT, SIGTERM) it reports what it has done, and
 * with which `--seed` to go on. `--changes` runs the simulation of changes instead: labels, removals,
 * rewritten blocks, uploads, attachments, quotas, settings, renames, visits of ReductStore. `--replay SEED` runs one seed and prints what happened in it.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startWorkers } from './crash/workers.mjs'

// Not the runner's: it ends the process at the first signal.
const projectRoot = fileURLToPath(new URL('..', import.meta.url))

const { values } = parseArgs({
  options: {
    states: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    replay: { type: 'string' },
    json: { type: 'boolean', default: false },
    changes: { type: 'boolean', default: false },
  },
})

if (values.replay !== undefined) {
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', 'test/crash/replay.ts', values.replay], {
    cwd: projectRoot,
    stdio: 'inherit',
  })
  process.exit(status ?? 1)
}

const statesMin = Number(values.states)
const firstSeed = Number(values.seed)
const failuresMax = 20
const seedsAtOnce = 5

let nextSeed = firstSeed
let seedsDone = 0
let isInterrupted = false
/** First seeds of the orders that are out. */
const underWay = new Set()
const counts = new Map()
const digests = new Set()
const failures = []
const startedMs = performance.now()
let printedMs = startedMs

const seconds = () => (performance.now() - startedMs) / 1000
const isDone = () => isInterrupted || digests.size >= statesMin || failures.length >= failuresMax

function take({ counts: more, digests: seen, failures: failed }) {
  for (const [name, count] of more) counts.set(name, (counts.get(name) ?? 0) + count)
  for (const digest of seen) digests.add(digest)
  for (const failure of failed) {
    failures.push(failure)
    const again = values.changes ? `--changes --states 1 --seed ${failure.seed}` : `--replay ${failure.seed}`
    console.error(`FAILED ${failure.message}\n  npm run crash:campaign -- ${again}`)
  }
  if (performance.now() - printedMs < 5_000) return
  printedMs = performance.now()
  const rate = digests.size / seconds()
  const minutes = ((statesMin - digests.size) / rate / 60).toFixed(0)
  console.error(
    `${digests.size} of ${statesMin} images, ${seedsDone} seeds up to ${nextSeed - 1}, ${failures.length} failures, ` +
      `${rate.toFixed(0)} images a second, ${minutes} minutes left`,
  )
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (isInterrupted) process.exit(130)
    isInterrupted = true
    console.error('interrupted: reports after the seeds that are under way; once more ends at once')
  })
}

await startWorkers(projectRoot, Number(values.workers), async (ask) => {
  while (!isDone()) {
    const first = nextSeed
    nextSeed += seedsAtOnce
    underWay.add(first)
    const seeds = Array.from({ length: seedsAtOnce }, (_, index) => first + index)
    take(await ask({ seeds, simulation: values.changes ? 'changes' : undefined }))
    underWay.delete(first)
    seedsDone += seedsAtOnce
  }
})

counts.set('distinctImages', digests.size)
const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
const result = {
  firstSeed,
  seeds: seedsDone,
  seconds: seconds(),
  isInterrupted,
  counts: Object.fromEntries(sorted),
  failures,
}
if (values.json) console.log(JSON.stringify(result))
else {
  for (const [name, count] of sorted) console.log(`${name.padEnd(28)} ${count}`)
  console.log(
    `${result.seeds} seeds from ${firstSeed}, ${digests.size} distinct images, ${failures.length} failures, ${seconds().toFixed(0)} s`,
  )
  if (isInterrupted) console.log(`to go on: --seed ${nextSeed} --states ${statesMin - digests.size}`)
}
process.exitCode = failures.length > 0 ? 1 : isInterrupted ? 130 : 0
