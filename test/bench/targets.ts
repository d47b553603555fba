import type { EngineResult } from './engine.ts'
import type { IngestResult } from './ingest.ts'
import type { BenchResults } from './report.ts'
import { figureTargets } from './store/figure.ts'

/** What is to be reached: figures of one run only, so that they hold on any machine. */
export interface Target {
  readonly what: string
  readonly goal: string
  readonly value: number
  readonly reached: boolean
}

const RSS_BYTES_MAX = 400e6

export function targetsOf({ ingest, partitions, fanout, engine, store }: BenchResults): Target[] {
  const runs = [
    ...[...(ingest ?? []), ...(partitions ? [partitions] : [])].flatMap(({ label, peers }) =>
      peers.filter(({ peer }) => peer === 'sediment').map((summary) => ({ label, summary })),
    ),
    ...(fanout ?? []).map(({ entries, summary }) => ({ label: `fan-out ${entries}`, summary })),
    ...(engine ?? []).map((result) => ({ label: `engine ${result.entries}`, summary: result.engine })),
  ]
  return [
    ...(ingest ?? []).map(ingestTarget),
    ...(engine ?? []).flatMap(engineTargets),
    ...(store ?? []).flatMap(figureTargets),
    ...runs.map(({ label, summary }): Target => {
      const { median } = summary.peakRssBytes
      return {
        what: `${label}: peak RSS, MB`,
        goal: '<= 400',
        value: median / 1e6,
        reached: median <= RSS_BYTES_MAX,
      }
    }),
  ]
}

function ingestTarget({ label, topic, ratio }: IngestResult): Target {
  return atLeast(`${label}: durable ingest / no-op`, topic.recordBytes >= 1024 ? 1 : 0.7, ratio.median)
}

function engineTargets({ entries, ratioToFewest, ratioToBlockWal }: EngineResult): Target[] {
  const targets: Target[] = []
  if (entries === 256) targets.push(atLeast('engine: 256 entries / 1', 0.5, ratioToFewest.median))
  if (entries === 1000) {
    targets.push(atLeast('engine: 1000 entries / 1', 0.4, ratioToFewest.median))
    targets.push(atLeast('engine: 1000 entries / block WAL syncs', 3, ratioToBlockWal.median))
  }
  return targets
}

function atLeast(what: string, goal: number, value: number): Target {
  return { what, goal: `>= ${goal}`, value, reached: value >= goal }
}
