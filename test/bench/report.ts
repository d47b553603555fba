import { cpus, release, totalmem } from 'node:os'
import type { EngineResult } from './engine.ts'
import type { FanoutResult } from './fanout.ts'
import type { IngestResult } from './ingest.ts'
import type { LatencyResult } from './latency.ts'
import type { PeerSummary } from './peer.ts'
import { figureRows, type PartResult } from './store/figure.ts'
import { targetsOf } from './targets.ts'
import { count, megabytes, ratioText, table } from './text.ts'

export interface BenchResults {
  readonly ingest?: readonly IngestResult[]
  readonly fanout?: readonly FanoutResult[]
  readonly partitions?: IngestResult
  readonly engine?: readonly EngineResult[]
  readonly latency?: LatencyResult
  /** The engine alone, a part each. */
  readonly store?: readonly PartResult[]
}

const columns = ['records/s', 'MB/s', 'min–max', 'CPU s/GB', 'peak RSS MB', 'syncs/GB']

export function machine(): Record<string, unknown> {
  return {
    cpus: cpus().length,
    model: cpus()[0]?.model,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
  }
}

/** Medians; the range of the rate beside them. */
export function reportLines(results: BenchResults): string[] {
  const { ingest, fanout, partitions, engine, latency, store } = results
  const lines: string[] = []
  const section = (title: string, body: readonly string[]): void => {
    lines.push('', title, '', ...body)
  }
  if (ingest !== undefined) {
    section(
      'Durable ingest, 4 partitions, beside a consumer that does nothing and the disk',
      ingestTable(ingest),
    )
  }
  if (partitions !== undefined) section('Many partitions, 1 KiB', ingestTable([partitions]))
  if (fanout !== undefined) {
    const rows = fanout.map(({ entries, summary, ratio }) => [
      `${entries} entries`,
      ...figures(summary),
      ratioText(ratio),
    ])
    section('Fan-out by key, 4 partitions, 1 KiB', table(['', ...columns, 'to fewest entries'], rows))
  }
  if (engine !== undefined) {
    const rows = engine.flatMap((result) => [
      [
        result.engine.peer,
        ...figures(result.engine),
        ratioText(result.ratioToFewest),
        ratioText(result.ratioToBlockWal),
      ],
      [result.blockWal.peer, ...figures(result.blockWal), '', ''],
    ])
    section(
      'Engine alone, beside one sync per block WAL, 1 KiB',
      table(['', ...columns, 'to fewest entries', 'to block WAL'], rows),
    )
  }
  for (const part of store ?? []) section(part.title, table(['', '', '', 'goal'], figureRows(part)))
  if (latency !== undefined) section('Record to durable at half the rate', latencyLines(latency))
  const targets = targetsOf(results)
  if (targets.length > 0) {
    const rows = targets.map(({ what, goal, value, reached }) => [
      what,
      goal,
      value >= 20 ? value.toFixed(0) : value.toFixed(2),
      reached ? 'reached' : 'MISSED',
    ])
    section('Targets', table(['', 'goal', 'here', ''], rows))
  }
  return lines
}

function ingestTable(results: readonly IngestResult[]): string[] {
  const rows = results.flatMap(({ label, peers, ratio, ratioToDisk, fasterNoop }) =>
    peers.map((summary) => [
      `${label}  ${summary.peer}`,
      ...figures(summary),
      summary.peer === 'sediment' ? ratioText(ratio) : summary.peer === fasterNoop ? '1' : '',
      summary.peer === 'sediment' ? ratioText(ratioToDisk) : summary.peer === 'disk alone' ? '1' : '',
    ]),
  )
  return table(['', ...columns, 'to no-op', 'to disk'], rows)
}

function figures(summary: PeerSummary): string[] {
  const { recordsPerSecond, megabytesPerSecond, cpuSecondsPerGigabyte, peakRssBytes, syncsPerGigabyte } =
    summary
  return [
    count(recordsPerSecond.median),
    megabytesPerSecond.median.toFixed(0),
    `${megabytesPerSecond.min.toFixed(0)}–${megabytesPerSecond.max.toFixed(0)}`,
    cpuSecondsPerGigabyte.median.toFixed(1),
    megabytes(peakRssBytes.median),
    syncsPerGigabyte === undefined ? '' : count(syncsPerGigabyte.median),
  ]
}

function latencyLines(result: LatencyResult): string[] {
  const ms = (value: number | undefined): string => (value === undefined ? '?' : `${value.toFixed(0)} ms`)
  return [
    `${count(result.producedRecordsPerSecond)} records/s of ${result.recordBytes} B produced, ${count(result.records)} records counted`,
    `record timestamp to durable, seen from outside every ${result.pollMs} ms: p50 ${ms(result.p50Ms)}, p99 ${ms(result.p99Ms)}, most ${ms(result.maxMs)}`,
    `accepted to durable, by the histogram of the sink: p50 ${ms(result.insideP50Ms)}, p99 ${ms(result.insideP99Ms)}`,
  ]
}
