/** What a file is for: decides under which name its syncs are measured. */
export type FileKind = 'log' | 'data' | 'wal' | 'descriptor' | 'index' | 'directory'

/** A file by path. Cheap, holds no handle; opening and closing handles is the implementation's business. */
export interface FileRef {
  readonly path: string
  readonly kind: FileKind
}

/** `bytes` at `atBytes` of `file`, which is created when it is missing (its directory must exist). */
export interface WriteOp {
  readonly file: FileRef
  readonly atBytes: number
  /** Must not change until the write has resolved. Best from `allocate`. */
  readonly bytes: Uint8Array
}

/** Told of every sync that reached the kernel, after it returned. */
export interface FileSystemObserver {
  synced(event: { kind: FileKind; durationMs: number }): void
}

export interface DirectoryItem {
  readonly name: string
  /** Of a symbolic link: what it points to is one, or cannot be looked at. */
  readonly isDirectory: boolean
  /**
   * Of a symbolic link to a directory: the way from the listed directory to it, links resolved (`../other`, empty for that
   * directory itself); `undefined` where it cannot be looked at.
   */
  readonly link?: { readonly to: string | undefined }
}

/** Held until `release`; a process that dies releases it. */
export interface DirectoryLock {
  release(): Promise<void>
}

/**
 * The disk as the engine sees it. Paths are absolute. Every method rejects with a `FileSystemError`.
 *
 * Contract of every implementation:
 *  - Resolving a write means the operating system has the bytes; only a sync makes them survive a power cut.
 *  - A name (create, rename, unlink, mkdir) survives a power cut only after `syncDirectories` with its directory.
 *  - A file with un-synced writes is never closed silently: a handle that is evicted is synced first, and a
 *    failure then rejects a later call. The caller treats any failed write or sync as the end of the store.
 *  - Writes handed over in one `writeSome` call are applied in order; two un-awaited calls for the same `lane` too.
 */
export interface FileSystem {
  /**
   * Buffer that `writeSome` takes without copying. Its content is undefined. What is written in large pieces that lie in
   * their page of memory as in that of the file (`pageGap`) may go past the page cache: cheaper, but not there to be read.
   */
  allocate(bytes: number): Uint8Array

  /**
   * Writes each op in order and says how many bytes of each were written. A count may be short (disk full, a
   * limit): ops after a short one are not tried and count 0. Use `writeAll`, which insists on every byte.
   * `lane` chooses the queue: `log` is never behind `projection`.
   */
  writeSome(lane: WriteLane, ops: readonly WriteOp[]): Promise<number[]>

  /**
   * `writeSome`, then, when every byte was written, `syncFiles` of the files written: one round trip instead of two.
   * With a short count nothing is synced. Use `writeAllAndSync`.
   */
  writeAndSync(lane: WriteLane, ops: readonly WriteOp[]): Promise<number[]>

  /** Makes all written bytes of these files durable (`fdatasync`), in parallel. A missing file is an error. */
  syncFiles(files: readonly FileRef[]): Promise<void>

  /** Makes the names in these directories durable (`fsync`), in parallel. */
  syncDirectories(paths: readonly string[]): Promise<void>

  /**
   * Up to `lengthBytes` from `atBytes`; shorter at the end of the file. `ERR_NOT_FOUND` when there is no file.
   * @param memory of `lengthBytes`; the result may be a view of it
   */
  read(path: string, atBytes: number, lengthBytes: number, memory?: Uint8Array): Promise<Uint8Array>

  /** For a file that is read in many parts. Nothing is opened before the first one. */
  openToRead(path: string): FileReader

  /** The whole file, `undefined` when it does not exist; `ERR_TOO_LONG`, and nothing is read, beyond `bytesMax`. */
  readFile(path: string, bytesMax?: number): Promise<Uint8Array | undefined>

  /** Size in bytes, `undefined` when it does not exist. */
  fileBytes(path: string): Promise<number | undefined>

  /** Sets the length; not durable before `syncFiles`. */
  truncate(file: FileRef, lengthBytes: number): Promise<void>

  /**
   * Replaces `toPath` atomically. Handles of both are dropped; un-synced bytes of the renamed file may stay un-synced.
   * `ERR_OTHER_VOLUME`, and nothing is changed, where both are not on one volume.
   */
  rename(fromPath: string, toPath: string): Promise<void>

  /** Missing file: no error. */
  unlink(path: string): Promise<void>

  /** One directory; no error when it exists. `ERR_WRONG_KIND` when something else is there. */
  makeDirectory(path: string): Promise<void>

  /** Removes a directory and everything below; no error when it does not exist. */
  removeTree(path: string): Promise<void>

  /** Sorted by name; `undefined` when it does not exist. */
  list(path: string): Promise<DirectoryItem[] | undefined>

  /** Bytes and inodes that this process may still use. */
  freeSpace(path: string): Promise<{ bytes: number; inodes: number }>

  /**
   * An exclusive lock on the file `path`, created when missing. `undefined` when another process holds it.
   * Freed by the kernel when the holder dies.
   */
  lock(path: string): Promise<DirectoryLock | undefined>

  /** Closes every handle, syncing none of them: whoever needs durability has synced. */
  close(): Promise<void>
}

/**
 * A file that is read again and again, as it was when it was first read; the operating system's limit of open files may
 * make it open the path anew. To be closed.
 */
export interface FileReader {
  /** Fills `memory` from `atBytes` on. @returns bytes read: fewer at the end of the file. `ERR_NOT_FOUND` without a file */
  read(atBytes: number, memory: Uint8Array): Promise<number>

  /** When what is being read has been read. */
  close(): Promise<void>
}

export type WriteLane = 'log' | 'projection'

export type FileSystemErrorCode =
  | 'ERR_NOT_FOUND'
  | 'ERR_NO_SPACE' // ENOSPC, EDQUOT, EFBIG
  | 'ERR_READ_ONLY' // EROFS, EACCES, EPERM
  | 'ERR_TOO_MANY_FILES' // EMFILE, ENFILE
  | 'ERR_TOO_LONG' // more than the caller wanted to read
  | 'ERR_WRONG_KIND' // EISDIR, ESPIPE: a directory or pipe instead of a file; anything instead of a directory to be made
  | 'ERR_OTHER_VOLUME' // EXDEV, EBUSY: a rename to another volume, or of what one is mounted on
  | 'ERR_UNSUPPORTED' // a file system or a setting that cannot keep the promises made here
  | 'ERR_IO' // everything else

/** A failed call, with the path and the call that failed; `cause` is the operating system's error. */
export class FileSystemError extends Error {
  override readonly name = 'FileSystemError'
  readonly code: FileSystemErrorCode
  readonly call: string
  readonly path: string

  constructor(code: FileSystemErrorCode, call: string, path: string, cause?: unknown) {
    super(`${call} ${path}: ${(cause as Partial<Error> | undefined)?.message ?? code}`, { cause })
    this.code = code
    this.call = call
    this.path = path
  }
}

/** Calls that only look, under the names that implementations give them. */
const READING_CALLS: ReadonlySet<string> = new Set(['read', 'list', 'stat', 'fileBytes'])

/**
 * Whether something that is there could not be read: bad sectors, no permission. Nothing was changed by it, and it says
 * nothing of other files; a process out of descriptors is no such thing.
 */
export function isReadFailure(error: unknown): error is FileSystemError {
  return (
    error instanceof FileSystemError &&
    READING_CALLS.has(error.call) &&
    (error.code === 'ERR_IO' || error.code === 'ERR_READ_ONLY' || error.code === 'ERR_WRONG_KIND')
  )
}
