import { FileSystemError, type FileSystem } from '../../fs/file-system.ts'
import { isOtherVolume } from '../../fs/move-file.ts'

/** Deletes what was removed, beside everything else. What is left at `stop` goes when the store is opened next. */
export class DiscardedTrees {
  readonly #fs: FileSystem
  readonly #poison: (cause: unknown) => void
  #running: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(fs: FileSystem, poison: (cause: unknown) => void) {
    this.#fs = fs
    this.#poison = poison
  }

  discard(path: string): void {
    this.#running = this.#running.then(() => this.#delete(path)).catch(this.#poison)
  }

  /** Resolves when everything discarded so far is gone. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** Resolves when nothing is being deleted any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  /** File by file, so that it can be stopped: a removed bucket may take minutes. What a link points to stays. */
  async #delete(path: string): Promise<void> {
    try {
      for (const { name, isDirectory, link } of (await this.#fs.list(path)) ?? []) {
        if (this.#isStopped) return
        if (isDirectory && link === undefined) await this.#delete(`${path}/${name}`)
        else await this.#fs.unlink(`${path}/${name}`)
      }
      if (!this.#isStopped) await this.#fs.removeTree(path)
    } catch (error) {
      // A volume that is mounted on it stays, empty.
      if (isOtherVolume(error)) return
      if (!(error instanceof FileSystemError) || error.code !== 'ERR_NOT_FOUND') throw error
    }
  }
}
