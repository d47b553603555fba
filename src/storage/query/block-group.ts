import type { FileReader, FileSystem } from '../../fs/file-system.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { StorageError } from '../errors.ts'
import type { BatchOptions } from '../record.ts'
import { BatchContents } from './batch-contents.ts'
import type { BatchMemory } from './batch-memory.ts'
import { blockData } from './block-data.ts'
import type { BlockRecord, ReadBlock } from './block-record.ts'
import type { BlockSource } from './block-source.ts'
import { isGone } from './locate-record.ts'
import { BatchPlanner, type BatchLimits } from './plan-batch.ts'

/** Batches whose contents are being read while one is taken. */
const BATCHES_AHEAD = 2
const BATCH_RECORDS_MAX = 2048

/** Blocks whose ranges form one stretch, opened for reading in the order of time, and their data files kept until `close`. */
export class BlockGroup {
  /** Behind everything that these blocks hold. */
  readonly endUs: bigint
  readonly #fs: FileSystem
  readonly #planner: BatchPlanner
  /** Absent: contents are not read along. */
  readonly #memory: BatchMemory | undefined
  readonly #limits: BatchLimits
  readonly #files = new Map<ReadBlock, FileReader>()
  readonly #ahead: BatchContents[] = []
  readonly #unpin: () => void

  constructor(fs: FileSystem, blocks: readonly ReadBlock[], options: GroupOptions, unpin: () => void) {
    this.#fs = fs
    this.#memory = options.memory
    this.#limits = { records: BATCH_RECORDS_MAX, contentBytes: options.memory?.batchBytes ?? Infinity }
    this.#unpin = unpin
    this.#planner = new BatchPlanner(blocks, options)
    this.endUs = options.fromUs
    for (const { descriptor } of blocks) {
      const endUs = (descriptor.timestampsUs.at(-1) ?? -1n) + 1n
      if (endUs > this.endUs) this.endUs = endUs
    }
  }

  /** Begins to read the first contents. */
  begin(): void {
    if (this.#memory === undefined) return
    while (this.#ahead.length < BATCHES_AHEAD) {
      const batch = this.#planner.next(this.#limits)
      if (batch === undefined) return
      this.#ahead.push(new BatchContents(batch, this.#memory, (block) => this.#fileOf(block)))
    }
  }

  /** @param onPlanned called when nothing more is to be read of these blocks but what is on its way */
  async *batches(onPlanned: () => void): AsyncGenerator<readonly BlockRecord[]> {
    for (;;) {
      this.begin()
      const planned = this.#memory === undefined ? this.#planner.next(this.#limits) : undefined
      if (this.#planner.isDone) onPlanned()
      if (planned !== undefined) {
        yield planned.records
        continue
      }
      const [batch] = this.#ahead
      if (batch === undefined) return
      yield await batch.read()
      this.#ahead.shift()
      await batch.release()
    }
  }

  async close(): Promise<void> {
    for (const batch of this.#ahead) await batch.release()
    this.#ahead.length = 0
    for (const file of this.#files.values()) await file.close()
    this.#unpin()
  }

  #fileOf(block: ReadBlock): FileReader {
    const file = this.#files.get(block) ?? this.#fs.openToRead(block.source.dataPath(block.block))
    this.#files.set(block, file)
    return file
  }
}

export interface GroupOptions {
  readonly fromUs: bigint
  readonly stopUs: bigint
  readonly anyState: boolean
  readonly memory: BatchMemory | undefined
  readonly onDamaged: BatchOptions['onDamaged']
}

/** The blocks from `at` whose ranges form one stretch. */
export function overlapping(blocks: readonly IndexEntry[], at: number): IndexEntry[] {
  const together = [blocks[at] as IndexEntry]
  let latestUs = (blocks[at] as IndexEntry).latestUs
  for (let next = at + 1; next < blocks.length; next++) {
    const block = blocks[next] as IndexEntry
    if (block.id > latestUs) break
    together.push(block)
    if (block.latestUs > latestUs) latestUs = block.latestUs
  }
  return together
}

/**
 * Reads the descriptors of `blocks` and pins them; of their contents nothing yet, see `begin`.
 * @returns `undefined` when the listing that they are of is out of date
 * @throws {StorageError} `ERR_CORRUPT` without `onDamaged`
 */
export async function openGroup(
  fs: FileSystem,
  source: BlockSource,
  blocks: readonly IndexEntry[],
  options: GroupOptions,
): Promise<BlockGroup | undefined> {
  const pins = blocks.map((block) => source.pin(block))
  const unpin = (): void => {
    for (const free of pins) free()
  }
  const { stopUs, onDamaged } = options
  try {
    const opened: ReadBlock[] = []
    if (source.isCurrent()) {
      for (const block of blocks) {
        const descriptor = await source.descriptor(block).catch((error: unknown) => {
          const isDamage = error instanceof StorageError && error.code === 'ERR_CORRUPT'
          // Behind the range: nothing says that it holds anything of it.
          if (isDamage && block.id >= stopUs) return
          if (!isDamage || onDamaged === undefined) throw error
          onDamaged(error)
        })
        if (descriptor === undefined) continue
        opened.push({ fs, source, block, descriptor, data: blockData(fs, source, block, descriptor) })
      }
    }
    if (source.isCurrent()) return new BlockGroup(fs, opened, options, unpin)
  } catch (error) {
    if (!isGone(error)) {
      unpin()
      throw error
    }
  }
  unpin()
  return undefined
}
