/** Values a label may take: a closed list (each is there from the start, as zero) or an open but bounded set. */
type LabelValues = readonly string[] | 'open'

export interface MetricSpecification {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly name: `sediment_${string}`
  readonly help: string
  readonly labels: Readonly<Record<string, LabelValues>>
  /** Upper bounds in the metric's base unit; only for histograms. */
  readonly buckets?: readonly number[]
}

type Labels = MetricSpecification['labels']

export const counter = (name: `sediment_${string}_total`, help: string, labels: Labels = {}) =>
  ({ kind: 'counter', name, help, labels }) as const

export const gauge = (name: `sediment_${string}`, help: string, labels: Labels = {}) =>
  ({ kind: 'gauge', name, help, labels }) as const

export const histogram = (
  name: `sediment_${string}`,
  help: string,
  buckets: readonly number[],
  labels: Labels = {},
) => ({ kind: 'histogram', name, help, labels, buckets }) as const
