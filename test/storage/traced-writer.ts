import type { FileKind } from '../../src/fs/file-system.ts'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { realClock } from '../support/real-clock.ts'
import { openStore, write } from '../support/storage/store.ts'

/**
 * A process of its own that writes inline and direct content, seals, checkpoints and closes a store in the directory
 * of its first argument, and then prints how often the file system told its observer of a sync, by kind.
 */
const dataPath = process.argv[2] as string
const counts: Partial<Record<FileKind, number>> = {}
const fs = await NodeFileSystem.open({
  observer: { synced: ({ kind }) => void (counts[kind] = (counts[kind] ?? 0) + 1) },
})
const storage = await openStore(fs, {
  dataPath,
  clock: realClock,
  settings: { blockRecordsMax: 4 },
  limits: { directBytesMin: 4096, groupBytesMax: 65_536 },
})
const entries = ['topic/0', 'topic/1'].map((entry) => ({ bucket: 'kafka', entry }))
for (let round = 0; round < 6; round++) {
  await storage.submit({
    writes: entries.map((target, index) =>
      write(target, 1_000_000 + round * 10, Buffer.alloc(index === round % 2 ? 5000 : 600, round)),
    ),
  })
  if (round === 3) {
    await storage.checkpoint()
    await storage.settle()
  }
}
// Late, into a sealed block: the block is opened again.
for (const target of entries)
  await storage.submit({ writes: [write(target, 1_000_005, Buffer.alloc(600, 7))] })
await storage.close()
await fs.close()
process.stdout.write(`${JSON.stringify(counts)}\n`)
