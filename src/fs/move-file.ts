import { dirname } from 'node:path'
import { atomicWrite } from './atomic-write.ts'
import { FileSystemError, type FileRef, type FileSystem } from './file-system.ts'
import { writeAll } from './write-all.ts'

const COPY_BYTES = 4 * 1024 * 1024

/** The system does not rename from one volume to another, nor what a volume is mounted on. Nothing was changed. */
export function isOtherVolume(error: unknown): boolean {
  return error instanceof FileSystemError && error.code === 'ERR_OTHER_VOLUME'
}

/**
 * Renames a file, also to another volume: there it is a copy, durable before the file goes. To be made durable in both
 * directories, and to be repeated after a crash while `fromPath` is there: only a descriptor appears whole.
 */
export async function moveFile(fs: FileSystem, fromPath: string, to: FileRef): Promise<void> {
  try {
    return await fs.rename(fromPath, to.path)
  } catch (error) {
    if (!isOtherVolume(error)) throw error
  }
  if (to.kind === 'descriptor') await copyWhole(fs, fromPath, to)
  else await copyInPieces(fs, fromPath, to)
  await fs.syncDirectories([dirname(to.path)])
  await fs.unlink(fromPath)
}

async function copyWhole(fs: FileSystem, fromPath: string, { path, kind }: FileRef): Promise<void> {
  const bytes = await fs.readFile(fromPath)
  if (bytes === undefined) throw new FileSystemError('ERR_NOT_FOUND', 'read', fromPath)
  await atomicWrite(fs, path, kind, bytes)
}

async function copyInPieces(fs: FileSystem, fromPath: string, file: FileRef): Promise<void> {
  const source = fs.openToRead(fromPath)
  try {
    const memory = fs.allocate(COPY_BYTES)
    // What an interruption has left.
    await fs.unlink(file.path)
    for (let atBytes = 0; ;) {
      const readBytes = await source.read(atBytes, memory)
      // An empty write makes the file where there is nothing to copy.
      await writeAll(fs, 'projection', [{ file, atBytes, bytes: memory.subarray(0, readBytes) }])
      atBytes += readBytes
      if (readBytes < memory.byteLength) break
    }
  } finally {
    await source.close()
  }
  await fs.syncFiles([file])
}
