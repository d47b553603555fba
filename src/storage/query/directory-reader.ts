import { crc64, loadCrc64 } from '../../base/crc64.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { checkDescriptor } from '../block/block-content.ts'
import { COMPRESSION_ZSTD, dataPathOf, readCompressedDescriptor } from '../block/compressed-block.ts'
import { judgeBlock, type WholeBlock } from '../block/judge-block.ts'
import type { Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { StorageError } from '../errors.ts'
import { EntryPaths, isAttachment, storePaths } from '../paths.ts'
import type { EntryInfo, EntryName, ListOptions, RecordReader, StoredRecord, ReadOptions } from '../record.ts'
import { readFormat, requireNothingElse } from '../store-files.ts'
import type { BlockSource } from './block-source.ts'
import { discover } from './discover.ts'
import { entryInfo } from './entry-info.ts'
import { lookAtEntry, readBlockFiles } from './entry-files.ts'
import { listBlocks, rebuildIndex } from './list-blocks.ts'
import { getRecord, readRecords } from './read-records.ts'

/**
 * Opens a directory for reading without lock or write: what ReductStore's own files show, WALs included. Also of a
 * directory that a writer is changing: each call looks anew.
 * @throws {StorageError} `ERR_NOT_A_STORE` when there is no such directory, `ERR_FORMAT` when a newer release wrote it
 */
export async function openDirectory(fs: FileSystem, dataPath: string): Promise<RecordReader> {
  await loadCrc64()
  if ((await fs.list(dataPath)) === undefined) {
    throw new StorageError('ERR_NOT_A_STORE', `there is no directory ${dataPath}`, { path: dataPath })
  }
  await requireNothingElse(fs, storePaths(dataPath))
  const format = await readFormat(fs, storePaths(dataPath)).catch((error: unknown) => {
    // What is damaged is verify's to tell: buckets can be read without it.
    if (error instanceof StorageError && error.code === 'ERR_FORMAT') throw error
    return 'damaged' as const
  })
  return new DirectoryReader(fs, dataPath, format === undefined)
}

class DirectoryReader implements RecordReader {
  readonly #fs: FileSystem
  readonly #dataPath: string
  readonly #isForeign: boolean

  constructor(fs: FileSystem, dataPath: string, isForeign: boolean) {
    this.#fs = fs
    this.#dataPath = dataPath
    this.#isForeign = isForeign
  }

  async entries({ attachments = false }: ListOptions = {}): Promise<EntryInfo[]> {
    const { entries } = await discover(this.#fs, this.#dataPath)
    const listed = entries.filter((name) => attachments || !isAttachment(name))
    const infos: EntryInfo[] = []
    for (const name of listed) infos.push(entryInfo(await this.#source(name)))
    return infos
  }

  async get(name: EntryName, timestampUs: bigint): Promise<StoredRecord | undefined> {
    return getRecord(this.#fs, await this.#source(name), timestampUs)
  }

  async *records(name: EntryName, range?: ReadOptions): AsyncGenerator<StoredRecord> {
    yield* readRecords(this.#fs, await this.#source(name), range)
  }

  #source(name: EntryName): Promise<BlockSource> {
    return directorySource(this.#fs, this.#dataPath, name, this.#isForeign)
  }
}

/** A writer that folds one block again and again is looked at so often. */
const LOOKS_MAX = 8

/** A directory's blocks, and what cannot be shown of them. */
export interface DirectorySource extends BlockSource {
  readonly faults: readonly { readonly path: string; readonly message: string }[]
}

/**
 * The blocks of an entry by its files alone: index or descriptors, and a WAL for each block that has one. Beside a
 * writer: what was there at the time, and of a block that was folded since perhaps more.
 * @param isForeign nothing of ours was ever there: a descriptor that the index does not list counts. In a store of ours
 *   that is a block whose removal is under way
 */
export async function directorySource(
  fs: FileSystem,
  dataPath: string,
  name: EntryName,
  isForeign = false,
): Promise<DirectorySource> {
  const paths = new EntryPaths(dataPath, name)
  const files = await lookAtEntry(fs, paths)
  const entries = files.isIndexValid ? new Map(files.listed) : (await rebuildIndex(fs, paths)).entries
  for (const [id, listed] of files.compressed) entries.set(id, listed)
  const merged = new Map<bigint, WholeBlock>()
  const broken = new Map<bigint, StorageError>()
  const unlisted = isForeign ? [...files.described].filter((id) => !entries.has(id)) : []
  for (const id of new Set([...files.wals, ...files.swaps, ...unlisted])) {
    const found = await readBlockFiles(fs, paths, files, id)
    // A writer has folded it since.
    if (found.wal === undefined && files.wals.has(id)) continue
    const verdict = judgeBlock(found, true)
    if (verdict.kind !== 'removed' && files.compressed.has(id)) continue
    if (verdict.kind === 'removed' || verdict.kind === 'void') entries.delete(id)
    else if (verdict.kind === 'lost') broken.set(id, lostBlock(paths.descriptor(id), verdict.why))
    else {
      if (verdict.baseFault !== undefined) broken.set(id, lostBlock(paths.descriptor(id), verdict.baseFault))
      merged.set(id, verdict)
      entries.set(id, openEntry(id, verdict.descriptor))
    }
  }
  // Without CRC and without WAL: folded since the index was read, when its totals were those of a first group.
  if ([...entries.values()].some(({ id, crc64: listed }) => listed === undefined && !merged.has(id))) {
    const { entries: now } = await listBlocks(fs, paths)
    for (const id of entries.keys()) {
      const listed = now.get(id)
      if (listed !== undefined && !merged.has(id)) entries.set(id, listed)
    }
  }
  const blocks = [...entries.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  return {
    name,
    blocks: blocks.filter((block) => block.corrupted !== true),
    faults: Array.from(broken.values(), ({ facts, message }) => ({
      path: facts.path ?? paths.directory,
      message,
    })),
    dataPath: (block) =>
      merged.get(block.id)?.dataFrom === 'swap' ? paths.swap(block.id) : dataPathOf(paths, block),
    pin: () => () => undefined,
    isCurrent: () => true,
    now: () => directorySource(fs, dataPath, name, isForeign),
    isStarted: () => false,
    descriptor: async (block: IndexEntry) => {
      const open = merged.get(block.id)
      if (open !== undefined) return open.descriptor
      const lost = broken.get(block.id)
      if (lost !== undefined) throw lost
      if (block.compression === COMPRESSION_ZSTD)
        return readCompressedDescriptor(fs, paths, block.id, block.crc64)
      const path = paths.descriptor(block.id)
      let expected = block.crc64
      for (let looks = 1; ; looks++) {
        const bytes = await fs.readFile(path)
        const isAsListed = bytes !== undefined && expected !== undefined && crc64(bytes) === expected
        if (isAsListed || looks === LOOKS_MAX) return checkDescriptor(bytes, path, expected)
        // A writer may have folded the block again: then the index, which follows the descriptor, says so.
        const now = (await listBlocks(fs, paths)).entries.get(block.id)?.crc64
        if (now === expected) return checkDescriptor(bytes, path, expected)
        expected = now
      }
    },
  }
}

function lostBlock(path: string, why: string): StorageError {
  return new StorageError('ERR_CORRUPT', `${path}: ${why}`, { path })
}

function openEntry(id: bigint, { bytes, sizeBytes, timestampsUs }: Descriptor): IndexEntry {
  return {
    id,
    sizeBytes: BigInt(sizeBytes),
    recordCount: timestampsUs.length,
    metadataBytes: BigInt(bytes.byteLength),
    latestUs: timestampsUs.at(-1) ?? 0n,
  }
}
