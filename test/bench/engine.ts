import { spawn } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { endsWithUs } from './children.ts'
import type { BenchContext } from './context.ts'
import { emptyFiles } from './empty-files.ts'
import type { EngineKind, EngineOptions } from './engine-child.ts'
import { inTurn, peerRun, type Measured, type PeerRun, type PeerSummary } from './peer.ts'
import { profiling, verifyAll } from './sediment-run.ts'
import { ratios, type Spread } from './statistics.ts'
import { runText } from './text.ts'

/** The engine alone over a number of entries, beside one sync per block WAL with the same records. */
export interface EngineResult {
  readonly entries: number
  readonly engine: PeerSummary
  readonly blockWal: PeerSummary
  /** Rate over that with the fewest entries. */
  readonly ratioToFewest: Spread
  readonly ratioToBlockWal: Spread
}

const LIMIT_MS = 600_000

export async function engine(context: BenchContext): Promise<EngineResult[]> {
  const { plan, say, workPath } = context
  const { recordBytes, records, entries: counts } = plan.engine
  const kinds: readonly EngineKind[] = ['engine', 'block-wal']
  const peers = counts.flatMap((entries) =>
    kinds.map((kind) => {
      const name = `${kind}, ${entries}`
      return [
        name,
        () => runChild(name, workPath, { kind, entries, records, recordBytes, dataPath: '' }),
      ] as const
    }),
  )
  const summaries = await inTurn(plan.rounds, peers, (round, run) =>
    say(`engine round ${round}/${plan.rounds}: ${runText(run)}`),
  )
  const rates = (summary: PeerSummary): number[] => summary.runs.map((run) => run.recordsPerSecond)
  const [fewest] = summaries
  return counts.map((entries, index) => {
    const alone = summaries[index * 2] as PeerSummary
    const blockWal = summaries[index * 2 + 1] as PeerSummary
    return {
      entries,
      engine: alone,
      blockWal,
      ratioToFewest: ratios(rates(alone), rates(fewest as PeerSummary)),
      ratioToBlockWal: ratios(rates(alone), rates(blockWal)),
    }
  })
}

async function runChild(peer: string, workPath: string, options: EngineOptions): Promise<PeerRun> {
  const directory = await mkdtemp(join(workPath, 'engine-'))
  const dataPath = join(directory, 'data')
  try {
    const output = await nodeOutput(['test/bench/engine-child.ts', JSON.stringify({ ...options, dataPath })])
    if (options.kind === 'engine') await verifyAll(dataPath, { topic: options, entries: options.entries })
    return peerRun(peer, JSON.parse(output) as Measured)
  } finally {
    await emptyFiles(directory)
  }
}

function nodeOutput(args: readonly string[]): Promise<string> {
  const child = endsWithUs(
    spawn(process.execPath, [...profiling(), '--import', 'tsx', ...args], {
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  )
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      if (code === 0) resolve(output)
      else reject(new Error(`the engine run ended with ${code}`))
    })
  })
}
