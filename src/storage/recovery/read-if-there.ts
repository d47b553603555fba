import type { FileSystem } from '../../fs/file-system.ts'

/** As `FileSystem.read`; nothing where there is no file. */
export async function readIfThere(
  fs: FileSystem,
  path: string,
  atBytes: number,
  lengthBytes: number,
): Promise<Uint8Array> {
  return (await fs.fileBytes(path)) === undefined
    ? new Uint8Array(0)
    : await fs.read(path, atBytes, lengthBytes)
}
