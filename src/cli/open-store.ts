import { NodeFileSystem } from '../fs/node/node-file-system.ts'
import { openDirectory, type RecordReader } from '../storage/index.ts'

/** Reads a directory without lock or write, also while `sediment run` writes it. */
export async function withReader<Result>(
  dataPath: string,
  use: (reader: RecordReader) => Promise<Result>,
): Promise<Result> {
  const fs = await NodeFileSystem.open()
  try {
    return await use(await openDirectory(fs, dataPath))
  } finally {
    await fs.close()
  }
}
