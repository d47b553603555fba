import { crc64 } from '../../base/crc64.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { judgeBlock, type WholeBlock } from '../block/judge-block.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { openIndexEntryOf } from '../codec/index-entry.ts'
import { StorageError } from '../errors.ts'
import { parseBlockFileName, type EntryPaths } from '../paths.ts'
import { lookAtEntry, readBlockFiles, type EntryFiles } from './entry-files.ts'
import { rebuildIndex } from './list-blocks.ts'
import { readMessage } from '../read-message.ts'

/** One look at the files of an entry during which neither its index nor the names of its WALs changed. */
export interface Look {
  readonly files: EntryFiles
  /** Index and names of WALs in short: the same state has the same text. */
  readonly state: string
  /** By id, with totals that count WALs. */
  readonly entries: ReadonlyMap<bigint, IndexEntry>
  /** Blocks with a WAL, or of which only files speak: as they were then. */
  readonly merged: ReadonlyMap<bigint, WholeBlock>
  /** Blocks of which records cannot be shown. */
  readonly broken: ReadonlyMap<bigint, StorageError>
  /** Removed or never filled, as their WALs say. */
  readonly left: ReadonlySet<bigint>
  /** What a writer between two steps explains as well as damage does; empty where nothing is in doubt. */
  readonly doubts: readonly string[]
}

/**
 * Looks once at an entry.
 * @param isForeign nothing of ours was ever there: a descriptor that the index does not list counts
 * @param mayRebuild whether an index that cannot be used, in this state, is to be made up from the descriptors; otherwise the
 *   look lists nothing
 * @returns `undefined` when a writer has changed the entry meanwhile
 */
export async function lookOnce(
  fs: FileSystem,
  paths: EntryPaths,
  isForeign: boolean,
  mayRebuild: (state: string) => boolean,
): Promise<Look | undefined> {
  const files = await lookAtEntry(fs, paths)
  const state = stateOf(files)
  const doubts: string[] = []
  const merged = new Map<bigint, WholeBlock>()
  const broken = new Map<bigint, StorageError>()
  const left = new Set<bigint>()
  let entries = new Map(files.listed)
  const look = { files, state, entries, merged, broken, left, doubts }
  if (!files.isIndexValid) {
    const isBegun = files.index === undefined && files.described.size + files.wals.size === 0
    if (!isBegun) doubts.push('its index is empty or cannot be read')
    if (!isBegun && !mayRebuild(state)) return look
    entries = (await rebuildIndex(fs, paths)).entries
  }
  for (const [id, listed] of files.compressed) entries.set(id, listed)
  const unlisted = isForeign ? [...files.described].filter((id) => !entries.has(id)) : []
  for (const id of new Set([...files.wals, ...files.swaps, ...unlisted])) {
    const found = await readBlockFiles(fs, paths, files, id)
    // A writer has folded it since.
    if (found.wal === undefined && files.wals.has(id)) return undefined
    const verdict = judgeBlock(found, true)
    if (verdict.kind !== 'removed' && files.compressed.has(id)) continue
    if (verdict.kind === 'removed' || verdict.kind === 'void') {
      entries.delete(id)
      left.add(id)
    } else if (verdict.kind === 'lost') broken.set(id, lostBlock(paths.descriptor(id), verdict.why))
    else {
      if (verdict.baseFault !== undefined) broken.set(id, lostBlock(paths.descriptor(id), verdict.baseFault))
      merged.set(id, verdict)
      entries.set(id, openIndexEntryOf(id, verdict.descriptor))
    }
  }
  for (const { message } of broken.values()) doubts.push(message)
  for (const { id, crc64: listed } of entries.values()) {
    // Begun and not yet written to, or its descriptor is being replaced.
    if (listed === undefined && !merged.has(id) && !broken.has(id))
      doubts.push(`block ${id} has neither checksum nor WAL`)
  }
  const isNamesOnly = files.swaps.size + unlisted.length === 0
  return (await isUnchanged(fs, paths, files, isNamesOnly)) ? { ...look, entries } : undefined
}

function stateOf({ index, wals }: EntryFiles): string {
  const names = [...wals].sort((a, b) => (a < b ? -1 : 1)).join(' ')
  return `${index === undefined ? 'none' : `${index.byteLength} ${crc64(index)}`} ${names}`
}

/** WALs first: a block that is folded is in the index before its WAL goes. */
async function isUnchanged(
  fs: FileSystem,
  paths: EntryPaths,
  files: EntryFiles,
  areWalsEnough: boolean,
): Promise<boolean> {
  const { walDirectory } = files
  const wals = walDirectory === undefined ? undefined : await fs.list(walDirectory)
  if (!areNamesOf(wals ?? [], 'wal', files.wals)) return false
  // A directory for WALs may have come; a store of ours has it from the start, before any block.
  if (walDirectory === undefined && (await fs.list(paths.walDirectory)) !== undefined) return false
  if (!areWalsEnough) {
    const items = (await fs.list(paths.directory)) ?? []
    if (!areNamesOf(items, 'descriptor', files.described) || !areNamesOf(items, 'swap', files.swaps))
      return false
  }
  const index = await readMessage(fs, paths.index)
  if (index === undefined || files.index === undefined) return index === files.index
  return Buffer.compare(index, files.index) === 0
}

function areNamesOf(
  items: readonly { readonly name: string }[],
  kind: 'wal' | 'descriptor' | 'swap',
  known: ReadonlySet<bigint>,
): boolean {
  let count = 0
  for (const { name } of items) {
    const file = parseBlockFileName(name)
    if (file?.kind !== kind) continue
    if (!known.has(file.blockId)) return false
    count += 1
  }
  return count === known.size
}

function lostBlock(path: string, why: string): StorageError {
  return new StorageError('ERR_CORRUPT', `${path}: ${why}`, { path })
}
