/**
 * The benchmark behind `npm run bench`. Figures mean something as ratios within one run only: peers take turns on the same
 * topics of the same broker in the same minutes, and medians are quoted. It judges nothing: the exit code says whether all
 * ran and every record was found again, not how fast.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startBroker } from '../../dev/kafka/broker.mjs'
import type { BenchContext } from './context.ts'
import { emptyFiles } from './empty-files.ts'
import { engine } from './engine.ts'
import { fanout } from './fanout.ts'
import { ingest, manyPartitions } from './ingest.ts'
import { latency } from './latency.ts'
import { planOf } from './plan.ts'
import { machine, reportLines, type BenchResults } from './report.ts'
import type { PartResult } from './store/figure.ts'
import { storePartNames, storeParts } from './store/parts.ts'
import { targetsOf } from './targets.ts'

const suites = ['ingest', 'fanout', 'partitions', 'engine', 'latency', ...storePartNames] as const
type Suite = (typeof suites)[number]

const usage = `usage: npm run bench -- [--quick] [--only ${suites.join(',')}] [--json FILE]
  --quick  one round of little data: whether it works, not figures to quote
  --only   these parts, separated by commas
  --json   every run of every peer, as JSON`

const { quick, only, jsonPath } = readArguments()
const startedMs = performance.now()
const say = (line: string): void =>
  console.error(`[${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s] ${line}`)

const workPath = await mkdtemp(join(tmpdir(), 'sediment-bench-'))
let broker: ReturnType<typeof startBroker> | undefined
const context: BenchContext = {
  plan: planOf(quick),
  workPath,
  dataPath: async (part) => join(await mkdtemp(join(workPath, `${part}-`)), 'data'),
  bootstrap: async () => (await (broker ??= startBroker({ log: say, optimized: true }))).bootstrap,
  say,
}

/** Waiting for a child that is not ours to hold on to must not look like having nothing left to do. */
const alive = setInterval(() => undefined, 1000)
let ending: Promise<void> | undefined
function end(): Promise<void> {
  ending ??= (async () => {
    await (await broker?.catch(() => undefined))?.stop()
    await rm(workPath, { recursive: true, force: true, maxRetries: 5 })
    clearInterval(alive)
  })()
  return ending
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void end().then(() => process.exit(130)))
}

try {
  const startedAt = new Date().toISOString()
  const results = await runSuites(new Set(only))
  const lines = reportLines(results)
  console.log(lines.join('\n'))
  if (jsonPath !== undefined) {
    const report = { startedAt, quick, machine: machine(), results, targets: targetsOf(results) }
    await writeFile(jsonPath, `${JSON.stringify(report, undefined, 2)}\n`)
    say(`written to ${jsonPath}`)
  }
} finally {
  await end()
}

async function runSuites(wanted: ReadonlySet<Suite>): Promise<BenchResults> {
  // The engine first: nothing else is running yet.
  const store: PartResult[] = []
  for (const name of storePartNames) {
    if (!wanted.has(name)) continue
    store.push(await storeParts[name](context))
    await emptyFiles(workPath)
  }
  const engines = wanted.has('engine') ? await engine(context) : undefined
  const ingests = wanted.has('ingest') ? await ingest(context) : undefined
  const fanouts = wanted.has('fanout') ? await fanout(context) : undefined
  const partitions = wanted.has('partitions') ? await manyPartitions(context) : undefined
  const known = ingests
    ?.find(({ topic }) => topic.recordBytes === context.plan.latency.recordBytes)
    ?.peers.find(({ peer }) => peer === 'sediment')?.recordsPerSecond.median
  const waits = wanted.has('latency') ? await latency(context, known) : undefined
  return {
    ...(ingests && { ingest: ingests }),
    ...(fanouts && { fanout: fanouts }),
    ...(partitions && { partitions }),
    ...(engines && { engine: engines }),
    ...(waits && { latency: waits }),
    ...(store.length > 0 && { store }),
  }
}

function readArguments(): { quick: boolean; only: Suite[]; jsonPath: string | undefined } {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', default: suites.join(',') },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) {
      console.log(usage)
      process.exit(0)
    }
    const parts = values.only.split(',').map((name) => {
      const found = suites.find((suite) => suite === name.trim())
      if (found === undefined) throw new Error(`there is no part "${name.trim()}"`)
      return found
    })
    const directory = process.env['BENCH_DIRECTORY'] ?? process.cwd()
    return {
      quick: values.quick,
      only: parts,
      jsonPath: values.json === undefined ? undefined : resolve(directory, values.json),
    }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`)
    process.exit(2)
  }
}
