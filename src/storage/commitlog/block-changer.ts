import { dirname } from 'node:path'
import { inParallel } from '../../base/in-parallel.ts'
import { atomicWrite, clearTemporary } from '../../fs/atomic-write.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { moveFile } from '../../fs/move-file.ts'
import { replaceFiles, type Replacement } from '../../fs/replace-files.ts'
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

interface ChangeOf<K extends BlockChange['kind']> {
  readonly entry: Entry
  readonly change: Change<K>
}

/** Blocks of a frame whose files are named, read or removed at once. */
const BLOCKS_AT_ONCE = 16

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

  /**
   * All changes of one frame; blocks that are adopted, or dropped, share their syncs. What takes the place of others is
   * listed before they go.
   */
  async apply(changes: readonly EntryChange[], sequence: number): Promise<void> {
    await this.#adopt(changes.filter((one) => isOf(one, 'adopt')))
    for (const { entry, change } of changes) {
      if (change.kind === 'strip' || change.kind === 'checksum')
        await this.#changeDescriptor(entry, change, sequence)
    }
    await this.#drop(
      changes.filter((one) => isOf(one, 'drop')),
      sequence,
    )
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
   * The intents come first: without its own ReductStore would bring a block back from its descriptor. Each goes last, when
   * nothing of its block is left. In memory the blocks go here: what takes their place is listed before.
   */
  async #drop(dropped: readonly ChangeOf<'drop'>[], sequence: number): Promise<void> {
    if (dropped.length === 0) return
    for (const { entry, change } of dropped) this.#manager.retire(entry, change.blockId, sequence)
    const intents = dropped.map(({ entry, change }): Replacement => {
      const path = entry.paths.wal(change.blockId)
      return { file: { path, kind: 'wal' }, bytes: removalIntent() }
    })
    await inParallel(BLOCKS_AT_ONCE, intents, ({ file }) => clearTemporary(this.#fs, file.path))
    await replaceFiles(this.#fs, intents)
    for (const { entry, change } of dropped) entry.leaving.delete(change.blockId)
    const entries = [...new Set(dropped.map(({ entry }) => entry))]
    await inParallel(BLOCKS_AT_ONCE, entries, (entry) =>
      entry.indexFile.rewrite(this.#fs, listingOnDisk(entry)),
    )
    for (const { file } of intents) this.#dirty.forgetFile(file.path)
    await inParallel(BLOCKS_AT_ONCE, dropped, (one) => this.#dropFiles(one))
  }

  async #dropFiles({ entry, change: { blockId } }: ChangeOf<'drop'>): Promise<void> {
    const { paths } = entry
    const id = BigInt(blockId)
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
  async #adopt(adopted: readonly ChangeOf<'adopt'>[]): Promise<void> {
    if (adopted.length === 0) return
    await inParallel(BLOCKS_AT_ONCE, adopted, async ({ entry: { paths }, change }) => {
      const staged = stagedFiles(this.#paths, change.stagedName)
      const [data, descriptor] = [paths.data(change.blockId), paths.descriptor(change.blockId)]
      await moveFile(this.#fs, staged.data, { path: data, kind: 'data' })
      await moveFile(this.#fs, staged.descriptor, { path: descriptor, kind: 'descriptor' })
    })
    const directories = new Set(adopted.map(({ entry }) => entry.paths.directory))
    // The next frame may stand on it.
    await this.#fs.syncDirectories([...directories, this.#paths.staged])
    const found: { readonly entry: Entry; readonly listed: IndexEntry }[] = []
    await inParallel(BLOCKS_AT_ONCE, adopted, async ({ entry, change }) => {
      const path = entry.paths.descriptor(change.blockId)
      const descriptor = checkDescriptor(await readMessage(this.#fs, path), path, change.baseCrc64)
      found.push({ entry, listed: indexEntryOf(BigInt(change.blockId), descriptor) })
    })
    for (const { entry } of found) this.#dirty.file(entry.indexFile.file)
    const ops = found.map(({ entry, listed }) => entry.indexFile.append(listed))
    await writeAll(this.#fs, 'projection', ops)
    for (const { entry, listed } of found) {
      this.#manager.listed(entry, listed)
      if (listed.hasChecksums !== true) this.#lacksChecksums(entry, listed.id)
    }
  }

  async #list(entry: Entry, listed: IndexEntry): Promise<void> {
    await writeAll(this.#fs, 'projection', [entry.indexFile.append(listed)])
  }
}

function isOf<K extends BlockChange['kind']>(
  one: { readonly entry: Entry; readonly change: BlockChange },
  kind: K,
): one is ChangeOf<K> {
  return one.change.kind === kind
}
