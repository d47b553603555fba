import type { EntryInfo } from '../record.ts'
import type { BlockSource } from './block-source.ts'

/** Totals of an entry as ReductStore reports them. */
export function entryInfo(source: BlockSource): EntryInfo {
  const filled = source.blocks.filter((block) => block.recordCount > 0)
  let recordCount = 0
  let bytes = 0n
  let latestUs: bigint | undefined
  for (const block of source.blocks) {
    recordCount += block.recordCount
    bytes += block.sizeBytes + block.metadataBytes
  }
  for (const block of filled)
    if (latestUs === undefined || block.latestUs > latestUs) latestUs = block.latestUs
  return {
    ...source.name,
    blockCount: source.blocks.length,
    recordCount,
    bytes: Number(bytes),
    oldestUs: filled[0]?.id,
    latestUs,
  }
}
