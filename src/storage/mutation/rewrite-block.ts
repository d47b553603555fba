import { crc64 } from '../../base/crc64.ts'
import { inParallel } from '../../base/in-parallel.ts'
import { isExtensible } from '../block/placement.ts'
import { cutIntoParts, isHollow, isOverfull } from '../block/plan-rewrite.ts'
import type { Descriptor } from '../codec/descriptor-codec.ts'
import { scanRecord } from '../codec/scan-record.ts'
import type { EntryChange } from '../commitlog/group.ts'
import type { Entry } from '../entry.ts'
import { StorageError, type StorageErrorCode } from '../errors.ts'
import type { MutationContext } from './mutations.ts'
import { discardStaged, stageParts, type Part, type StagedParts } from './stage-parts.ts'

/** How many ids below the wanted one are tried. */
const IDS_TRIED = 16
/** Blocks that share their syncs and their frame: ingestion waits for it. One is always taken. */
const BLOCKS_AT_ONCE = 16
const CONTENT_BYTES_AT_ONCE = 64 * 1024 * 1024
const DESCRIPTOR_BYTES_AT_ONCE = 16 * 1024 * 1024
/** Blocks that are copied side by side. */
const COPIES_AT_ONCE = 4

/** It stands in the way only of its own block; the store is well. */
const ERRORS_OF_ONE: ReadonlySet<StorageErrorCode> = new Set(['ERR_CORRUPT', 'ERR_NOT_FOUND'])

/** A block that may be too full, or have holes. */
export interface RewriteTarget {
  readonly entry: Entry
  readonly id: bigint
}

/** What is to become of a cold block: parts that get blocks of their own, and whether the block itself goes. */
interface Rewrite extends RewriteTarget {
  readonly descriptor: Descriptor
  readonly baseCrc64: bigint
  readonly parts: readonly Part[]
  readonly isReplaced: boolean
}

type StagedRewrite = Rewrite & StagedParts

/**
 * Splits cold blocks that are too full, and copies what is left of those with large holes (format 14.6, 14.7). The new
 * blocks are written aside and synced while ingestion goes on; one frame then puts them in the place of the old ones, of
 * some at a time. A block stays as it is where nothing is to be done, it has changed meanwhile, cannot be read, or there is
 * no room for its copy.
 * @param rewritten called for each block that is durably replaced, with how many there are instead
 * @throws {StorageError} `ERR_POISONED`, `ERR_CLOSED`
 */
export async function rewriteBlocks(
  context: MutationContext,
  targets: readonly RewriteTarget[],
  rewritten: (blocksInstead: number) => void,
): Promise<void> {
  let waiting = targets
  while (waiting.length > 0) {
    const together = takeTogether(waiting)
    const overtaken = await rewriteTogether(context, together, rewritten)
    waiting = [...waiting.slice(together.length), ...overtaken]
  }
}

function takeTogether(targets: readonly RewriteTarget[]): readonly RewriteTarget[] {
  let contentBytes = 0
  let descriptorBytes = 0
  const isTooMuch = targets.findIndex(({ entry, id }, at) => {
    const cold = entry.index.get(id)
    contentBytes += Number(cold?.sizeBytes ?? 0)
    descriptorBytes += Number(cold?.metadataBytes ?? 0)
    const isOver = contentBytes > CONTENT_BYTES_AT_ONCE || descriptorBytes > DESCRIPTOR_BYTES_AT_ONCE
    return at > 0 && (at === BLOCKS_AT_ONCE || isOver)
  })
  return isTooMuch === -1 ? targets : targets.slice(0, isTooMuch)
}

/** @returns those that have to be planned anew */
async function rewriteTogether(
  context: MutationContext,
  targets: readonly RewriteTarget[],
  rewritten: (blocksInstead: number) => void,
): Promise<RewriteTarget[]> {
  const { fs, paths } = context
  const pins = targets.map(({ entry, id }) => entry.pins.pin(id))
  const unpin = (): void => {
    for (const release of pins) release()
  }
  const staged: StagedRewrite[] = []
  try {
    const rewrites: Rewrite[] = []
    await inParallel(COPIES_AT_ONCE, targets, ({ entry, id }) =>
      unlessDamaged(entry, async () => {
        const rewrite = await plan(context, entry, id)
        if (rewrite !== undefined) rewrites.push(rewrite)
      }),
    )
    if (rewrites.length === 0) return []
    if (!(await hasRoom(context, rewrites))) {
      unpin()
      const alone = targets.length > 1 ? targets : []
      const overtaken: RewriteTarget[] = []
      for (const target of alone) overtaken.push(...(await rewriteTogether(context, [target], rewritten)))
      return overtaken
    }
    await fs.makeDirectory(paths.staged)
    await inParallel(COPIES_AT_ONCE, rewrites, (rewrite) =>
      unlessDamaged(rewrite.entry, async () => {
        const { entry, id, descriptor, parts } = rewrite
        const { changes, files } = await stageParts(context, entry, id, descriptor, parts)
        staged.push({ ...rewrite, changes, files })
      }),
    )
    await fs.syncFiles(staged.flatMap(({ files }) => files))
    await fs.syncDirectories([paths.staged, paths.sediment])
    const { valid, overtaken } = await context.exclusive(async (commit) => {
      const decided = decide(context, staged)
      const entries = [...new Set(decided.valid.map(({ entry }) => entry))]
      if (entries.length === 0) return decided
      // Nothing more is read of the old blocks: their data goes with their frame.
      unpin()
      for (const entry of entries) await context.syncWalDirectory(entry)
      await commit({ changes: decided.valid.flatMap(changesOf) })
      return decided
    })
    for (const one of valid) {
      staged.splice(staged.indexOf(one), 1)
      rewritten(one.parts.length + (one.isReplaced ? 0 : 1))
    }
    return overtaken
  } finally {
    unpin()
    for (const change of staged.flatMap(({ changes }) => changes))
      if (change.change.kind === 'adopt') await discardStaged(context, change.change.stagedName)
  }
}

/** What is wrong with one block, or has become of its entry, leaves that block as it is. */
async function unlessDamaged(entry: Entry, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const isOfOne = error instanceof StorageError && ERRORS_OF_ONE.has(error.code)
    // Renamed or removed meanwhile: its files were not where they had been.
    if (!isOfOne && !entry.isGone) throw error
  }
}

async function hasRoom(context: MutationContext, rewrites: readonly Rewrite[]): Promise<boolean> {
  const bytes = rewrites.reduce((sum, { descriptor }) => sum + descriptor.sizeBytes, 0)
  try {
    // Each may be on a volume of its own.
    for (const entry of new Set(rewrites.map((rewrite) => rewrite.entry)))
      await context.requireSpace(bytes, entry)
    return true
  } catch (error) {
    if (error instanceof StorageError && error.code === 'ERR_NO_SPACE') return false
    throw error
  }
}

/** What is still as it was planned. In the exclusive job, without waiting. */
function decide(
  context: MutationContext,
  staged: readonly StagedRewrite[],
): { valid: StagedRewrite[]; overtaken: RewriteTarget[] } {
  const valid: StagedRewrite[] = []
  const overtaken: RewriteTarget[] = []
  const claimed = new Set<string>()
  for (const one of staged) {
    const { entry, id, baseCrc64, parts } = one
    const now = entry.open.has(Number(id)) ? undefined : entry.index.get(id)
    // Late records, changes, or the removal of all of it came first.
    if (!context.isKnown(entry) || now?.crc64 !== baseCrc64) continue
    const places = parts.map((part) => entry.paths.descriptor(part.id))
    // Meanwhile the block before may have grown up to the first part, or another one begun where a part is to be; blocks
    // that overlap may have wanted the same place.
    const isOvertaken =
      (parts[0] as Part).id <= latestBefore(entry, id) ||
      parts.some((part) => !isFree(context, entry, id, part.id)) ||
      places.some((place) => claimed.has(place))
    if (isOvertaken) {
      overtaken.push({ entry, id })
      continue
    }
    valid.push(one)
    for (const place of places) claimed.add(place)
  }
  return { valid, overtaken }
}

function changesOf({ entry, id, baseCrc64, descriptor, ...rewrite }: StagedRewrite): EntryChange[] {
  const of = { ...entry.name, blockId: Number(id), baseCrc64 }
  const moved = descriptor.timestampsUs.slice((rewrite.parts[0] as Part).fromIndex)
  const change: EntryChange = rewrite.isReplaced
    ? { entry, change: { ...of, kind: 'drop' } }
    : { entry, change: { ...of, kind: 'strip', timestampsUs: [...moved] } }
  return [...rewrite.changes, change]
}

/** `undefined` when nothing is to be done. @throws {StorageError} `ERR_CORRUPT`, `ERR_NOT_FOUND` */
async function plan(context: MutationContext, entry: Entry, id: bigint): Promise<Rewrite | undefined> {
  const cold = entry.index.get(id)
  if (cold === undefined || entry.open.has(Number(id)) || !isExtensible(cold)) return undefined
  const descriptor = await context.source(entry).descriptor(cold)
  const parts = planParts(context, entry, id, descriptor)
  const isReplaced = parts[0]?.fromIndex === 0
  return parts.length === 0
    ? undefined
    : { entry, id, descriptor, baseCrc64: crc64(descriptor.bytes), parts, isReplaced }
}

/** The first part needs another id than the block's; where there is none, it stays where it is and the others leave it. */
function planParts(
  context: MutationContext,
  entry: Entry,
  id: bigint,
  descriptor: Descriptor,
): readonly Part[] {
  const lengths = Array.from(descriptor.timestampsUs, (_, index) => lengthOf(descriptor, index))
  const contentBytes = lengths.reduce((sum, bytes) => sum + bytes, 0)
  const totals = { recordCount: lengths.length, sizeBytes: contentBytes }
  const isSplit = isOverfull(totals, entry.blockLimits)
  if (!isSplit && !isHollow(descriptor.sizeBytes, contentBytes, context.holesBytesMin)) return []
  const firsts = isSplit ? cutIntoParts(lengths, entry.blockLimits) : [0]
  const parts: Part[] = []
  for (const [at, fromIndex] of firsts.entries()) {
    const toIndex = firsts[at + 1] ?? lengths.length
    const firstUs = descriptor.timestampsUs[fromIndex] as bigint
    const lowestUs = at === 0 ? latestBefore(entry, id) : (descriptor.timestampsUs[fromIndex - 1] as bigint)
    const partId = freeId(context, entry, id, firstUs, lowestUs)
    if (partId !== undefined) parts.push({ id: partId, fromIndex, toIndex })
    else if (at > 0) return []
  }
  return parts
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
