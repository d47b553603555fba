import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Catalogue } from './catalogue.ts'
import { catalogue } from './catalogue.ts'
import type { MetricSpecification } from './specification.ts'

type MetricOf<Specification extends MetricSpecification> = Specification['kind'] extends 'counter'
  ? Counter
  : Specification['kind'] extends 'gauge'
    ? Gauge
    : Histogram

/** One prom-client metric for each line of the catalogue. */
export type MetricSet = { readonly [Key in keyof Catalogue]: MetricOf<Catalogue[Key]> }

/** Registers the whole catalogue. Series whose labels are closed lists are there at once, as zero. */
export function createMetricSet(registry: Registry): MetricSet {
  const metrics = Object.entries(catalogue).map(([key, specification]) => [
    key,
    create(specification, registry),
  ])
  return Object.fromEntries(metrics) as MetricSet
}

function create(specification: MetricSpecification, registry: Registry): Counter | Gauge | Histogram {
  const { kind, name, help, labels, buckets } = specification
  const shape = { name, help, labelNames: Object.keys(labels), registers: [registry] }
  const closed = closedSeries(labels)
  switch (kind) {
    case 'counter': {
      const metric = new Counter(shape)
      for (const series of closed) metric.inc(series, 0)
      return metric
    }
    case 'gauge': {
      const metric = new Gauge(shape)
      for (const series of closed) metric.set(series, 0)
      return metric
    }
    case 'histogram': {
      const metric = new Histogram({ ...shape, ...(buckets === undefined ? {} : { buckets: [...buckets] }) })
      for (const series of closed) metric.zero(series)
      return metric
    }
  }
}

/** Every combination of closed labels; nothing when there is no label, or an open one. */
function closedSeries(labels: MetricSpecification['labels']): Record<string, string>[] {
  const entries = Object.entries(labels)
  if (entries.length === 0) return []
  let series: Record<string, string>[] = [{}]
  for (const [name, values] of entries) {
    if (values === 'open') return []
    series = series.flatMap((known) => values.map((value) => ({ ...known, [name]: value })))
  }
  return series
}
