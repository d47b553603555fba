import type { FileSystem } from '../../fs/file-system.ts'
import { decodeIndex } from '../codec/index-codec.ts'
import { readAhead } from '../commitlog/content-ahead.ts'
import type { Damage } from '../damage.ts'
import { EntryPaths, blockFiles, type StorePaths } from '../paths.ts'
import type { BlockName, LogFacts } from './facts.ts'
import { readMessage } from '../read-message.ts'

/**
 * Blocks whose content went home ahead of a frame that never became durable. No record of theirs was acknowledged: the log
 * ends before that frame, and nothing else names them. Entries that cannot be read are left out.
 */
export async function findNamelessContent(
  fs: FileSystem,
  paths: StorePaths,
  { frames, checkpoint }: LogFacts,
  named: readonly BlockName[],
  damage: Damage,
): Promise<BlockName[]> {
  const lastSequence = frames.at(-1)?.sequence ?? checkpoint.sequence
  const keys = new Set(named.map(keyOf))
  const nameless: BlockName[] = []
  for (const { sequence, ...block } of await readAhead(fs, paths)) {
    if (sequence <= lastSequence || keys.has(keyOf(block)) || damage.of(block) !== undefined) continue
    await damage.contain(block, async () => {
      if (await isNameless(fs, new EntryPaths(paths.root, block), block.blockId)) nameless.push(block)
    })
  }
  return nameless
}

/** ReductStore may have come since, and begun a block of this id. */
async function isNameless(fs: FileSystem, paths: EntryPaths, blockId: number): Promise<boolean> {
  if ((await fs.fileBytes(paths.data(blockId))) === undefined) return false
  const { descriptors } = blockFiles(paths, BigInt(blockId))
  for (const path of [...descriptors, paths.wal(blockId), paths.swap(blockId)])
    if ((await fs.fileBytes(path)) !== undefined) return false
  const index = await readMessage(fs, paths.index)
  return index === undefined || !decodeIndex(index).entries.has(BigInt(blockId))
}

/**
 * Removes their data files, durably. Begun anew by the next open where it is interrupted: the note still tells of them. Those
 * that were removed by then come back with a power cut, until their directories are synced.
 */
export async function removeNamelessContent(
  fs: FileSystem,
  paths: StorePaths,
  blocks: readonly BlockName[],
  damage: Damage,
): Promise<void> {
  const directories = new Set<string>()
  for (const block of await readAhead(fs, paths)) {
    const { directory } = new EntryPaths(paths.root, block)
    if (damage.of(block) !== undefined) continue
    await damage.contain(block, async () => {
      if ((await fs.list(directory)) !== undefined) directories.add(directory)
    })
  }
  for (const block of blocks) {
    await fs.unlink(new EntryPaths(paths.root, block).data(block.blockId))
  }
  if (directories.size > 0) await fs.syncDirectories([...directories])
}

function keyOf({ bucket, entry, blockId }: BlockName): string {
  return `${bucket}/${entry}/${blockId}`
}
