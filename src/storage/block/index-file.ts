import { atomicWrite } from '../../fs/atomic-write.ts'
import type { FileRef, FileSystem, WriteOp } from '../../fs/file-system.ts'
import { encodeIndex, encodeIndexAppend, type DecodedIndex, type IndexEntry } from '../codec/index-codec.ts'

/** The file is rewritten when it holds this many entries more than twice its blocks. */
const REWRITE_SLACK = 64

/**
 * `blocks.idx` of one entry, extended in O(1) by appending (format 4.3). One writer: the projector. A torn append
 * makes the file undecodable, and it is then rebuilt from the descriptors, which were durable first.
 */
export class IndexFile {
  readonly file: FileRef
  #bytes = 0
  #crc64 = 0n
  #entriesInFile = 0

  constructor(path: string) {
    this.file = { path, kind: 'index' }
  }

  /** Takes over a file that was just read and is valid. */
  loaded(bytes: number, decoded: DecodedIndex): void {
    this.#bytes = bytes
    this.#crc64 = decoded.crc64
    this.#entriesInFile = decoded.entriesInFile
  }

  /** Reserves the place behind the file's end and gives the write that puts `entry` there. */
  append(entry: IndexEntry): WriteOp {
    const { bytes, crc64 } = encodeIndexAppend(this.#crc64, [entry])
    const op = { file: this.file, atBytes: this.#bytes, bytes }
    this.#bytes += bytes.byteLength
    this.#crc64 = crc64
    this.#entriesInFile += 1
    return op
  }

  needsRewrite(blockCount: number): boolean {
    return this.#entriesInFile > 2 * blockCount + REWRITE_SLACK
  }

  /** Replaces the file, durably. */
  async rewrite(fs: FileSystem, entries: readonly IndexEntry[]): Promise<void> {
    const encoded = encodeIndex(entries)
    await atomicWrite(fs, this.file.path, 'index', encoded.bytes)
    this.#bytes = encoded.bytes.byteLength
    this.#crc64 = encoded.crc64
    this.#entriesInFile = entries.length
  }
}
