import { NodeFileSystem } from '../../../src/fs/node/node-file-system.ts'
import { realClock } from '../../support/real-clock.ts'
import { openStore, write } from '../../support/storage/store.ts'

/**
 * A process of its own that writes records 0, 1, 2 … into the directory of its first argument, folds and checkpoints now
 * and then, and prints after each acknowledgement how many were acknowledged.
 */
const dataPath = process.argv[2] as string
const t0 = 1_750_000_000_000_000
const entry = { bucket: 'kafka', entry: 'topic/0' }
const fs = await NodeFileSystem.open()
const storage = await openStore(fs, { dataPath, clock: realClock, settings: { blockRecordsMax: 40 } })
for (let round = 0; round < 60; round++) {
  await storage.submit({
    writes: Array.from({ length: 10 }, (_, index) => write(entry, t0 + round * 10 + index)),
  })
  process.stdout.write(`${round * 10 + 10}\n`)
  if (round % 7 === 6) await storage.settle()
}
await storage.close()
await fs.close()
