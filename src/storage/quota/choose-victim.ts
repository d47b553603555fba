import type { OpenBlock } from '../block/block.ts'
import { isExtensible } from '../block/placement.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import type { Entry } from '../entry.ts'

/** A block that a bucket may let go of. */
export interface Victim {
  readonly entry: Entry
  readonly listed: IndexEntry
  /** It has to be folded first. */
  readonly open: OpenBlock | undefined
}

/** The first kind of which there is a block is taken. */
type VictimKind = 'idle' | 'hot' | 'pinned'

/**
 * The block with the oldest records of all these entries; by its id, which no record of it is before. Never one of
 * attachments, nor one that is being written or uploaded into, nor one that only ReductStore may change. The block that an
 * entry wrote last, and one that is being read, only where there is no other.
 */
export function chooseVictim(
  entries: Iterable<Entry>,
  isTaken: (listed: IndexEntry, of: Entry) => boolean,
): Victim | undefined {
  const best: Partial<Record<VictimKind, Victim>> = {}
  for (const entry of entries) {
    if (entry.isAttachment) continue
    for (const listed of entry.index.blocks) {
      if (isTaken(listed, entry)) continue
      const kind = kindOf(entry, listed)
      if (kind === undefined) continue
      const known = best[kind]
      if (known === undefined || listed.id < known.listed.id)
        best[kind] = { entry, listed, open: entry.open.get(Number(listed.id)) }
      if (kind === 'idle') break
    }
  }
  return best.idle ?? best.hot ?? best.pinned
}

function kindOf(entry: Entry, listed: IndexEntry): VictimKind | undefined {
  const open = entry.open.get(Number(listed.id))
  if (open === undefined && !isExtensible(listed)) return undefined
  if (open !== undefined && (open.pendingGroups > 0 || open.holds > 0)) return undefined
  if (entry.pins.isPinned(listed.id)) return 'pinned'
  return open !== undefined && entry.hot === open ? 'hot' : 'idle'
}
