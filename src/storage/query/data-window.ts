import type { FileSystem } from '../../fs/file-system.ts'

const WINDOW_BYTES = 1024 * 1024

/**
 * Reads ranges of one data file. Whoever reads a block in order is served from a window of a mebibyte, so that small
 * records do not cost a system call each; a larger range is read as it is.
 */
export class DataWindow {
  readonly #fs: FileSystem
  readonly #path: string
  #window: { readonly atBytes: number; readonly bytes: Uint8Array } | undefined

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs
    this.#path = path
  }

  /** A copy of the range; shorter where the file ends. @throws {FileSystemError} */
  async read(atBytes: number, lengthBytes: number): Promise<Uint8Array> {
    if (lengthBytes >= WINDOW_BYTES) return this.#fs.read(this.#path, atBytes, lengthBytes)
    let window = this.#window
    if (
      window === undefined ||
      atBytes < window.atBytes ||
      atBytes + lengthBytes > window.atBytes + window.bytes.byteLength
    ) {
      window = { atBytes, bytes: await this.#fs.read(this.#path, atBytes, WINDOW_BYTES) }
      this.#window = window
    }
    const from = atBytes - window.atBytes
    return window.bytes.slice(from, from + lengthBytes)
  }
}
