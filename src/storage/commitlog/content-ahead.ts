import { crc32 } from '../../base/crc32.ts'
import { atomicWrite } from '../../fs/atomic-write.ts'
import { isReadFailure, type FileSystem } from '../../fs/file-system.ts'
import type { StorePaths } from '../paths.ts'

/** A block whose data file is made before any frame names it. */
export interface BlockAhead {
  readonly bucket: string
  readonly entry: string
  readonly blockId: number
  /** Of the frame that will name it: where the log ends before that, nobody was told of what is in the file. */
  readonly sequence: number
}

/**
 * `.sediment/ahead`: JSON with a checksum, replaced whole, durable before the first byte of these data files is written.
 * So what a crash leaves of them can be told from files of anybody else.
 */
export async function noteAhead(
  fs: FileSystem,
  { ahead: path }: StorePaths,
  blocks: readonly BlockAhead[],
): Promise<void> {
  const text = JSON.stringify({ blocks, crc32: checksumOf(blocks) })
  await atomicWrite(fs, path, 'log', Buffer.from(`${text}\n`))
}

/** Nothing for a note that is missing, damaged or cannot be read: then nothing is known of any file. */
export async function readAhead(fs: FileSystem, { ahead: path }: StorePaths): Promise<BlockAhead[]> {
  const bytes = await fs.readFile(path).catch((error: unknown) => {
    if (isReadFailure(error)) return undefined
    throw error
  })
  if (bytes === undefined) return []
  try {
    const note = JSON.parse(Buffer.from(bytes).toString()) as { blocks: BlockAhead[]; crc32: number }
    return note.crc32 === checksumOf(note.blocks) ? note.blocks : []
  } catch {
    return []
  }
}

/** When no group that the note is about can come or go any more: the end of the log is durable. */
export async function forgetAhead(fs: FileSystem, { ahead }: StorePaths): Promise<void> {
  for (const path of [ahead, `${ahead}.tmp`]) await fs.unlink(path)
}

function checksumOf(blocks: readonly BlockAhead[]): number {
  return crc32(JSON.stringify(blocks))
}
