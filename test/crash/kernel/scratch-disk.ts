import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Large enough for any file system; sparse. */
const IMAGE_BYTES = 320 * 1024 * 1024
const PATIENCE_MS = 10_000

export type FileSystemKind = 'ext4' | 'xfs'

/** A disk of its own for a test that cuts its power. All its files lie in one folder, best in memory. */
export interface ScratchDisk {
  readonly name: string
  /** Makes it empty. */
  format(): void
  /** @returns where it is mounted */
  mount(): Promise<string>
  /** From now on nothing reaches it, and what was not flushed is lost. Its writers are to be killed after it. */
  cut(): Promise<void>
  /** After `cut` and the end of all its writers. */
  unmount(): Promise<void>
  /** Copies what is on the medium. */
  copyMedium(): void
  /** The same in one moment while it is written to: a cut that its writers do not notice. Not every disk can. */
  readonly copyMediumAtOnce?: () => Promise<void>
  /** Mounts the copy, as the next start of the machine would find it. */
  mountCopy(): string
  unmountCopy(): void
  /** Leaves nothing behind. */
  dispose(): Promise<void>
}

/** @throws {Error} with what the program said */
export function command(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout.trim()
}

abstract class ImageDisk {
  readonly kind: FileSystemKind
  protected readonly folder: string
  protected readonly image: string
  protected readonly place: string
  readonly #copy: string
  readonly #copyPlace: string

  constructor(kind: FileSystemKind, folder: string) {
    this.kind = kind
    this.folder = folder
    this.image = join(folder, 'disk.img')
    this.place = join(folder, 'mounted')
    this.#copy = join(folder, 'copy.img')
    this.#copyPlace = join(folder, 'copy')
    mkdirSync(this.place, { recursive: true })
    mkdirSync(this.#copyPlace, { recursive: true })
  }

  format(): void {
    rmSync(this.image, { force: true })
    writeFileSync(this.image, '')
    truncateSync(this.image, IMAGE_BYTES)
    command(`mkfs.${this.kind}`, this.kind === 'ext4' ? '-F' : '-f', '-q', this.image)
  }

  copyMedium(): void {
    command('cp', '--sparse=always', this.image, this.#copy)
  }

  mountCopy(): string {
    // The original may be mounted still, and XFS has no two with the same id.
    const options = this.kind === 'xfs' ? 'loop,nouuid' : 'loop'
    command('mount', '-o', options, this.#copy, this.#copyPlace)
    return this.#copyPlace
  }

  unmountCopy(): void {
    command('umount', this.#copyPlace)
    rmSync(this.#copy)
  }

  protected async unmountImage(): Promise<void> {
    await patiently(() => command('umount', this.place))
  }

  protected quietlyUnmountAll(): void {
    for (const place of [this.place, this.#copyPlace]) spawnSync('umount', [place])
  }
}

/** `FS_IOC_SHUTDOWN` without a flush of the journal: what the file system has not written yet is lost. */
const SHUTDOWN = `
import fcntl, os, struct, sys
for line in sys.stdin:
    place = os.open(line.strip(), os.O_RDONLY)
    fcntl.ioctl(place, 0x8004587D, struct.pack('I', 2))
    os.close(place)
    print('cut', flush=True)
`

/** A file system on a loop device, stopped in the middle of what it does. */
export class LoopDisk extends ImageDisk implements ScratchDisk {
  readonly name: string
  readonly #cutter: ChildProcess
  #answer: { resolve: () => void; reject: (error: Error) => void } | undefined

  constructor(kind: FileSystemKind, folder: string) {
    super(kind, folder)
    this.name = `${kind} on a loop device`
    this.#cutter = spawn('python3', ['-c', SHUTDOWN], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.#cutter.stdout as NodeJS.ReadableStream }).on('line', () =>
      this.#answer?.resolve(),
    )
    this.#cutter.once('exit', () => this.#answer?.reject(new Error('the file system cannot be shut down')))
  }

  mount(): Promise<string> {
    command('mount', '-o', 'loop', this.image, this.place)
    return Promise.resolve(this.place)
  }

  async cut(): Promise<void> {
    const cut = new Promise<void>((resolve, reject) => (this.#answer = { resolve, reject }))
    this.#cutter.stdin?.write(`${this.place}\n`)
    await cut
  }

  async unmount(): Promise<void> {
    await this.unmountImage()
  }

  dispose(): Promise<void> {
    this.#cutter.kill()
    this.quietlyUnmountAll()
    return Promise.resolve()
  }
}

/** A file system on a disk with a volatile cache, in user space: without a flush nothing is on the medium. */
export class VolatileDisk extends ImageDisk implements ScratchDisk {
  readonly name: string
  readonly #socket: string
  readonly #device: string
  readonly #devicePlace: string
  #server: ChildProcess | undefined
  #fuse: ChildProcess | undefined
  #loop: string | undefined

  constructor(kind: FileSystemKind, folder: string) {
    super(kind, folder)
    this.name = `${kind} on a disk with a volatile cache`
    this.#socket = join(folder, 'socket')
    this.#devicePlace = join(folder, 'device')
    this.#device = join(this.#devicePlace, 'disk')
    mkdirSync(this.#devicePlace, { recursive: true })
  }

  async mount(): Promise<string> {
    rmSync(this.#socket, { force: true })
    this.#server = spawn(
      'nbdkit',
      ['--foreground', '-U', this.#socket, '--filter=cache', 'file', this.image, 'cache=writeback'],
      { stdio: 'ignore' },
    )
    await patiently(() => requireThere(this.#socket))
    this.#fuse = spawn('nbdfuse', [this.#device, '--unix', this.#socket], { stdio: 'ignore' })
    await patiently(() => requireThere(this.#device))
    this.#loop = command('losetup', '-f', '--show', this.#device)
    command('mount', this.#loop, this.place)
    return this.place
  }

  async cut(): Promise<void> {
    await ended(this.#server)
    this.#server = undefined
  }

  readonly copyMediumAtOnce = async (): Promise<void> => {
    const pid = this.#server?.pid
    if (pid === undefined) throw new Error('the disk is gone')
    process.kill(pid, 'SIGSTOP')
    try {
      await patiently(() => requireStopped(pid))
      this.copyMedium()
    } finally {
      process.kill(pid, 'SIGCONT')
    }
  }

  async unmount(): Promise<void> {
    await this.unmountImage()
    await this.#takeAway()
  }

  async dispose(): Promise<void> {
    await ended(this.#server)
    this.quietlyUnmountAll()
    await this.#takeAway()
  }

  async #takeAway(): Promise<void> {
    if (this.#loop !== undefined) command('losetup', '-d', this.#loop)
    this.#loop = undefined
    spawnSync('fusermount3', ['-u', '-z', this.#devicePlace])
    await ended(this.#fuse)
    this.#fuse = undefined
  }
}

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const end = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await end
}

/** Every thread of it: one that still runs could write. */
function requireStopped(pid: number): void {
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    if (!/\) [Tt] /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')))
      throw new Error(`${pid} still runs`)
  }
}

function requireThere(path: string): void {
  if (!existsSync(path)) throw new Error(`${path} is not there`)
}

/** Again and again, until it works. */
async function patiently<T>(act: () => T): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return act()
    } catch (error) {
      if (performance.now() > endMs) throw error
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}
