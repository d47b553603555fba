import { closeSync, constants, fdatasyncSync, lstatSync, openSync } from 'node:fs'
import type { FileKind } from '../file-system.ts'
import { errnoOf, fileSystemError } from './system-error.ts'

const FILE_MODE = 0o644
/** How many of the oldest handles are looked through for one that needs no sync. */
const EVICTION_SCAN = 32

export interface Handle {
  path: string
  readonly kind: FileKind
  readonly fd: number
  /** Grows with each write, so that a sync knows whether it covered the last one. */
  writes: number
  syncedWrites: number
  /** Calls under way on the thread pool; the descriptor stays open until they are done. */
  pins: number
  dropped: boolean
}

/**
 * Open files by path, the least recently used one evicted at the limit.
 *
 * Invariant: a handle with un-synced writes is closed only after `fdatasync`, unless its file goes away; an error
 * of that sync is thrown to whoever needed the room. Pinned handles are never evicted, so the limit may be passed by
 * their number.
 */
export class HandleCache {
  readonly #handles = new Map<string, Handle>()
  readonly #handlesMax: number
  readonly #synced: (kind: FileKind, durationMs: number) => void

  constructor(handlesMax: number, synced: (kind: FileKind, durationMs: number) => void) {
    this.#handlesMax = Math.max(1, handlesMax)
    this.#synced = synced
  }

  /** The open file, or undefined; does not count as use. */
  peek(path: string): Handle | undefined {
    return this.#handles.get(path)
  }

  /** Opens the file, or finds it open. `create` makes it when it is missing. */
  open(path: string, kind: FileKind, create: boolean): Handle {
    const known = this.#handles.get(path)
    if (known !== undefined) {
      this.#handles.delete(path)
      this.#handles.set(path, known)
      return known
    }
    while (this.#handles.size >= this.#handlesMax && this.#evictOne());
    const flags = constants.O_RDWR | (create ? constants.O_CREAT : 0)
    const fd = this.#openDescriptor(path, flags)
    const handle = { path, kind, fd, writes: 0, syncedWrites: 0, pins: 0, dropped: false }
    this.#handles.set(path, handle)
    return handle
  }

  sync(handle: Handle): void {
    const covered = handle.writes
    const startMs = performance.now()
    try {
      fdatasyncSync(handle.fd)
    } catch (error) {
      throw fileSystemError('fdatasync', handle.path, error)
    }
    this.#synced(handle.kind, performance.now() - startMs)
    handle.syncedWrites = Math.max(handle.syncedWrites, covered)
  }

  unpin(handle: Handle): void {
    handle.pins--
    if (handle.dropped && handle.pins === 0) closeSync(handle.fd)
  }

  /** Closes `path`, or everything below it when it is a directory. */
  release(path: string, sync: boolean): void {
    const found: Handle[] = []
    const exact = this.#handles.get(path)
    if (exact !== undefined) found.push(exact)
    else if (this.#handles.size > 0 && isDirectory(path)) {
      const below = `${path}/`
      for (const handle of this.#handles.values()) if (handle.path.startsWith(below)) found.push(handle)
    }
    for (const handle of found) {
      if (sync && handle.writes !== handle.syncedWrites) this.sync(handle)
      this.#drop(handle)
    }
  }

  /** Closes every handle, syncing none. */
  closeAll(): void {
    for (const handle of [...this.#handles.values()]) this.#drop(handle)
  }

  /** A limit on descriptors that is lower than expected shrinks the cache instead of failing the write. */
  #openDescriptor(path: string, flags: number): number {
    for (;;) {
      try {
        return openSync(path, flags, FILE_MODE)
      } catch (error) {
        if (errnoOf(error) !== 'EMFILE' || !this.#evictOne()) throw fileSystemError('open', path, error)
      }
    }
  }

  #evictOne(): boolean {
    let oldest: Handle | undefined
    let scanned = 0
    for (const handle of this.#handles.values()) {
      if (handle.pins > 0) continue
      if (handle.writes === handle.syncedWrites) {
        this.#drop(handle)
        return true
      }
      oldest ??= handle
      if (++scanned >= EVICTION_SCAN) break
    }
    if (oldest === undefined) return false
    this.sync(oldest)
    this.#drop(oldest)
    return true
  }

  #drop(handle: Handle): void {
    this.#handles.delete(handle.path)
    handle.dropped = true
    if (handle.pins === 0) closeSync(handle.fd)
  }
}

function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
