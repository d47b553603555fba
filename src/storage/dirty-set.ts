import type { FileRef } from '../fs/file-system.ts'

/** Files with un-synced writes and directories with un-synced names: what the next checkpoint must make durable. */
export class DirtySet {
  #files = new Map<string, FileRef>()
  #directories = new Set<string>()

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

  /** Everything so far; new marks collect anew. */
  take(): { files: Map<string, FileRef>; directories: Set<string> } {
    const taken = { files: this.#files, directories: this.#directories }
    this.#files = new Map()
    this.#directories = new Set()
    return taken
  }
}
