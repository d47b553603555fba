import { crc64 } from '../../base/crc64.ts'
import { decodeRecord, recordStateName } from '../codec/record-codec.ts'
import type { Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import type { Edits, EntryChange } from '../commitlog/group.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import type { LabelList, RecordState, TimeRange } from '../record.ts'
import { blocksWithin } from '../query/blocks-within.ts'
import { locateRecord } from '../query/locate-record.ts'
import { recordNotFound, requireCold, type MutationContext, type RecordResult } from './mutations.ts'

/** Blocks that one frame changes at most: ingestion waits for it. */
const BLOCKS_AT_ONCE = 16

/** What a removal may ask about a record. */
interface RemovalCandidate {
  readonly timestampUs: bigint
  readonly state: RecordState
  readonly labels: LabelList
  readonly contentType: string
  readonly contentBytes: number
}

/**
 * Removes records at these times; durable when it resolves. Several blocks are one atom. A block without records left
 * goes whole; the bytes of other records become holes, which `compact` gives back.
 * @returns in the order of `timestampsUs`; of the first ones only, where all would change more than `blocksMax`
 */
export async function removeRecords(
  context: MutationContext,
  entry: Entry,
  timestampsUs: readonly bigint[],
  blocksMax = Infinity,
): Promise<RecordResult[]> {
  return context.exclusive(async (commit) => {
    const results: RecordResult[] = []
    const byBlock = new Map<bigint, Set<bigint>>()
    for (const timestampUs of timestampsUs) {
      try {
        const located = await locateRecord(context.source(entry), timestampUs)
        if (located === undefined) throw recordNotFound(entry, timestampUs)
        const { id } = located.block
        const known = byBlock.get(id)
        if (known === undefined && byBlock.size >= blocksMax) break
        await requireCold(context, entry, id)
        if (known === undefined) byBlock.set(id, new Set([timestampUs]))
        else known.add(timestampUs)
        results.push({ timestampUs })
      } catch (error) {
        if (!(error instanceof StorageError) || error.code === 'ERR_POISONED') throw error
        results.push({ timestampUs, error })
      }
    }
    const changes: EntryChange[] = []
    for (const [id, gone] of byBlock) {
      const cold = await requireCold(context, entry, id)
      changes.push(removalChange(entry, id, await context.source(entry).descriptor(cold), gone))
    }
    await commitRemovals(context, entry, commit, changes)
    return results
  })
}

/** As `removeRecords`, but a few blocks at a time, each time one atom; what stands in the way stays. */
export async function removeInTurn(
  context: MutationContext,
  entry: Entry,
  timestampsUs: readonly bigint[],
): Promise<void> {
  for (let done = 0; done < timestampsUs.length;)
    done += (await removeRecords(context, entry, timestampsUs.slice(done), BLOCKS_AT_ONCE)).length
}

export interface RemoveRangeOptions extends TimeRange {
  /** Default: all. */
  readonly where?: (record: RemovalCandidate) => boolean
  readonly progress?: (blocksDone: number, blocksTotal: number) => void
}

/**
 * Removes the records of a range that `where` wants. A few blocks at a time, each time one atom: what is interrupted
 * goes on when it is asked again. @returns how many records were removed
 * @throws {StorageError} `ERR_CORRUPT`, `ERR_RECORD_STATE`, `ERR_INVALID` at the first block that stands in the way
 */
export async function removeRange(
  context: MutationContext,
  entry: Entry,
  options: RemoveRangeOptions = {},
): Promise<number> {
  const { startUs = 0n, stopUs = 1n << 64n, where = () => true, progress } = options
  const wantedBlocks = (): readonly IndexEntry[] =>
    blocksWithin(context.source(entry).blocks, startUs, stopUs)
  const first = wantedBlocks()
  // What begins later is not waited for.
  const lastId = first.reduce((id, { latestUs }) => (latestUs > id ? latestUs : id), first.at(-1)?.id ?? -1n)
  let removed = 0
  let passedId = -1n
  // Also where nothing is listed: a quota may have let go of it, in a frame that is not durable yet.
  for (let done = 0, isDone = false; !isDone;) {
    removed += await context.exclusive(async (commit) => {
      // Listed anew each time: blocks may have been written anew under other ids.
      const rest = wantedBlocks().filter(({ id }) => id > passedId && id <= lastId)
      const together = rest.slice(0, BLOCKS_AT_ONCE)
      const changes: EntryChange[] = []
      let count = 0
      for (const block of together) {
        const { id } = block
        if (id >= stopUs && (await wantedEarly(context, entry, block, options)) === 0) continue
        const cold = await requireCold(context, entry, id)
        const descriptor = await context.source(entry).descriptor(cold)
        const gone = wanted(descriptor, startUs, stopUs, where)
        if (gone.size === 0) continue
        count += gone.size
        changes.push(removalChange(entry, id, descriptor, gone))
      }
      await commitRemovals(context, entry, commit, changes)
      passedId = together.at(-1)?.id ?? lastId
      done += together.length
      isDone = rest.length <= together.length
      return count
    })
    if (first.length > 0) progress?.(Math.min(done, first.length), first.length)
  }
  return removed
}

/** How many records of the range lie before the id of a block behind it. What cannot be read is not of the range. */
async function wantedEarly(
  context: MutationContext,
  entry: Entry,
  block: IndexEntry,
  { startUs = 0n, stopUs = 1n << 64n, where = () => true }: RemoveRangeOptions,
): Promise<number> {
  try {
    return wanted(await context.source(entry).descriptor(block), startUs, stopUs, where).size
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'ERR_CORRUPT') throw error
    return 0
  }
}

async function commitRemovals(
  context: MutationContext,
  entry: Entry,
  commit: (edits: Edits) => Promise<void>,
  changes: readonly EntryChange[],
): Promise<void> {
  if (changes.length === 0) return
  // The offset ledger knows nothing of attachments.
  if (!entry.isAttachment) await context.markRemoval()
  await context.syncWalDirectory(entry)
  await commit({ changes })
  for (const { change } of changes) if (change.kind === 'strip') context.rewriteLater(entry, change.blockId)
}

/** @param descriptor of the block, which is cold */
function removalChange(
  entry: Entry,
  id: bigint,
  descriptor: Descriptor,
  gone: ReadonlySet<bigint>,
): EntryChange {
  const of = { ...entry.name, blockId: Number(id), baseCrc64: crc64(descriptor.bytes) }
  if (gone.size === descriptor.timestampsUs.length) return { entry, change: { ...of, kind: 'drop' } }
  return { entry, change: { ...of, kind: 'strip', timestampsUs: [...gone] } }
}

function wanted(
  descriptor: Descriptor,
  startUs: bigint,
  stopUs: bigint,
  where: (record: RemovalCandidate) => boolean,
): Set<bigint> {
  const gone = new Set<bigint>()
  descriptor.timestampsUs.forEach((timestampUs, index) => {
    if (timestampUs < startUs || timestampUs >= stopUs) return
    const record = decodeRecord(
      descriptor.bytes,
      descriptor.recordFromBytes[index],
      descriptor.recordToBytes[index],
    )
    const contentBytes = record.endBytes - record.beginBytes
    if (where({ ...record, state: recordStateName(record.state), contentBytes })) gone.add(timestampUs)
  })
  return gone
}
