import type { FileSystem } from '../../fs/file-system.ts'
import type { StoredRecord } from '../record.ts'
import { blockData } from './block-data.ts'
import { BlockRecord } from './block-record.ts'
import type { BlockSource } from './block-source.ts'
import { locateCurrentRecord } from './locate-record.ts'

/** The record at exactly `timestampUs`, the first writer's where blocks overlap (W2). */
export async function getRecord(
  fs: FileSystem,
  given: BlockSource,
  timestampUs: bigint,
): Promise<StoredRecord | undefined> {
  const located = await locateCurrentRecord(given, timestampUs)
  if (located === undefined) return undefined
  const { source, block, descriptor, index } = located
  const data = blockData(fs, source, block, descriptor)
  return new BlockRecord({ fs, source, block, descriptor, data }, index)
}
