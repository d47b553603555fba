import { crc32 } from '../../base/crc32.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import type { ContentReader } from '../record.ts'
import { LISTINGS_MAX } from './locate-record.ts'
import {
  notAsStored,
  pinPlace,
  readPart,
  RecordMovedError,
  recordError,
  requireFinished,
  type ContentPlace,
} from './record-content.ts'

const CHUNK_BYTES = 512 * 1024

/** @throws {StorageError} `ERR_RECORD_STATE`, `ERR_NOT_FOUND` */
export async function openContent(fs: FileSystem, given: ContentPlace): Promise<ContentReader> {
  requireFinished(given)
  const { place, release } = await pinPlace(fs, given)
  return new OpenContent(fs, place, release)
}

/** One record's content, a part at a time; its data file is kept until `close`. */
class OpenContent implements ContentReader {
  readonly contentBytes: number
  readonly #fs: FileSystem
  #place: ContentPlace
  #release: () => void
  /** The whole content, compared once with its CRC-32 before the first part of it is given away. */
  #check: Promise<void> | undefined
  #isClosed = false

  constructor(fs: FileSystem, place: ContentPlace, release: () => void) {
    this.#fs = fs
    this.#place = place
    this.#release = release
    this.contentBytes = place.record.endBytes - place.record.beginBytes
  }

  async read(atBytes: number, lengthBytes: number): Promise<Uint8Array> {
    this.#check ??= this.#readThrough()
    await this.#check
    const fromBytes = clamp(atBytes, this.contentBytes)
    return this.#part(fromBytes, clamp(lengthBytes, this.contentBytes - fromBytes))
  }

  async *chunks(chunkBytes = CHUNK_BYTES): AsyncGenerator<Uint8Array> {
    const { contentCrc32 } = this.#place.record
    let computed = 0
    let held: Uint8Array | undefined
    for (let atBytes = 0; atBytes < this.contentBytes; atBytes += chunkBytes) {
      const bytes = await this.#part(atBytes, Math.min(chunkBytes, this.contentBytes - atBytes))
      computed = crc32(bytes, computed)
      if (held !== undefined) yield held
      held = bytes
    }
    if (contentCrc32 !== undefined && computed !== contentCrc32)
      throw await notAsStored(this.#fs, this.#place, 'content does not match its CRC-32')
    if (held !== undefined) yield held
  }

  close(): void {
    this.#isClosed = true
    this.#release()
  }

  async #readThrough(): Promise<void> {
    for await (const _ of this.chunks());
  }

  async #part(atBytes: number, lengthBytes: number): Promise<Uint8Array> {
    for (let places = 1; ; places++) {
      if (this.#isClosed) throw recordError(this.#place, 'ERR_CLOSED', 'the reader of its content is closed')
      try {
        return await readPart(this.#fs, this.#place, atBytes, lengthBytes)
      } catch (error) {
        if (!(error instanceof RecordMovedError) || places === LISTINGS_MAX) throw error
        const { place, release } = await pinPlace(this.#fs, error.to)
        this.#release()
        this.#place = place
        this.#release = this.#isClosed ? () => undefined : release
        if (this.#isClosed) release()
      }
    }
  }
}

function clamp(value: number, max: number): number {
  return Math.max(0, Math.min(value, max))
}
