import { Lru } from '../../base/lru.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import type { OpenBlock } from '../block/block.ts'
import { blockIsGone, checkDescriptor, mergeBlock } from '../block/block-content.ts'
import { COMPRESSION_ZSTD, dataPathOf, readCompressedDescriptor } from '../block/compressed-block.ts'
import { decodeDescriptor, descriptorMemoryBytes, type Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import type { Entry } from '../entry.ts'
import type { StorageObserver } from '../observer.ts'
import type { BlockSource } from './block-source.ts'

interface CachedDescriptor {
  readonly descriptor: Descriptor
  /** Checksum of the descriptor, and of an open block the end of the WAL it includes: another value means out of date. */
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

  source(entry: Entry): BlockSource {
    return {
      name: entry.name,
      blocks: entry.listing().filter((block) => block.corrupted !== true),
      dataPath: (block) => dataPathOf(entry.paths, block),
      descriptor: (block) => this.#descriptor(entry, block),
    }
  }

  async #descriptor(entry: Entry, block: IndexEntry): Promise<Descriptor> {
    const open = entry.open.get(Number(block.id))
    if (open !== undefined) this.#observer.cacheHit('write')
    const version =
      open === undefined
        ? `cold ${entry.index.get(block.id)?.crc64}`
        : `open ${open.baseCrc64} ${open.walProjectedBytes}`
    const key = entry.paths.descriptor(block.id)
    const cached = this.#cache.get(key)
    if (cached?.version === version) {
      if (open === undefined) this.#observer.cacheHit('read')
      return cached.descriptor
    }
    if (open === undefined) this.#observer.cacheMissed('read')
    const descriptor =
      open === undefined ? await this.#readCold(entry, block) : await this.#readOpen(entry, open)
    this.#cache.set(key, { descriptor, version })
    this.#observer.cacheSized('read', this.#cache.bytes, this.#cache.size)
    return descriptor
  }

  /** @throws {StorageError} `ERR_NOT_FOUND` when the block was removed since it was listed */
  async #readCold(entry: Entry, block: IndexEntry): Promise<Descriptor> {
    if (block.compression === COMPRESSION_ZSTD)
      return readCompressedDescriptor(this.#fs, entry.paths, block.id, block.crc64)
    const path = entry.paths.descriptor(block.id)
    for (;;) {
      // Between the listing and now the block may have been folded, and while it is read it may change again.
      const listed = entry.index.get(block.id)
      const bytes = await this.#fs.readFile(path)
      if (entry.index.get(block.id) !== listed) continue
      if (listed === undefined) throw blockIsGone(entry, block.id)
      return checkDescriptor(bytes, path, listed.crc64)
    }
  }

  async #readOpen(entry: Entry, open: OpenBlock): Promise<Descriptor> {
    const path = entry.paths.descriptor(open.id)
    const { walProjectedBytes } = open
    const wal = await this.#fs.readFile(open.wal.path)
    const bytes = await this.#fs.readFile(path)
    // A fold that ended meanwhile has put everything into the descriptor.
    if (!entry.open.has(open.id)) return checkDescriptor(bytes, path, undefined)
    const base = bytes === undefined ? undefined : checkDescriptor(bytes, path, undefined)
    const visible = (wal ?? new Uint8Array(0)).subarray(0, walProjectedBytes)
    return decodeDescriptor(mergeBlock(BigInt(open.id), base, visible, undefined).bytes)
  }
}
