import { Lru } from '../../base/lru.ts'
import { FileSystemError, type FileSystem } from '../../fs/file-system.ts'
import { StorageError } from '../errors.ts'

const WINDOW_BYTES = 256 * 1024
const WINDOWS_BYTES_MAX = 16 * WINDOW_BYTES
/** Windows read by one call for who goes on from one window to the next. */
const RUN_WINDOWS = 4

/** A longer read, and how many of its windows are kept. */
interface Run {
  readonly memory: Uint8Array
  windows: number
}

interface Window {
  readonly bytes: Uint8Array
  readonly run: Run | undefined
}

/**
 * Reads ranges of one data file through a few windows, so that small records do not cost a system call each. Several,
 * because time order is not file order: an entry fed by many partitions goes through as many places of the file at
 * once. Who goes through the file in order gets longer reads, and the next one is under way meanwhile; their memory is
 * used again, because the garbage collector marks the whole heap for every few megabytes outside of it.
 */
export class DataWindow {
  readonly #fs: FileSystem
  readonly #path: string
  readonly #windows = new Lru<number, Window>({
    bytesMax: WINDOWS_BYTES_MAX,
    weigh: () => WINDOW_BYTES,
    onEvict: (_, { run }) => {
      if (run === undefined) return
      run.windows -= 1
      if (run.windows === 0) this.#free.push(run.memory)
    },
  })
  readonly #free: Uint8Array[] = []
  /** The window that was read from last. */
  #last: number | undefined
  #ahead: { readonly number: number; readonly read: RunRead } | undefined

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs
    this.#path = path
  }

  /** A copy of the range; shorter where the file ends. @throws {StorageError} `ERR_CORRUPT` where it cannot be read */
  async read(atBytes: number, lengthBytes: number): Promise<Uint8Array> {
    if (lengthBytes > RUN_WINDOWS * WINDOW_BYTES) return this.#fetch(atBytes, lengthBytes)
    const bytes = newBytes(lengthBytes)
    let done = 0
    while (done < lengthBytes) {
      const number = Math.floor((atBytes + done) / WINDOW_BYTES)
      // Copied without waiting in between: the memory of a window that gives way is read into.
      const window = this.#windows.get(number)
      if (window === undefined) {
        await this.#load(number)
        continue
      }
      this.#last = number
      const from = atBytes + done - number * WINDOW_BYTES
      const part = window.bytes.subarray(from, from + lengthBytes - done)
      if (part.byteLength === 0) break
      bytes.set(part, done)
      done += part.byteLength
    }
    return done === lengthBytes ? bytes : bytes.subarray(0, done)
  }

  async #load(number: number): Promise<void> {
    if (this.#last === undefined || number !== this.#last + 1) {
      const bytes = await this.#fetch(number * WINDOW_BYTES, WINDOW_BYTES)
      this.#windows.set(number, { bytes, run: undefined })
      return
    }
    const { memory, bytes: reading } =
      this.#ahead?.number === number ? this.#ahead.read : this.#readRun(number)
    this.#ahead = undefined
    const bytes = await reading
    if (bytes.byteLength === RUN_WINDOWS * WINDOW_BYTES) {
      const read = this.#readRun(number + RUN_WINDOWS)
      // It fails for who comes there.
      read.bytes.catch(() => undefined)
      this.#ahead = { number: number + RUN_WINDOWS, read }
    }
    const run = { memory, windows: RUN_WINDOWS }
    for (let index = RUN_WINDOWS - 1; index >= 0; index--) {
      const from = index * WINDOW_BYTES
      this.#windows.set(number + index, { bytes: bytes.subarray(from, from + WINDOW_BYTES), run })
    }
  }

  #readRun(number: number): RunRead {
    const lengthBytes = RUN_WINDOWS * WINDOW_BYTES
    const memory = this.#free.pop() ?? new Uint8Array(lengthBytes)
    return { memory, bytes: this.#fetch(number * WINDOW_BYTES, lengthBytes, memory) }
  }

  async #fetch(atBytes: number, lengthBytes: number, memory?: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#fs.read(this.#path, atBytes, lengthBytes, memory)
    } catch (cause) {
      if (!(cause instanceof FileSystemError)) throw cause
      throw new StorageError('ERR_CORRUPT', cause.message, { path: this.#path, atBytes }, cause)
    }
  }
}

interface RunRead {
  readonly memory: Uint8Array
  readonly bytes: Promise<Uint8Array>
}

/** Not cleared; small ones are cut from a shared buffer. */
function newBytes(lengthBytes: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafe(lengthBytes)
  return new Uint8Array(buffer, byteOffset, lengthBytes)
}
