import { FileSystemError, type FileSystem } from '../fs/file-system.ts'

/** Up to this length a file is read without a look at it. */
const UNSEEN_BYTES_MAX = 64 * 1024 * 1024
/** A descriptor of millions of records, or an index of millions of blocks; what is longer is neither. */
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024
/**
 * A file that ends in so many zeros was made longer and never written: ReductStore and we end each with a field. So many of
 * them are kept: what was made longer has its old beginning whole.
 */
const PADDING_BYTES = 4096
const SEARCH_BYTES = 4 * 1024 * 1024

/** No field begins with it. */
const UNDECODABLE = new Uint8Array(1)

/**
 * The bytes of an index or descriptor, `undefined` when there is none. Of a long one that ends in zeros, most of them are left
 * out; of one that is longer than any, nothing is held in memory. What stands for them cannot be decoded, as the files cannot.
 */
export async function readMessage(fs: FileSystem, path: string): Promise<Uint8Array | undefined> {
  try {
    return await fs.readFile(path, UNSEEN_BYTES_MAX)
  } catch (error) {
    if (!(error instanceof FileSystemError) || error.code !== 'ERR_TOO_LONG') throw error
  }
  const lengthBytes = await fs.fileBytes(path)
  if (lengthBytes === undefined) return undefined
  const endBytes = Math.min(lengthBytes, (await behindLastField(fs, path, lengthBytes)) + PADDING_BYTES)
  return endBytes > MESSAGE_BYTES_MAX ? UNDECODABLE : fs.read(path, 0, endBytes)
}

/** Behind the last byte that is not zero. */
async function behindLastField(fs: FileSystem, path: string, lengthBytes: number): Promise<number> {
  const memory = Buffer.allocUnsafeSlow(Math.min(lengthBytes, SEARCH_BYTES))
  const zeros = Buffer.alloc(memory.byteLength)
  const file = fs.openToRead(path)
  try {
    for (let toBytes = lengthBytes; toBytes > 0;) {
      const fromBytes = Math.max(0, toBytes - memory.byteLength)
      const some = memory.subarray(0, toBytes - fromBytes)
      await file.read(fromBytes, some)
      if (some.compare(zeros, 0, some.byteLength) !== 0)
        return fromBytes + some.findLastIndex((byte) => byte !== 0) + 1
      toBytes = fromBytes
    }
    return 0
  } finally {
    await file.close()
  }
}
