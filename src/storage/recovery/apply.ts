import { dirname } from 'node:path'
import { atomicWrite } from '../../fs/atomic-write.ts'
import { inParallel } from '../../base/in-parallel.ts'
import type { FileRef, FileSystem } from '../../fs/file-system.ts'
import { moveFile } from '../../fs/move-file.ts'
import { replaceFiles, type Replacement } from '../../fs/replace-files.ts'
import { checkDescriptor } from '../block/block-content.ts'
import type { Damage } from '../damage.ts'
import { changeDescriptor } from '../block/change-descriptor.ts'
import { scanRecord } from '../codec/scan-record.ts'
import { EntryPaths, blockFiles, directoriesUpTo, stagedFiles, storePaths } from '../paths.ts'
import { removalIntent, scanWal, walEntryType } from '../wal/wal-codec.ts'
import type { BlockFacts, LoggedChange } from './facts.ts'
import { mergeIntoDescriptor } from './merge-into-descriptor.ts'
import { unlistCrc } from './unlist-crc.ts'
import { isChange, isSavedByServer, type PlannedBlock } from './plan.ts'
import { recordIndex } from './scan-blocks.ts'
import { OpenLogs } from './open-logs.ts'
import { readEntries } from './read-entries.ts'
import { newIndex, newWal, walBytes, writeContents } from './redo-files.ts'
import { readMessage } from '../read-message.ts'

/** Entries that are looked at at once. */
const PARALLEL = 16
/** Entries whose files are replaced together, and how much their WALs may take in memory. */
const TOGETHER_MAX = 256
const TOGETHER_WAL_BYTES_MAX = 16 * 1024 * 1024

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
  const logs = new OpenLogs(fs)
  const appliance: Appliance = { fs, logs, dataPath, touched: [], directories: new Set() }
  try {
    for (const entries of together(byEntry(blocks))) await applyTogether(appliance, entries, damage)
  } finally {
    await logs.close()
  }
  const { touched, directories } = appliance
  if (blocks.some(({ plan }) => plan.kind === 'change')) {
    const { sediment, staged } = storePaths(dataPath)
    await fs.makeDirectory(staged)
    for (const path of [staged, sediment]) directories.add(path)
  }
  await fs.syncFiles(touched)
  await fs.syncDirectories([...directories])
}

interface Appliance {
  readonly fs: FileSystem
  readonly logs: OpenLogs
  readonly dataPath: string
  /** To be synced at the end: what is not replaced, and directories. */
  readonly touched: FileRef[]
  readonly directories: Set<string>
}

/** Entries that are brought up to date side by side, so that their syncs are made together. */
function* together(entries: readonly PlannedBlock[][]): Generator<PlannedBlock[][]> {
  let some: PlannedBlock[][] = []
  let bytes = 0
  for (const entryBlocks of entries) {
    some.push(entryBlocks)
    for (const { plan } of entryBlocks) if (plan.kind === 'open') bytes += walBytes(plan)
    if (some.length < TOGETHER_MAX && bytes < TOGETHER_WAL_BYTES_MAX) continue
    yield some
    some = []
    bytes = 0
  }
  if (some.length > 0) yield some
}

/** All indexes are durable before the first WAL is replaced. */
async function applyTogether(
  appliance: Appliance,
  entries: readonly PlannedBlock[][],
  damage: Damage,
): Promise<void> {
  const { fs, dataPath } = appliance
  const replaced = async (
    step: (paths: EntryPaths, entryBlocks: readonly PlannedBlock[]) => Promise<readonly Replacement[]>,
  ): Promise<void> => {
    const replacements: Replacement[] = []
    await inParallel(PARALLEL, entries, async (entryBlocks) => {
      const { facts } = entryBlocks[0] as PlannedBlock
      if (damage.of(facts) !== undefined) return
      const paths = new EntryPaths(dataPath, facts)
      const made = await damage.contain(facts, () => step(paths, entryBlocks))
      replacements.push(...(made ?? []))
    })
    await replaceFiles(fs, replacements)
  }
  await replaced((paths, entryBlocks) => applyContents(appliance, paths, entryBlocks))
  await replaced((paths, entryBlocks) => applyWals(appliance, paths, entryBlocks))
}

/** @returns the index */
async function applyContents(
  { fs, logs, dataPath, touched, directories }: Appliance,
  paths: EntryPaths,
  entryBlocks: readonly PlannedBlock[],
): Promise<readonly Replacement[]> {
  if (entryBlocks.every(({ facts }) => facts.wal === undefined)) await makeEntryDirectory(fs, dataPath, paths)
  const [own, ...above] = directoriesUpTo(dataPath, paths.directory) as [string, ...string[]]
  for (const path of above) directories.add(path)
  // Where index and WALs alone are replaced, that syncs the entry's directories.
  if (!entryBlocks.every(({ plan }) => plan.kind === 'open' && plan.rewrite))
    directories.add(own).add(paths.walDirectory)
  // What takes the place of others is listed before they go.
  const adopted = entryBlocks.filter(({ plan }) => isChange(plan, 'adopt'))
  for (const { plan } of adopted)
    if (plan.kind === 'change') await beginChange(fs, dataPath, paths, plan.logged)
  if (adopted.length > 0) await replaceFiles(fs, [await newIndex(fs, paths, adopted)])
  for (const { facts, plan } of entryBlocks) {
    const data: FileRef = { path: paths.data(facts.blockId), kind: 'data' }
    if (plan.kind === 'removed') continue
    if (plan.kind === 'change') {
      if (!isChange(plan, 'adopt')) await beginChange(fs, dataPath, paths, plan.logged)
      continue
    }
    if (plan.kind === 'merge') await mergeIntoDescriptor(fs, dataPath, facts, plan.entries)
    else if (plan.kind === 'open' || !(await isMoved(fs, paths, facts)))
      await writeContents(fs, logs, data, facts.items)
    touched.push(data)
  }
  return [await newIndex(fs, paths, entryBlocks)]
}

/** @returns the WALs */
async function applyWals(
  { fs, logs, touched }: Appliance,
  paths: EntryPaths,
  entryBlocks: readonly PlannedBlock[],
): Promise<readonly Replacement[]> {
  const wals: Replacement[] = []
  for (const { facts, plan } of entryBlocks) {
    const wal: FileRef = { path: paths.wal(facts.blockId), kind: 'wal' }
    if (plan.kind === 'open' && plan.rewrite) wals.push(await newWal(fs, logs, wal, plan))
    else if (plan.kind === 'open') touched.push(wal)
    else if (isChange(plan, 'drop')) await removeFiles(fs, paths, BigInt(facts.blockId))
    else {
      // An interrupted fold or recovery may have left them.
      await fs.unlink(`${paths.descriptor(facts.blockId)}.tmp`)
      await fs.unlink(`${wal.path}.tmp`)
      // A WAL beside a changed block is one that ReductStore has begun since.
      const isTheirs = isSavedByServer(facts) || facts.wal?.isTheirs === true
      if (facts.change === undefined && !isTheirs) await fs.unlink(wal.path)
    }
  }
  return wals
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
    const isThere = async (staging: string): Promise<boolean> => (await fs.fileBytes(staging)) !== undefined
    if (await isThere(staged.data)) await moveFile(fs, staged.data, { path: paths.data(id), kind: 'data' })
    if (await isThere(staged.descriptor)) await moveFile(fs, staged.descriptor, { path, kind: 'descriptor' })
    return
  }
  const descriptor = checkDescriptor(await readMessage(fs, path), path, change.baseCrc64)
  await unlistCrc(fs, paths, id)
  await atomicWrite(fs, path, 'descriptor', changeDescriptor(descriptor, change, sequence))
}

/** The intent goes last, when nothing is left that ReductStore could bring the block back from. */
async function removeFiles(fs: FileSystem, paths: EntryPaths, id: bigint): Promise<void> {
  const { data, descriptors } = blockFiles(paths, id)
  for (const path of [...descriptors, ...data, paths.wal(id)]) await fs.unlink(path)
}

/**
 * ReductStore may have moved what it saved, and so may we where it had: nothing is written over it. A descriptor is read to
 * see whether its records are where the frames put them.
 */
async function isMoved(fs: FileSystem, paths: EntryPaths, facts: BlockFacts): Promise<boolean> {
  if (isSavedByServer(facts)) return true
  const path = paths.descriptor(facts.blockId)
  const descriptor = checkDescriptor(await readMessage(fs, path), path, undefined)
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
