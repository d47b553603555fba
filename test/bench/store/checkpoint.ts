import { setTimeout } from 'node:timers/promises'
import type { BenchContext } from '../context.ts'
import { quantile } from '../statistics.ts'
import type { PartResult } from './figure.ts'
import { entryName, openStore, recordOf } from './opened-store.ts'
import { StepProcess } from './step-process.ts'

/** How long a submission waits while a checkpoint syncs what was written since the last one, and while none does. */
interface CheckpointOptions {
  readonly dataPath: string
  readonly quietSeconds: number
}

interface CheckpointWaits {
  readonly quietMs: readonly number[]
  readonly duringMs: readonly number[]
  readonly checkpointSeconds: number
}

const ENTRIES = 256
const RECORD_BYTES = 1024
const EVERY_MS = 10
/** About 20 MB/s, a steady load that the engine carries easily. */
const RECORDS_AT_ONCE = 200

export async function checkpoint({ plan, say, dataPath }: BenchContext): Promise<PartResult> {
  const { rounds, quietSeconds } = plan.store.checkpoint
  const options = { quietSeconds, dataPath: await dataPath('checkpoint') }
  const process = new StepProcess('checkpoint', options satisfies CheckpointOptions)
  // The first one compiles the code and makes the entries.
  await process.next<CheckpointWaits>()
  const quiet: number[] = []
  const during: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const waits = await process.next<CheckpointWaits>()
    quiet.push(...waits.quietMs)
    during.push(...waits.duringMs)
    say(`checkpoint round ${round}/${rounds}: took ${waits.checkpointSeconds.toFixed(2)} s`)
  }
  await process.kill()
  const p = (waits: readonly number[], share: number): number =>
    quantile(Float64Array.from(waits).sort(), share)
  return {
    title: `Waiting for durability beside a checkpoint, ${ENTRIES} entries`,
    figures: [
      { what: 'p99 while a checkpoint runs', value: p(during, 0.99), unit: 'ms' },
      { what: 'p99 without', value: p(quiet, 0.99), unit: 'ms' },
      { what: 'p50 while a checkpoint runs', value: p(during, 0.5), unit: 'ms' },
      { what: 'p50 without', value: p(quiet, 0.5), unit: 'ms' },
      {
        what: 'p99 while a checkpoint runs / without',
        value: p(during, 0.99) / p(quiet, 0.99),
        unit: '×',
        goal: { bound: 'most', value: 3 },
      },
    ],
  }
}

/** A round: load without a checkpoint, then one beside the same load. */
export async function* steps(options: CheckpointOptions): AsyncGenerator<CheckpointWaits, void, void> {
  const { storage } = await openStore(options.dataPath)
  let records = 0
  for (;;) {
    const quietMs: number[] = []
    const duringMs: number[] = []
    let isCheckpoint = false
    const submit = async (): Promise<void> => {
      const atUs = Date.now() * 1000
      const writes = Array.from({ length: RECORDS_AT_ONCE }, (_, index) =>
        recordOf(entryName(`entry-${records++ % ENTRIES}`), atUs + index, RECORD_BYTES),
      )
      const fromMs = performance.now()
      const wasCheckpoint = isCheckpoint
      await storage.submit({ writes })
      // What has met both counts for the checkpoint.
      const waits = wasCheckpoint || isCheckpoint ? duringMs : quietMs
      waits.push(performance.now() - fromMs)
    }
    const stop = new AbortController()
    const loaded = regularly(EVERY_MS, submit, stop.signal)
    await setTimeout(options.quietSeconds * 1000)
    isCheckpoint = true
    const fromMs = performance.now()
    await storage.checkpoint()
    const checkpointSeconds = (performance.now() - fromMs) / 1000
    isCheckpoint = false
    stop.abort()
    await loaded
    yield { quietMs, duringMs, checkpointSeconds }
  }
}

/** Begins one call every `everyMs`, whether or not those before are done. */
async function regularly(everyMs: number, call: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const underway: Promise<void>[] = []
  const startMs = performance.now()
  for (let turn = 0; !signal.aborted; turn++) {
    const waitMs = startMs + turn * everyMs - performance.now()
    if (waitMs > 0) await setTimeout(waitMs)
    underway.push(call())
  }
  await Promise.all(underway)
}
