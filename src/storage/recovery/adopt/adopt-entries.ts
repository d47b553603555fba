import { inParallel } from '../../../base/in-parallel.ts'
import type { Logger } from '../../../base/logger.ts'
import type { FileSystem } from '../../../fs/file-system.ts'
import { EntryPaths, type StorePaths } from '../../paths.ts'
import { discover } from '../../query/discover.ts'
import type { PlannedBlock } from '../apply.ts'
import { adoptEntry } from './adopt-entry.ts'
import type { Quarantine } from './quarantine.ts'

/** Entries that are looked at once. */
const PARALLEL = 8

/**
 * Takes over what ReductStore left: the whole directory where there was no store of ours, and otherwise what it left in
 * a visit since we closed.
 * @param blocks what the commit log accounts for; absent where there is no store of ours yet
 */
export async function adoptEntries(options: {
  fs: FileSystem
  paths: StorePaths
  logger: Logger
  quarantine: Quarantine
  blocks?: readonly PlannedBlock[]
}): Promise<void> {
  const { fs, paths, logger, quarantine, blocks } = options
  const open = new Map<string, Set<bigint>>()
  for (const { facts, plan } of blocks ?? []) {
    if (plan.kind !== 'open') continue
    const key = `${facts.bucket}/${facts.entry}`
    const ids = open.get(key) ?? new Set()
    open.set(key, ids.add(BigInt(facts.blockId)))
  }
  const { entries } = await discover(fs, paths.root)
  const isForeign = blocks === undefined
  if (isForeign && entries.length > 0)
    logger.info({ path: paths.root, entries: entries.length }, 'taking over a directory of ReductStore')
  await inParallel(PARALLEL, entries, async (name) => {
    const ours = open.get(`${name.bucket}/${name.entry}`) ?? new Set()
    await adoptEntry(new EntryPaths(paths.root, name), { fs, quarantine, isForeign, ours })
  })
}
