#!/usr/bin/env node
/**
 * `npm run crash:mutants -- [--seeds 400] [--min 20] [--seed 1] [--workers 2] [--only TEXT] [--full] [--quick] [--json]`:
 * plants known mistakes into a copy of the engine, one at a time, and counts the seeds of the crash simulation that
 * notice. A mutant is done as soon as `--min` seeds have noticed; `--full` tries all of them, `--quick` needs only one.
 */
import { parseArgs } from 'node:util'
import { mutants } from '../test/crash/mutants/mutants.mjs'
import { mutatedCopy } from '../test/crash/mutants/patch.mjs'
import { startWorkers } from './crash/workers.mjs'
import { projectRoot } from './runner/command.mjs'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '400' },
    min: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    only: { type: 'string', multiple: true },
    full: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

const seedCount = Number(values.seeds)
const firstSeed = Number(values.seed)
const failingMin = values.quick ? 1 : Number(values.min)
const { only } = values
const chosen = mutants.filter(({ name }) => only === undefined || only.some((text) => name.includes(text)))

async function failingSeeds(mutant) {
  const copy = mutatedCopy(projectRoot, mutant)
  const seeds = Array.from({ length: seedCount }, (_, index) => firstSeed + index)
  const failures = []
  let tried = 0
  const isDone = () => seeds.length === 0 || (!values.full && failures.length >= failingMin)
  try {
    await startWorkers(copy.root, Number(values.workers), async (ask) => {
      while (!isDone()) {
        const order = seeds.splice(0, values.quick ? 1 : 3)
        const answer = await ask({ seeds: order, simulation: mutant.simulation })
        failures.push(...answer.failures)
        tried += order.length
      }
    })
  } finally {
    copy.remove()
  }
  return { failures, tried }
}

const results = []
console.error(
  `${chosen.length} mutants, up to ${seedCount} seeds from ${firstSeed}, ${failingMin} have to notice`,
)
for (const mutant of chosen) {
  const startedMs = performance.now()
  const { failures, tried } = await failingSeeds(mutant)
  const isCaught = failures.length >= failingMin
  results.push({ name: mutant.name, failing: failures.length, tried, isCaught })
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0)
  const name = mutant.name.padEnd(50)
  const count = `${failures.length} of ${tried}`.padStart(11)
  const what = failures[0] === undefined ? '' : `  e.g. ${failures[0].message.split('\n')[0].slice(0, 100)}`
  console.error(`${name} ${count}  ${isCaught ? 'caught ' : 'TOO FEW'}  ${seconds} s${what}`)
}

const missed = results.filter(({ isCaught }) => !isCaught)
if (values.json) console.log(JSON.stringify(results))
else
  console.log(`${results.length} mutants, ${missed.length} not caught by ${failingMin} of ${seedCount} seeds`)
process.exitCode = missed.length > 0 ? 1 : 0
