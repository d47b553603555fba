/**
 * `npm run crash:changes -- --images 100000 --seed 1`: random scripts of changes until so many crash images were
 * recovered and compared. Prints coverage; a failure prints the script and what reproduces it.
 */
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { Coverage } from '../coverage.ts'
import { script } from './commands.ts'
import { ChangeSimulation } from './simulation.ts'

const { values } = parseArgs({
  options: { images: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' } },
})
const RUNS_AT_ONCE = 20
const startedMs = performance.now()
const coverage = new Coverage()
let seed = Number(values.seed)
while (coverage.digests().length < Number(values.images)) {
  await fc.assert(
    fc.asyncProperty(script, fc.nat(), (commands, diskSeed) =>
      new ChangeSimulation(diskSeed, coverage).play(commands),
    ),
    { seed, numRuns: RUNS_AT_ONCE, endOnFailure: true },
  )
  seed += 1
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  console.error(`seed ${seed}: ${coverage.digests().length} distinct images, ${seconds} s`)
}
for (const [name, count] of [...coverage.counts].sort()) console.log(`${name} ${count}`)
console.log(`${coverage.digests().length} distinct images, seeds ${values.seed} to ${seed - 1}, 0 failed`)
