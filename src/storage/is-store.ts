import type { FileSystem } from '../fs/file-system.ts'
import { storePaths } from './paths.ts'

/** Whether a directory has been opened as a store before; a foreign one, or one whose first start was cut off, has not. */
export async function isStore(fs: FileSystem, dataPath: string): Promise<boolean> {
  return (await fs.fileBytes(storePaths(dataPath).format)) !== undefined
}
