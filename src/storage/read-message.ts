import { FileSystemError, type FileSystem } from '../fs/file-system.ts'

/** Up to this length a file is read without a look at it. */
const UNSEEN_BYTES_MAX = 64 * 1024 * 1024
/** A descriptor of millions of records, or an index of millions of blocks; what is longer is neither. */
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024
/** A file that ends in so many zeros was made longer and never written: ReductStore and we end each with a field. */
const PADDING_BYTES = 4096

/** No field begins with it. */
const UNDECODABLE = new Uint8Array(1)

/**
 * The bytes of an index or descriptor, `undefined` when there is none. Of one that is longer than any, or that ends in zeros,
 * nothing is held in memory: what stands for it cannot be decoded, as the file cannot, and always has the same checksum.
 */
export async function readMessage(fs: FileSystem, path: string): Promise<Uint8Array | undefined> {
  try {
    return await fs.readFile(path, UNSEEN_BYTES_MAX)
  } catch (error) {
    if (!(error instanceof FileSystemError) || error.code !== 'ERR_TOO_LONG') throw error
  }
  const lengthBytes = await fs.fileBytes(path)
  if (lengthBytes === undefined) return undefined
  if (lengthBytes > MESSAGE_BYTES_MAX) return UNDECODABLE
  const end = await fs.read(path, Math.max(0, lengthBytes - PADDING_BYTES), PADDING_BYTES)
  return end.every((byte) => byte === 0) ? UNDECODABLE : fs.readFile(path)
}
