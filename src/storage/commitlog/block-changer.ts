import { dirname } from 'node:path'
import { atomicWrite } from '../../fs/atomic-write.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { moveFile } from '../../fs/move-file.ts'
import { writeAll } from '../../fs/write-all.ts'
import { checkDescriptor } from '../block/block-content.ts'
import type { BlockManager } from '../block/block-manager.ts'
import { listingOnDisk } from '../block/fold.ts'
import { changeDescriptor } from '../block/change-descriptor.ts'
import { decodeDescriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { indexEntryOf } from '../codec/index-entry.ts'
import type { DirtySet } from '../dirty-set.ts'
import type { Entry } from '../entry.ts'
import { blockFiles, stagedFiles, type StorePaths } from '../paths.ts'
import { removalIntent } from '../wal/wal-codec.ts'
import type { BlockChange } from './block-change.ts'
import type { EntryChange } from './group.ts'
import { readMessage } from '../read-message.ts'

type Change<K extends BlockChange['kind']> = Extract<BlockChange, { kind: K }>

/**
 * Carries the block changes of durable frames into ReductStore's files, in the projector, between other projections.
 * Each order is chosen for a kill -9 between any two steps: stock ReductStore then shows the block as before or as
 * after, never in between. Power cuts are the log's: the steps are redone from it.
 */
export class BlockChanger {
  readonly #fs: FileSystem
  readonly #paths: StorePaths
  readonly #dirty: DirtySet
  readonly #manager: BlockManager
  readonly #poison: (cause: unknown) => void
  readonly #inTurn: (job: () => Promise<void>) => Promise<void>
  readonly #lacksChecksums: (entry: Entry, blockId: bigint) => void
  #isStopped = false

  constructor(options: {
    fs: FileSystem
    paths: StorePaths
    dirty: DirtySet
    manager: BlockManager
    poison: (cause: unknown) => void
    /** Runs a job between projections. */
    inTurn: (job: () => Promise<void>) => Promise<void>
    /** Told of a block that has changed, or taken its place, with records without CRC-32. */
    lacksChecksums: (entry: Entry, blockId: bigint) => void
  }) {
    this.#fs = options.fs
    this.#paths = options.paths
    this.#dirty = options.dirty
    this.#manager = options.manager
    this.#poison = options.poison
    this.#inTurn = options.inTurn
    this.#lacksChecksums = options.lacksChecksums
  }

  async apply({ entry, change }: EntryChange, sequence: number): Promise<void> {
    if (change.kind === 'drop') await this.#drop(entry, change, sequence)
    else if (change.kind === 'adopt') await this.#adopt(entry, change)
    else await this.#changeDescriptor(entry, change, sequence)
  }

  /** Data files that still wait for their readers stay: their intent is there, and the next open finishes it. */
  stop(): void {
    this.#isStopped = true
  }

  /** While the index holds a CRC for the block, its descriptor never changes (W1). */
  async #changeDescriptor(
    entry: Entry,
    change: Change<'strip' | 'checksum'>,
    sequence: number,
  ): Promise<void> {
    const id = BigInt(change.blockId)
    const path = entry.paths.descriptor(id)
    const descriptor = checkDescriptor(await readMessage(this.#fs, path), path, change.baseCrc64)
    const bytes = changeDescriptor(descriptor, change, sequence)
    const changed = indexEntryOf(id, decodeDescriptor(bytes))
    const crcless = { ...changed, crc64: undefined }
    this.#dirty.file(entry.indexFile.file)
    await this.#list(entry, crcless)
    entry.index.set(crcless)
    await atomicWrite(this.#fs, path, 'descriptor', bytes)
    await this.#list(entry, changed)
    entry.index.set(changed)
    if (change.kind !== 'strip') return
    entry.removals += 1
    // Who was about to add them has given the block up, for it changed.
    if (changed.hasChecksums !== true) this.#lacksChecksums(entry, id)
  }

  /**
   * The intent comes first: without it ReductStore would bring the block back from its descriptor. It goes last, when
   * nothing of the block is left. In memory it goes here: what takes its place is listed before.
   */
  async #drop(entry: Entry, { blockId }: Change<'drop'>, sequence: number): Promise<void> {
    const { paths } = entry
    const id = BigInt(blockId)
    this.#manager.retire(entry, blockId, sequence)
    await atomicWrite(this.#fs, paths.wal(id), 'wal', removalIntent())
    entry.leaving.delete(blockId)
    await entry.indexFile.rewrite(this.#fs, listingOnDisk(entry))
    this.#dirty.forgetFile(paths.wal(id))
    for (const path of blockFiles(paths, id).descriptors) await this.#unlink(path)
    if (!entry.pins.isPinned(id)) {
      await this.#dropData(entry, id)
      return this.#unlink(paths.wal(id))
    }
    entry.lingering.add(blockId)
    void entry.pins.free(id).then(() => {
      const drop = async (): Promise<void> => {
        if (!this.#isStopped) await this.#dropLingering(entry, blockId)
      }
      return this.#inTurn(drop).catch(this.#poison)
    })
  }

  /** For an entry that is about to lose its place: its removed blocks go, read or not. */
  async dropLingering(entry: Entry): Promise<void> {
    await this.#inTurn(async () => {
      for (const id of [...entry.lingering]) await this.#dropLingering(entry, id)
    })
  }

  async #dropLingering(entry: Entry, id: number): Promise<void> {
    if (!entry.lingering.has(id)) return
    const blockId = BigInt(id)
    await this.#dropData(entry, blockId)
    // The log may have forgotten the frame by now, and the intent alone says whose content this is.
    await this.#fs.syncDirectories([entry.paths.directory])
    await this.#unlink(entry.paths.wal(blockId))
    entry.lingering.delete(id)
  }

  async #dropData({ paths }: Entry, id: bigint): Promise<void> {
    for (const path of blockFiles(paths, id).data) await this.#unlink(path)
  }

  async #unlink(path: string): Promise<void> {
    // Before it goes: a checkpoint that runs may come to it in between.
    this.#dirty.removedFile(path)
    await this.#fs.unlink(path)
    this.#dirty.directory(dirname(path))
  }

  /** Content before descriptor, both durable before the index: a listed block is whole. */
  async #adopt(entry: Entry, change: Change<'adopt'>): Promise<void> {
    const id = BigInt(change.blockId)
    const path = entry.paths.descriptor(id)
    const staged = stagedFiles(this.#paths, change.stagedName)
    await moveFile(this.#fs, staged.data, { path: entry.paths.data(id), kind: 'data' })
    await moveFile(this.#fs, staged.descriptor, { path, kind: 'descriptor' })
    // The next frame may stand on it.
    await this.#fs.syncDirectories([entry.paths.directory, this.#paths.staged])
    const listed = indexEntryOf(
      id,
      checkDescriptor(await readMessage(this.#fs, path), path, change.baseCrc64),
    )
    this.#dirty.file(entry.indexFile.file)
    await this.#list(entry, listed)
    this.#manager.listed(entry, listed)
    if (listed.hasChecksums !== true) this.#lacksChecksums(entry, id)
  }

  async #list(entry: Entry, listed: IndexEntry): Promise<void> {
    await writeAll(this.#fs, 'projection', [entry.indexFile.append(listed)])
  }
}
