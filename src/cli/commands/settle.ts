import { dataPathOf, type ConfigurationOptions } from '../configuration.ts'
import type { Context } from '../context.ts'
import { withStore } from '../open-store.ts'

/** Folds every open block, so that other tools find no write-ahead logs. Needs the directory for itself. */
export async function settle(options: ConfigurationOptions, context: Context): Promise<void> {
  const dataPath = dataPathOf(options, context)
  await withStore(dataPath, async (storage) => {
    try {
      await storage.settle((done, total) => context.progress.show(`folding block ${done} of ${total}`))
    } finally {
      context.progress.clear()
    }
  })
  context.note(`${dataPath} is settled: no write-ahead log is left`)
}
