import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { command } from '../crash/kernel/scratch-disk.ts'

const IMAGE_BYTES = 2 * 1024 * 1024 * 1024

/** Where a member keeps its store. */
export interface Disk {
  /** The data directory; its parent is the disk. */
  readonly dataPath: string
  /** Whether it can be stalled and filled. */
  readonly canFail: boolean
  /** Every write and sync waits for so long, in the kernel. */
  stall(durationMs: number): Promise<void>
  /** Leaves so many bytes free. */
  fill(leftBytes: number): void
  free(): void
  dispose(): void
}

/** One that can fail where this process may make it; a container may not, even as root. */
export function makeDisk(folder: string, log: (line: string) => void): Disk {
  mkdirSync(folder, { recursive: true })
  try {
    return new LoopDisk(folder)
  } catch (error) {
    log(`NOT RUN: a disk that stalls or is full: ${String(error)}`)
    return new PlainDisk(folder)
  }
}

/** A file system of its own, which can be frozen (`fsfreeze`) and filled. Needs root. */
class LoopDisk implements Disk {
  readonly dataPath: string
  readonly canFail = true
  readonly #place: string
  readonly #ballast: string

  constructor(folder: string) {
    const image = join(folder, 'disk.img')
    this.#place = join(folder, 'disk')
    this.#ballast = join(this.#place, 'ballast')
    this.dataPath = join(this.#place, 'data')
    mkdirSync(this.#place)
    writeFileSync(image, '')
    truncateSync(image, IMAGE_BYTES)
    command('mkfs.ext4', '-F', '-q', image)
    command('mount', '-o', 'loop', image, this.#place)
  }

  /** A process of its own thaws it, whatever becomes of this one: who waits for a frozen disk cannot even be killed. */
  async stall(durationMs: number): Promise<void> {
    const script = 'fsfreeze -f "$0" && sleep "$1"; fsfreeze -u "$0"'
    const seconds = String(durationMs / 1000)
    const child = spawn('sh', ['-c', script, this.#place, seconds], { stdio: 'ignore', detached: true })
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
    if (code !== 0) throw new Error(`${this.#place} could not be frozen and thawed`)
  }

  fill(leftBytes: number): void {
    const { bavail, bsize } = statfsSync(this.#place)
    const bytes = bavail * bsize - leftBytes
    if (bytes > 0) command('fallocate', '-l', String(bytes), this.#ballast)
  }

  free(): void {
    rmSync(this.#ballast, { force: true })
  }

  dispose(): void {
    command('umount', this.#place)
  }
}

/** A folder among others: its disk never fails. */
class PlainDisk implements Disk {
  readonly dataPath: string
  readonly canFail = false

  constructor(folder: string) {
    this.dataPath = join(folder, 'data')
  }

  stall(): Promise<void> {
    throw new Error('this disk cannot be stalled')
  }

  fill(): void {
    throw new Error('this disk cannot be filled')
  }

  free(): void {}
  dispose(): void {}
}
