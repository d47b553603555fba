import { firstRecordFrom, type Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import type { BlockSource } from './block-source.ts'

/** A record found, and the block it is in. */
export interface LocatedRecord {
  readonly block: IndexEntry
  readonly descriptor: Descriptor
  /** Of the record in `descriptor`. */
  readonly index: number
}

/**
 * The record at exactly `timestampUs`. Usually the block with the greatest id at or below it has it; where blocks
 * overlap (W2) an older one may.
 */
export async function locateRecord(
  source: BlockSource,
  timestampUs: bigint,
): Promise<LocatedRecord | undefined> {
  for (const block of source.blocks) {
    if (block.id > timestampUs) return undefined
    if (block.latestUs < timestampUs) continue
    const descriptor = await source.descriptor(block)
    const index = firstRecordFrom(descriptor, timestampUs)
    if (descriptor.timestampsUs[index] === timestampUs) return { block, descriptor, index }
  }
  return undefined
}
