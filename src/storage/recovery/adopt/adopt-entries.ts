import { inParallel } from '../../../base/in-parallel.ts'
import type { Logger } from '../../../base/logger.ts'
import type { FileSystem } from '../../../fs/file-system.ts'
import type { Damage } from '../../damage.ts'
import { EntryPaths, type StorePaths } from '../../paths.ts'
import { discover } from '../../query/discover.ts'
import { seenKey, type BlockListing, type SeenEntries } from '../../query/list-blocks.ts'
import type { PlannedBlock } from '../plan.ts'
import { adoptEntry } from './adopt-entry.ts'
import type { Quarantine } from './quarantine.ts'

/** Entries that are looked at once. */
const PARALLEL = 16

/**
 * Takes over what ReductStore left: the whole directory where there was no store of ours, and otherwise what it left in
 * a visit since we closed. What cannot be read is noted in `damage` and left as it is, and so is what was noted before: an
 * open that can read it takes it for a visit.
 * @param known blocks that the commit log accounts for; absent where there is no store of ours yet
 * @returns what is there now, as far as it was seen and is unchanged
 */
export async function adoptEntries(options: {
  fs: FileSystem
  paths: StorePaths
  logger: Logger
  quarantine: Quarantine
  damage: Damage
  known?: readonly PlannedBlock[]
  /** See `AdoptOptions`. */
  lastFrame?: number | undefined
  progress?: (done: number, total: number) => void
}): Promise<SeenEntries> {
  const { fs, paths, logger, quarantine, damage, known } = options
  const open = new Map<string, Set<bigint>>()
  for (const { facts, plan } of known ?? []) {
    if (plan.kind !== 'open') continue
    const key = seenKey(facts)
    const ids = open.get(key) ?? new Set()
    open.set(key, ids.add(BigInt(facts.blockId)))
  }
  const discovery = await discover(fs, paths.root)
  const { entries, unreadable } = discovery
  const listings = new Map<string, BlockListing>()
  const isForeign = known === undefined
  let done = 0
  for (const { error, ...place } of unreadable) damage.note(place, error)
  if (isForeign && entries.length > 0)
    logger.info({ path: paths.root, entries: entries.length }, 'taking over a directory of ReductStore')
  await inParallel(PARALLEL, [...entries.entries()], async ([at, name]) => {
    const ours = open.get(seenKey(name)) ?? new Set()
    const adopt = (): Promise<BlockListing | undefined> =>
      adoptEntry(new EntryPaths(paths.root, name), {
        fs,
        quarantine,
        isForeign,
        ours,
        items: discovery.items[at],
        lastFrame: options.lastFrame,
      })
    if (damage.of(name) === undefined) {
      const listing = await damage.contain(name, adopt)
      if (listing !== undefined) listings.set(seenKey(name), listing)
    }
    options.progress?.(++done, entries.length)
  })
  return { discovery, listings }
}
