import type { Clock } from '../../base/clock.ts'
import { silentLogger } from '../../base/logger.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { OffsetLedger } from '../../ledger/offset-ledger.ts'
import { companionDirectory, openDirectory, repairDirectory, type RepairReport } from '../../storage/index.ts'
import { ReadableLedger } from './readable-ledger.ts'
import { planRebuild, type RebuildPlan } from './rebuild-ledger.ts'
import { StoredOffsets } from './stored-offsets.ts'

export interface RepairStoreOptions {
  readonly fs: FileSystem
  readonly dataPath: string
  readonly clock: Clock
  /** The cluster that the store is bound to; only asked for by a rebuilt ledger. */
  readonly clusterId: string | undefined
  readonly rebuildLedger: boolean
  readonly progress?: (what: string) => void
}

export interface StoreRepair extends RepairReport {
  /** What was made of the ledger; `undefined` when it was not asked for. */
  readonly rebuilt: RebuildPlan | undefined
}

/**
 * Repairs the directory; with `rebuildLedger` the new checkpoint has the ledger that the records prove then.
 * @throws as `repairDirectory`; {LedgerError} when the ledger cannot be read and is not to be rebuilt
 */
export async function repairStore(options: RepairStoreOptions): Promise<StoreRepair> {
  const { fs, dataPath, clock, clusterId, rebuildLedger } = options
  const progress = options.progress ?? ((): void => {})
  const common = { fs, dataPath, clock, logger: silentLogger, progress }
  if (!rebuildLedger) {
    const report = await repairDirectory({ ...common, companion: new OffsetLedger() })
    return { ...report, rebuilt: undefined }
  }
  const ledger = new ReadableLedger()
  let rebuilt: RebuildPlan | undefined
  const report = await repairDirectory({
    ...common,
    companion: ledger,
    completeCompanion: async (owed) => {
      const stored = await readOffsets(fs, dataPath, progress)
      for (const record of owed) stored.visitOwed(record, ledger.positions())
      const disk = { fs, directory: companionDirectory(dataPath) }
      rebuilt = await planRebuild(ledger.positions(), stored.partitions(), clusterId, disk)
      ledger.replace(rebuilt.rows)
    },
  })
  return { ...report, rebuilt }
}

async function readOffsets(
  fs: FileSystem,
  dataPath: string,
  progress: (what: string) => void,
): Promise<StoredOffsets> {
  const stored = new StoredOffsets()
  const reader = await openDirectory(fs, dataPath)
  const entries = await reader.entries()
  for (const [index, name] of entries.entries()) {
    progress(`reading the offsets of entry ${index + 1} of ${entries.length}: ${name.bucket}/${name.entry}`)
    // What cannot be read is none that could be proved.
    for await (const batch of reader.batches(name, { onDamaged: () => {} }))
      for (const record of batch) stored.visit(record)
  }
  return stored
}
