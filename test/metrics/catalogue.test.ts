import { describe, expect, it } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { catalogue } from '../../src/metrics/catalogue.ts'
import { Metrics } from '../../src/metrics/metrics.ts'
import type { MetricSpecification } from '../../src/metrics/specification.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const ours: MetricSpecification[] = Object.values(catalogue)

/** Rows of the tables of METRICS.md whose first cell is a name, as cells. */
function documentedRows(): string[][] {
  return read('../../METRICS.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
}

async function served(): Promise<Map<string, string>> {
  const text = await new Metrics({ version: '0' }).text()
  return new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => [name as string, kind as string]),
  )
}

describe('catalogue', () => {
  it('has the names, kinds and labels that dashboards and alerts were built on', () => {
    const lines = ours.map(({ name, kind, labels }) => [name, kind, ...Object.keys(labels)].join(' '))
    expect([...lines].sort()).toEqual(read('./frozen-metrics.txt').trimEnd().split('\n'))
  })

  it('is listed in METRICS.md with kind, labels and meaning', () => {
    const rows = ours.map(({ name, kind, labels, help }) => [
      name,
      kind,
      Object.keys(labels).join(', '),
      help,
    ])
    expect(documentedRows().filter(([name]) => name?.startsWith('sediment_'))).toEqual(rows)
  })

  it('is what is served, besides the process metrics of METRICS.md', async () => {
    const documented = documentedRows().map(([name, kind]) => `${name} ${kind}`)
    const found = [...(await served())].map(([name, kind]) => `${name} ${kind}`)
    expect(found.filter((line) => !documented.includes(line))).toEqual([])
    expect(documented.filter((line) => !found.includes(line))).toEqual([])
  })
})
