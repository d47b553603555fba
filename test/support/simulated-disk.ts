import { createHash } from 'node:crypto'
import {
  FileSystemError,
  type DirectoryItem,
  type DirectoryLock,
  type FileRef,
  type FileReader,
  type FileSystem,
  type FileSystemErrorCode,
  type FileSystemObserver,
  type FileKind,
  type WriteLane,
  type WriteOp,
} from '../../src/fs/file-system.ts'
import { coveredBySync, makeDurable, survivingNames } from './disk/names.ts'
import type { DirectoryNode, FileNode, NameChange, Node, Place } from './disk/names.ts'
import { PagedBytes } from './disk/paged-bytes.ts'
import { applyChange, contentAfterCut } from './disk/power-cut.ts'
import type { DataLoss, NameLoss } from './disk/power-cut.ts'
import { Scheduler, type Job, type Lane } from './disk/scheduler.ts'
import { Random } from './random.ts'

const ROOT = 1
const KERNEL_PAGE_BYTES = 4096
/** Of new memory: nobody may take it for zeros, and a store takes 16 MiB of it, of which a test fills a little. */
const POISONED_BYTES = 256 * 1024

/** Calls that change the disk: each is one operation, one crash point. */
export type OperationCall =
  | 'create'
  | 'write'
  | 'sync'
  | 'syncDirectory'
  | 'truncate'
  | 'rename'
  | 'unlink'
  | 'makeDirectory'
  | 'removeDirectory'

/** Calls that `failNext` knows. */
export type FailingCall = OperationCall | 'read' | 'fileBytes' | 'list' | 'lock' | 'freeSpace'

export interface Failure {
  /** Only files of this kind. */
  readonly kind?: FileKind
  /** Only this path, or paths that match. */
  readonly path?: string | RegExp
  /** Default `ERR_IO`. */
  readonly code?: FileSystemErrorCode
  /** Fail the n-th matching call from now on; default the next. */
  readonly nth?: number
  /** How many matching calls fail from there; default 1. `Infinity` for a lasting error. */
  readonly times?: number
  /** A failing sync only: what of the un-synced changes reached the medium all the same. Default `nothing`. */
  readonly kept?: DataLoss
}

export interface PowerCutOptions {
  /** Default: from the disk's own generator. */
  readonly seed?: number
  /** Default: chosen by the seed, for all files alike or for each of them. */
  readonly data?: DataLoss
  /** Default: chosen by the seed, for all directories alike or for each of them. */
  readonly names?: NameLoss
  /** Probability that the written bytes of a soup sector are garbage. Default 0.05. */
  readonly garbage?: number
}

/** What was at stake in a power cut: for coverage counters. */
export interface PowerCut {
  readonly seed: number
  readonly filesPending: number
  readonly changesPending: number
  readonly namesPending: number
  readonly namesKept: number
  readonly data: Readonly<Record<DataLoss, number>>
}

export interface SimulatedDiskOptions {
  readonly seed?: number
  /**
   * What calls of a killed process do. `reject` (default): with `ProcessKilled`, so that a driver's await ends.
   * `hang`: never settle, as nothing runs after a real kill.
   */
  readonly afterKill?: 'reject' | 'hang'
  readonly observer?: FileSystemObserver
}

/** The process that made the call is dead: nothing it does from here on has any effect. */
export class ProcessKilled extends Error {
  override readonly name = 'ProcessKilled'
}

interface ShortWrite {
  readonly kind: FileKind | undefined
  readonly bytes: number | undefined
  skip: number
  left: number
}

interface Armed extends Failure {
  readonly call: FailingCall
  skip: number
  left: number
}

/**
 * A disk in memory that forgets like a real one. A write is in the *cache* (seen by every reader, survives
 * `killProcess`) until a sync moves it to the *medium* (survives `cutPower`); names are durable only after
 * `syncDirectory`. All decisions come from the seed; concurrent calls complete in a seeded order.
 *
 *     const disk = new SimulatedDisk({ seed })
 *     disk.crashAt(17)
 *     await workload(disk.fs).catch(() => {})
 *     for (const seed of seeds) {
 *       const image = disk.fork()
 *       image.cutPower({ seed })
 *       await recover(image.fs)
 *     }
 */
export class SimulatedDisk {
  /** State-changing calls so far, the one just about to happen included. */
  operations = 0
  /** Calls that `failNext` or `shortWriteNext` made fail so far. */
  failures = 0
  /** Called before every state-changing operation; may call `fork`, `killProcess`, `cutPower`. */
  onOperation: ((call: OperationCall, path: string, operation: number) => void) | undefined
  /** Called with every sync that is about to return successfully. */
  observer: FileSystemObserver | undefined
  /** What is below this directory lies on a volume of its own, as behind a symbolic link: nothing is renamed across. */
  otherVolume: string | undefined
  readonly seed: number

  #random: Random
  readonly #afterKill: 'reject' | 'hang'
  readonly #scheduler: Scheduler
  #nodes = new Map<number, Node>()
  #names: NameChange[] = []
  #lastNode = ROOT
  #sequence = 0
  #processes = new Set<SimulatedProcess>()
  #current: SimulatedProcess
  #locks = new Map<string, object>()
  #armed: Armed[] = []
  #shortWrites: ShortWrite[] = []
  #crashAt: number | undefined
  #freeBytes = Number.MAX_SAFE_INTEGER
  #freeInodes = 1_000_000
  /** Writes a part of the write that is just being done: set while the hook of a write runs. */
  #tear: (() => void) | undefined

  constructor(options: SimulatedDiskOptions = {}) {
    this.seed = options.seed ?? 1
    this.#random = new Random(this.seed)
    this.#afterKill = options.afterKill ?? 'reject'
    this.observer = options.observer
    this.#scheduler = new Scheduler(new Random(this.#random.seed()))
    this.#nodes.set(ROOT, newDirectory(ROOT))
    this.#current = this.attach()
  }

  /** The file system of the current process. */
  get fs(): FileSystem {
    return this.#current
  }

  /** A further process on the same disk, beside the others. */
  attach(): SimulatedProcess {
    const process = new SimulatedProcess(
      this,
      this.#scheduler,
      this.#afterKill,
      new Random(this.#random.seed()),
    )
    this.#processes.add(process)
    this.#current ??= process
    return process
  }

  /** Kills what still runs and starts a process on what it left. */
  restart(): FileSystem {
    this.killProcess()
    return this.#current
  }

  /** Resolves when the process that is current now is dead. */
  whenKilled(): Promise<void> {
    return this.#current.whenKilled
  }

  // ---- crashes ----------------------------------------------------------------------------------------------

  /**
   * Kill -9 of every process: the cache survives, locks are free, calls in flight never take effect. A write that
   * was just being done may be there in part, up to a page border. `fs` is then a new process.
   */
  killProcess(): void {
    if (this.#random.chance(0.5)) this.#tear?.()
    this.#endProcesses()
  }

  /** Power loss, now: every process dies, and what no sync covered is lost as the options and the seed say. */
  cutPower(options: PowerCutOptions = {}): PowerCut {
    const seed = options.seed ?? this.#random.seed()
    const random = new Random(seed)
    const garbage = options.garbage ?? 0.05
    const chooseData = chooser(options.data, ['nothing', 'all', 'prefix', 'soup', 'soup'] as const, random)
    const chooseNames = chooser(options.names, ['nothing', 'all', 'prefix', 'subset'] as const, random)
    const data = { nothing: 0, all: 0, prefix: 0, soup: 0, hole: 0 }
    let filesPending = 0
    let changesPending = 0

    this.#tear = undefined
    for (const node of this.#nodes.values()) {
      if (node.kind !== 'file') continue
      if (node.pending.length > 0) {
        filesPending++
        changesPending += node.pending.length
        const kept = chooseData()
        data[kept]++
        node.durable = contentAfterCut(node.durable, node.pending, kept, garbage, random)
        node.pending = []
      }
      node.cache = node.durable
      node.diverged = false
    }
    const namesPending = this.#names.length
    const kept = survivingNames(this.#names, chooseNames, random)
    for (const change of kept) makeDurable(this.#nodes, change)
    this.#names = []
    this.#forgetUnreachable()
    this.#endProcesses()
    return { seed, filesPending, changesPending, namesPending, namesKept: kept.length, data }
  }

  /** Kills the process right before state-changing operation number `operation` (the first is 1). */
  crashAt(operation: number | undefined): void {
    this.#crashAt = operation
  }

  /**
   * The same disk at this moment, for another future: cache, medium, pending changes and free space, but no
   * running process, no lock, no armed failure. Cheap, contents are shared until written.
   */
  fork(seed = this.#random.seed()): SimulatedDisk {
    const fork = new SimulatedDisk({ seed, afterKill: this.#afterKill })
    fork.#nodes = new Map()
    for (const [id, node] of this.#nodes) fork.#nodes.set(id, cloneNode(node))
    fork.#names = this.#names.slice()
    fork.#lastNode = this.#lastNode
    fork.#sequence = this.#sequence
    fork.#freeBytes = this.#freeBytes
    fork.#freeInodes = this.#freeInodes
    fork.otherVolume = this.otherVolume
    return fork
  }

  // ---- faults -----------------------------------------------------------------------------------------------

  /**
   * Makes a coming call fail. A failing `sync` has the semantics of Linux: the changes are dropped from what is to
   * be written, the cache goes on showing them, and the next sync succeeds without them.
   */
  failNext(call: FailingCall, failure: Failure = {}): void {
    this.#armed.push({ ...failure, call, skip: (failure.nth ?? 1) - 1, left: failure.times ?? 1 })
  }

  /** Disarms whatever `failNext` and `shortWriteNext` have armed. */
  clearFailures(): void {
    this.#armed = []
    this.#shortWrites = []
  }

  /**
   * The next write of more than one byte (of that kind) stops short: after `bytes`, or after a seeded part. Or the
   * n-th of them, and so many from there.
   */
  shortWriteNext(options: { kind?: FileKind; bytes?: number; nth?: number; times?: number } = {}): void {
    const { kind, bytes, nth = 1, times = 1 } = options
    this.#shortWrites.push({ kind, bytes, skip: nth - 1, left: times })
  }

  /** Space for new 4096-byte pages. When it ends, a write has a short count, and the next is `ERR_NO_SPACE`. */
  setFreeBytes(bytes: number): void {
    this.#freeBytes = bytes
  }

  setFreeInodes(inodes: number): void {
    this.#freeInodes = inodes
  }

  /** Flips one bit (counted from the file's start) in cache and medium. */
  flipBit(path: string, bit: number): void {
    const node = this.#file('flipBit', path)
    const atBytes = bit >>> 3
    const flip = (content: PagedBytes) => {
      const byte = content.read(atBytes, 1)
      if (byte.length === 0) return
      byte[0] = (byte[0] as number) ^ (1 << (bit & 7))
      content.write(atBytes, byte)
    }
    if (atBytes >= node.cache.size) throw new RangeError(`${path} has ${node.cache.size} bytes`)
    if (node.cache !== node.durable) flip(node.durable)
    flip(node.cache)
  }

  /** The kernel drops clean pages: where a failed sync lost bytes, reads now show the medium. */
  dropCaches(): void {
    for (const node of this.#nodes.values()) {
      if (node.kind !== 'file' || !node.diverged || node.pending.length > 0) continue
      node.cache = node.durable
      node.diverged = false
    }
  }

  // ---- for tests: at once, outside any process ------------------------------------------------------------------

  /** Writes a durable file, making durable directories on the way. Not an operation. */
  putFile(path: string, bytes: Uint8Array): void {
    this.putDirectory(path.slice(0, path.lastIndexOf('/')))
    const existing = this.#lookup(path)
    let node = existing
    if (node === undefined) {
      const { parent, name } = this.#parentOf('putFile', path)
      node = newFile(++this.#lastNode)
      this.#nodes.set(node.id, node)
      this.#linkDurably(parent, name, node)
    }
    if (node.kind !== 'file') throw new Error(`${path} is a directory`)
    node.pending = []
    node.diverged = false
    node.cache = new PagedBytes()
    node.cache.write(0, bytes)
    node.durable = node.cache
  }

  putDirectory(path: string): void {
    let at = ''
    for (const part of path.split('/').filter(Boolean)) {
      at += `/${part}`
      if (this.#lookup(at) !== undefined) continue
      const { parent, name } = this.#parentOf('putDirectory', at)
      const node = newDirectory(++this.#lastNode)
      this.#nodes.set(node.id, node)
      this.#linkDurably(parent, name, node)
    }
  }

  /** What a reader sees now; `undefined` when there is no such file. */
  peek(path: string): Uint8Array | undefined {
    const node = this.#lookup(path)
    return node?.kind === 'file' ? node.cache.all() : undefined
  }

  /** All files below `path` that a reader sees now, sorted. */
  paths(path = '/'): string[] {
    const found: string[] = []
    const visit = (node: Node, at: string) => {
      if (node.kind === 'file') found.push(at)
      else for (const [name, id] of node.entries) visit(this.#nodes.get(id) as Node, `${at}/${name}`)
    }
    const start = this.#lookup(path)
    if (start !== undefined) visit(start, path === '/' ? '' : path)
    return found.sort()
  }

  /** Un-synced state: nothing is left to lose when all are 0. */
  pending(): { files: number; changes: number; names: number } {
    let files = 0
    let changes = 0
    for (const node of this.#nodes.values()) {
      if (node.kind !== 'file' || node.pending.length === 0) continue
      files++
      changes += node.pending.length
    }
    return { files, changes, names: this.#names.length }
  }

  /** Hash of everything a reader sees: equal images have equal digests. */
  digest(): string {
    const hash = createHash('sha1')
    const visit = (directory: DirectoryNode) => {
      for (const name of [...directory.entries.keys()].sort()) {
        const node = this.#nodes.get(directory.entries.get(name) as number) as Node
        hash.update(`${node.kind[0]}${name}/${node.kind === 'file' ? node.cache.size : ''}\n`)
        if (node.kind === 'file') hash.update(node.cache.all())
        else visit(node)
      }
      hash.update('.\n')
    }
    visit(this.#nodes.get(ROOT) as DirectoryNode)
    return hash.digest('hex')
  }

  // ---- the kernel's side: called by SimulatedProcess ----------------------------------------------------------

  /** @internal */
  syncMark(): number {
    return this.#sequence
  }

  /** @internal The operation is about to happen: counts it, runs hooks, throws when the caller dies or it fails. */
  before(
    process: SimulatedProcess,
    call: OperationCall,
    path: string,
    kind?: FileKind,
    tear?: () => void,
  ): void {
    this.operations++
    this.#tear = tear
    if (this.operations === this.#crashAt) this.killProcess()
    else this.onOperation?.(call, path, this.operations)
    this.#tear = undefined
    process.requireAlive()
    if (call !== 'sync' && call !== 'syncDirectory') this.failIfArmed(call, path, kind)
  }

  /** @internal */
  failIfArmed(call: FailingCall, path: string, kind?: FileKind): void {
    const failure = this.#takeFailure(call, path, kind)
    if (failure !== undefined) throw simulatedError(failure.code ?? 'ERR_IO', call, path)
  }

  /** @internal */
  exists(path: string): boolean {
    return this.#lookup(path) !== undefined
  }

  /** @internal */
  createFile(path: string): void {
    const { parent, name } = this.#parentOf('create', path)
    if (parent.entries.has(name)) return
    this.#takeInode('create', path)
    const node = newFile(++this.#lastNode)
    this.#nodes.set(node.id, node)
    this.#link(parent, name, node)
  }

  /** @internal Returns the count, which may be short. */
  write(path: string, atBytes: number, bytes: Uint8Array, kind: FileKind): number {
    const node = this.#file('write', path)
    let length = bytes.byteLength
    if (length > 1) {
      const short = this.#takeShortWrite(kind)
      if (short !== undefined) length = Math.min(length, short.bytes ?? 1 + this.#random.below(length - 1))
    }
    const room = node.cache.writableBytes(atBytes, length, this.#freeBytes)
    if (room.bytes === 0 && bytes.byteLength > 0 && length > 0)
      throw simulatedError('ERR_NO_SPACE', 'write', path)
    this.#freeBytes -= room.newBytes
    if (room.bytes > 0) this.#writeCache(node, atBytes, bytes.subarray(0, room.bytes))
    return room.bytes
  }

  /** @internal What a kill in the middle of a write leaves: the pages before some page border. */
  tearOff(path: string, atBytes: number, bytes: Uint8Array): void {
    const node = this.#lookup(path)
    if (node?.kind !== 'file') return
    const firstPage = Math.floor(atBytes / KERNEL_PAGE_BYTES)
    const lastPage = Math.floor((atBytes + bytes.byteLength - 1) / KERNEL_PAGE_BYTES)
    const border = this.#random.between(firstPage, Math.max(firstPage, lastPage)) * KERNEL_PAGE_BYTES
    const length = Math.min(bytes.byteLength, border - atBytes)
    if (length <= 0 || node.cache.writableBytes(atBytes, length, this.#freeBytes).bytes < length) return
    this.#writeCache(node, atBytes, bytes.subarray(0, length))
  }

  /** @internal */
  syncFile(file: FileRef, untilSequence: number): void {
    const node = this.#file('sync', file.path)
    const failure = this.#takeFailure('sync', file.path, file.kind)
    if (failure !== undefined) {
      const kept = failure.kept ?? 'nothing'
      if (node.pending.length > 0) {
        node.durable = contentAfterCut(node.durable, node.pending, kept, 0, this.#random)
        node.diverged ||= kept !== 'all'
      }
      node.pending = []
      throw simulatedError(failure.code ?? 'ERR_IO', 'sync', file.path)
    }
    const rest = node.pending.filter((change) => change.sequence > untilSequence)
    if (node.pending.length > 0) {
      if (rest.length === 0 && !node.diverged) node.durable = node.cache
      else {
        if (node.durable === node.cache) node.durable = node.cache.share()
        for (const change of node.pending) {
          if (change.sequence <= untilSequence) applyChange(node.durable, change)
        }
      }
    }
    node.pending = rest
    this.observer?.synced({ kind: file.kind, durationMs: 0 })
  }

  /** @internal */
  syncDirectory(path: string, untilSequence: number): void {
    const node = this.#lookup(path)
    if (node === undefined) throw simulatedError('ERR_NOT_FOUND', 'syncDirectory', path)
    if (node.kind !== 'directory') throw simulatedError('ERR_IO', 'syncDirectory', path)
    const covered = new Set(coveredBySync(this.#names, node.id, untilSequence))
    this.#names = this.#names.filter((change) => !covered.has(change))
    const failure = this.#takeFailure('syncDirectory', path, 'directory')
    if (failure !== undefined) throw simulatedError(failure.code ?? 'ERR_IO', 'syncDirectory', path)
    for (const change of covered) makeDurable(this.#nodes, change)
    const stillPending = new Set(this.#names.map((change) => change.node))
    for (const change of covered) {
      const moved = this.#nodes.get(change.node)
      if (moved === undefined || moved.place !== undefined || moved.durablePlace !== undefined) continue
      if (!stillPending.has(moved.id)) this.#nodes.delete(moved.id)
    }
    this.observer?.synced({ kind: 'directory', durationMs: 0 })
  }

  /** @internal */
  read(path: string, atBytes: number, lengthBytes: number): Uint8Array {
    this.failIfArmed('read', path)
    return this.#file('read', path).cache.read(atBytes, lengthBytes)
  }

  /** @internal */
  readWhole(path: string): Uint8Array | undefined {
    this.failIfArmed('read', path)
    if (this.#lookup(path) === undefined) return undefined
    return this.#file('read', path).cache.all()
  }

  /** @internal */
  fileBytes(path: string): number | undefined {
    this.failIfArmed('fileBytes', path)
    if (this.#lookup(path) === undefined) return undefined
    return this.#file('fileBytes', path).cache.size
  }

  /** @internal */
  truncate(path: string, size: number): void {
    const node = this.#file('truncate', path)
    const before = node.cache.allocatedBytes()
    this.#ownCache(node).resize(size)
    this.#freeBytes += before - node.cache.allocatedBytes()
    node.pending.push({ sequence: ++this.#sequence, kind: 'resize', size })
  }

  /** @internal */
  rename(fromPath: string, toPath: string): void {
    const from = this.#parentOf('rename', fromPath)
    const to = this.#parentOf('rename', toPath)
    const id = from.parent.entries.get(from.name)
    if (id === undefined) throw simulatedError('ERR_NOT_FOUND', 'rename', fromPath)
    const node = this.#nodes.get(id) as Node
    if (this.#isOnOtherVolume(fromPath) !== this.#isOnOtherVolume(toPath))
      throw simulatedError('ERR_OTHER_VOLUME', 'rename', fromPath)
    const replacedId = to.parent.entries.get(to.name)
    if (replacedId === id) return
    if (replacedId !== undefined) {
      const replaced = this.#nodes.get(replacedId) as Node
      if (replaced.kind !== node.kind) throw simulatedError('ERR_IO', 'rename', toPath)
      if (replaced.kind === 'directory' && replaced.entries.size > 0)
        throw simulatedError('ERR_IO', 'rename', toPath)
      this.#free(replaced)
    }
    from.parent.entries.delete(from.name)
    to.parent.entries.set(to.name, id)
    const fromPlace = { directory: from.parent.id, name: from.name }
    node.place = { directory: to.parent.id, name: to.name }
    this.#names.push({ sequence: ++this.#sequence, node: id, from: fromPlace, to: node.place })
  }

  #isOnOtherVolume(path: string): boolean {
    return this.otherVolume !== undefined && path.startsWith(`${this.otherVolume}/`)
  }

  /** @internal */
  unlink(path: string): void {
    const { parent, name } = this.#parentOf('unlink', path)
    const id = parent.entries.get(name)
    if (id === undefined) return
    const node = this.#nodes.get(id) as Node
    if (node.kind === 'directory') throw simulatedError('ERR_WRONG_KIND', 'unlink', path)
    this.#removeName(parent, name, node)
  }

  /** @internal */
  makeDirectory(path: string): void {
    const { parent, name } = this.#parentOf('makeDirectory', path)
    const existing = parent.entries.get(name)
    if (existing !== undefined) {
      if (this.#nodes.get(existing)?.kind === 'directory') return
      throw simulatedError('ERR_WRONG_KIND', 'makeDirectory', path)
    }
    this.#takeInode('makeDirectory', path)
    const node = newDirectory(++this.#lastNode)
    this.#nodes.set(node.id, node)
    this.#link(parent, name, node)
  }

  /** @internal */
  removeDirectory(path: string): void {
    const { parent, name } = this.#parentOf('removeDirectory', path)
    const id = parent.entries.get(name)
    if (id === undefined) return
    const node = this.#nodes.get(id) as Node
    if (node.kind !== 'directory' || node.entries.size > 0)
      throw simulatedError('ERR_IO', 'removeDirectory', path)
    this.#removeName(parent, name, node)
  }

  /** @internal */
  list(path: string): DirectoryItem[] | undefined {
    this.failIfArmed('list', path)
    const node = this.#lookup(path)
    if (node?.kind !== 'directory') return undefined
    const items: DirectoryItem[] = []
    for (const [name, id] of node.entries)
      items.push({ name, isDirectory: this.#nodes.get(id)?.kind === 'directory' })
    return items.sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  /** @internal */
  freeSpace(path: string): { bytes: number; inodes: number } {
    this.failIfArmed('freeSpace', path)
    return { bytes: Math.max(0, this.#freeBytes), inodes: Math.max(0, this.#freeInodes) }
  }

  /** @internal */
  lock(path: string): DirectoryLock | undefined {
    this.failIfArmed('lock', path)
    if (this.#locks.has(path)) return undefined
    const holder = {
      release: async () => {
        if (this.#locks.get(path) === holder) this.#locks.delete(path)
      },
    }
    this.#locks.set(path, holder)
    return holder
  }

  // ---- inside -------------------------------------------------------------------------------------------------

  #endProcesses(): void {
    const ended = this.#processes
    this.#processes = new Set()
    this.#locks.clear()
    this.#crashAt = undefined
    for (const process of ended) process.end()
    this.#current = this.attach()
  }

  #takeShortWrite(kind: FileKind): ShortWrite | undefined {
    const short = this.#shortWrites.find((one) => one.kind === undefined || one.kind === kind)
    if (short === undefined || short.skip-- > 0) return undefined
    if (--short.left <= 0) this.#shortWrites = this.#shortWrites.filter((one) => one !== short)
    this.failures++
    return short
  }

  #takeFailure(call: FailingCall, path: string, kind: FileKind | undefined): Armed | undefined {
    for (const armed of this.#armed) {
      if (armed.call !== call || (armed.kind !== undefined && armed.kind !== kind)) continue
      if (typeof armed.path === 'string' ? armed.path !== path : armed.path?.test(path) === false) continue
      if (armed.skip > 0) {
        armed.skip--
        continue
      }
      this.failures++
      armed.left--
      if (armed.left <= 0) this.#armed = this.#armed.filter((one) => one !== armed)
      return armed
    }
    return undefined
  }

  #lookup(path: string): Node | undefined {
    let node = this.#nodes.get(ROOT)
    for (const part of segmentsOf(path)) {
      if (node?.kind !== 'directory') return undefined
      const id = node.entries.get(part)
      node = id === undefined ? undefined : this.#nodes.get(id)
      if (node === undefined) return undefined
    }
    return node
  }

  #parentOf(call: string, path: string): { parent: DirectoryNode; name: string } {
    if (!path.startsWith('/')) throw new Error(`${call}: ${path} is not an absolute path`)
    const slash = path.lastIndexOf('/')
    const parent = this.#lookup(path.slice(0, slash))
    if (parent === undefined) throw simulatedError('ERR_NOT_FOUND', call, path)
    if (parent.kind !== 'directory') throw simulatedError('ERR_IO', call, path)
    return { parent, name: path.slice(slash + 1) }
  }

  #file(call: string, path: string): FileNode {
    const node = this.#lookup(path)
    if (node === undefined) throw simulatedError('ERR_NOT_FOUND', call, path)
    if (node.kind !== 'file') throw simulatedError('ERR_WRONG_KIND', call, path)
    return node
  }

  #ownCache(node: FileNode): PagedBytes {
    if (node.cache === node.durable) node.cache = node.durable.share()
    return node.cache
  }

  #writeCache(node: FileNode, atBytes: number, bytes: Uint8Array): void {
    const copy = bytes.slice()
    this.#ownCache(node).write(atBytes, copy)
    node.pending.push({ sequence: ++this.#sequence, kind: 'write', atBytes, bytes: copy })
  }

  #link(parent: DirectoryNode, name: string, node: Node): void {
    parent.entries.set(name, node.id)
    node.place = { directory: parent.id, name }
    this.#names.push({ sequence: ++this.#sequence, node: node.id, from: undefined, to: node.place })
  }

  #linkDurably(parent: DirectoryNode, name: string, node: Node): void {
    parent.entries.set(name, node.id)
    node.place = { directory: parent.id, name }
    makeDurable(this.#nodes, { sequence: 0, node: node.id, from: undefined, to: node.place })
  }

  #removeName(parent: DirectoryNode, name: string, node: Node): void {
    parent.entries.delete(name)
    const from: Place = { directory: parent.id, name }
    this.#free(node)
    this.#names.push({ sequence: ++this.#sequence, node: node.id, from, to: undefined })
  }

  #free(node: Node): void {
    node.place = undefined
    this.#freeInodes++
    if (node.kind === 'file') this.#freeBytes += node.cache.allocatedBytes()
  }

  #takeInode(call: string, path: string): void {
    if (this.#freeInodes <= 0) throw simulatedError('ERR_NO_SPACE', call, path)
    this.#freeInodes--
  }

  #forgetUnreachable(): void {
    const reachable = new Map<number, Node>()
    const visit = (node: Node) => {
      reachable.set(node.id, node)
      node.place = node.durablePlace
      if (node.kind === 'file') return
      node.entries.clear()
      for (const [name, id] of node.durableEntries) {
        const child = this.#nodes.get(id)
        if (child === undefined) continue
        node.entries.set(name, id)
        visit(child)
      }
    }
    visit(this.#nodes.get(ROOT) as DirectoryNode)
    this.#nodes = reachable
  }
}

/** A process on a simulated disk: its file system, until it is killed. */
export class SimulatedProcess implements FileSystem {
  readonly whenKilled: Promise<void>
  readonly #disk: SimulatedDisk
  readonly #scheduler: Scheduler
  readonly #afterKill: 'reject' | 'hang'
  readonly #random: Random
  readonly #lanes: Record<WriteLane, Lane> = { log: [], projection: [] }
  readonly #jobs = new Set<Job>()
  #alive = true
  #resolveKilled: () => void = () => undefined

  constructor(disk: SimulatedDisk, scheduler: Scheduler, afterKill: 'reject' | 'hang', random: Random) {
    this.#disk = disk
    this.#scheduler = scheduler
    this.#afterKill = afterKill
    this.#random = random
    this.whenKilled = new Promise((resolve) => (this.#resolveKilled = resolve))
  }

  requireAlive(): void {
    if (!this.#alive) throw new ProcessKilled('the process was killed')
  }

  end(): void {
    if (!this.#alive) return
    this.#alive = false
    const jobs = new Set(this.#jobs)
    this.#jobs.clear()
    this.#scheduler.drop(jobs)
    for (const job of jobs) job.settle.reject(new ProcessKilled('the process was killed'))
    this.#resolveKilled()
  }

  allocate(bytes: number): Uint8Array {
    return new Uint8Array(bytes).fill(0xdb, 0, POISONED_BYTES)
  }

  writeSome(lane: WriteLane, ops: readonly WriteOp[]): Promise<number[]> {
    const disk = this.#disk
    return this.#run(this.#writeSteps(disk, ops), this.#lanes[lane])
  }

  *#writeSteps(disk: SimulatedDisk, ops: readonly WriteOp[]): Generator<void, number[]> {
    const counts = ops.map(() => 0)
    for (const [index, { file, atBytes, bytes }] of ops.entries()) {
      if (index > 0) yield
      if (!disk.exists(file.path)) {
        disk.before(this, 'create', file.path, file.kind)
        disk.createFile(file.path)
        yield
      }
      disk.before(this, 'write', file.path, file.kind, () => disk.tearOff(file.path, atBytes, bytes))
      counts[index] = disk.write(file.path, atBytes, bytes, file.kind)
      if (counts[index] < bytes.byteLength) break
    }
    return counts
  }

  async writeAndSync(lane: WriteLane, ops: readonly WriteOp[]): Promise<number[]> {
    const counts = await this.writeSome(lane, ops)
    const files = new Map(ops.map(({ file }) => [file.path, file]))
    if (ops.every((op, index) => counts[index] === op.bytes.byteLength))
      await this.syncFiles([...files.values()])
    return counts
  }

  async syncFiles(files: readonly FileRef[]): Promise<void> {
    const mark = this.#disk.syncMark()
    await settleAll(
      files.map((file) =>
        this.#once(() => {
          this.#disk.before(this, 'sync', file.path, file.kind)
          this.#disk.syncFile(file, mark)
        }),
      ),
    )
  }

  async syncDirectories(paths: readonly string[]): Promise<void> {
    const mark = this.#disk.syncMark()
    await settleAll(
      paths.map((path) =>
        this.#once(() => {
          this.#disk.before(this, 'syncDirectory', path, 'directory')
          this.#disk.syncDirectory(path, mark)
        }),
      ),
    )
  }

  read(path: string, atBytes: number, lengthBytes: number): Promise<Uint8Array> {
    return this.#once(() => this.#disk.read(path, atBytes, lengthBytes))
  }

  openToRead(path: string): FileReader {
    return {
      read: async (atBytes, memory) => {
        const bytes = await this.read(path, atBytes, memory.byteLength)
        memory.set(bytes)
        return bytes.byteLength
      },
      close: () => Promise.resolve(),
    }
  }

  readFile(path: string, bytesMax = Infinity): Promise<Uint8Array | undefined> {
    return this.#once(() => {
      if ((this.#disk.fileBytes(path) ?? 0) > bytesMax)
        throw new FileSystemError('ERR_TOO_LONG', 'read', path)
      return this.#disk.readWhole(path)
    })
  }

  fileBytes(path: string): Promise<number | undefined> {
    return this.#once(() => this.#disk.fileBytes(path))
  }

  truncate(file: FileRef, lengthBytes: number): Promise<void> {
    return this.#once(() => {
      this.#disk.before(this, 'truncate', file.path, file.kind)
      this.#disk.truncate(file.path, lengthBytes)
    })
  }

  rename(fromPath: string, toPath: string): Promise<void> {
    return this.#once(() => {
      this.#disk.before(this, 'rename', fromPath)
      this.#disk.rename(fromPath, toPath)
    })
  }

  unlink(path: string): Promise<void> {
    return this.#once(() => {
      if (!this.#disk.exists(path)) return
      this.#disk.before(this, 'unlink', path)
      this.#disk.unlink(path)
    })
  }

  makeDirectory(path: string): Promise<void> {
    return this.#once(() => {
      if (!this.#disk.exists(path)) this.#disk.before(this, 'makeDirectory', path, 'directory')
      this.#disk.makeDirectory(path)
    })
  }

  removeTree(path: string): Promise<void> {
    return this.#run(this.#removeSteps(path), undefined)
  }

  *#removeSteps(path: string): Generator<void, void> {
    yield
    if (!this.#disk.exists(path)) return
    for (const item of this.#disk.list(path) ?? []) {
      const child = `${path}/${item.name}`
      if (item.isDirectory) {
        yield* this.#removeSteps(child)
      } else {
        this.#disk.before(this, 'unlink', child)
        this.#disk.unlink(child)
        yield
      }
    }
    this.#disk.before(this, 'removeDirectory', path)
    this.#disk.removeDirectory(path)
  }

  list(path: string): Promise<DirectoryItem[] | undefined> {
    return this.#once(() => this.#disk.list(path))
  }

  freeSpace(path: string): Promise<{ bytes: number; inodes: number }> {
    return this.#once(() => this.#disk.freeSpace(path))
  }

  lock(path: string): Promise<DirectoryLock | undefined> {
    return this.#once(() => {
      if (!this.#disk.exists(path)) {
        this.#disk.before(this, 'create', path)
        this.#disk.createFile(path)
      }
      return this.#disk.lock(path)
    })
  }

  close(): Promise<void> {
    return this.#once(() => undefined)
  }

  #once<T>(act: () => T): Promise<T> {
    return this.#run({ next: () => ({ done: true, value: act() }) }, undefined)
  }

  #run<T>(steps: { next(): IteratorResult<void, T> }, lane: Lane | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const rejectUnlessKilled = (error: Error) => {
        if (this.#afterKill === 'reject' || !(error instanceof ProcessKilled)) reject(error)
      }
      if (!this.#alive) {
        rejectUnlessKilled(new ProcessKilled('the process was killed'))
        return
      }
      const job: Job = {
        steps,
        slow: this.#random.chance(0.15),
        dropped: false,
        settle: {
          resolve: (value) => {
            this.#jobs.delete(job)
            resolve(value as T)
          },
          reject: (error) => {
            this.#jobs.delete(job)
            rejectUnlessKilled(error as Error)
          },
        },
      }
      this.#jobs.add(job)
      this.#scheduler.add(job, lane)
    })
  }
}

/** Waits for all, then throws the first error: no call goes on behind the back of a caller who saw it fail. */
async function settleAll(calls: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(calls)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

const errnoOf: Record<FileSystemErrorCode, string> = {
  ERR_NOT_FOUND: 'ENOENT',
  ERR_NO_SPACE: 'ENOSPC',
  ERR_READ_ONLY: 'EROFS',
  ERR_TOO_MANY_FILES: 'EMFILE',
  ERR_TOO_LONG: 'too long',
  ERR_WRONG_KIND: 'EISDIR',
  ERR_OTHER_VOLUME: 'EXDEV',
  ERR_UNSUPPORTED: 'ENOTSUP',
  ERR_IO: 'EIO',
}

function simulatedError(code: FileSystemErrorCode, call: string, path: string): FileSystemError {
  return new FileSystemError(code, call, path, new Error(`${errnoOf[code]} (simulated)`))
}

function newFile(id: number): FileNode {
  const content = new PagedBytes()
  return {
    kind: 'file',
    id,
    cache: content,
    durable: content,
    pending: [],
    diverged: false,
    place: undefined,
    durablePlace: undefined,
  }
}

function newDirectory(id: number): DirectoryNode {
  return {
    kind: 'directory',
    id,
    entries: new Map(),
    durableEntries: new Map(),
    place: undefined,
    durablePlace: undefined,
  }
}

function cloneNode(node: Node): Node {
  if (node.kind === 'directory') {
    return { ...node, entries: new Map(node.entries), durableEntries: new Map(node.durableEntries) }
  }
  const durable = node.durable.share()
  const cache = node.cache === node.durable ? durable : node.cache.share()
  return { ...node, cache, durable, pending: node.pending.slice() }
}

const segmentsByPath = new Map<string, readonly string[]>()
const SEGMENTS_KEPT = 10_000

/** The names along an absolute path; the same few paths are asked for again and again. */
function segmentsOf(path: string): readonly string[] {
  let segments = segmentsByPath.get(path)
  if (segments === undefined) {
    segments = path.split('/').filter(Boolean)
    if (segmentsByPath.size >= SEGMENTS_KEPT) segmentsByPath.clear()
    segmentsByPath.set(path, segments)
  }
  return segments
}

/** The wish, or by seed: one answer for all, or each time a new one. */
function chooser<T>(wish: T | undefined, choices: readonly [T, ...T[]], random: Random): () => T {
  if (wish !== undefined) return () => wish
  if (random.chance(0.4)) {
    const one = random.pick(choices)
    return () => one
  }
  return () => random.pick(choices)
}
