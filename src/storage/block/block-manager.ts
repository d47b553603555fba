import type { Clock } from '../../base/clock.ts'
import { assert } from '../../base/assert.ts'
import type { BlockGroup } from '../commitlog/group.ts'
import type { Entry } from '../entry.ts'
import type { StorageObserver } from '../observer.ts'
import type { RecordWrite } from '../record.ts'
import { OpenBlock } from './block.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { StorageError } from '../errors.ts'
import { placeRecord, type Place, type Placement } from './placement.ts'

/** Reads a cold block back so that it can take records: positions, counts, occupied slots. */
export type BlockLoader = (entry: Entry, cold: IndexEntry) => Promise<OpenBlock>

/** First free microsecond and the block for every record; the write cache of open blocks. */
export class BlockManager {
  readonly #clock: Clock
  readonly #observer: StorageObserver
  readonly #load: BlockLoader
  /** All open blocks of the store, the least recently used first. */
  readonly #cache = new Set<OpenBlock>()
  /** Groups of the frame being built, in order of first touch. */
  #building: BlockGroup[] = []
  /** The group of every record reserved since `beginUnit`, in order. */
  #unit: BlockGroup[] = []
  /** Ids of removed blocks, with the sequence of the frame that says so, until a checkpoint covers it. */
  readonly #retired = new Map<Entry, Map<number, number>>()

  constructor(options: { clock: Clock; observer: StorageObserver; load: BlockLoader }) {
    this.#clock = options.clock
    this.#observer = options.observer
    this.#load = options.load
  }

  get openBlocks(): ReadonlySet<OpenBlock> {
    return this.#cache
  }

  get cacheBytes(): number {
    let bytes = 0
    for (const block of this.#cache) bytes += block.cacheBytes
    return bytes
  }

  /** An open block known from recovery. */
  adopt(block: OpenBlock): void {
    block.entry.open.set(block.id, block)
    block.count(true)
    this.#cache.add(block)
    linkRange(block)
  }

  /**
   * Reserves slot, data range and cache place for `write` in the group being built. Not reentrant. The only place
   * where blocks are chosen. Waits only where a cold block has to be read; what it then decides is decided anew.
   * @throws {StorageError} `ERR_CORRUPT` when the cold block cannot be read, or cannot take records: nothing was reserved
   */
  async reserve(entry: Entry, write: RecordWrite): Promise<void> {
    const placed = (place: Place): void => this.commit(entry, place, write)
    await this.#placing(entry, write.timestampUs, write.content.byteLength, placed)
  }

  /**
   * Reads back what has to be. `placed` is called at once with what was decided: a fold might close the block before the next
   * turn. @throws {StorageError} `ERR_CORRUPT` when the record belongs into a block that cannot be read
   */
  async #placing<T>(
    entry: Entry,
    timestampUs: number,
    contentBytes: number,
    placed: (place: Place) => T,
  ): Promise<T> {
    for (;;) {
      const placement = this.place(entry, timestampUs, contentBytes)
      if (placement.kind === 'full') throw noRoom(entry, placement.cold, timestampUs)
      if (placement.kind !== 'load') return placed(placement)
      await this.#reopen(entry, placement.cold).catch((error: unknown) => {
        // Now that the block is known to be unreadable, what lies behind it goes elsewhere.
        if (this.place(entry, timestampUs, contentBytes).kind === 'load') throw error
      })
    }
  }

  /** A block that is not folded until its `holds` go down again; read back if need be. @throws {StorageError} `ERR_CORRUPT` */
  async hold(entry: Entry, listed: IndexEntry): Promise<OpenBlock> {
    const open = entry.open.get(Number(listed.id))
    if (open === undefined) return this.#reopen(entry, listed, 1)
    open.holds += 1
    return open
  }

  /** Reads a cold block back into the write cache. @throws {StorageError} `ERR_CORRUPT` */
  async #reopen(entry: Entry, cold: IndexEntry, holds = 0): Promise<OpenBlock> {
    this.#observer.cacheMissed('write')
    const block = await this.#load(entry, cold).catch((error: unknown) => {
      if (error instanceof StorageError && error.code === 'ERR_CORRUPT') entry.unreadable.add(cold.id)
      throw error
    })
    entry.unreadable.delete(cold.id)
    block.holds = holds
    this.adopt(block)
    this.#observer.blockReopened()
    return block
  }

  /** The synchronous half of `reserve`: false where that has to wait, or throws; then nothing was reserved. */
  tryReserve(entry: Entry, write: RecordWrite): boolean {
    const placement = this.place(entry, write.timestampUs, write.content.byteLength)
    if (placement.kind === 'load' || placement.kind === 'full') return false
    if (placement.kind === 'append') this.#observer.cacheHit('write')
    else this.#observer.cacheMissed('write')
    this.commit(entry, placement, write)
    return true
  }

  /**
   * A range for content that comes later, at exactly this time; `undefined` where the time cannot be used. Only while no
   * group is being built. The block is held, as by `hold`. @throws {StorageError} `ERR_CORRUPT`, as `reserve`
   */
  async reserveRange(
    entry: Entry,
    timestampUs: number,
    contentBytes: number,
  ): Promise<{ readonly block: OpenBlock; readonly beginBytes: number } | undefined> {
    return this.#placing(entry, timestampUs, contentBytes, (place) => {
      if (place.slotUs !== timestampUs) return undefined
      const block = this.occupy(entry, place, contentBytes)
      block.holds += 1
      return { block, beginBytes: block.blkReservedBytes - contentBytes }
    })
  }

  /** What is reserved from now on is taken back together, or not at all. */
  beginUnit(): void {
    this.#unit = []
  }

  /** Undoes every reservation since `beginUnit`, in the group being built. Blocks that were read back stay open. */
  takeBackUnit(): void {
    for (let group = this.#unit.pop(); group !== undefined; group = this.#unit.pop()) this.takeBackLast(group)
  }

  /** The group reserved so far; the next `reserve` begins a new one. */
  takeGroup(): BlockGroup[] {
    const groups = this.#building
    this.#building = []
    this.#unit = []
    for (const group of groups) group.block.building = undefined
    return groups
  }

  /** Takes a folded block out of memory. The caller has made sure that nothing was reserved since its fold began. */
  forget(block: OpenBlock): void {
    assert(
      block.pendingGroups === 0 && block.building === undefined,
      'a block with pending groups was forgotten',
    )
    block.count(false)
    block.entry.open.delete(block.id)
    if (block.entry.hot === block) block.entry.hot = undefined
    this.#cache.delete(block)
  }

  /**
   * Takes a cold block that the frame `sequence` removes out of memory. Its id is not given again before a checkpoint
   * covers the frame: the log would bring the old block's end over the new one.
   */
  retire(entry: Entry, id: number, sequence: number): void {
    assert(!entry.open.has(id), 'an open block was removed')
    const listed = entry.index.get(BigInt(id))
    if (listed !== undefined) entry.leaving.set(id, listed)
    entry.read.delete(id)
    entry.unreadable.delete(BigInt(id))
    entry.index.delete(BigInt(id))
    entry.removals += 1
    linkRangeBefore(entry, id)
    const known = this.#retired.get(entry)
    if (known === undefined) this.#retired.set(entry, new Map([[id, sequence]]))
    else known.set(id, sequence)
  }

  /** A checkpoint covers everything up to `sequence`. */
  forgetRetired(sequence: number): void {
    for (const [entry, ids] of this.#retired) {
      for (const [id, removedBy] of ids) if (removedBy <= sequence) ids.delete(id)
      if (ids.size === 0) this.#retired.delete(entry)
    }
  }

  isRetired(entry: Entry, id: number): boolean {
    return entry.lingering.has(id) || (this.#retired.get(entry)?.has(id) ?? false)
  }

  /** A cold block that has got its place among the others. */
  listed(entry: Entry, block: IndexEntry): void {
    entry.index.set(block)
    entry.removals += 1
    linkRangeBefore(entry, Number(block.id))
  }

  private takeBackLast(group: BlockGroup): void {
    const { block } = group
    const write = group.writes.pop()
    const slotUs = group.slotsUs.pop()
    assert(write !== undefined && slotUs !== undefined, 'a record was taken back twice')
    group.contentBytes -= write.content.byteLength
    block.blkReservedBytes -= write.content.byteLength
    block.recordCount -= 1
    block.slots.remove(slotUs)
    block.latestUs = block.slots.last ?? 0
    block.entry.forgetTaken()
    if (group.writes.length > 0) return
    this.#building = this.#building.filter((other) => other !== group)
    block.building = undefined
    block.pendingGroups -= 1
    const wasStarted =
      block.pendingGroups === 0 && block.walReservedBytes === 0 && block.baseCrc64 === undefined
    if (wasStarted) this.unstart(block)
  }

  /** No frame and no file knows the block. */
  private unstart(block: OpenBlock): void {
    block.entry.index.delete(BigInt(block.id))
    linkRangeBefore(block.entry, block.id)
    this.forget(block)
  }

  private place(entry: Entry, timestampUs: number, contentBytes: number): Placement {
    let placement = placeRecord(entry, timestampUs, contentBytes, this.#clock)
    if (placement.kind === 'append' || placement.kind === 'start') {
      const id = placement.kind === 'append' ? placement.block.id : placement.id
      // Behind all blocks in between.
      if (timestampUs < id) entry.noteTaken(timestampUs, placement.slotUs)
    }
    while (placement.kind === 'start' && this.isRetired(entry, placement.id)) {
      const { id, slotUs } = placement
      const isFree = id < slotUs && entry.index.get(BigInt(id + 1)) === undefined
      placement = isFree
        ? { ...placement, id: id + 1 }
        : placeRecord(entry, Math.max(id, slotUs) + 1, contentBytes, this.#clock)
    }
    return placement
  }

  private commit(entry: Entry, placement: Place, write: RecordWrite): void {
    const { slotUs } = placement
    if (slotUs - write.timestampUs >= 1000) this.#observer.slotSpilled(slotUs - write.timestampUs)
    const blkAtBytes = placement.kind === 'append' ? placement.block.blkReservedBytes : 0
    const block = this.occupy(entry, placement, write.content.byteLength)
    let group = block.building
    if (group === undefined) {
      group = { block, blkAtBytes, contentBytes: 0, writes: [], slotsUs: [] }
      block.building = group
      block.pendingGroups += 1
      block.touchedMs = this.#clock.monotonicMs()
      this.#building.push(group)
      this.#cache.delete(block)
      this.#cache.add(block)
    }
    this.#unit.push(group)
    group.writes.push(write)
    group.slotsUs.push(slotUs)
    group.contentBytes += write.content.byteLength
  }

  /** Takes slot and range; starts the block where the placement says so. */
  private occupy(entry: Entry, placement: Place, contentBytes: number): OpenBlock {
    const { slotUs } = placement
    let block: OpenBlock
    if (placement.kind === 'start') {
      block = new OpenBlock(entry, placement.id, 0)
      entry.index.set({
        id: BigInt(block.id),
        sizeBytes: 0n,
        recordCount: 0,
        metadataBytes: 0n,
        latestUs: 0n,
        crc64: undefined,
      })
      this.adopt(block)
      this.#observer.blockStarted()
    } else {
      block = placement.block
    }
    if (placement.isLate) this.#observer.recordLate()
    block.slots.add(slotUs)
    if (block.recordCount === 0 || slotUs > block.latestUs) block.latestUs = slotUs
    block.blkReservedBytes += contentBytes
    block.recordCount += 1
    block.reservations += 1
    entry.hot = block
    return block
  }
}

function noRoom({ name, paths }: Entry, cold: IndexEntry, timestampUs: number): StorageError {
  const path = paths.descriptor(cold.id)
  return new StorageError(
    'ERR_CORRUPT',
    `block ${path} cannot take records and covers all times from ${cold.id} on`,
    { ...name, path, timestampUs: BigInt(timestampUs) },
  )
}

/** Sets where the range of a block that was just added ends, and that of the open block before it. */
function linkRange(block: OpenBlock): void {
  const { index } = block.entry
  const next = index.at(index.floorPosition(BigInt(block.id)) + 1)
  block.nextIdUs = next === undefined ? Infinity : Number(next.id)
  linkRangeBefore(block.entry, block.id)
}

/** Sets where the range of the open block before `id` ends, once a block has got or lost this id. */
function linkRangeBefore({ index, open }: Entry, id: number): void {
  const position = index.floorPosition(BigInt(id) - 1n)
  const previous = index.at(position)
  const previousOpen = previous === undefined ? undefined : open.get(Number(previous.id))
  if (previousOpen === undefined) return
  const next = index.at(position + 1)
  previousOpen.nextIdUs = next === undefined ? Infinity : Number(next.id)
}
