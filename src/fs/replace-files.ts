import { dirname } from 'node:path'
import { inParallel } from '../base/in-parallel.ts'
import type { FileRef, FileSystem } from './file-system.ts'
import { writeAll } from './write-all.ts'

export interface Replacement {
  readonly file: FileRef
  readonly bytes: Uint8Array
}

const RENAMED_AT_ONCE = 16

/**
 * Replaces files: temporary files, sync, renames, directory sync; one round of syncs, however many they are. A power cut at
 * any moment leaves each of them old or new, whole; which of them are new has no order. Nothing may be left of an
 * interrupted replacement: see `clearTemporary`.
 */
export async function replaceFiles(fs: FileSystem, replacements: readonly Replacement[]): Promise<void> {
  if (replacements.length === 0) return
  const temporary = replacements.map(({ file: { path, kind }, bytes }) => ({
    file: { path: `${path}.tmp`, kind },
    atBytes: 0,
    bytes,
  }))
  const files = temporary.map(({ file }) => file)
  await writeAll(fs, 'projection', temporary)
  await fs.syncFiles(files)
  await inParallel(RENAMED_AT_ONCE, replacements, ({ file: { path } }) => fs.rename(`${path}.tmp`, path))
  await fs.syncDirectories([...new Set(replacements.map(({ file }) => dirname(file.path)))])
}
