import { close, constants, open, read } from 'node:fs'
import { promisify } from 'node:util'
import type { FileReader } from '../file-system.ts'
import { fileSystemError } from './system-error.ts'

const openDescriptor = promisify(open)
const closeDescriptor = promisify(close)
const readAt = promisify(read)

/** A pipe in the place of a file fails instead of waiting for a writer for ever. */
export const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK

const OPEN_MAX = 64

/** Files that are open for reading; those read longest ago are closed until they are read again. */
export class NodeReaders {
  readonly #open = new Set<NodeReader>()

  open(path: string): FileReader {
    return new NodeReader(path, this.#open)
  }
}

class NodeReader implements FileReader {
  readonly #path: string
  /** Those with a descriptor, by their last use. */
  readonly #open: Set<NodeReader>
  #descriptor: Promise<number> | undefined
  readonly #reading = new Set<Promise<unknown>>()

  constructor(path: string, open: Set<NodeReader>) {
    this.#path = path
    this.#open = open
  }

  async read(atBytes: number, memory: Uint8Array): Promise<number> {
    const reading = this.#read(atBytes, memory)
    this.#reading.add(reading)
    try {
      return await reading
    } catch (error) {
      throw fileSystemError('read', this.#path, error)
    } finally {
      this.#reading.delete(reading)
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#reading)
    await this.#letGo()
  }

  async #read(atBytes: number, memory: Uint8Array): Promise<number> {
    this.#open.delete(this)
    this.#open.add(this)
    this.#descriptor ??= this.#openPath()
    for (const reader of this.#open) {
      if (this.#open.size <= OPEN_MAX) break
      if (reader.#reading.size === 0 && reader !== this) void reader.#letGo()
    }
    return readFully(await this.#descriptor, atBytes, memory)
  }

  #openPath(): Promise<number> {
    const descriptor = openDescriptor(this.#path, READ_FLAGS)
    descriptor.catch(() => {
      this.#descriptor = undefined
      this.#open.delete(this)
    })
    return descriptor
  }

  /** Nothing was written through it, so that closing it cannot lose anything. */
  async #letGo(): Promise<void> {
    const opened = this.#descriptor
    this.#descriptor = undefined
    this.#open.delete(this)
    const descriptor = await opened?.catch(() => undefined)
    if (descriptor !== undefined) await closeDescriptor(descriptor).catch(() => undefined)
  }
}

/** @returns bytes read: fewer at the end of the file */
export async function readFully(descriptor: number, atBytes: number, memory: Uint8Array): Promise<number> {
  const lengthBytes = memory.byteLength
  let done = 0
  while (done < lengthBytes) {
    const { bytesRead } = await readAt(descriptor, memory, done, lengthBytes - done, atBytes + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}
