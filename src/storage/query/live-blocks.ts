import { Lru } from '../../base/lru.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import type { OpenBlock } from '../block/block.ts'
import { blockIsGone, checkDescriptor, mergeBlock } from '../block/block-content.ts'
import { COMPRESSION_ZSTD, dataPathOf, readCompressedDescriptor } from '../block/compressed-block.ts'
import { readDescriptor } from '../block/load-block.ts'
import { decodeDescriptor, descriptorMemoryBytes, type Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import type { StorageObserver } from '../observer.ts'
import type { BlockSource } from './block-source.ts'

interface CachedDescriptor {
  readonly descriptor: Descriptor
  /** Checksum of the descriptor; of an open block which one it is, and the end of the WAL it includes: else out of date. */
  readonly version: string
}

/**
 * Reads blocks of an open store. Raw descriptors are kept in the read cache, bounded in bytes over all entries; of
 * an open block what its WAL showed at the time.
 */
export class LiveBlocks {
  readonly #fs: FileSystem
  readonly #observer: StorageObserver
  readonly #cache: Lru<string, CachedDescriptor>

  constructor(options: { fs: FileSystem; observer: StorageObserver; bytesMax: number }) {
    this.#fs = options.fs
    this.#observer = options.observer
    this.#cache = new Lru({
      bytesMax: options.bytesMax,
      weigh: ({ descriptor }) => descriptorMemoryBytes(descriptor),
      onEvict: () => options.observer.cacheEvicted('read'),
    })
  }

  /** @param isReading for somebody who wants the records, not for a change of them */
  source(entry: Entry, isReading = true): BlockSource {
    const { removals } = entry
    const isShown = (block: IndexEntry): boolean => block.corrupted !== true
    let blocks: readonly IndexEntry[] | undefined
    return {
      name: entry.name,
      get blocks() {
        blocks ??= entry.listing().filter(isShown)
        return blocks
      },
      covering: (timestampUs) => entry.covering(timestampUs).filter(isShown),
      dataPath: (block) => dataPathOf(entry.paths, block),
      descriptor: async (block) => {
        requireThere(entry)
        if (isReading) entry.read.add(Number(block.id))
        const descriptor = await this.#descriptor(entry, block.id)
        requireThere(entry)
        return descriptor
      },
      pin: (block) => entry.pins.pin(block.id),
      isCurrent: () => entry.removals === removals,
      isHeld: true,
      now: () => {
        requireThere(entry)
        return Promise.resolve(this.source(entry, isReading))
      },
      isStarted: (timestampUs) => entry.uploading.has(timestampUs),
    }
  }

  /**
   * While it is read the block may be folded, reopened, changed or removed: then it is looked at again.
   * @throws {StorageError} `ERR_NOT_FOUND` when the block was removed since it was listed
   */
  async #descriptor(entry: Entry, id: bigint): Promise<Descriptor> {
    const key = entry.paths.descriptor(id)
    for (let isFirst = true; ; isFirst = false) {
      const open = entry.open.get(Number(id))
      const listed = entry.index.get(id)
      if (listed === undefined) throw blockIsGone(entry, id)
      if (isFirst && open !== undefined) this.#observer.cacheHit('write')
      const version =
        open === undefined ? `cold ${listed.crc64}` : `open ${open.life} ${open.walProjectedBytes}`
      // Under change: whichever of its descriptors is read, the next change would find it under the same version.
      const isKept = open !== undefined || listed.crc64 !== undefined
      const cached = isKept ? this.#cache.get(key) : undefined
      if (cached?.version === version) {
        if (isFirst && open === undefined) this.#observer.cacheHit('read')
        return cached.descriptor
      }
      if (isFirst && open === undefined) this.#observer.cacheMissed('read')
      const isSame = (): boolean => entry.open.get(Number(id)) === open && entry.index.get(id) === listed
      const descriptor =
        open === undefined ? await this.#readCold(entry, listed, isSame) : await this.#readOpen(open, isSame)
      if (descriptor === undefined) continue
      if (!isKept) return descriptor
      this.#cache.set(key, { descriptor, version })
      this.#observer.cacheSized('read', this.#cache.bytes, this.#cache.size)
      return descriptor
    }
  }

  /** `undefined` when it is not any more what was listed. */
  async #readCold(
    { paths }: Entry,
    listed: IndexEntry,
    isSame: () => boolean,
  ): Promise<Descriptor | undefined> {
    if (listed.compression === COMPRESSION_ZSTD)
      return readCompressedDescriptor(this.#fs, paths, listed.id, listed.crc64)
    const path = paths.descriptor(listed.id)
    const bytes = await readDescriptor(this.#fs, path)
    return isSame() ? checkDescriptor(bytes, path, listed.crc64) : undefined
  }

  /** `undefined` when it is not open any more. */
  async #readOpen(open: OpenBlock, isSame: () => boolean): Promise<Descriptor | undefined> {
    const path = open.entry.paths.descriptor(open.id)
    const { walProjectedBytes } = open
    const wal = await this.#fs.readFile(open.wal.path)
    const bytes = await readDescriptor(this.#fs, path)
    if (!isSame()) return undefined
    const base = bytes === undefined ? undefined : checkDescriptor(bytes, path, undefined)
    const visible = (wal ?? new Uint8Array(0)).subarray(0, walProjectedBytes)
    return decodeDescriptor(mergeBlock(BigInt(open.id), base, visible, undefined).bytes)
  }
}

/** @throws {StorageError} `ERR_NOT_FOUND`: what is at its paths by now is not its own */
function requireThere({ isGone, name }: Entry): void {
  if (!isGone) return
  throw new StorageError('ERR_NOT_FOUND', `${name.bucket}/${name.entry} was removed or renamed`, name)
}
