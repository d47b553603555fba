import type { Worker } from 'node:worker_threads'
import {
  FileSystemError,
  type FileKind,
  type FileRef,
  type FileSystemObserver,
  type WriteOp,
} from '../file-system.ts'
import { isAligned } from './aligned-memory.ts'
import { spawnDiskWorker } from './spawn-worker.ts'
import { fileSystemError } from './system-error.ts'
import {
  OP_FIELDS,
  type PathAndKind,
  type Released,
  type WorkerError,
  type WorkerReply,
  type WorkerRequest,
} from './worker-protocol.ts'

/** Beyond this many known paths both sides forget them all and learn anew. */
const PATHS_MAX = 65_536

/** Smaller writes go through the page cache: what it gathers is cheaper than a request each. */
const DIRECT_BYTES_MIN = 64 * 1024

interface Pending {
  resolve(reply: WorkerReply): void
  reject(error: FileSystemError): void
}

/** The engine's side of one disk worker: its messages are handled in the order of the calls. */
export class Lane {
  readonly #worker: Worker
  readonly #observer: FileSystemObserver | undefined
  readonly #pending = new Map<number, Pending>()
  #paths = new Map<string, { readonly number: number; lastWrite: number }>()
  #newPaths: PathAndKind[] = []
  #lastId = 0
  #dead: FileSystemError | undefined

  constructor(name: string, handlesMax: number, observer: FileSystemObserver | undefined) {
    this.#observer = observer
    this.#worker = spawnDiskWorker(name, { handlesMax })
    this.#worker.unref()
    this.#worker.on('message', (reply: WorkerReply) => this.#receive(reply))
    this.#worker.on('error', (error) => this.#die(fileSystemError('disk worker', name, error)))
    this.#worker.on('exit', () =>
      this.#die(new FileSystemError('ERR_IO', 'disk worker', name, new Error('is closed'))),
    )
  }

  /** When the file was last written here, in the order given by `sequence` of `write`; 0 for never. */
  lastWrite(path: string): number {
    return this.#paths.get(path)?.lastWrite ?? 0
  }

  /** Written bytes an op; `sync` also makes them durable when all were written. */
  async write(ops: readonly WriteOp[], sync: boolean, sequence: number): Promise<number[]> {
    if (ops.length === 0) return []
    const forgetPaths = this.#paths.size > PATHS_MAX
    if (forgetPaths) this.#paths.clear()
    const packed = new Float64Array(ops.length * OP_FIELDS)
    const buffers: (SharedArrayBuffer | ArrayBuffer)[] = []
    const bufferNumbers = new Map<ArrayBufferLike, number>()
    const isPrivate = ({ bytes }: WriteOp): boolean => !(bytes.buffer instanceof SharedArrayBuffer)
    const copiedBytes = ops.reduce((sum, op) => sum + (isPrivate(op) ? op.bytes.byteLength : 0), 0)
    // Also for empty private ops: they need a buffer to name.
    const copies = ops.some(isPrivate) ? new Uint8Array(copiedBytes) : undefined
    if (copies !== undefined) buffers.push(copies.buffer)
    let copied = 0

    for (const [index, { file, atBytes, bytes }] of ops.entries()) {
      let buffer = 0
      let start = bytes.byteOffset
      const isDirect = bytes.byteLength >= DIRECT_BYTES_MIN && isAligned(bytes, atBytes)
      if (bytes.buffer instanceof SharedArrayBuffer) {
        const known = bufferNumbers.get(bytes.buffer)
        buffer = known ?? buffers.push(bytes.buffer) - 1
        if (known === undefined) bufferNumbers.set(bytes.buffer, buffer)
      } else {
        copies?.set(bytes, copied)
        start = copied
        copied += bytes.byteLength
      }
      packed.set(
        [this.#numberOf(file, sequence), atBytes, buffer, start, bytes.byteLength, isDirect ? 1 : 0],
        index * OP_FIELDS,
      )
    }
    const paths = this.#newPaths
    this.#newPaths = []
    const transfer = copies === undefined ? [packed.buffer] : [packed.buffer, copies.buffer]
    const request = { call: 'write', forgetPaths, paths, ops: packed, buffers, sync } as const
    const reply = await this.#ask((id) => ({ ...request, id }), transfer)
    return reply.counts === undefined ? ops.map((op) => op.bytes.byteLength) : [...reply.counts]
  }

  async sync(files: readonly FileRef[]): Promise<void> {
    const named = files.map((file): PathAndKind => [file.path, file.kind])
    await this.#ask((id) => ({ call: 'sync', id, files: named }))
  }

  /** Drops the handles of files, or those below directories, after syncing un-synced writes if asked. */
  async release(released: readonly Released[]): Promise<void> {
    await this.#ask((id) => ({ call: 'release', id, released }))
  }

  async truncate(file: FileRef, lengthBytes: number): Promise<void> {
    await this.#ask((id) => ({ call: 'truncate', id, file: [file.path, file.kind], lengthBytes }))
  }

  async close(): Promise<void> {
    if (this.#dead !== undefined) return
    const exited = new Promise((resolve) => this.#worker.once('exit', resolve))
    await this.#ask((id) => ({ call: 'close', id }))
    this.#worker.ref()
    await exited
  }

  #numberOf(file: FileRef, sequence: number): number {
    let known = this.#paths.get(file.path)
    if (known === undefined) {
      known = { number: this.#paths.size, lastWrite: sequence }
      this.#paths.set(file.path, known)
      this.#newPaths.push([file.path, file.kind])
    }
    known.lastWrite = sequence
    return known.number
  }

  #ask(request: (id: number) => WorkerRequest, transfer: ArrayBuffer[] = []): Promise<WorkerReply> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead)
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) this.#worker.ref()
      this.#pending.set(id, { resolve, reject })
      this.#worker.postMessage(request(id), transfer)
    })
  }

  #receive(reply: WorkerReply): void {
    for (const [kind, durationMs] of reply.synced) this.#report(kind, durationMs)
    const pending = this.#pending.get(reply.id)
    this.#pending.delete(reply.id)
    if (this.#pending.size === 0) this.#worker.unref()
    if (reply.error === undefined) pending?.resolve(reply)
    else pending?.reject(rebuild(reply.error))
  }

  #report(kind: FileKind, durationMs: number): void {
    this.#observer?.synced({ kind, durationMs })
  }

  #die(error: FileSystemError): void {
    this.#dead ??= error
    for (const pending of this.#pending.values()) pending.reject(this.#dead)
    this.#pending.clear()
  }
}

function rebuild({ call, path, message, errno }: WorkerError): FileSystemError {
  const cause = new Error(message)
  return fileSystemError(call, path, errno === undefined ? cause : Object.assign(cause, { code: errno }))
}
