import { decompressZstd } from '../../base/zstd.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import type { Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { StorageError } from '../errors.ts'
import type { EntryPaths } from '../paths.ts'
import { checkDescriptor } from './block-content.ts'

/** `IndexEntry.compression` of blocks that ReductStore 1.20 and later have compressed; they are read, never written. */
export const COMPRESSION_ZSTD = 1

/** A descriptor beyond this is none. */
const DESCRIPTOR_BYTES_MAX = 1024 * 1024 * 1024
/** What the decoder may set aside beside the content. */
const WINDOW_BYTES_MAX = 16 * 1024 * 1024

export function dataPathOf(paths: EntryPaths, { id, compression }: IndexEntry): string {
  return compression === COMPRESSION_ZSTD ? paths.compressedData(id) : paths.data(id)
}

/** @param crc of the descriptor as it is when decompressed. @throws {StorageError} `ERR_CORRUPT` */
export async function readCompressedDescriptor(
  fs: FileSystem,
  paths: EntryPaths,
  id: bigint,
  crc: bigint | undefined,
): Promise<Descriptor> {
  const path = paths.compressedDescriptor(id)
  return checkDescriptor(await decompressed(fs, path, DESCRIPTOR_BYTES_MAX), path, crc)
}

/** The data file of a compressed block: decompressed as a whole when it is first read. */
export class CompressedData {
  readonly #fs: FileSystem
  readonly #path: string
  readonly #sizeBytes: number
  #bytes: Promise<Uint8Array> | undefined

  /** @param sizeBytes as the descriptor says */
  constructor(fs: FileSystem, path: string, sizeBytes: number) {
    this.#fs = fs
    this.#path = path
    this.#sizeBytes = sizeBytes
  }

  /** A copy of the range; shorter where the data ends. @throws {StorageError} `ERR_CORRUPT` */
  async read(atBytes: number, lengthBytes: number): Promise<Uint8Array> {
    this.#bytes ??= this.#decompress()
    return (await this.#bytes).slice(atBytes, atBytes + lengthBytes)
  }

  async #decompress(): Promise<Uint8Array> {
    const bytes = await decompressed(this.#fs, this.#path, this.#sizeBytes + WINDOW_BYTES_MAX)
    if (bytes !== undefined) return bytes
    throw new StorageError('ERR_CORRUPT', `${this.#path} is missing`, { path: this.#path })
  }
}

async function decompressed(fs: FileSystem, path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  const bytes = await fs.readFile(path)
  if (bytes === undefined) return undefined
  try {
    const output = await decompressZstd(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      bytesMax,
    )
    return new Uint8Array(output.buffer, output.byteOffset, output.byteLength)
  } catch (cause) {
    throw new StorageError('ERR_CORRUPT', `${path} cannot be decompressed`, { path }, cause)
  }
}
