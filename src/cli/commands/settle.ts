import { randomUUID } from 'node:crypto'
import { NodeFileSystem } from '../../fs/node/node-file-system.ts'
import { systemClock } from '../../fs/system-clock.ts'
import { OffsetLedger } from '../../ledger/offset-ledger.ts'
import { openDirectory, Storage } from '../../storage/index.ts'
import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'

/** Folds every open block, so that other tools find no write-ahead logs. Needs the directory for itself. */
export async function settle(options: ConfigurationOptions, context: Context): Promise<void> {
  const dataPath = dataPathOf(options, context)
  const fs = await NodeFileSystem.open()
  try {
    // Opening a store makes a missing directory; here that would hide a mistyped path.
    await openDirectory(fs, dataPath)
    // The ledger rides in the log: who opens the store must carry it on.
    const companion = new OffsetLedger()
    const storage = await Storage.open({
      dataPath,
      fs,
      clock: systemClock,
      randomUuid: randomUUID,
      companion,
    })
    try {
      await storage.settle((done, total) => context.progress.show(`folding block ${done} of ${total}`))
    } finally {
      context.progress.clear()
      await storage.close()
    }
    context.note(`${dataPath} is settled: no write-ahead log is left`)
  } finally {
    await fs.close()
  }
}
