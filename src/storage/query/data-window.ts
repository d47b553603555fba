import { Lru } from '../../base/lru.ts'
import type { FileSystem } from '../../fs/file-system.ts'

const WINDOW_BYTES = 256 * 1024
const WINDOWS_BYTES_MAX = 16 * WINDOW_BYTES

/**
 * Reads ranges of one data file through a few windows, so that small records do not cost a system call each. Several,
 * because time order is not file order: an entry fed by many partitions goes through as many places of the file at
 * once. A range that does not lie in one window is read as it is.
 */
export class DataWindow {
  readonly #fs: FileSystem
  readonly #path: string
  readonly #windows = new Lru<number, Uint8Array>({
    bytesMax: WINDOWS_BYTES_MAX,
    weigh: () => WINDOW_BYTES,
  })

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs
    this.#path = path
  }

  /** A copy of the range; shorter where the file ends. @throws {FileSystemError} */
  async read(atBytes: number, lengthBytes: number): Promise<Uint8Array> {
    const number = Math.floor(atBytes / WINDOW_BYTES)
    const from = atBytes - number * WINDOW_BYTES
    if (from + lengthBytes > WINDOW_BYTES) return this.#fs.read(this.#path, atBytes, lengthBytes)
    let window = this.#windows.get(number)
    if (window === undefined) {
      window = await this.#fs.read(this.#path, number * WINDOW_BYTES, WINDOW_BYTES)
      this.#windows.set(number, window)
    }
    return window.slice(from, from + lengthBytes)
  }
}
