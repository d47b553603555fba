import type { FileSystem } from '../../fs/file-system.ts'

export interface FrameBuffer {
  readonly bytes: Uint8Array
  readonly release: () => void
}

/**
 * A few reused frame buffers: one being built, one being written, one being projected. Waiting for one bounds the
 * frames that are durable and not yet projected. A frame larger than the standard size gets a buffer of its own.
 */
export class FrameBuffers {
  readonly #fs: FileSystem
  readonly standardBytes: number
  readonly #free: Uint8Array[] = []
  readonly #waiting: (() => void)[] = []
  #allowed: number

  constructor(fs: FileSystem, standardBytes: number, count: number) {
    this.#fs = fs
    this.standardBytes = standardBytes
    this.#allowed = count
  }

  async take(bytes: number): Promise<FrameBuffer> {
    while (this.#allowed === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#allowed -= 1
    const isStandard = bytes <= this.standardBytes
    const buffer =
      (isStandard ? this.#free.pop() : undefined) ??
      this.#fs.allocate(isStandard ? this.standardBytes : bytes)
    return {
      bytes: buffer,
      release: () => {
        if (isStandard) this.#free.push(buffer)
        this.#allowed += 1
        this.#waiting.shift()?.()
      },
    }
  }
}
