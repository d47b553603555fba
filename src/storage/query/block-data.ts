import type { FileSystem } from '../../fs/file-system.ts'
import { COMPRESSION_ZSTD, CompressedData } from '../block/compressed-block.ts'
import type { Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import type { BlockSource } from './block-source.ts'

/** Reads content of one block. */
export interface BlockData {
  /** Bytes of the range, the caller's own; fewer where the data ends. @throws {FileSystemError} {StorageError} */
  read(atBytes: number, lengthBytes: number): Promise<Uint8Array>
}

/** Of the data file as it is, or of the whole block decompressed once. */
export function blockData(
  fs: FileSystem,
  source: BlockSource,
  block: IndexEntry,
  { sizeBytes }: Descriptor,
): BlockData {
  const path = source.dataPath(block)
  if (block.compression === COMPRESSION_ZSTD) return new CompressedData(fs, path, sizeBytes)
  return { read: (atBytes, lengthBytes) => fs.read(path, atBytes, lengthBytes) }
}
