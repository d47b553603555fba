/**
 * `REDUCTSTORE_BIN=… node --import tsx test/interop/run.ts [--killed 100] [--seed 1] [--only cases]`, run by
 * `dev/interop.mjs`. SIGTERM ends it at the next kill, with its report. The last line counts cases and directories.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runCampaign } from './campaign.ts'
import { runNamedCases } from './named-cases.ts'
import { emptyReport, reportLines } from './report.ts'

const { values } = parseArgs({
  options: { killed: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' } },
})
const killed = Number(values.killed ?? 100)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const { only } = values
const binary = process.env['REDUCTSTORE_BIN']
const isUnknown = only !== undefined && only !== 'cases' && only !== 'kills'
if (!(Number.isSafeInteger(killed) && killed > 0 && Number.isSafeInteger(seed)) || isUnknown || !binary) {
  console.error('write: npm run interop -- --killed 100 --seed 1 --only kills (or cases)')
  process.exit(2)
}

const startedMs = performance.now()
const log = (line: string): void => {
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${line}`)
}

log(`${only ?? 'cases and kills'}: ${killed} killed directories, seed ${seed}`)
const ended = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => ended.abort())
const folder = await mkdtemp(join(tmpdir(), 'sediment-interop-'))
const report = emptyReport(seed)
const [casesFolder, campaignFolder] = [join(folder, 'cases'), join(folder, 'campaign')] as const
for (const path of [casesFolder, campaignFolder]) await mkdir(path)
const cases = only === 'kills' ? 0 : await runNamedCases({ binary, folder: casesFolder, report, log })
if (only !== 'cases') {
  const { signal } = ended
  await runCampaign({ binary, folder: campaignFolder, killed, seed, report, log, signal })
}
if (report.failures.length === 0) await rm(folder, { recursive: true })
else log(`directories of the first failures are kept below ${folder}`)
log(JSON.stringify(report))
for (const line of reportLines(report)) console.log(line)
const examined = cases + report.killed + report.settled + report.folded + report.unfolded
const failed = report.failures.length
console.log(`${Math.max(0, examined - failed)} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
