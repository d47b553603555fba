import {
  FileSystemError,
  type DirectoryItem,
  type DirectoryLock,
  type FileReader,
  type FileRef,
  type FileSystem,
  type WriteLane,
  type WriteOp,
} from '../fs/file-system.ts'
import { isOtherVolume } from '../fs/move-file.ts'

/**
 * The file system of an open store. The first change that fails closes it: every later one is refused with the same
 * error, whoever asks. What is on disk is not known any more, and a checkpoint written now would vouch for it.
 * Reads go on.
 */
export class WriteGate implements FileSystem {
  readonly #fs: FileSystem
  #changes = 0
  #failure: { cause: unknown } | undefined
  /** Called once, at the first failure, before its caller sees it. */
  onFailure: ((cause: unknown) => void) | undefined

  constructor(fs: FileSystem) {
    this.#fs = fs
  }

  /** How many changes have come through: it rises while the store works, and not while the disk hangs. */
  get changes(): number {
    return this.#changes
  }

  /** Refuses every change from now on. */
  stop(cause: unknown): void {
    this.#failure ??= { cause }
  }

  close(): Promise<void> {
    return this.#fs.close()
  }

  allocate(bytes: number): Uint8Array {
    return this.#fs.allocate(bytes)
  }

  writeSome(lane: WriteLane, ops: readonly WriteOp[]): Promise<number[]> {
    return this.#change(() => this.#fs.writeSome(lane, ops))
  }

  writeAndSync(lane: WriteLane, ops: readonly WriteOp[]): Promise<number[]> {
    return this.#change(() => this.#fs.writeAndSync(lane, ops))
  }

  syncFiles(files: readonly FileRef[]): Promise<void> {
    return this.#change(() => this.#fs.syncFiles(files))
  }

  syncDirectories(paths: readonly string[]): Promise<void> {
    return this.#change(() => this.#fs.syncDirectories(paths))
  }

  truncate(file: FileRef, lengthBytes: number): Promise<void> {
    return this.#change(() => this.#fs.truncate(file, lengthBytes))
  }

  rename(fromPath: string, toPath: string): Promise<void> {
    return this.#change(() => this.#fs.rename(fromPath, toPath))
  }

  unlink(path: string): Promise<void> {
    return this.#change(() => this.#fs.unlink(path))
  }

  makeDirectory(path: string): Promise<void> {
    return this.#change(() => this.#fs.makeDirectory(path))
  }

  removeTree(path: string): Promise<void> {
    return this.#change(() => this.#fs.removeTree(path))
  }

  read(path: string, atBytes: number, lengthBytes: number, memory?: Uint8Array): Promise<Uint8Array> {
    return this.#fs.read(path, atBytes, lengthBytes, memory)
  }

  openToRead(path: string): FileReader {
    return this.#fs.openToRead(path)
  }

  readFile(path: string, bytesMax?: number): Promise<Uint8Array | undefined> {
    return this.#fs.readFile(path, bytesMax)
  }

  fileBytes(path: string): Promise<number | undefined> {
    return this.#fs.fileBytes(path)
  }

  list(path: string): Promise<DirectoryItem[] | undefined> {
    return this.#fs.list(path)
  }

  freeSpace(path: string): Promise<{ bytes: number; inodes: number }> {
    return this.#fs.freeSpace(path)
  }

  lock(path: string): Promise<DirectoryLock | undefined> {
    return this.#fs.lock(path)
  }

  async #change<T>(change: () => Promise<T>): Promise<T> {
    this.#requireOpen()
    let result: T
    try {
      result = await change()
      this.#changes += 1
    } catch (cause) {
      if (!isAnswer(cause) && this.#failure === undefined) {
        this.#failure = { cause }
        this.onFailure?.(cause)
      }
      throw cause
    }
    // Meanwhile another change may have failed: nobody goes on from here.
    this.#requireOpen()
    return result
  }

  #requireOpen(): void {
    if (this.#failure === undefined) return
    const { cause } = this.#failure
    throw cause instanceof Error ? cause : new Error(String(cause))
  }
}

/** That a file is gone, or cannot be renamed to another volume, is an answer, not a failure of the disk. */
function isAnswer(cause: unknown): boolean {
  return cause instanceof FileSystemError && (cause.code === 'ERR_NOT_FOUND' || isOtherVolume(cause))
}
