import type { FileSystem } from '../../fs/file-system.ts'
import type { BatchOptions, StoredRecord } from '../record.ts'
import { BatchMemory } from './batch-memory.ts'
import { openGroup, overlapping, type BlockGroup } from './block-group.ts'
import type { BlockSource } from './block-source.ts'
import { blocksWithin } from './blocks-within.ts'
import { LISTINGS_MAX, changesTooFast } from './locate-record.ts'

const BATCH_BYTES = 1024 * 1024
const TIME_END_US = 1n << 64n

/**
 * Ascending by time. Blocks whose ranges overlap, as ReductStore may leave them (W2), are merged; of a time that
 * occurs twice the older block's record counts.
 *
 * Blocks are read as they are a little before the scan comes to them. Where one was removed, split or written anew
 * meanwhile, the entry is listed anew and the scan goes on behind the last time it has passed: nothing that stays is left
 * out, nothing comes twice. Blocks that begin behind everything of the first listing are not waited for.
 * @throws {StorageError} `ERR_CORRUPT`; `ERR_BUSY` when the entry changes faster than it can be read
 */
export async function* readBatches(
  fs: FileSystem,
  source: BlockSource,
  options: BatchOptions = {},
): AsyncGenerator<readonly StoredRecord[]> {
  const { stopUs = TIME_END_US, anyState = false, onDamaged } = options
  const memory = options.contents === true ? new BatchMemory(options.batchBytes ?? BATCH_BYTES) : undefined
  let endUs = 0n
  for (const { id, latestUs } of source.blocks) endUs = [endUs, id, latestUs].reduce(later)
  let fromUs = options.startUs ?? 0n
  let listed = source
  let listings = 1
  let next: Promise<BlockGroup | undefined> | undefined
  try {
    for (;;) {
      const blocks = blocksWithin(listed.blocks, fromUs, stopUs).filter(({ id }) => id <= endUs)
      const open = (at: number, openFromUs: bigint): Promise<BlockGroup | undefined> => {
        const range = { fromUs: openFromUs, stopUs, anyState, memory, onDamaged }
        return openGroup(fs, listed, overlapping(blocks, at), range)
      }
      let at = 0
      while (at < blocks.length) {
        const group = await (next ?? open(at, fromUs))
        next = undefined
        if (group === undefined || !listed.isCurrent()) {
          await group?.close()
          break
        }
        listings = 1
        at += overlapping(blocks, at).length
        const openNext = (): void => {
          if (next !== undefined || at === blocks.length) return
          next = open(at, group.endUs)
          // It fails for who comes there.
          next.catch(() => undefined)
        }
        // Its descriptors are read while these blocks are, if they stay true; its contents when nothing else is to be read.
        if (listed.isHeld) openNext()
        const beginNext = (): void => {
          openNext()
          next?.then((opened) => opened?.begin()).catch(() => undefined)
        }
        try {
          for await (const batch of group.batches(beginNext)) yield batch
        } finally {
          await group.close()
        }
        fromUs = group.endUs
      }
      if (at >= blocks.length) return
      if (listings++ === LISTINGS_MAX) throw changesTooFast(listed)
      listed = await listed.now()
    }
  } finally {
    await (await next?.catch(() => undefined))?.close()
  }
}

function later(one: bigint, other: bigint): bigint {
  return one > other ? one : other
}
