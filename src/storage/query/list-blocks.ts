import type { FileSystem } from '../../fs/file-system.ts'
import { decodeDescriptor } from '../codec/descriptor-codec.ts'
import { decodeIndex, type DecodedIndex, type IndexEntry } from '../codec/index-codec.ts'
import { indexEntryOf, lostIndexEntry } from '../codec/index-entry.ts'
import { parseBlockFileName, type EntryPaths } from '../paths.ts'
import { readMessage } from '../read-message.ts'
import type { EntryName } from '../record.ts'
import type { Discovery } from './discover.ts'

export interface BlockListing {
  readonly entries: Map<bigint, IndexEntry>
  /** `blocks.idx`, where it says this; absent: rebuilt, because it is missing or damaged. */
  readonly index?: { readonly bytes: number; readonly decoded: DecodedIndex }
  /** Descriptors that could not be decoded: of their blocks only the ids are known. */
  readonly undecodable: readonly string[]
}

/** What was seen of a directory before: it need not be looked at again. */
export interface SeenEntries {
  readonly discovery: Discovery
  /** By `seenKey`; absent: the entry is to be looked at. Those that are there have their folder for WALs. */
  readonly listings: ReadonlyMap<string, BlockListing>
}

export function seenKey({ bucket, entry }: EntryName): string {
  return `${bucket}/${entry}`
}

/** The blocks of an entry by its index, or by its descriptors where the index is missing, damaged or wrongly empty. */
export async function listBlocks(fs: FileSystem, paths: EntryPaths): Promise<BlockListing> {
  const bytes = await readMessage(fs, paths.index)
  const decoded = bytes === undefined ? undefined : decodeIndex(bytes)
  if (bytes === undefined || decoded?.verdict !== 'valid') return rebuildIndex(fs, paths)
  const index = { bytes: bytes.byteLength, decoded }
  if (decoded.entries.size > 0) return { entries: decoded.entries, index, undecodable: [] }
  const rebuilt = await rebuildIndex(fs, paths)
  // An empty index beside descriptors is what a crash of ReductStore leaves (W12).
  const isEmpty = rebuilt.entries.size === 0 && rebuilt.undecodable.length === 0
  return isEmpty ? { ...rebuilt, index } : rebuilt
}

/** Reads every descriptor of the entry. */
export async function rebuildIndex(fs: FileSystem, paths: EntryPaths): Promise<BlockListing> {
  const entries = new Map<bigint, IndexEntry>()
  const undecodable: string[] = []
  for (const item of (await fs.list(paths.directory)) ?? []) {
    const name = parseBlockFileName(item.name)
    if (item.isDirectory || name?.kind !== 'descriptor') continue
    const path = `${paths.directory}/${item.name}`
    const bytes = (await readMessage(fs, path)) ?? new Uint8Array(0)
    try {
      entries.set(name.blockId, indexEntryOf(name.blockId, decodeDescriptor(bytes)))
    } catch {
      entries.set(name.blockId, lostIndexEntry(name.blockId, bytes))
      undecodable.push(path)
    }
  }
  return { entries, undecodable }
}
