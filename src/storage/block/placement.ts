import type { Clock } from '../../base/clock.ts'
import type { Entry } from '../entry.ts'
import type { OpenBlock } from './block.ts'
import type { IndexEntry } from '../codec/index-codec.ts'

const HOUR_US = 3_600_000_000
const DAY_US = 86_400_000_000
const COMPRESSION_NONE = 0
/** Of the limits, for blocks that take only late records. */
const LATE_FACTOR = 2

/**
 * Where a record goes. `load`: the containing block is cold and must be read first. `full`: a block that we cannot
 * extend takes all times up to the greatest that we write.
 */
export type Placement =
  | { readonly kind: 'append'; readonly block: OpenBlock; readonly slotUs: number; readonly isLate: boolean }
  | { readonly kind: 'start'; readonly id: number; readonly slotUs: number; readonly isLate: boolean }
  | { readonly kind: 'load'; readonly cold: IndexEntry }
  | { readonly kind: 'full'; readonly cold: IndexEntry }

/** A placement that can be carried out at once. */
export type Place = Extract<Placement, { kind: 'append' | 'start' }>

/**
 * Chooses block and slot for a record of `contentBytes` wanted at `timestampUs`; changes nothing.
 *
 * The rules (design: time), in the order they are asked:
 *  - the containing block is the one with the greatest id at or below the time: no id ever lies inside the range of
 *    another block, so a record is always found again by its time alone (W2);
 *  - a record later than everything in a full containing block starts a new one, whose id is its slot; a block that
 *    another one follows is full at twice the limits, lest every gap that a roll leaves be cut into slivers;
 *  - a record more than an hour ahead of its entry and of the clock starts a block of its own, so that one bad
 *    clock cannot stretch a block over years;
 *  - a record behind everything in a cold block that could not be read back starts a new one;
 *  - every other record goes into the containing block, even over the limits: it is late;
 *  - a cold block that we cannot extend (compressed or flagged corrupted by ReductStore, or with times that are not
 *    safe integers) counts as occupied up to its latest time: the record goes to the first free microsecond behind it;
 *  - a record before all blocks opens one whose id is the start of its UTC day: a reverse backfill makes one block a
 *    day, not one a record;
 *  - the slot is the first free microsecond at or after the wanted time, in the next block if the range ends first; a
 *    cold block that has a record in each of its microseconds is passed over without reading it. Blocks that were passed
 *    over once are not gone through again: see `Entry.noteTaken`.
 */
export function placeRecord(
  entry: Entry,
  timestampUs: number,
  contentBytes: number,
  clock: Clock,
): Placement {
  let wantedUs = entry.firstNotTaken(timestampUs)
  const hot = entry.hot
  if (hot !== undefined && wantedUs >= hot.id && wantedUs < hot.nextIdUs) {
    const placement = placeInOpen(hot, wantedUs, contentBytes, clock)
    if (placement !== undefined) return placement
  }

  let position = entry.index.floorPosition(BigInt(wantedUs))
  if (position < 0) {
    const id = Math.floor(wantedUs / DAY_US) * DAY_US
    return {
      kind: 'start',
      id: entry.index.size === 0 ? wantedUs : id,
      slotUs: wantedUs,
      isLate: entry.index.size > 0,
    }
  }
  for (;;) {
    const known = entry.index.at(position) as IndexEntry
    const open = entry.open.get(Number(known.id))
    if (open !== undefined) {
      const placement = placeInOpen(open, wantedUs, contentBytes, clock)
      if (placement !== undefined) return placement
      wantedUs = open.nextIdUs
      position += 1
    } else if (isExtensible(known)) {
      if (isDense(known)) wantedUs = Math.max(wantedUs, Number(known.latestUs) + 1)
      const next = entry.index.at(position + 1)
      if (next !== undefined && wantedUs >= Number(next.id)) {
        position += 1
        continue
      }
      if (
        wantedUs > Number(known.latestUs) &&
        mustStart(entry, known, wantedUs, contentBytes, position, clock)
      ) {
        const isLate = wantedUs !== timestampUs || position < entry.index.size - 1
        return { kind: 'start', id: wantedUs, slotUs: wantedUs, isLate }
      }
      return { kind: 'load', cold: known }
    } else {
      const endUs = known.latestUs > known.id ? known.latestUs : known.id
      if (endUs >= BigInt(Number.MAX_SAFE_INTEGER)) return { kind: 'full', cold: known }
      wantedUs = Math.max(wantedUs, Number(endUs) + 1)
      const behind = entry.index.floorPosition(BigInt(wantedUs))
      if (behind === position) {
        const isLate = wantedUs !== timestampUs || position < entry.index.size - 1
        return { kind: 'start', id: wantedUs, slotUs: wantedUs, isLate }
      }
      position = behind
    }
  }
}

/** `undefined`: the range of the block has no free slot left. */
function placeInOpen(
  block: OpenBlock,
  timestampUs: number,
  contentBytes: number,
  clock: Clock,
): Place | undefined {
  const isLast = block.nextIdUs === Infinity
  if (block.recordCount === 0) return { kind: 'append', block, slotUs: timestampUs, isLate: !isLast }
  const latestUs = block.latestUs
  const slotUs = timestampUs > latestUs ? timestampUs : block.slots.firstFree(timestampUs)
  if (slotUs >= block.nextIdUs) return undefined
  const isLate = slotUs < latestUs || !isLast
  if (slotUs > latestUs && (isPastLimits(block, contentBytes, clock) || isFarAhead(block, slotUs, clock))) {
    return { kind: 'start', id: slotUs, slotUs, isLate }
  }
  return { kind: 'append', block, slotUs, isLate }
}

/**
 * Whether records go on behind the block: from now on it takes only late ones. A block that a bad clock has started in
 * the future does not count.
 */
export function isFollowed(
  { nextIdUs, latestUs }: Pick<OpenBlock, 'nextIdUs' | 'latestUs'>,
  clock: Clock,
): boolean {
  return nextIdUs - Math.max(latestUs, clock.nowUs()) <= HOUR_US
}

function isPastLimits(block: OpenBlock, moreBytes: number, clock: Clock): boolean {
  if (!block.isFull(moreBytes)) return false
  return !isFollowed(block, clock) || block.isFull(moreBytes, LATE_FACTOR)
}

function isFarAhead(block: OpenBlock, slotUs: number, clock: Clock): boolean {
  return block.nextIdUs === Infinity && slotUs - block.latestUs > HOUR_US && slotUs - clock.nowUs() > HOUR_US
}

function mustStart(
  entry: Entry,
  cold: IndexEntry,
  wantedUs: number,
  contentBytes: number,
  position: number,
  clock: Clock,
): boolean {
  const { blockBytesMax, blockRecordsMax } = entry.blockLimits
  const nextIdUs = Number(entry.index.at(position + 1)?.id ?? Infinity)
  const factor = isFollowed({ nextIdUs, latestUs: Number(cold.latestUs) }, clock) ? LATE_FACTOR : 1
  const isFull =
    Number(cold.sizeBytes) + contentBytes > blockBytesMax * factor ||
    cold.recordCount >= blockRecordsMax * factor
  const isLast = position === entry.index.size - 1
  const isAhead = isLast && wantedUs - Number(cold.latestUs) > HOUR_US && wantedUs - clock.nowUs() > HOUR_US
  // Nothing but its index entry says where an unreadable block ends; one that was lost with its index has no records there.
  const isPassedOver = entry.unreadable.has(cold.id) && cold.recordCount > 0
  return isFull || isAhead || isPassedOver
}

/**
 * Whether every microsecond of a cold block has its record, as equal times make it: the block need not be read to know that
 * nothing is free. Every record has a time of its own, from the block's id on.
 */
function isDense({ id, latestUs, recordCount }: IndexEntry): boolean {
  return recordCount > 0 && latestUs - id === BigInt(recordCount - 1)
}

/** Whether records may be added to the block, and removed: neither compressed nor given up by ReductStore. */
export function isExtensible({ corrupted, compression = COMPRESSION_NONE, latestUs }: IndexEntry): boolean {
  const isLeftAlone = corrupted === true || compression !== COMPRESSION_NONE
  return !isLeftAlone && latestUs <= BigInt(Number.MAX_SAFE_INTEGER)
}
