import { dirname } from 'node:path'
import type { FileKind, FileSystem } from './file-system.ts'
import { writeAll } from './write-all.ts'

/**
 * Replaces `path` by `bytes`: temporary file, sync, rename, directory sync. A power cut at any moment leaves the
 * old file or the new one, whole. A leftover `<path>.tmp` means nothing and is overwritten next time.
 */
export async function atomicWrite(
  fs: FileSystem,
  path: string,
  kind: FileKind,
  bytes: Uint8Array,
): Promise<void> {
  const temporary = { path: `${path}.tmp`, kind }
  await clearTemporary(fs, path)
  await writeAll(fs, 'projection', [{ file: temporary, atBytes: 0, bytes }])
  await fs.syncFiles([temporary])
  await fs.rename(temporary.path, path)
  await fs.syncDirectories([dirname(path)])
}

/** Removes what an interrupted replacement of `path` has left. */
export async function clearTemporary(fs: FileSystem, path: string): Promise<void> {
  const temporary = `${path}.tmp`
  if ((await fs.fileBytes(temporary)) !== undefined) await fs.unlink(temporary)
}
