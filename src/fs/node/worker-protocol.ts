import type { FileKind } from '../file-system.ts'

/**
 * What the engine's thread and a disk worker say to each other. A call may hold thousands of ops, so paths are
 * numbers that the worker learns once, and ops are packed.
 */
export interface WriteRequest {
  readonly call: 'write'
  readonly id: number
  /** Forget every path learned before. */
  readonly forgetPaths: boolean
  /** New paths; their numbers go on from the ones known. */
  readonly paths: readonly PathAndKind[]
  /** `OP_FIELDS` numbers an op: path, atBytes, buffer, start in the buffer, length, 1 to bypass the page cache. */
  readonly ops: Float64Array
  readonly buffers: readonly (SharedArrayBuffer | ArrayBuffer)[]
  /** Sync the files written, when every byte was. */
  readonly sync: boolean
}

interface SyncRequest {
  readonly call: 'sync'
  readonly id: number
  readonly files: readonly PathAndKind[]
}

/** Drops the handle of each path, or, when it is a directory, those of everything below it. */
interface ReleaseRequest {
  readonly call: 'release'
  readonly id: number
  readonly released: readonly Released[]
}

export interface Released {
  readonly path: string
  /** Sync what has un-synced writes first; false when the file goes away. */
  readonly sync: boolean
}

interface TruncateRequest {
  readonly call: 'truncate'
  readonly id: number
  readonly file: PathAndKind
  readonly lengthBytes: number
}

interface CloseRequest {
  readonly call: 'close'
  readonly id: number
}

export type WorkerRequest = WriteRequest | SyncRequest | ReleaseRequest | TruncateRequest | CloseRequest

export type PathAndKind = readonly [path: string, kind: FileKind]

export interface WorkerReply {
  readonly id: number
  /** Written bytes an op; undefined when every op was written whole, or on an error. */
  readonly counts: Float64Array | undefined
  readonly error: WorkerError | undefined
  /** Syncs that returned since the last reply: the call's own, and those of evicted handles. */
  readonly synced: readonly SyncedEvent[]
}

export interface WorkerError {
  readonly call: string
  readonly path: string
  readonly message: string
  readonly errno: string | undefined
}

export type SyncedEvent = readonly [kind: FileKind, durationMs: number]

export interface WorkerOptions {
  readonly handlesMax: number
}

export const OP_FIELDS = 6
