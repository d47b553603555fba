import { close, closeSync, constants, fstatSync, fsync, open as openFile } from 'node:fs'
import { mkdir, readdir, realpath, rename, rm, stat, statfs, unlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { tryLock } from 'fs-native-extensions'
import {
  FileSystemError,
  type DirectoryItem,
  type DirectoryLock,
  type FileReader,
  type FileRef,
  type FileSystem,
  type FileSystemObserver,
  type WriteLane,
  type WriteOp,
} from '../file-system.ts'
import { defaultHandlesMax } from './descriptor-limit.ts'
import { Lane } from './lane.ts'
import { NodeReaders, READ_FLAGS, readFully } from './node-readers.ts'
import type { Released } from './worker-protocol.ts'
import { SharedSlab } from './shared-slab.ts'
import { errnoOf, fileSystemError, isMissing } from './system-error.ts'

const openDescriptor = promisify(openFile)
const closeDescriptor = promisify(close)
const syncDescriptor = promisify(fsync)

const FILE_MODE = 0o644
/** One call reads no more. */
const WHOLE_FILE_BYTES_MAX = 0x7fff_ffff
const PARALLEL_DIRECTORY_SYNCS = 8
const LOG_HANDLES_MAX = 256

/** File systems whose locks or syncs do not hold what we promise, by `f_type` of statfs. */
const refusedTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
])

export interface NodeFileSystemOptions {
  /** Files each writer may hold open; default from `RLIMIT_NOFILE`. */
  readonly handlesMax?: number
  readonly observer?: FileSystemObserver
}

/**
 * The real disk. Two worker threads write, one a lane, with synchronous calls at explicit positions; each owns the
 * handles it writes through. Reading, names and directory syncs run on the thread pool.
 */
export class NodeFileSystem implements FileSystem {
  readonly #lanes: Readonly<Record<WriteLane, Lane>>
  readonly #observer: FileSystemObserver | undefined
  readonly #slab = new SharedSlab()
  readonly #readers = new NodeReaders()
  readonly #locks = new Set<DirectoryLock>()
  #writes = 0
  #closed: Promise<void> | undefined

  private constructor(options: NodeFileSystemOptions) {
    const handlesMax = options.handlesMax ?? defaultHandlesMax()
    this.#observer = options.observer
    this.#lanes = {
      log: new Lane('sediment-log', Math.min(handlesMax, LOG_HANDLES_MAX), options.observer),
      projection: new Lane('sediment-projection', handlesMax, options.observer),
    }
  }

  /** @throws {FileSystemError} `ERR_UNSUPPORTED` when libuv was told to use io_uring, which breaks the order of writes. */
  static async open(options: NodeFileSystemOptions = {}): Promise<NodeFileSystem> {
    const uring = process.env['UV_USE_IO_URING']
    if (uring !== undefined && uring !== '0') {
      const why = new Error('writes would bypass the order and the errors that durability needs; unset it')
      throw new FileSystemError('ERR_UNSUPPORTED', 'environment', 'UV_USE_IO_URING', why)
    }
    const fs = new NodeFileSystem(options)
    await settleAll([fs.#lanes.log.sync([]), fs.#lanes.projection.sync([])])
    return fs
  }

  allocate(bytes: number): Uint8Array {
    return this.#slab.allocate(bytes)
  }

  writeSome(lane: WriteLane, ops: readonly WriteOp[]): Promise<number[]> {
    return this.#lanes[lane].write(ops, false, ++this.#writes)
  }

  writeAndSync(lane: WriteLane, ops: readonly WriteOp[]): Promise<number[]> {
    return this.#lanes[lane].write(ops, true, ++this.#writes)
  }

  async syncFiles(files: readonly FileRef[]): Promise<void> {
    const byLane = new Map<Lane, FileRef[]>()
    for (const file of files) {
      const lane = this.#laneOf(file.path)
      const list = byLane.get(lane)
      if (list === undefined) byLane.set(lane, [file])
      else list.push(file)
    }
    await settleAll([...byLane].map(([lane, list]) => lane.sync(list)))
  }

  async syncDirectories(paths: readonly string[]): Promise<void> {
    const queue = [...paths]
    const work = async () => {
      for (let path = queue.pop(); path !== undefined; path = queue.pop()) await this.#syncDirectory(path)
    }
    await settleAll(Array.from({ length: Math.min(PARALLEL_DIRECTORY_SYNCS, queue.length) }, work))
  }

  async read(path: string, atBytes: number, lengthBytes: number, memory?: Uint8Array): Promise<Uint8Array> {
    return calling('read', path, () =>
      withDescriptor(path, READ_FLAGS, async (fd) => {
        const bytes = memory ?? new Uint8Array(lengthBytes)
        return bytes.subarray(0, await readFully(fd, atBytes, bytes))
      }),
    )
  }

  openToRead(path: string): FileReader {
    return this.#readers.open(path)
  }

  async readFile(path: string, bytesMax = Infinity): Promise<Uint8Array | undefined> {
    return unlessMissing('read', path, () =>
      withDescriptor(path, READ_FLAGS, async (fd) => {
        const stats = fstatSync(fd)
        if (!stats.isFile())
          throw new FileSystemError('ERR_WRONG_KIND', 'read', path, new Error('it is not a file'))
        if (stats.size > bytesMax) throw new FileSystemError('ERR_TOO_LONG', 'read', path)
        if (stats.size > WHOLE_FILE_BYTES_MAX) throw new Error(`its ${stats.size} bytes are too many`)
        const bytes = Buffer.allocUnsafeSlow(stats.size)
        const readBytes = await readFully(fd, 0, bytes)
        return new Uint8Array(bytes.buffer, bytes.byteOffset, readBytes)
      }),
    )
  }

  async fileBytes(path: string): Promise<number | undefined> {
    return unlessMissing('stat', path, async () => (await stat(path)).size)
  }

  truncate(file: FileRef, lengthBytes: number): Promise<void> {
    return this.#laneOf(file.path).truncate(file, lengthBytes)
  }

  async rename(fromPath: string, toPath: string): Promise<void> {
    await this.#release([
      { path: fromPath, sync: true },
      { path: toPath, sync: false },
    ])
    await calling('rename', fromPath, () => rename(fromPath, toPath))
  }

  async unlink(path: string): Promise<void> {
    await this.#release([{ path, sync: false }])
    await unlessMissing('unlink', path, () => unlink(path))
  }

  async makeDirectory(path: string): Promise<void> {
    await calling('mkdir', path, async () => {
      try {
        await mkdir(path)
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error
        if (await leadsToDirectory(path)) return
        throw new FileSystemError('ERR_WRONG_KIND', 'mkdir', path, new Error('it is there, and no directory'))
      }
    })
  }

  async removeTree(path: string): Promise<void> {
    await this.#release([{ path, sync: false }])
    await calling('remove', path, () => rm(path, { recursive: true, force: true }))
  }

  async list(path: string): Promise<DirectoryItem[] | undefined> {
    return unlessMissing('list', path, async () => {
      const items: DirectoryItem[] = []
      for (const item of await readdir(path, { withFileTypes: true }))
        items.push(
          item.isSymbolicLink()
            ? await linkItem(path, item.name)
            : { name: item.name, isDirectory: item.isDirectory() },
        )
      return items.sort((left, right) => (left.name < right.name ? -1 : 1))
    })
  }

  async freeSpace(path: string): Promise<{ bytes: number; inodes: number }> {
    const { bavail, bsize, files, ffree } = await calling('statfs', path, () => statfs(path))
    // A file system without a table of inodes (btrfs) reports 0 of 0.
    return { bytes: bavail * bsize, inodes: files === 0 ? Number.MAX_SAFE_INTEGER : ffree }
  }

  /** @throws {FileSystemError} `ERR_UNSUPPORTED` on NFS and CIFS, where the lock would not keep other hosts out. */
  async lock(path: string): Promise<DirectoryLock | undefined> {
    return calling('lock', path, async () => {
      const { type } = await statfs(dirname(path))
      const refused = refusedTypes.get(type)
      if (refused !== undefined) {
        const why = new Error(
          `${refused} is not supported: its locks and syncs cannot be trusted; use a local volume`,
        )
        throw new FileSystemError('ERR_UNSUPPORTED', 'lock', path, why)
      }
      const fd = await openDescriptor(path, constants.O_RDWR | constants.O_CREAT, FILE_MODE)
      let locked = false
      try {
        locked = tryLock(fd)
      } finally {
        if (!locked) await closeDescriptor(fd)
      }
      if (!locked) return undefined
      const lock: DirectoryLock = {
        release: async () => {
          if (this.#locks.delete(lock)) await closeDescriptor(fd)
        },
      }
      this.#locks.add(lock)
      return lock
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await settleAll([this.#lanes.log.close(), this.#lanes.projection.close()])
    for (const lock of [...this.#locks]) await lock.release()
  }

  /** The lane that wrote the file last: its handle sees every error of writing back. */
  #laneOf(path: string): Lane {
    const { log, projection } = this.#lanes
    return log.lastWrite(path) > projection.lastWrite(path) ? log : projection
  }

  async #release(released: readonly Released[]): Promise<void> {
    await settleAll([this.#lanes.log.release(released), this.#lanes.projection.release(released)])
  }

  async #syncDirectory(path: string): Promise<void> {
    await calling('fsync', path, () =>
      withDescriptor(path, constants.O_RDONLY | constants.O_DIRECTORY, async (fd) => {
        const startMs = performance.now()
        await syncDescriptor(fd)
        this.#observer?.synced({ kind: 'directory', durationMs: performance.now() - startMs })
      }),
    )
  }
}

async function leadsToDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    // A link that leads nowhere.
    if (isMissing(error)) return false
    throw error
  }
}

/** A link that leads nowhere, or to itself, is no directory. */
async function linkItem(directory: string, name: string): Promise<DirectoryItem> {
  const path = join(directory, name)
  try {
    if (!(await stat(path)).isDirectory()) return { name, isDirectory: false }
    return {
      name,
      isDirectory: true,
      link: { to: relative(await realpath(directory), await realpath(path)) },
    }
  } catch (error) {
    if (isMissing(error) || errnoOf(error) === 'ELOOP') return { name, isDirectory: false }
    return { name, isDirectory: true, link: { to: undefined } }
  }
}

/**
 * For reading. What an open file is asked without touching the disk is asked at once: each call on the thread pool costs more
 * than that, and a start reads many small files.
 */
async function withDescriptor<T>(path: string, flags: number, use: (fd: number) => Promise<T>): Promise<T> {
  const fd = await openDescriptor(path, flags)
  try {
    return await use(fd)
  } finally {
    closeSync(fd)
  }
}

async function calling<T>(call: string, path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw fileSystemError(call, path, error)
  }
}

async function unlessMissing<T>(call: string, path: string, act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (error) {
    if (isMissing(error)) return undefined
    throw fileSystemError(call, path, error)
  }
}

/** Waits for all, then throws the first error: nothing goes on behind the back of a caller who saw a failure. */
async function settleAll(calls: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(calls)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
