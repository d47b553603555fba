import { atomicWrite } from '../../../fs/atomic-write.ts'
import type { DirectoryItem, FileRef, FileSystem } from '../../../fs/file-system.ts'
import { writeAll } from '../../../fs/write-all.ts'
import { judgeBlock, type BlockFiles, type BlockVerdict, type WholeBlock } from '../../block/judge-block.ts'
import { encodeIndex, type IndexEntry } from '../../codec/index-codec.ts'
import { indexEntryOf, lostIndexEntry } from '../../codec/index-entry.ts'
import { blockFiles, type EntryPaths } from '../../paths.ts'
import {
  lookAtEntry,
  mayHaveNamed,
  namelessData,
  readBlockFiles,
  type EntryFiles,
} from '../../query/entry-files.ts'
import type { BlockListing } from '../../query/list-blocks.ts'
import type { Quarantine } from './quarantine.ts'
import { isOverlapping, separateBlocks } from './separate-blocks.ts'

export interface AdoptOptions {
  readonly fs: FileSystem
  readonly quarantine: Quarantine
  /**
   * The directory was never ours: every block is looked at, and what cannot be relied on is kept aside. Otherwise only
   * what ReductStore has left since: damage of acknowledged data stays where it is, for a person to see.
   */
  readonly isForeign: boolean
  /** Blocks of the entry that the commit log accounts for. */
  readonly ours: ReadonlySet<bigint>
  /** What is in the directory of the entry, where that is known. */
  readonly items?: readonly DirectoryItem[] | undefined
  /** Of the commit log, which was redone up to there: `undefined` where there is none. */
  readonly lastFrame?: number | undefined
}

/**
 * Brings one entry that ReductStore left to the state in which a closed store leaves it (format 14.1, 14.8): all that
 * can be relied on is in descriptors, listed with checksums, and no WAL is left.
 *
 * Every step can be interrupted and repeated. The order: the index lets go of the checksums of descriptors that will
 * change (W1); content, then descriptors; what is kept aside goes, data first, so that nothing half taken away is ever
 * read; the index; and only then what asked for all this: removed blocks, WALs, copies of removals.
 *
 * @returns its blocks, where nothing was to be done
 */
export async function adoptEntry(
  paths: EntryPaths,
  options: AdoptOptions,
): Promise<BlockListing | undefined> {
  const { fs, isForeign, ours } = options
  const files = await lookAtEntry(fs, paths, options.items)
  await mendWalDirectory(fs, paths, files)

  const listing = new Map(files.listed)
  const judged: Judged[] = []
  for (const id of suspects(files, isForeign)) {
    if (ours.has(id) || files.listed.get(id)?.corrupted === true) continue
    const found = await readBlockFiles(fs, paths, files, id)
    const verdict = judgeBlock(found, false, options.lastFrame)
    // What is compressed is left as it is; only its removal is finished.
    if (files.compressed.has(id) && verdict.kind !== 'removed') continue
    if (verdict.kind === 'lost' && !isForeign && !files.wals.has(id) && !files.swaps.has(id)) {
      const isForgotten = !files.isIndexValid && found.descriptor !== undefined
      if (isForgotten) listing.set(id, lostIndexEntry(id, found.descriptor))
      continue
    }
    if (!isForeign && isLeftByUs(verdict, id, files)) continue
    judged.push(summary(id, verdict))
    if (verdict.kind === 'whole')
      listing.set(id, { ...indexEntryOf(id, verdict.descriptor), version: files.listed.get(id)?.version })
    else listing.delete(id)
  }
  for (const [id, listed] of files.compressed)
    if (!judged.some((one) => one.id === id)) listing.set(id, listed)

  const nameless = isForeign ? [] : namelessData(files)
  if (mayHaveNamed(files)) for (const id of nameless) listing.set(id, lostIndexEntry(id, new Uint8Array(0)))

  const changing = new Set(judged.filter(({ isChanging }) => isChanging).map(({ id }) => id))
  if (changing.size > 0) {
    // With the old lengths: they tell a descriptor that was only lengthened.
    const open = [...new Map([...listing, ...files.listed]).values()].map((listed) =>
      changing.has(listed.id) ? { ...listed, crc64: undefined } : listed,
    )
    await atomicWrite(fs, paths.index, 'index', encodeSorted(open))
  }
  for (const one of judged) await mendBlock(paths, one, files, options)
  const isIndexNew = changing.size > 0 || !files.isIndexValid || !isSameListing(files.listed, listing)
  if (isIndexNew) await atomicWrite(fs, paths.index, 'index', encodeSorted([...listing.values()]))
  for (const one of judged) await finishBlock(paths, one, files, options)
  if (isForeign) await takeStrays(paths, files, options)
  if (!mayHaveNamed(files)) for (const id of nameless) await takeData(paths.data(id), NAMELESS, options)
  if (isOverlapping(listing)) await separateBlocks(paths, options)
  else if (judged.length === 0 && !isIndexNew) return files.listing
  return undefined
}

const NAMELESS = 'a data file that neither index nor descriptor nor WAL knows'

/** What is kept of a verdict: memory stays in proportion to one block. */
interface Judged {
  readonly id: bigint
  readonly kind: BlockVerdict['kind']
  /** What could not be used, for people; empty when all could. */
  readonly why: string
  /** The descriptor on disk will be another. */
  readonly isChanging: boolean
  readonly isWalDoubtful: boolean
  readonly isFromSwap: boolean
}

function summary(id: bigint, verdict: BlockVerdict): Judged {
  return {
    id,
    kind: verdict.kind,
    why: verdict.kind === 'lost' ? verdict.why : verdict.kind === 'whole' ? explain(verdict) : '',
    isChanging: verdict.kind === 'whole' && verdict.isChanged,
    isWalDoubtful: verdict.kind === 'whole' && verdict.walFault !== undefined,
    isFromSwap: verdict.kind === 'whole' && verdict.dataFrom === 'swap',
  }
}

function explain({ baseFault, walFault, beyondUs }: WholeBlock): string {
  const times = `${beyondUs[0]}${beyondUs.length > 1 ? ` to ${beyondUs.at(-1)}` : ''}`
  const beyond =
    beyondUs.length === 0
      ? undefined
      : `${beyondUs.length} records beyond the end of its data file (${times})`
  return [baseFault, walFault, beyond].filter((why) => why !== undefined).join('; ')
}

/** Which blocks to look at. */
function suspects(
  { listed, described, wals, swaps, isIndexValid }: EntryFiles,
  isForeign: boolean,
): bigint[] {
  const all = [...new Set([...listed.keys(), ...described, ...wals, ...swaps])]
  if (isForeign || !isIndexValid) return all
  return all.filter((id) => {
    if (wals.has(id) || swaps.has(id)) return true
    return described.has(id) && listed.get(id)?.crc64 === undefined
  })
}

/** A removal of ours takes the block from the index before its files: what is not listed any more does not come back. */
function isLeftByUs(verdict: BlockVerdict, id: bigint, { listed, wals, isIndexValid }: EntryFiles): boolean {
  const isOurs = verdict.kind === 'whole' && verdict.descriptor.lastFrame !== undefined
  return isOurs && isIndexValid && !listed.has(id) && !wals.has(id)
}

function encodeSorted(entries: IndexEntry[]): Uint8Array {
  return encodeIndex(entries.sort((a, b) => (a.id < b.id ? -1 : 1))).bytes
}

function isSameListing(
  one: ReadonlyMap<bigint, IndexEntry>,
  other: ReadonlyMap<bigint, IndexEntry>,
): boolean {
  if (one.size !== other.size) return false
  for (const [id, entry] of one) {
    const now = other.get(id)
    if (
      now === undefined ||
      now.crc64 !== entry.crc64 ||
      now.sizeBytes !== entry.sizeBytes ||
      now.recordCount !== entry.recordCount ||
      now.metadataBytes !== entry.metadataBytes ||
      now.latestUs !== entry.latestUs ||
      (now.corrupted === true) !== (entry.corrupted === true)
    )
      return false
  }
  return true
}

/** Versions before 1.19 had it under another name. */
async function mendWalDirectory(fs: FileSystem, paths: EntryPaths, files: EntryFiles): Promise<void> {
  if (files.walDirectory === paths.walDirectory) return
  if (files.walDirectory === undefined) await fs.makeDirectory(paths.walDirectory)
  else await fs.rename(files.walDirectory, paths.walDirectory)
  files.walDirectory = paths.walDirectory
  await fs.syncDirectories([paths.directory])
}

async function mendBlock(
  paths: EntryPaths,
  judged: Judged,
  files: EntryFiles,
  options: AdoptOptions,
): Promise<void> {
  const { fs, quarantine } = options
  const { id, kind, why, isChanging, isFromSwap } = judged
  if (kind === 'lost') await takeBlock(paths, id, `block ${id}: ${why}`, options)
  if (kind === 'void') await takeVoid(paths, id, options)
  if (kind !== 'whole') return
  const found = await readBlockFiles(fs, paths, files, id)
  const verdict = judgeBlock(found, false, options.lastFrame)
  if (verdict.kind !== 'whole') return
  const source: FileRef = { path: isFromSwap ? paths.swap(id) : paths.data(id), kind: 'data' }
  await makeLongEnough(
    fs,
    source,
    isFromSwap ? found.swapBytes : found.dataBytes,
    verdict.descriptor.sizeBytes,
  )
  // What a killed ReductStore wrote may be in the page cache only.
  await fs.syncFiles([source])
  if (isChanging) {
    await keepOld(found, why, paths, quarantine)
    await atomicWrite(fs, paths.descriptor(id), 'descriptor', verdict.descriptor.bytes)
  }
  if (!isFromSwap) return
  await fs.rename(paths.swap(id), paths.data(id))
  await fs.syncDirectories([paths.directory])
}

/** Only failed uploads and empty records can lie beyond the end; a block without a data file is none to ReductStore. */
async function makeLongEnough(
  fs: FileSystem,
  file: FileRef,
  lengthBytes: number | undefined,
  sizeBytes: number,
): Promise<void> {
  if (lengthBytes === undefined)
    await writeAll(fs, 'projection', [{ file, atBytes: 0, bytes: new Uint8Array(0) }])
  if ((lengthBytes ?? 0) < sizeBytes) await fs.truncate(file, sizeBytes)
}

async function keepOld(
  { id, descriptor }: BlockFiles,
  why: string,
  paths: EntryPaths,
  quarantine: Quarantine,
): Promise<void> {
  if (why === '' || descriptor === undefined || descriptor.byteLength === 0) return
  await quarantine.copy(paths.descriptor(id), descriptor, `block ${id}: ${why}`)
}

/**
 * Each name durably gone before the next: the data goes first, for a descriptor without data shows nothing, and a WAL
 * last, for what it takes back must not come again.
 */
async function takeBlock(
  paths: EntryPaths,
  id: bigint,
  reason: string,
  { quarantine }: AdoptOptions,
): Promise<void> {
  for (const path of [paths.swap(id), paths.data(id), paths.descriptor(id), paths.wal(id)])
    await quarantine.take(path, reason)
}

/** ReductStore began the block and no record was finished: only bytes of an upload can be lost with it. */
async function takeVoid(paths: EntryPaths, id: bigint, options: AdoptOptions): Promise<void> {
  const { fs } = options
  for (const path of [paths.swap(id), paths.data(id)])
    await takeData(path, `block ${id}: no record was ever finished in it`, options)
  await fs.unlink(paths.descriptor(id))
  await fs.syncDirectories([paths.directory])
}

/** Nothing is kept of a file without a byte. */
async function takeData(path: string, reason: string, { fs, quarantine }: AdoptOptions): Promise<void> {
  if ((await fs.fileBytes(path)) !== 0) return quarantine.take(path, reason)
  await fs.unlink(path)
  await fs.syncDirectories([path.slice(0, path.lastIndexOf('/'))])
}

/** What said that something was to be done goes when it is done. */
async function finishBlock(
  paths: EntryPaths,
  { id, kind, why, isWalDoubtful }: Judged,
  { wals, swaps }: EntryFiles,
  { fs, quarantine }: AdoptOptions,
): Promise<void> {
  if (kind === 'removed') {
    const { data, descriptors } = blockFiles(paths, id)
    for (const path of [paths.swap(id), ...data]) await fs.unlink(path)
    await fs.syncDirectories([paths.directory])
    for (const path of descriptors) await fs.unlink(path)
    await fs.syncDirectories([paths.directory])
  } else if (kind === 'whole' && swaps.has(id)) {
    // Where the data file has everything, nothing of the copy was used.
    if (why !== '') await quarantine.take(paths.swap(id), `block ${id}: ${why}`)
    await fs.unlink(paths.swap(id))
    await fs.syncDirectories([paths.directory])
  }
  if (!wals.has(id)) return
  if (isWalDoubtful) await quarantine.take(paths.wal(id), `block ${id}: ${why}`)
  await fs.unlink(paths.wal(id))
  await fs.syncDirectories([paths.walDirectory])
}

/** Files that no block has, under names with which ReductStore would do something. */
async function takeStrays(
  paths: EntryPaths,
  { listed, described, wals, data, strays, compressed }: EntryFiles,
  { quarantine }: AdoptOptions,
): Promise<void> {
  for (const id of data) {
    if (compressed.has(id)) await quarantine.take(paths.data(id), `block ${id} is there compressed`)
    else if (!listed.has(id) && !described.has(id) && !wals.has(id))
      await quarantine.take(paths.data(id), NAMELESS)
  }
  for (const id of described)
    if (compressed.has(id)) await quarantine.take(paths.descriptor(id), `block ${id} is there compressed`)
  for (const path of strays) await quarantine.take(path, 'not a name of a block')
}
