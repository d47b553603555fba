import type { PeerRun } from './peer.ts'
import type { Spread } from './statistics.ts'

export function runText(run: PeerRun): string {
  const parts = [
    run.peer.padEnd(20),
    `${count(run.recordsPerSecond)} records/s`,
    `${run.megabytesPerSecond.toFixed(0)} MB/s`,
    `${run.cpuSecondsPerGigabyte.toFixed(1)} CPU s/GB`,
    `${megabytes(run.peakRssBytes)} MB peak`,
    ...(run.syncsPerGigabyte === undefined ? [] : [`${count(run.syncsPerGigabyte)} syncs/GB`]),
  ]
  return parts.join('  ')
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** 10^6 bytes. */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}

/** `0.83 (0.80–0.91)`; the range only where there was more than one run. */
export function ratioText({ median, min, max, runs }: Spread): string {
  return runs === 1 ? median.toFixed(2) : `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)]
}
