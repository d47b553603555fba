import type { FileRef } from '../fs/file-system.ts'

/** Files with un-synced writes and directories with un-synced names: what the next checkpoint must make durable. */
export class DirtySet {
  #files = new Map<string, FileRef>()
  #directories = new Set<string>()
  readonly #removed = new Set<string>()

  file(file: FileRef): void {
    this.#files.set(file.path, file)
  }

  directory(path: string): void {
    this.#directories.add(path)
  }

  /** A removed file has nothing to sync; its directory has. */
  forgetFile(path: string): void {
    this.#files.delete(path)
  }

  /** As `forgetFile`, for a file of a block that was removed: a checkpoint that runs may come to it yet. */
  removedFile(path: string): void {
    this.forgetFile(path)
    this.#removed.add(path)
  }

  wasRemoved(path: string): boolean {
    return this.#removed.has(path)
  }

  /** No checkpoint runs that began before these files were removed. */
  forgetRemoved(): void {
    this.#removed.clear()
  }

  /** Everything so far; new marks collect anew. */
  take(): { files: Map<string, FileRef>; directories: Set<string> } {
    const taken = { files: this.#files, directories: this.#directories }
    this.#files = new Map()
    this.#directories = new Set()
    return taken
  }
}
