import type { IndexEntry } from '../codec/index-codec.ts'

/**
 * The blocks that may hold records from `startUs` on and before `stopUs`. The first one behind them is among these: one
 * that others wrote may begin before its id.
 * @param blocks ascending by id
 */
export function blocksWithin(
  blocks: readonly IndexEntry[],
  startUs: bigint,
  stopUs: bigint,
): readonly IndexEntry[] {
  const behind = blocks.findIndex(({ id }) => id >= stopUs)
  const before = behind === -1 ? blocks : blocks.slice(0, behind + 1)
  return before.filter(({ latestUs }) => latestUs >= startUs)
}
