import { closeSync, constants, fdatasync, ftruncateSync, openSync, writeSync, writevSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { FileSystemError, type FileKind } from '../file-system.ts'
import { PAGE_BYTES } from '../page.ts'
import { HandleCache, type Handle } from './handle-cache.ts'
import { errnoOf, fileSystemError } from './system-error.ts'
import {
  OP_FIELDS,
  type PathAndKind,
  type SyncedEvent,
  type WorkerError,
  type WorkerOptions,
  type WorkerReply,
  type WorkerRequest,
  type WriteRequest,
} from './worker-protocol.ts'

/**
 * Owns the writing handles of one lane. Writes are synchronous and therefore in the order of the messages; syncs of
 * several files run on the thread pool while later writes go on.
 */

/** Leaves threads of the pool (16 by default) for reads. */
const PARALLEL_SYNCS = 8
/** Below the kernel's limit of 1024 buffers a call. */
const BUFFERS_PER_WRITEV = 512

const port = parentPort
if (port === null) throw new Error('a disk worker runs in a worker thread')

let synced: SyncedEvent[] = []
const noteSync = (kind: FileKind, durationMs: number) => synced.push([kind, durationMs])
const handles = new HandleCache((workerData as WorkerOptions).handlesMax, noteSync)
let paths: PathAndKind[] = []

interface Outcome {
  readonly counts?: Float64Array | undefined
  readonly error?: unknown
}

function reply(id: number, { counts, error }: Outcome): void {
  const events = synced
  synced = []
  const message: WorkerReply = {
    id,
    counts,
    error: error === undefined ? undefined : describe(error),
    synced: events,
  }
  port?.postMessage(message)
}

function describe(error: unknown): WorkerError {
  const cause = error instanceof FileSystemError && error.cause instanceof Error ? error.cause : error
  return {
    call: error instanceof FileSystemError ? error.call : 'disk worker',
    path: error instanceof FileSystemError ? error.path : '',
    message: cause instanceof Error ? cause.message : String(cause),
    errno: errnoOf(cause),
  }
}

/** Returns the counts when one is short. */
function writeOps({ ops, buffers }: WriteRequest): Float64Array | undefined {
  const views = buffers.map((buffer) => new Uint8Array(buffer))
  const opCount = ops.length / OP_FIELDS
  const field = (op: number, index: number) => ops[op * OP_FIELDS + index] as number
  for (let first = 0; first < opCount;) {
    const [path, kind] = paths[field(first, 0)] as PathAndKind
    const handle = handles.open(path, kind, true)
    let end = first + 1
    let length = field(first, 4)
    const isDirect = field(first, 5) === 1
    while (
      !isDirect &&
      end < opCount &&
      field(end, 5) === 0 &&
      end - first < BUFFERS_PER_WRITEV &&
      field(end, 0) === field(first, 0) &&
      field(end, 1) === field(first, 1) + length
    ) {
      length += field(end, 4)
      end++
    }
    let written: number
    try {
      if (isDirect) {
        const start = field(first, 3)
        const bytes = (views[field(first, 2)] as Uint8Array).subarray(start, start + length)
        written = writeDirect(handle, bytes, field(first, 1))
      } else if (end - first === 1) {
        written = writeSync(
          handle.fd,
          views[field(first, 2)] as Uint8Array,
          field(first, 3),
          length,
          field(first, 1),
        )
      } else {
        const parts: Uint8Array[] = []
        for (let op = first; op < end; op++) {
          const start = field(op, 3)
          parts.push((views[field(op, 2)] as Uint8Array).subarray(start, start + field(op, 4)))
        }
        written = writevSync(handle.fd, parts, field(first, 1))
      }
    } catch (error) {
      throw fileSystemError('write', path, error)
    } finally {
      handle.writes++
    }
    if (written < length) return countsUpTo(ops, first, written)
    first = end
  }
  return undefined
}

/** Said by file systems that cannot write past the page cache, or not as we do. */
const REFUSALS: ReadonlySet<string | undefined> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'])
/** Once for the thread: a data directory is one file system. */
let isDirectRefused = false

/** Whole pages go straight to the disk, the rest of the first and of the last one through the page cache. */
function writeDirect({ fd, path }: Handle, bytes: Uint8Array, atBytes: number): number {
  const firstPage = Math.ceil(atBytes / PAGE_BYTES) * PAGE_BYTES - atBytes
  const lastPage = Math.floor((atBytes + bytes.byteLength) / PAGE_BYTES) * PAGE_BYTES - atBytes
  let at = 0
  for (const end of [firstPage, lastPage, bytes.byteLength]) {
    const isWhole = at === firstPage && end === lastPage
    if (end === at) continue
    const written = isWhole
      ? writePages(fd, path, bytes.subarray(at, end), atBytes + at)
      : writeSync(fd, bytes, at, end - at, atBytes + at)
    at += written
    if (at < end) return at
  }
  return at
}

function writePages(fd: number, path: string, pages: Uint8Array, atBytes: number): number {
  const direct = isDirectRefused ? undefined : openDirect(path)
  if (direct === undefined) return writeSync(fd, pages, 0, pages.byteLength, atBytes)
  try {
    return writeSync(direct, pages, 0, pages.byteLength, atBytes)
  } catch (error) {
    if (!REFUSALS.has(errnoOf(error))) throw error
    isDirectRefused = true
    return writeSync(fd, pages, 0, pages.byteLength, atBytes)
  } finally {
    closeSync(direct)
  }
}

/** For one write: what it fails with, the write through the page cache can say better. */
function openDirect(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_DIRECT)
  } catch (error) {
    isDirectRefused = REFUSALS.has(errnoOf(error))
    return undefined
  }
}

/** All ops before `first` whole, then `written` bytes, then nothing. */
function countsUpTo(ops: Float64Array, first: number, written: number): Float64Array {
  const counts = new Float64Array(ops.length / OP_FIELDS)
  let left = written
  for (let op = 0; op < counts.length; op++) {
    const length = ops[op * OP_FIELDS + 4] as number
    if (op < first) counts[op] = length
    else {
      counts[op] = Math.min(length, left)
      left -= counts[op] as number
    }
  }
  return counts
}

let running = 0
const waiting: (() => void)[] = []

async function syncInPool([path, kind]: PathAndKind): Promise<void> {
  if (running >= PARALLEL_SYNCS) await new Promise<void>((resolve) => waiting.push(resolve))
  else running++
  try {
    const handle = handles.peek(path)
    if (handle !== undefined) await syncHandle(handle, kind)
    else await syncUnopened(path, kind)
  } finally {
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }
}

async function syncHandle(handle: Handle, kind: FileKind): Promise<void> {
  const covered = handle.writes
  handle.pins++
  try {
    await syncDescriptor(handle.fd, handle.path, kind)
    handle.syncedWrites = Math.max(handle.syncedWrites, covered)
  } finally {
    handles.unpin(handle)
  }
}

async function syncUnopened(path: string, kind: FileKind): Promise<void> {
  let fd
  try {
    fd = openSync(path, constants.O_RDONLY)
  } catch (error) {
    throw fileSystemError('open', path, error)
  }
  try {
    await syncDescriptor(fd, path, kind)
  } finally {
    closeSync(fd)
  }
}

function syncDescriptor(fd: number, path: string, kind: FileKind): Promise<void> {
  const startMs = performance.now()
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => {
      if (error !== null) return reject(fileSystemError('fdatasync', path, error))
      noteSync(kind, performance.now() - startMs)
      resolve()
    })
  })
}

async function syncAll(files: readonly PathAndKind[]): Promise<void> {
  const [only] = files
  if (files.length === 1 && only !== undefined && only[1] === 'log') {
    const handle = handles.peek(only[0])
    // The log is the critical path: no detour through the pool, nothing else may be written meanwhile anyway.
    if (handle !== undefined) return handles.sync(handle)
  }
  const results = await Promise.allSettled(files.map(syncInPool))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

function writtenFiles(ops: Float64Array): PathAndKind[] {
  const files = new Set<PathAndKind>()
  for (let at = 0; at < ops.length; at += OP_FIELDS) files.add(paths[ops[at] as number] as PathAndKind)
  return [...files]
}

function handleWrite(request: WriteRequest): Promise<Outcome> | Outcome {
  if (request.forgetPaths) paths = []
  for (const path of request.paths) paths.push(path)
  const counts = writeOps(request)
  if (!request.sync || counts !== undefined) return { counts }
  return syncAll(writtenFiles(request.ops)).then(() => ({}))
}

function truncate([path, kind]: PathAndKind, lengthBytes: number): void {
  const handle = handles.open(path, kind, false)
  handle.writes++
  try {
    ftruncateSync(handle.fd, lengthBytes)
  } catch (error) {
    throw fileSystemError('truncate', path, error)
  }
}

function perform(request: WorkerRequest): Promise<Outcome> | Outcome {
  switch (request.call) {
    case 'write':
      return handleWrite(request)
    case 'sync':
      return syncAll(request.files).then(() => ({}))
    case 'release':
      for (const { path, sync } of request.released) handles.release(path, sync)
      return {}
    case 'truncate':
      truncate(request.file, request.lengthBytes)
      return {}
    case 'close':
      handles.closeAll()
      return {}
  }
}

port.on('message', (request: WorkerRequest) => {
  try {
    const outcome = perform(request)
    if (outcome instanceof Promise) {
      outcome.then(
        (done) => reply(request.id, done),
        (error: unknown) => reply(request.id, { error }),
      )
    } else {
      reply(request.id, outcome)
    }
  } catch (error) {
    reply(request.id, { error })
  }
  if (request.call === 'close') port.close()
})
