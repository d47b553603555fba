import type { FileRef, FileSystem } from '../../fs/file-system.ts'
import { atomicWrite } from '../../fs/atomic-write.ts'
import { writeAll } from '../../fs/write-all.ts'
import { encodeDescriptor } from '../codec/descriptor-codec.ts'
import { scanRecord } from '../codec/scan-record.ts'
import { EntryPaths } from '../paths.ts'
import type { BlockFacts, LoggedItem } from './facts.ts'
import { planMerge } from './plan-merge.ts'
import { unlistCrc } from './unlist-crc.ts'

/** Carries out what `planMerge` says: content first, then the descriptor. What is owed is durable in its file by now. */
export async function mergeIntoDescriptor(
  fs: FileSystem,
  dataPath: string,
  block: BlockFacts,
  items: readonly LoggedItem[],
): Promise<void> {
  const { records, sizeBytes, otherFields, ops } = await planMerge(fs, dataPath, block, items)
  const paths = new EntryPaths(dataPath, block)
  const data: FileRef = { path: paths.data(block.blockId), kind: 'data' }
  // An empty write makes the file where all content is empty; ranges of owed content are holes, all within its length.
  const isShort = ((await fs.fileBytes(data.path)) ?? 0) < sizeBytes
  const end = { file: data, atBytes: Math.max(0, sizeBytes - 1), bytes: new Uint8Array(isShort ? 1 : 0) }
  await writeAll(fs, 'projection', [end, ...ops])
  await fs.syncFiles([data])
  // ReductStore has read it, and a power cut has brought its name back: beside a descriptor of ours it would count.
  if (block.wal?.isOurs === true) await fs.unlink(paths.wal(block.blockId))
  await fs.syncDirectories([paths.directory, paths.walDirectory])
  const sorted = records.toSorted((a, b) => {
    const difference =
      BigInt(scanRecord(a, 0, a.byteLength).timestampUs) - BigInt(scanRecord(b, 0, b.byteLength).timestampUs)
    return difference < 0n ? -1 : difference > 0n ? 1 : 0
  })
  const id = BigInt(block.blockId)
  await unlistCrc(fs, paths, id)
  const head = { id, sizeBytes, lastFrame: items.at(-1)?.sequence, otherFields }
  await atomicWrite(fs, paths.descriptor(id), 'descriptor', encodeDescriptor(head, sorted))
}
