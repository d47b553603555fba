import type { DirectoryItem, FileSystem } from '../../fs/file-system.ts'
import type { BlockFiles } from '../block/judge-block.ts'
import { COMPRESSION_ZSTD, readCompressedDescriptor } from '../block/compressed-block.ts'
import { crc64 } from '../../base/crc64.ts'
import { decodeIndex, type IndexEntry } from '../codec/index-codec.ts'
import { parseBlockFileName, type BlockFileName, type EntryPaths } from '../paths.ts'
import type { BlockListing } from './list-blocks.ts'
import { findWalDirectory } from './wal-directory.ts'
import { readMessage } from '../read-message.ts'

/** What lies in the directory of one entry. */
export interface EntryFiles {
  /** Whether there is a directory for the entry. */
  readonly isThere: boolean
  /** Bytes of the index. */
  readonly index: Uint8Array | undefined
  /** As the index says; nothing of one that does not verify. */
  readonly listed: ReadonlyMap<bigint, IndexEntry>
  readonly isIndexValid: boolean
  /** As `listBlocks` would say; `undefined` where that has to look at descriptors. */
  readonly listing: BlockListing | undefined
  readonly described: ReadonlySet<bigint>
  readonly data: ReadonlySet<bigint>
  readonly swaps: ReadonlySet<bigint>
  readonly wals: ReadonlySet<bigint>
  /** Blocks that ReductStore 1.20 and later have compressed, as the index is to list them. */
  readonly compressed: ReadonlyMap<bigint, IndexEntry>
  /** Files that ReductStore would take for descriptors or WALs, under names that are none. */
  readonly strays: readonly string[]
  /** Where the WALs are; `undefined` where there is no directory for them. */
  walDirectory: string | undefined
}

/** @param knownItems what is in its directory, where that is known */
export async function lookAtEntry(
  fs: FileSystem,
  paths: EntryPaths,
  knownItems?: readonly DirectoryItem[],
): Promise<EntryFiles> {
  const bytes = await readMessage(fs, paths.index)
  const decoded = bytes === undefined ? undefined : decodeIndex(bytes)
  const listed = decoded?.verdict === 'valid' ? decoded.entries : new Map<bigint, IndexEntry>()
  const ids = new Map<BlockFileName['kind'], Set<bigint>>()
  const idsOf = (kind: BlockFileName['kind']): Set<bigint> => {
    const known = ids.get(kind) ?? new Set()
    ids.set(kind, known)
    return known
  }
  const strays: string[] = []
  const found = knownItems ?? (await fs.list(paths.directory))
  const items = found ?? []
  for (const { name, isDirectory } of items) {
    if (isDirectory) continue
    const file = parseBlockFileName(name)
    if (file !== undefined && file.kind !== 'wal') idsOf(file.kind).add(file.blockId)
    else if (name.endsWith('.meta')) strays.push(`${paths.directory}/${name}`)
  }
  const walDirectory = await findWalDirectory(fs, paths.directory, items)
  for (const { name, isDirectory } of walDirectory === undefined
    ? []
    : ((await fs.list(walDirectory)) ?? [])) {
    const file = parseBlockFileName(name)
    if (file?.kind === 'wal') idsOf('wal').add(file.blockId)
    else if (!isDirectory) strays.push(`${paths.walDirectory}/${name}`)
  }
  const described = idsOf('descriptor')
  const compressed = new Map<bigint, IndexEntry>()
  for (const id of idsOf('compressed-descriptor')) {
    if (!idsOf('compressed-data').has(id)) continue
    const entry = listed.get(id)
    const known = entry?.compression === COMPRESSION_ZSTD ? entry : undefined
    if (known !== undefined) compressed.set(id, known)
    else if (!described.has(id)) {
      const made = await listCompressed(fs, paths, id)
      if (made !== undefined) compressed.set(id, made)
    }
  }
  const isListed = decoded?.verdict === 'valid' && (listed.size > 0 || described.size === 0)
  return {
    isThere: found !== undefined,
    index: bytes,
    listed,
    // ReductStore truncates the index before it writes it (W12).
    isIndexValid: decoded?.verdict === 'valid' && (listed.size > 0 || described.size + compressed.size === 0),
    listing:
      isListed && bytes !== undefined
        ? { entries: decoded.entries, index: { bytes: bytes.byteLength, decoded }, undecodable: [] }
        : undefined,
    described,
    data: idsOf('data'),
    swaps: idsOf('swap'),
    wals: idsOf('wal'),
    compressed,
    strays,
    walDirectory,
  }
}

async function listCompressed(
  fs: FileSystem,
  paths: EntryPaths,
  id: bigint,
): Promise<IndexEntry | undefined> {
  try {
    const { bytes, timestampsUs, corrupted } = await readCompressedDescriptor(fs, paths, id, undefined)
    return {
      id,
      sizeBytes: BigInt((await fs.fileBytes(paths.compressedData(id))) ?? 0),
      recordCount: timestampsUs.length,
      metadataBytes: BigInt((await fs.fileBytes(paths.compressedDescriptor(id))) ?? 0),
      latestUs: timestampsUs.at(-1) ?? 0n,
      crc64: crc64(bytes),
      compression: COMPRESSION_ZSTD,
      ...(corrupted ? { corrupted } : {}),
    }
  } catch {
    return undefined
  }
}

/** Data files that nothing here names: neither index nor descriptor nor WAL nor what ReductStore puts beside one. */
export function namelessData({ data, listed, described, wals, swaps, compressed }: EntryFiles): bigint[] {
  const naming = [listed, described, wals, swaps, compressed]
  return [...data].filter((id) => !naming.some((ids) => ids.has(id)))
}

/** Whether the index has named more than can be read of it: where a descriptor is gone too, a block is lost. */
export function mayHaveNamed({ index, isIndexValid }: EntryFiles): boolean {
  return !isIndexValid && index !== undefined && index.byteLength > 0
}

/** The files of one block; the length of the data file last, for content is there before what points at it. */
export async function readBlockFiles(
  fs: FileSystem,
  paths: EntryPaths,
  { listed, walDirectory }: Pick<EntryFiles, 'listed' | 'walDirectory'>,
  id: bigint,
): Promise<BlockFiles> {
  const wal = walDirectory === undefined ? undefined : await fs.readFile(`${walDirectory}/${id}.wal`)
  const descriptor = await readMessage(fs, paths.descriptor(id))
  return {
    id,
    listed: listed.get(id),
    wal,
    descriptor,
    swapBytes: await fs.fileBytes(paths.swap(id)),
    dataBytes: await fs.fileBytes(paths.data(id)),
  }
}
