import { atomicWrite } from '../../fs/atomic-write.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { decodeIndex, encodeIndex } from '../codec/index-codec.ts'
import type { EntryPaths } from '../paths.ts'
import { readMessage } from '../read-message.ts'

/** The index must not hold a CRC while the descriptor changes (W1). An index that does not verify holds none. */
export async function unlistCrc(fs: FileSystem, paths: EntryPaths, blockId: bigint): Promise<void> {
  const listed = await readMessage(fs, paths.index)
  const decoded = listed === undefined ? undefined : decodeIndex(listed)
  if (decoded?.verdict !== 'valid') return
  const entries = [...decoded.entries.values()].map((entry) =>
    entry.id === blockId ? { ...entry, crc64: undefined } : entry,
  )
  await atomicWrite(fs, paths.index, 'index', encodeIndex(entries).bytes)
}
