/** Reads `/metrics` of a running sink: its text format only, as any scraper sees it. */
export type Samples = ReadonlyMap<string, readonly Sample[]>

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** `undefined` while nobody listens. */
export async function scrape(address: string): Promise<Samples | undefined> {
  let text: string
  try {
    text = await (await fetch(`${address}/metrics`)).text()
  } catch {
    return undefined
  }
  return parse(text)
}

export function parse(text: string): Samples {
  const samples = new Map<string, Sample[]>()
  for (const line of text.split('\n')) {
    const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (found === null) continue
    const [, name = '', labelText = '', value = ''] = found
    const labels = Object.fromEntries(
      [...labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', text = '']) => [label, text]),
    )
    const list = samples.get(name) ?? []
    list.push({ labels, value: value === '+Inf' ? Infinity : Number(value) })
    samples.set(name, list)
  }
  return samples
}

/** Over all label values; 0 for a name without samples. */
export function total(samples: Samples, name: string): number {
  return (samples.get(name) ?? []).reduce((sum, { value }) => sum + value, 0)
}

export function byLabel(samples: Samples, name: string, label: string): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { labels, value } of samples.get(name) ?? []) {
    const key = labels[label] ?? ''
    sums[key] = (sums[key] ?? 0) + value
  }
  return sums
}

/** As Prometheus' `histogram_quantile` of what came between two looks: linear within a bucket. */
export function histogramQuantile(
  before: Samples,
  after: Samples,
  name: string,
  share: number,
): number | undefined {
  const early = byLabel(before, `${name}_bucket`, 'le')
  const buckets = Object.entries(byLabel(after, `${name}_bucket`, 'le'))
    .map(([bound, count]) => ({
      bound: bound === '+Inf' ? Infinity : Number(bound),
      count: count - (early[bound] ?? 0),
    }))
    .sort((a, b) => a.bound - b.bound)
  const wanted = (buckets.at(-1)?.count ?? 0) * share
  if (wanted === 0) return undefined
  let from = { bound: 0, count: 0 }
  for (const bucket of buckets) {
    if (bucket.count >= wanted) {
      if (bucket.bound === Infinity) return from.bound
      return from.bound + ((bucket.bound - from.bound) * (wanted - from.count)) / (bucket.count - from.count)
    }
    from = bucket
  }
  return undefined
}
