import { dirname } from 'node:path'
import { atomicWrite } from '../../fs/atomic-write.ts'
import { inParallel } from '../../base/in-parallel.ts'
import type { FileRef, FileSystem } from '../../fs/file-system.ts'
import { writeAll } from '../../fs/write-all.ts'
import { checkDescriptor } from '../block/block-content.ts'
import type { Damage } from '../damage.ts'
import { changeDescriptor } from '../block/change-descriptor.ts'
import type { BlockChange } from '../commitlog/block-change.ts'
import { decodeIndex, encodeIndex, type IndexEntry } from '../codec/index-codec.ts'
import { decodeRecord, recordStateNumber } from '../codec/record-codec.ts'
import { scanRecord } from '../codec/scan-record.ts'
import { indexEntryOf } from '../codec/index-entry.ts'
import { EntryPaths, blockFiles, directoriesUpTo, stagedFiles, storePaths } from '../paths.ts'
import { rebuildIndex } from '../query/list-blocks.ts'
import { removalIntent, scanWal, walEntryType, walStopMarker } from '../wal/wal-codec.ts'
import type { BlockFacts, LoggedChange, LoggedItem } from './facts.ts'
import { mergeIntoDescriptor } from './merge-into-descriptor.ts'
import type { OwedRecord } from './owed-content.ts'
import { planMerge } from './plan-merge.ts'
import { unlistCrc } from './unlist-crc.ts'
import { isSavedByServer, type BlockPlan } from './plan.ts'
import { recordIndex } from './scan-blocks.ts'
import { readEntries } from './read-entries.ts'
import { holdsContent } from './holds-content.ts'

export interface PlannedBlock {
  readonly facts: BlockFacts
  readonly plan: BlockPlan
}

/** Direct content is compared with its CRC-32 up to this much, the newest first. */
const DIRECT_CHECK_BYTES_MAX = 1024 * 1024 * 1024

/** Entries that are brought up to date at once. */
const PARALLEL = 8

/** Content that a group made durable in a data file, and that is not there any more. */
export interface LostContent {
  readonly path: string
  readonly message: string
}

/**
 * The last part of step R4: content that went home before its frame must be there. Where it is not, that harms its record
 * only, which its CRC-32 tells. In blocks that ReductStore has saved or removed since it is owed. What was folded was
 * synced, and may have been moved. Entries whose files cannot be read are noted in `damage`.
 */
export async function findLostDirectContent(
  fs: FileSystem,
  dataPath: string,
  blocks: readonly PlannedBlock[],
  damage: Damage,
): Promise<{ lost: LostContent[]; owed: OwedRecord[] }> {
  const direct = blocks
    .flatMap(({ facts, plan }) => (plan.kind === 'open' ? facts.items.filter((item) => item.direct) : []))
    .sort((a, b) => b.sequence - a.sequence)
  const lost: LostContent[] = []
  const owed: OwedRecord[] = []
  for (const { facts, plan } of blocks) {
    if (plan.kind !== 'merge') continue
    await damage.contain(facts, async () => {
      owed.push(...(await planMerge(fs, dataPath, facts, plan.entries)).owed)
    })
  }
  let budgetBytes = DIRECT_CHECK_BYTES_MAX
  for (const item of direct) {
    budgetBytes -= item.contentBytes
    if (budgetBytes < 0) break
    await damage.contain(item.block, async () => {
      const path = new EntryPaths(dataPath, item.block).data(item.block.blockId)
      if (!(await holdsContents(fs, path, await readEntries(fs, item))))
        lost.push({ path, message: `content of group ${item.sequence} is not there` })
    })
  }
  return { lost, owed }
}

/** Whether the data file holds the content of the records of `entries`. */
async function holdsContents(fs: FileSystem, path: string, entries: Uint8Array): Promise<boolean> {
  for (const { type, payloadFromBytes, payloadToBytes } of scanWal(entries).entries) {
    if (type !== walEntryType.writeRecord) continue
    const record = decodeRecord(entries, payloadFromBytes, payloadToBytes)
    const isFinished = record.state === recordStateNumber.finished
    if (isFinished && !(await holdsContent(fs, path, record))) return false
  }
  return true
}

/**
 * Carries the plans out (steps R6 to R9). Every step may be interrupted and repeated: each file is written from the
 * log or replaced whole, and nothing that only the page cache holds is relied on. Entries whose files cannot be read
 * are left as they are then, and noted in `damage`.
 */
export async function applyPlans(
  fs: FileSystem,
  dataPath: string,
  blocks: readonly PlannedBlock[],
  damage: Damage,
): Promise<void> {
  const touched: FileRef[] = []
  const directories = new Set<string>()
  const applyEntry = async (entryBlocks: readonly PlannedBlock[]): Promise<void> => {
    const paths = new EntryPaths(dataPath, (entryBlocks[0] as PlannedBlock).facts)
    await makeEntryDirectory(fs, dataPath, paths)
    directories.add(paths.walDirectory)
    for (const path of directoriesUpTo(dataPath, paths.directory)) directories.add(path)
    // What takes the place of others is listed before they go.
    const adopted = entryBlocks.filter(({ plan }) => isChange(plan, 'adopt'))
    for (const { plan } of adopted)
      if (plan.kind === 'change') await beginChange(fs, dataPath, paths, plan.logged)
    if (adopted.length > 0) await rewriteIndex(fs, paths, adopted)
    for (const { facts, plan } of entryBlocks) {
      const data: FileRef = { path: paths.data(facts.blockId), kind: 'data' }
      if (plan.kind === 'removed') continue
      if (plan.kind === 'change') {
        if (!isChange(plan, 'adopt')) await beginChange(fs, dataPath, paths, plan.logged)
        continue
      }
      if (plan.kind === 'merge') await mergeIntoDescriptor(fs, dataPath, facts, plan.entries)
      else if (plan.kind === 'open' || !(await isMoved(fs, paths, facts)))
        await writeContents(fs, data, facts.items)
      touched.push(data)
    }
    await rewriteIndex(fs, paths, entryBlocks)
    for (const { facts, plan } of entryBlocks) {
      if (plan.kind === 'open' && plan.rewrite) await rewriteWal(fs, paths.wal(facts.blockId), plan)
      else if (plan.kind === 'open') touched.push({ path: paths.wal(facts.blockId), kind: 'wal' })
      else if (isChange(plan, 'drop')) await removeFiles(fs, paths, BigInt(facts.blockId))
      else {
        // An interrupted fold or recovery may have left them.
        await fs.unlink(`${paths.descriptor(facts.blockId)}.tmp`)
        await fs.unlink(`${paths.wal(facts.blockId)}.tmp`)
        // A WAL beside a changed block is one that ReductStore has begun since.
        const isTheirs = isSavedByServer(facts) || facts.wal?.isTheirs === true
        if (facts.change === undefined && !isTheirs) await fs.unlink(paths.wal(facts.blockId))
      }
    }
  }
  await inParallel(PARALLEL, byEntry(blocks), async (entryBlocks) => {
    const { facts } = entryBlocks[0] as PlannedBlock
    if (damage.of(facts) === undefined) await damage.contain(facts, () => applyEntry(entryBlocks))
  })
  if (blocks.some(({ plan }) => plan.kind === 'change')) {
    const { sediment, staged } = storePaths(dataPath)
    await fs.makeDirectory(staged)
    for (const path of [staged, sediment]) directories.add(path)
  }
  await fs.syncFiles(touched)
  await fs.syncDirectories([...directories])
}

/**
 * Before the index is written: a removed block has its intent, another one its descriptor, without the index holding
 * the CRC of the old one (W1), an adopted one its files.
 */
async function beginChange(
  fs: FileSystem,
  dataPath: string,
  paths: EntryPaths,
  { change, sequence }: LoggedChange,
): Promise<void> {
  const id = BigInt(change.blockId)
  const path = paths.descriptor(id)
  if (change.kind === 'drop') return atomicWrite(fs, paths.wal(id), 'wal', removalIntent())
  if (change.kind === 'adopt') {
    const staged = stagedFiles(storePaths(dataPath), change.stagedName)
    if ((await fs.fileBytes(staged.data)) !== undefined) await fs.rename(staged.data, paths.data(id))
    if ((await fs.fileBytes(staged.descriptor)) !== undefined) await fs.rename(staged.descriptor, path)
    return
  }
  const descriptor = checkDescriptor(await fs.readFile(path), path, change.baseCrc64)
  await unlistCrc(fs, paths, id)
  await atomicWrite(fs, path, 'descriptor', changeDescriptor(descriptor, change, sequence))
}

/** The intent goes last, when nothing is left that ReductStore could bring the block back from. */
async function removeFiles(fs: FileSystem, paths: EntryPaths, id: bigint): Promise<void> {
  const { data, descriptors } = blockFiles(paths, id)
  for (const path of [...descriptors, ...data, paths.wal(id)]) await fs.unlink(path)
}

function isChange(plan: BlockPlan, kind: BlockChange['kind']): boolean {
  return plan.kind === 'change' && plan.logged.change.kind === kind
}

/**
 * ReductStore may have moved what it saved, and so may we where it had: nothing is written over it. A descriptor is read to
 * see whether its records are where the frames put them.
 */
async function isMoved(fs: FileSystem, paths: EntryPaths, facts: BlockFacts): Promise<boolean> {
  if (isSavedByServer(facts)) return true
  const path = paths.descriptor(facts.blockId)
  const descriptor = checkDescriptor(await fs.readFile(path), path, undefined)
  for (const item of facts.items) {
    const entries = await readEntries(fs, item)
    for (const { type, payloadFromBytes, payloadToBytes } of scanWal(entries).entries) {
      if (type !== walEntryType.writeRecord) continue
      const logged = scanRecord(entries, payloadFromBytes, payloadToBytes)
      const index = recordIndex(descriptor, BigInt(logged.timestampUs))
      if (index === undefined) return true
      const from = descriptor.recordFromBytes[index] as number
      const held = scanRecord(descriptor.bytes, from, descriptor.recordToBytes[index] as number)
      if (held.beginBytes !== logged.beginBytes) return true
    }
  }
  return false
}

/** The blocks of each entry, in the order given: what is done to one entry is done in turn. */
export function byEntry(blocks: readonly PlannedBlock[]): PlannedBlock[][] {
  const entries = new Map<string, PlannedBlock[]>()
  for (const block of blocks) {
    const key = `${block.facts.bucket}/${block.facts.entry}`
    const known = entries.get(key)
    if (known === undefined) entries.set(key, [block])
    else known.push(block)
  }
  return [...entries.values()]
}

/** Entries are durable before a frame names them; what is missing here was taken away since. */
async function makeEntryDirectory(fs: FileSystem, dataPath: string, paths: EntryPaths): Promise<void> {
  if ((await fs.list(paths.walDirectory)) !== undefined) return
  const segments = paths.walDirectory.slice(dataPath.length + 1).split('/')
  for (let count = 1; count <= segments.length; count++) {
    const path = `${dataPath}/${segments.slice(0, count).join('/')}`
    await fs.makeDirectory(path)
    await fs.syncDirectories([dirname(path)])
  }
}

async function writeContents(fs: FileSystem, data: FileRef, items: readonly LoggedItem[]): Promise<void> {
  const inline = items.filter((item) => !item.direct)
  if (items.length === 0) return
  // An empty write makes the file where all content is empty.
  await writeAll(fs, 'projection', [{ file: data, atBytes: 0, bytes: new Uint8Array(0) }])
  for (const item of inline) {
    const bytes = await fs.read(item.logPath, item.contentInLogBytes, item.contentBytes)
    await writeAll(fs, 'projection', [{ file: data, atBytes: item.blkAtBytes, bytes }])
  }
}

async function rewriteWal(
  fs: FileSystem,
  path: string,
  plan: Extract<BlockPlan, { kind: 'open' }>,
): Promise<void> {
  const bytes = new Uint8Array(
    plan.entries.reduce((sum, item) => sum + item.entriesBytes, plan.keepWalBytes + 1),
  )
  if (plan.keepWalBytes > 0) bytes.set(await fs.read(path, 0, plan.keepWalBytes))
  let atBytes = plan.keepWalBytes
  for (const item of plan.entries) {
    bytes.set(await readEntries(fs, item), atBytes)
    atBytes += item.entriesBytes
  }
  bytes[atBytes] = walStopMarker
  await atomicWrite(fs, path, 'wal', bytes)
}

/** `blocks.idx` written afresh (R8): what it said, corrected for every block of `blocks`. */
async function rewriteIndex(
  fs: FileSystem,
  paths: EntryPaths,
  blocks: readonly PlannedBlock[],
): Promise<void> {
  const bytes = await fs.readFile(paths.index)
  const decoded = bytes === undefined ? undefined : decodeIndex(bytes)
  const entries = decoded?.verdict === 'valid' ? decoded.entries : (await rebuildIndex(fs, paths)).entries
  for (const { facts, plan } of blocks) {
    const id = BigInt(facts.blockId)
    if (plan.kind === 'open') {
      const listed = entries.get(id)
      entries.set(id, listed === undefined ? emptyEntry(id) : { ...listed, crc64: undefined })
    } else if (plan.kind === 'removed' || isChange(plan, 'drop')) {
      entries.delete(id)
    } else {
      const path = paths.descriptor(facts.blockId)
      entries.set(id, indexEntryOf(id, checkDescriptor(await fs.readFile(path), path, undefined)))
    }
  }
  const sorted = [...entries.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  await atomicWrite(fs, paths.index, 'index', encodeIndex(sorted).bytes)
}

function emptyEntry(id: bigint): IndexEntry {
  return { id, sizeBytes: 0n, recordCount: 0, metadataBytes: 0n, latestUs: id, hasChecksums: true }
}
