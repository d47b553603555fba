import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/lru.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { blockIsGone, checkDescriptor } from '../block/block-content.ts'
import { COMPRESSION_ZSTD, dataPathOf, readCompressedDescriptor } from '../block/compressed-block.ts'
import { descriptorMemoryBytes, type Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { StorageError } from '../errors.ts'
import { EntryPaths } from '../paths.ts'
import type { EntryName } from '../record.ts'
import type { BlockSource } from './block-source.ts'
import { lookOnce, type Look } from './directory-look.ts'
import { readMessage } from '../read-message.ts'

/** An entry that a writer changes during each of so many looks is busy. */
const LOOKS_MAX = 100
/**
 * A doubt that so many looks confirm, while nothing changes, is believed. The pauses between them double from 1 ms: 255 ms
 * in all, for ReductStore syncs one file before it writes the next.
 */
const STEADY_LOOKS = 8
const DESCRIPTORS_BYTES_MAX = 16 * 1024 * 1024
const MEMORY_BYTES_MAX = 8 * 1024 * 1024

/** A directory's blocks, and what cannot be shown of them. */
export interface DirectorySource extends BlockSource {
  readonly faults: readonly { readonly path: string; readonly message: string }[]
  /** Whether there is a directory for the entry. */
  readonly isThere: boolean
}

export interface FollowerOptions {
  readonly fs: FileSystem
  readonly dataPath: string
  /** Nothing of ours was ever there: a descriptor that the index does not list counts. */
  readonly isForeign: boolean
  /** No process writes there: what is found is believed at once. */
  readonly isAlone?: boolean
  /** For the pauses between looks; without it there are none. */
  readonly clock?: Pick<Clock, 'sleep'> | undefined
}

interface KnownBlock {
  readonly recordCount: number
  readonly crc64: bigint | undefined
  readonly lastFrame: number | undefined
}

/** What was accepted of an entry last. */
interface Memory {
  readonly blocks: ReadonlyMap<bigint, KnownBlock>
  /** State and doubts that were believed. */
  readonly believed: string | undefined
}

/**
 * Follows the entries of a directory that a live writer may be changing, by looks at files alone. A look counts when index
 * and WALs were the same before and after, and nothing in it is in doubt. What damage or a writer between two steps may
 * have left is looked at again until it stays; so is a look with fewer records than the one before where no removal
 * explains it (W21). What stays is what the files say, and is accepted: a person may have put an older copy there.
 * One that never holds still is `ERR_BUSY`.
 */
export class Follower {
  readonly #options: FollowerOptions
  readonly #memories = new Lru<string, Memory>({
    bytesMax: MEMORY_BYTES_MAX,
    weigh: ({ blocks }) => 256 + 128 * blocks.size,
  })
  readonly #descriptors = new Lru<string, { readonly crc64: bigint; readonly descriptor: Descriptor }>({
    bytesMax: DESCRIPTORS_BYTES_MAX,
    weigh: ({ descriptor }) => descriptorMemoryBytes(descriptor),
  })

  constructor(options: FollowerOptions) {
    this.#options = options
  }

  /** The blocks of an entry as of now. @throws {StorageError} `ERR_BUSY` */
  async source(name: EntryName): Promise<DirectorySource> {
    const paths = new EntryPaths(this.#options.dataPath, name)
    const look = await this.#look(name, paths)
    const { merged, broken } = look
    const blocks = [...look.entries.values()]
      .filter((block) => block.corrupted !== true)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
    return {
      name,
      isThere: look.files.isThere,
      blocks,
      covering: (timestampUs) => {
        const next = blocks.find(({ id }) => id > timestampUs)
        const covering = blocks.filter(({ id, latestUs }) => id <= timestampUs && latestUs >= timestampUs)
        return next === undefined ? covering : [...covering, next]
      },
      faults: Array.from(broken.values(), ({ facts, message }) => ({
        path: facts.path ?? paths.directory,
        message,
      })),
      dataPath: (block) =>
        merged.get(block.id)?.dataFrom === 'swap' ? paths.swap(block.id) : dataPathOf(paths, block),
      pin: () => () => undefined,
      isCurrent: () => true,
      isHeld: false,
      now: async () => {
        const now = await this.source(name)
        if (now.isThere) return now
        throw new StorageError('ERR_NOT_FOUND', `${name.bucket}/${name.entry} was removed or renamed`, name)
      },
      isStarted: () => false,
      descriptor: async (block) => {
        const open = merged.get(block.id)
        if (open !== undefined) return open.descriptor
        const lost = broken.get(block.id)
        if (lost !== undefined) throw lost
        return this.#coldDescriptor(name, paths, block)
      },
    }
  }

  async #look(name: EntryName, paths: EntryPaths): Promise<Look> {
    const { fs, isForeign, isAlone } = this.#options
    const memory = this.#memories.get(paths.directory)
    let state = ''
    let steady = 0
    for (let looks = 1; looks <= LOOKS_MAX; looks++) {
      const isSteady = (now: string): boolean =>
        isAlone === true || (now === state && steady >= STEADY_LOOKS) || isBelieved(memory, now)
      const look = await lookOnce(fs, paths, isForeign, isSteady)
      if (look !== undefined) {
        const doubts = [...look.doubts]
        const isListing = look.files.isIndexValid || isSteady(look.state)
        const missing = isListing ? await this.#unexplained(memory, look, paths) : undefined
        if (missing !== undefined) doubts.push(missing)
        const believed = doubts.length === 0 ? undefined : beliefOf(look.state, doubts)
        const isAccepted =
          believed === undefined ||
          isAlone === true ||
          believed === memory?.believed ||
          (look.state === state && steady >= STEADY_LOOKS)
        if (isListing && isAccepted) {
          this.#remember(memory, look, paths, believed)
          return look
        }
        steady = look.state === state ? steady + 1 : 1
        state = look.state
      } else steady = 0
      await this.#pause(steady)
    }
    throw new StorageError(
      'ERR_BUSY',
      `${name.bucket}/${name.entry} is being changed faster than it can be read: try again`,
      name,
    )
  }

  /** Why a look shows less than the one before, if no removal says so. */
  async #unexplained(
    memory: Memory | undefined,
    { files, entries, merged, left }: Look,
    paths: EntryPaths,
  ): Promise<string | undefined> {
    for (const [id, known] of memory?.blocks ?? []) {
      const now = entries.get(id)
      if (now === undefined) {
        if (left.has(id) || !(files.described.has(id) || files.compressed.has(id))) continue
        return `block ${id} is not listed any more`
      }
      if (now.recordCount >= known.recordCount) continue
      const descriptor = merged.get(id)?.descriptor ?? (await this.#readIfWhole(paths, now))
      // A removal is a later frame than the last that was folded.
      const lastFrame = descriptor?.lastFrame
      if (lastFrame !== undefined && lastFrame > (known.lastFrame ?? -1)) continue
      return `block ${id} has fewer records than before`
    }
    return undefined
  }

  #remember(
    before: Memory | undefined,
    { entries, merged }: Look,
    paths: EntryPaths,
    believed: string | undefined,
  ): void {
    const blocks = new Map<bigint, KnownBlock>()
    for (const { id, recordCount, crc64 } of entries.values()) {
      const known = before?.blocks.get(id)
      const cached = this.#descriptors.get(paths.descriptor(id))
      const descriptor =
        merged.get(id)?.descriptor ?? (cached?.crc64 === crc64 ? cached?.descriptor : undefined)
      const lastFrame = descriptor?.lastFrame ?? known?.lastFrame
      blocks.set(id, { recordCount, crc64, lastFrame })
    }
    this.#memories.set(paths.directory, { blocks, believed })
  }

  /**
   * The descriptor of a block without WAL.
   * @throws {StorageError} `ERR_NOT_FOUND` when the block is not any more what was listed, `ERR_CORRUPT` when it is
   */
  async #coldDescriptor(name: EntryName, paths: EntryPaths, block: IndexEntry): Promise<Descriptor> {
    const { id } = block
    for (let looks = 1; ; looks++) {
      try {
        return await this.#read(paths, block)
      } catch (error) {
        if (!isDamage(error) || this.#options.isAlone === true || looks > STEADY_LOOKS) throw error
      }
      // A writer replaces a descriptor before it says so.
      await this.#pause(looks)
      const { entries, merged, broken } = await this.#look(name, paths)
      const now = entries.get(id)
      const isAsListed = now?.crc64 === block.crc64 && now?.compression === block.compression
      if (now === undefined || !isAsListed || merged.has(id) || broken.has(id))
        throw blockIsGone({ name, paths }, id)
    }
  }

  async #read(paths: EntryPaths, { id, crc64, compression }: IndexEntry): Promise<Descriptor> {
    const { fs } = this.#options
    const path = paths.descriptor(id)
    const cached = this.#descriptors.get(path)
    if (cached !== undefined && cached.crc64 === crc64) return cached.descriptor
    const descriptor =
      compression === COMPRESSION_ZSTD
        ? await readCompressedDescriptor(fs, paths, id, crc64)
        : checkDescriptor(await readMessage(fs, path), path, crc64)
    if (crc64 !== undefined) this.#descriptors.set(path, { crc64, descriptor })
    return descriptor
  }

  async #readIfWhole(paths: EntryPaths, block: IndexEntry): Promise<Descriptor | undefined> {
    if (block.crc64 === undefined) return undefined
    try {
      return await this.#read(paths, block)
    } catch (error) {
      if (isDamage(error)) return undefined
      throw error
    }
  }

  async #pause(looks: number): Promise<void> {
    await this.#options.clock?.sleep(2 ** Math.max(0, Math.min(looks, STEADY_LOOKS) - 1))
  }
}

function beliefOf(state: string, doubts: readonly string[]): string {
  return [state, ...doubts].join('\n')
}

function isBelieved(memory: Memory | undefined, state: string): boolean {
  return memory?.believed?.startsWith(`${state}\n`) === true
}

function isDamage(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'ERR_CORRUPT'
}
