import type { FileKind, FileSystem } from './file-system.ts'
import { replaceFiles } from './replace-files.ts'

/** `replaceFiles` for one file; a leftover `<path>.tmp` means nothing, and goes first. */
export async function atomicWrite(
  fs: FileSystem,
  path: string,
  kind: FileKind,
  bytes: Uint8Array,
): Promise<void> {
  await clearTemporary(fs, path)
  await replaceFiles(fs, [{ file: { path, kind }, bytes }])
}

/** Removes what an interrupted replacement of `path` has left. */
export async function clearTemporary(fs: FileSystem, path: string): Promise<void> {
  const temporary = `${path}.tmp`
  if ((await fs.fileBytes(temporary)) !== undefined) await fs.unlink(temporary)
}
