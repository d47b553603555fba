import { crc64 } from '../../base/crc64.ts'
import { isExtensible } from '../block/placement.ts'
import { cutIntoParts, isHollow, isOverfull } from '../block/plan-rewrite.ts'
import type { Descriptor } from '../codec/descriptor-codec.ts'
import { scanRecord } from '../codec/scan-record.ts'
import type { EntryChange } from '../commitlog/group.ts'
import type { Entry } from '../entry.ts'
import type { MutationContext } from './mutations.ts'
import { discardStaged, stageParts, type Part } from './stage-parts.ts'

/** How many ids below the wanted one are tried. */
const IDS_TRIED = 16

/** What is to become of a cold block: parts that get blocks of their own, and whether the block itself goes. */
interface Rewrite {
  readonly parts: readonly Part[]
  readonly isReplaced: boolean
}

/**
 * Splits a cold block that is too full, or copies what is left of one with large holes (format 14.6, 14.7). The new
 * blocks are written aside and synced while ingestion goes on; one frame then puts them in the place of the old one.
 * @returns how many blocks there are instead; 0 when nothing was to be done, or the block has changed meanwhile
 * @throws {StorageError} `ERR_CORRUPT` when the block cannot be read, `ERR_NO_SPACE`
 */
export async function rewriteBlock(context: MutationContext, entry: Entry, id: bigint): Promise<number> {
  const cold = entry.index.get(id)
  if (cold === undefined || entry.open.has(Number(id)) || !isExtensible(cold)) return 0
  const release = entry.pins.pin(id)
  const staged: EntryChange[] = []
  let isOvertaken = false
  try {
    const descriptor = await context.source(entry).descriptor(cold)
    const baseCrc64 = crc64(descriptor.bytes)
    const rewrite = plan(context, entry, id, descriptor)
    if (rewrite === undefined) return 0
    await context.requireSpace(descriptor.sizeBytes, entry)
    staged.push(...(await stageParts(context, entry, id, descriptor, rewrite.parts)))
    await context.fs.syncDirectories([context.paths.staged, context.paths.sediment])
    const count = await context.exclusive(async (commit) => {
      const now = entry.open.has(Number(id)) ? undefined : entry.index.get(id)
      // Late records, changes, or the removal of all of it came first.
      if (!context.isKnown(entry) || now?.crc64 !== baseCrc64) return 0
      // Meanwhile the block before may have grown up to the first part, or another one begun there.
      const first = rewrite.parts[0] as Part
      isOvertaken = first.id <= latestBefore(entry, id) || !isFree(context, entry, id, first.id)
      if (isOvertaken) return 0
      const of = { ...entry.name, blockId: Number(id), baseCrc64 }
      const moved = descriptor.timestampsUs.slice(first.fromIndex)
      const change: EntryChange = rewrite.isReplaced
        ? { entry, change: { ...of, kind: 'drop' } }
        : { entry, change: { ...of, kind: 'strip', timestampsUs: [...moved] } }
      await context.syncWalDirectory(entry)
      await commit({ changes: [...staged, change] })
      return rewrite.parts.length + (rewrite.isReplaced ? 0 : 1)
    })
    if (count > 0) staged.length = 0
    if (!isOvertaken) return count
  } catch (error) {
    // Renamed or removed meanwhile: its files were not where they had been.
    if (entry.isGone) return 0
    throw error
  } finally {
    release()
    for (const { change } of staged)
      if (change.kind === 'adopt') await discardStaged(context, change.stagedName)
  }
  return rewriteBlock(context, entry, id)
}

/** The first part needs another id than the block's; where there is none, it stays where it is and the others leave it. */
function plan(
  context: MutationContext,
  entry: Entry,
  id: bigint,
  descriptor: Descriptor,
): Rewrite | undefined {
  const lengths = Array.from(descriptor.timestampsUs, (_, index) => lengthOf(descriptor, index))
  const contentBytes = lengths.reduce((sum, bytes) => sum + bytes, 0)
  const totals = { recordCount: lengths.length, sizeBytes: contentBytes }
  const isSplit = isOverfull(totals, entry.blockLimits)
  if (!isSplit && !isHollow(descriptor.sizeBytes, contentBytes, context.holesBytesMin)) return undefined
  const firsts = isSplit ? cutIntoParts(lengths, entry.blockLimits) : [0]
  const parts: Part[] = []
  for (const [at, fromIndex] of firsts.entries()) {
    const toIndex = firsts[at + 1] ?? lengths.length
    const firstUs = descriptor.timestampsUs[fromIndex] as bigint
    const lowestUs = at === 0 ? latestBefore(entry, id) : (descriptor.timestampsUs[fromIndex - 1] as bigint)
    const partId = freeId(context, entry, id, firstUs, lowestUs)
    if (partId !== undefined) parts.push({ id: partId, fromIndex, toIndex })
    else if (at > 0) return undefined
  }
  const isReplaced = parts[0]?.fromIndex === 0
  return parts.length === 0 ? undefined : { parts, isReplaced }
}

/** An id above `aboveUs` and not above `firstUs` that no block has, or had since the last checkpoint. */
function freeId(
  context: MutationContext,
  entry: Entry,
  oldId: bigint,
  firstUs: bigint,
  aboveUs: bigint,
): bigint | undefined {
  for (let id = firstUs; id > aboveUs && id >= 0n && firstUs - id < IDS_TRIED; id--) {
    if (isFree(context, entry, oldId, id)) return id
  }
  return undefined
}

function isFree({ manager }: MutationContext, entry: Entry, oldId: bigint, id: bigint): boolean {
  return id !== oldId && entry.index.get(id) === undefined && !manager.isRetired(entry, Number(id))
}

/** Of the block before; -1 where there is none. */
function latestBefore({ index, open }: Entry, id: bigint): bigint {
  const before = index.at(index.floorPosition(id) - 1)
  return before === undefined ? -1n : BigInt(open.get(Number(before.id))?.latestUs ?? before.latestUs)
}

function lengthOf(descriptor: Descriptor, index: number): number {
  const from = descriptor.recordFromBytes[index] as number
  const { beginBytes, endBytes } = scanRecord(
    descriptor.bytes,
    from,
    descriptor.recordToBytes[index] as number,
  )
  return endBytes - beginBytes
}
