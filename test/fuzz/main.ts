/** `node --import tsx test/fuzz/main.ts --runs 100000 --seed 1 [--only WAL,frame]`, run by `dev/fuzz.mjs`. */
import { inspect, parseArgs } from 'node:util'
import { fuzz, type FuzzCounts } from './fuzz.ts'
import { fuzzTargets } from './targets.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100000' },
    seed: { type: 'string' },
    only: { type: 'string' },
  },
})
const runs = Number(values.runs)
const firstSeed = Number(values.seed ?? Date.now() % 0x3fff_ffff)
const targets = await fuzzTargets()
const names = targets.map(({ name }) => name)
const wanted = values.only?.split(',') ?? names
const unknown = wanted.find((name) => !names.includes(name))
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(firstSeed) || unknown !== undefined) {
  console.error(`write: npm run fuzz -- --runs 100000 --seed 1 [--only '${names.join(',')}']`)
  process.exit(2)
}

/** So few that a decoder that hangs is found by its last line. */
const RUNS_AT_ONCE = 10_000

console.log(`${runs} inputs for each decoder, seed ${firstSeed}`)
let passed = 0
let failed = 0
for (const target of targets) {
  if (!wanted.includes(target.name)) continue
  const total: FuzzCounts = { whole: 0, part: 0, refused: 0 }
  const startedMs = performance.now()
  try {
    for (let done = 0; done < runs; done += RUNS_AT_ONCE) {
      const seed = firstSeed + done / RUNS_AT_ONCE
      console.log(`${target.name}: from ${done}, seed ${seed}`)
      const counts = await fuzz(target, Math.min(RUNS_AT_ONCE, runs - done), seed)
      for (const verdict of ['whole', 'part', 'refused'] as const) total[verdict] += counts[verdict]
    }
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    console.log(
      `${target.name.padEnd(16)} ok  ${total.whole} whole, ${total.part} in part, ${total.refused} refused, ${seconds} s`,
    )
    passed++
  } catch (error) {
    console.log(`${target.name.padEnd(16)} FAILED  ${inspect(error)}`)
    failed++
  }
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
