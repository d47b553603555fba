/** Of several runs: never the best one, never the mean. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly runs: number
}

/** @throws {RangeError} when there is nothing to describe */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  const lower = sorted.length % 2 === 1 ? upper : sorted[middle - 1]
  if (upper === undefined || lower === undefined) throw new RangeError('no runs')
  return {
    median: (lower + upper) / 2,
    min: sorted[0] as number,
    max: sorted.at(-1) as number,
    runs: sorted.length,
  }
}

/** Pair by pair, so that a machine whose speed drifts moves both sides of each ratio. */
export function ratios(values: readonly number[], others: readonly number[]): Spread {
  if (values.length !== others.length) throw new RangeError('runs do not pair up')
  return spread(values.map((value, index) => value / (others[index] as number)))
}

/** @param share 0.99 for p99; `sorted` ascending and not empty */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] as number
}
