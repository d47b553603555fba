import { crc64, loadCrc64 } from '../../base/crc64.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { checkDescriptor, mergeBlock } from '../block/block-content.ts'
import { decodeDescriptor, type Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { StorageError } from '../errors.ts'
import { EntryPaths, parseBlockFileName, storePaths } from '../paths.ts'
import type { EntryInfo, EntryName, RecordReader, StoredRecord, TimeRange } from '../record.ts'
import { readFormat, requireNothingElse } from '../store-files.ts'
import type { BlockSource } from './block-source.ts'
import { discover } from './discover.ts'
import { entryInfo } from './entry-info.ts'
import { listBlocks } from './list-blocks.ts'
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
  await readFormat(fs, storePaths(dataPath)).catch((error: unknown) => {
    // What is damaged is verify's to tell: buckets can be read without it.
    if (error instanceof StorageError && error.code === 'ERR_FORMAT') throw error
  })
  return new DirectoryReader(fs, dataPath)
}

class DirectoryReader implements RecordReader {
  readonly #fs: FileSystem
  readonly #dataPath: string

  constructor(fs: FileSystem, dataPath: string) {
    this.#fs = fs
    this.#dataPath = dataPath
  }

  async entries(): Promise<EntryInfo[]> {
    const { entries } = await discover(this.#fs, this.#dataPath)
    const infos: EntryInfo[] = []
    for (const name of entries) infos.push(entryInfo(await directorySource(this.#fs, this.#dataPath, name)))
    return infos
  }

  async get(name: EntryName, timestampUs: bigint): Promise<StoredRecord | undefined> {
    return getRecord(this.#fs, await directorySource(this.#fs, this.#dataPath, name), timestampUs)
  }

  async *records(
    name: EntryName,
    range?: TimeRange & { readonly anyState?: boolean },
  ): AsyncGenerator<StoredRecord> {
    yield* readRecords(this.#fs, await directorySource(this.#fs, this.#dataPath, name), range)
  }
}

/** A writer that folds one block again and again is looked at so often. */
const LOOKS_MAX = 8

/**
 * The blocks of an entry by its files alone: index or descriptors, and a WAL for each block that has one. Beside a
 * writer: what was there at the time, and of a block that was folded since perhaps more.
 */
export async function directorySource(
  fs: FileSystem,
  dataPath: string,
  name: EntryName,
): Promise<BlockSource> {
  const paths = new EntryPaths(dataPath, name)
  const { entries } = await listBlocks(fs, paths)
  const merged = new Map<bigint, Descriptor>()
  for (const item of (await fs.list(paths.walDirectory)) ?? []) {
    const file = parseBlockFileName(item.name)
    if (file?.kind !== 'wal') continue
    const wal = await fs.readFile(paths.wal(file.blockId))
    if (wal === undefined) continue
    const basePath = paths.descriptor(file.blockId)
    const bytes = await fs.readFile(basePath)
    const base =
      bytes === undefined || bytes.byteLength === 0 ? undefined : checkDescriptor(bytes, basePath, undefined)
    const block = mergeBlock(file.blockId, base, wal, undefined)
    if (block.isRemoved) {
      entries.delete(file.blockId)
      continue
    }
    const descriptor = decodeDescriptor(block.bytes)
    merged.set(file.blockId, descriptor)
    entries.set(file.blockId, {
      id: file.blockId,
      sizeBytes: BigInt(block.sizeBytes),
      recordCount: block.recordCount,
      metadataBytes: BigInt(block.bytes.byteLength),
      latestUs: block.latestUs,
    })
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
    dataPath: (block) => paths.data(block.id),
    descriptor: async (block: IndexEntry) => {
      const open = merged.get(block.id)
      if (open !== undefined) return open
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
