import { dirname } from 'node:path'
import { assert } from '../../base/assert.ts'
import { crc64 } from '../../base/crc64.ts'
import { atomicWrite } from '../../fs/atomic-write.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { writeAll } from '../../fs/write-all.ts'
import type { Projector } from '../commitlog/projector.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import type { DirtySet } from '../dirty-set.ts'
import type { Entry } from '../entry.ts'
import type { OpenBlock } from './block.ts'
import { checkDescriptor, mergeBlock } from './block-content.ts'
import type { BlockManager } from './block-manager.ts'
import { readMessage } from '../read-message.ts'

export interface FoldContext {
  readonly fs: FileSystem
  readonly manager: BlockManager
  readonly projector: Projector
  readonly dirty: DirtySet
  /** Sequence of the last durable frame. */
  readonly lastFrame: () => number
}

/**
 * Folds the WAL of a block into its descriptor and closes it (steps S1 to S6). Gives up, losing nothing, when a
 * record is reserved meanwhile, or somebody holds the block. @returns whether the block is cold now
 *
 * Order: content durable, descriptor durable (and with it the names in the directory), index entry with CRC, index
 * durable, and only then the WAL goes. The data file is never cut: bytes beyond its end belong to nobody, and a cut
 * could race with content written ahead of its frame. While the index holds a CRC for the block, its descriptor never
 * changes (W1).
 */
export async function foldBlock(block: OpenBlock, context: FoldContext): Promise<boolean> {
  const { fs, manager, projector, dirty } = context
  // Somebody else may have folded it while the caller went through a list.
  const isOpen = block.entry.open.get(block.id) === block
  if (!isOpen || block.isFolding || block.pendingGroups > 0 || block.holds > 0) return false
  if (block.walReservedBytes === 0) {
    // Read back for a record that then went elsewhere: its files are those of a cold block.
    manager.forget(block)
    return true
  }
  block.isFolding = true
  try {
    const { entry } = block
    const reservations = block.reservations
    const isUntouched = (): boolean => block.reservations === reservations && block.holds === 0

    await fs.syncFiles([block.data])

    const path = entry.paths.descriptor(block.id)
    const base =
      block.baseCrc64 === undefined
        ? undefined
        : checkDescriptor(await readMessage(fs, path), path, block.baseCrc64)
    const wal = await fs.read(block.wal.path, 0, block.walProjectedBytes + 1)
    const merged = mergeBlock(BigInt(block.id), base, wal, context.lastFrame())
    if (!isUntouched()) return false
    // A fold that gave up for a reservation that was then taken back has left its CRC in the index (W1).
    if (!block.isListedOpen) await projector.run(() => listOpen(block, context))
    assert(
      merged.recordCount === block.recordCount,
      `${path}: ${merged.recordCount} records, not ${block.recordCount}`,
    )
    await atomicWrite(fs, path, 'descriptor', merged.bytes)
    block.baseCrc64 = crc64(merged.bytes)

    return await projector.run(async () => {
      if (!isUntouched()) return false
      const folded = {
        id: BigInt(block.id),
        sizeBytes: BigInt(merged.sizeBytes),
        recordCount: merged.recordCount,
        metadataBytes: BigInt(merged.bytes.byteLength),
        latestUs: merged.latestUs,
        crc64: block.baseCrc64,
        hasChecksums: block.hasChecksums,
      }
      block.isListedOpen = false
      dirty.file(entry.indexFile.file)
      await writeAll(fs, 'projection', [entry.indexFile.append(folded)])
      await fs.syncFiles([entry.indexFile.file])
      if (!isUntouched()) return false
      manager.forget(block)
      entry.index.set(folded)
      await fs.unlink(block.wal.path)
      dirty.forgetFile(block.wal.path)
      dirty.directory(dirname(block.wal.path))
      if (entry.indexFile.needsRewrite(entry.index.size))
        await entry.indexFile.rewrite(fs, listingOnDisk(entry))
      return true
    })
  } finally {
    block.isFolding = false
  }
}

async function listOpen(block: OpenBlock, { fs, dirty }: FoldContext): Promise<void> {
  const { indexFile } = block.entry
  if (block.isListedOpen) return
  block.isListedOpen = true
  dirty.file(indexFile.file)
  await writeAll(fs, 'projection', [indexFile.append(block.entry.indexEntryOf(block))])
}

/**
 * What the index file says: as it was read of blocks that nothing was projected of, and nothing of those that only a
 * frame knows so far. A block that leaves is listed until its frame, durable by then, is carried out.
 */
export function listingOnDisk({ index, open, leaving }: Entry): IndexEntry[] {
  const listed = index.blocks.flatMap((known) => {
    const block = open.get(Number(known.id))
    if (block === undefined) return [known]
    if (block.walProjectedBytes > 0) return [block.entry.indexEntryOf(block)]
    return block.baseCrc64 === undefined ? [] : [known]
  })
  if (leaving.size === 0) return listed
  return [...listed, ...leaving.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}
