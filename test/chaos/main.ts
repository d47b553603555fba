/** `node --import tsx test/chaos/main.ts [--minutes 5] [--seed 1] [--patient] [--keep]`, run by `dev/chaos.mjs`. */
import { parseArgs } from 'node:util'
import { runChaos } from './chaos.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    patient: { type: 'boolean' },
    keep: { type: 'boolean' },
  },
})
const minutes = Number(values.minutes ?? 5)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  console.error('write: npm run chaos -- --minutes 5 --seed 1')
  process.exit(2)
}
const BACK_WITHIN_MS = 2_000
/** Where other programs share the processors. */
const PATIENT_FACTOR = 30

const startedMs = performance.now()
const log = (line: string): void => {
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${line}`)
}

const told = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => told.abort())

log(`chaos for ${minutes} minutes, seed ${seed}`)
try {
  const { rows, kept, broken } = await runChaos({
    minutes,
    seed,
    backWithinMs: BACK_WITHIN_MS * (values.patient === true ? PATIENT_FACTOR : 1),
    isKept: values.keep === true,
    log,
    signal: AbortSignal.any([AbortSignal.timeout((minutes * 2 + 10) * 60_000), told.signal]),
  })
  const width = Math.max(...rows.map(([what]) => what.length))
  for (const [what, found] of rows) console.log(`  ${what.padEnd(width)}  ${found}`)
  for (const line of kept) console.log(`  kept    ${line}`)
  for (const line of broken) console.log(`  BROKEN  ${line}`)
  log(`seed ${seed}`)
  console.log(`${kept.length} passed, ${broken.length} failed`)
  process.exitCode = broken.length === 0 ? 0 : 1
} catch (error) {
  log(`FAILED with seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`)
  console.log('0 passed, 1 failed')
  process.exitCode = 1
}
