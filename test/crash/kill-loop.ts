/** `node --import tsx test/crash/kill-loop.ts [--kills 200] [--seed 1]`, run by `dev/crash-kill.mjs`. */
import { parseArgs } from 'node:util'
import { runKillLoop, type KillLoopReport } from './kill/kill-loop.ts'

const { values } = parseArgs({ options: { kills: { type: 'string' }, seed: { type: 'string' } } })
const kills = Number(values.kills ?? 200)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
if (!Number.isSafeInteger(kills) || kills < 1 || !Number.isSafeInteger(seed)) {
  console.error('write: npm run crash:kill -- --kills 200 --seed 1')
  process.exit(2)
}

/** What 200 kills must have been through, so that they show something; fewer kills, less. */
const share = kills / 200
const killsInRecoveryMin = Math.ceil(3 * share)

function shortcomings({ killsInRecovery, counts }: KillLoopReport): string[] {
  const minima: readonly (readonly [what: string, reached: number, wanted: number])[] = [
    ['seals', counts.seals, Math.ceil(50 * share)],
    ['checkpoints', counts.checkpoints, Math.ceil(10 * share)],
    ['kills during recovery', killsInRecovery, killsInRecoveryMin],
  ]
  return minima
    .filter(([, reached, wanted]) => reached < wanted)
    .map(([what, reached, wanted]) => `only ${reached} ${what}, ${wanted} wanted`)
}

const startedMs = performance.now()
const log = (line: string): void => {
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${line}`)
}

log(`${kills} kills, seed ${seed}`)
try {
  const report = await runKillLoop({
    kills,
    killsInRecoveryMin,
    seed,
    log,
    signal: AbortSignal.timeout(120_000 + kills * 30_000),
  })
  log(JSON.stringify({ seed, ...report }))
  const missed = shortcomings(report)
  for (const line of missed) log(line)
  log('every record is stored once, with its content; committed = durable after the stop; verify is clean')
  console.log(`${report.kills + report.cleanStops + 1} passed, ${missed.length} failed`)
  process.exitCode = missed.length === 0 ? 0 : 1
} catch (error) {
  log(`FAILED with seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`)
  console.log('0 passed, 1 failed')
  process.exitCode = 1
}
