import type { Clock } from '../../base/clock.ts'
import { loadCrc64 } from '../../base/crc64.ts'
import { FileSystemError, type FileSystem } from '../../fs/file-system.ts'
import { Damage } from '../damage.ts'
import { hasRemovals } from '../has-removals.ts'
import { EntryPaths, storePaths, type StorePaths } from '../paths.ts'
import type { BlockSource } from '../query/block-source.ts'
import { discover } from '../query/discover.ts'
import type { EntryName, StoredRecord } from '../record.ts'
import { requireStore } from '../store-files.ts'
import { noteNames } from './note-names.ts'
import type { EntryReport, Finding, Found, Note, VerifyReport } from './report.ts'
import { isBusy, messageOf, type Subject } from './subject.ts'
import { verifyFiles } from './verify-files.ts'
import { verifyLog, type LogListener } from './verify-log.ts'
import { verifyNames } from './verify-names.ts'
import { RecordsVerifier } from './verify-records.ts'

export interface VerifyOptions extends LogListener {
  /** Reads all content and compares it with its CRC-32. */
  readonly checkContent: boolean
  readonly progress?: (done: { blocks: number; blocksTotal: number; records: number }) => void
  /** For pauses beside a writer; without it the next look follows at once. */
  readonly clock?: Pick<Clock, 'sleep'>
  /** Called with every record that can be read in a file. */
  readonly visit?: (record: StoredRecord) => void
}

/**
 * Scans a directory and plans its recovery without changing anything: checksums of log, checkpoint, index and
 * descriptors, byte ranges, names, and all content if asked.
 * @throws {StorageError} `ERR_NOT_A_STORE`, `ERR_FORMAT`
 */
export async function verifyDirectory(
  fs: FileSystem,
  dataPath: string,
  options: VerifyOptions,
): Promise<VerifyReport> {
  await loadCrc64()
  await requireStore(fs, dataPath)
  const lock = await lockIfStore(fs, storePaths(dataPath))
  try {
    return await verifyUndisturbed(fs, dataPath, options, lock === 'live')
  } finally {
    if (typeof lock === 'object') await lock.release()
  }
}

async function verifyUndisturbed(
  fs: FileSystem,
  dataPath: string,
  options: VerifyOptions,
  isLive: boolean,
): Promise<VerifyReport> {
  const findings: Finding[] = []
  const found: Found = (severity, path, message) => {
    findings.push({ severity, path, message })
  }
  const paths = storePaths(dataPath)
  const log = isLive ? undefined : await verifyLog(fs, paths, found, options)
  const subject: Subject = {
    fs,
    dataPath,
    isLive,
    clock: options.clock,
    isStore: log?.isStore ?? true,
    redoneFromBytes: log?.redoneFromBytes ?? new Map(),
    nameless: log?.nameless ?? new Set(),
    damage: log?.damage ?? new Damage(dataPath),
  }
  const there = await discover(fs, dataPath)
  await verifyNames(subject, there, found)
  const { damage } = subject
  const busy: Note[] = []
  const contained = async <T>(name: EntryName, step: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await damage.contain(name, step)
    } catch (error) {
      if (!isLive || !isBusy(error)) throw error
      busy.push({
        path: new EntryPaths(dataPath, name).directory,
        message: `not checked: ${messageOf(error)}`,
      })
      return undefined
    }
  }
  const sources: BlockSource[] = []
  let blocksTotal = 0
  for (const name of there.entries) {
    const source = await contained(name, () => verifyFiles(subject, name, found))
    if (source === undefined) continue
    sources.push(source)
    blocksTotal += source.blocks.length
    options.progress?.({ blocks: 0, blocksTotal, records: 0 })
  }
  let blocks = 0
  const verifier = new RecordsVerifier(subject, found, {
    checkContent: options.checkContent,
    visit: options.visit,
    blockDone: () => options.progress?.({ blocks: ++blocks, blocksTotal, records: verifier.records }),
  })
  const byEntry: EntryReport[] = []
  for (const source of sources) {
    const { records, contentBytes } = verifier
    await contained(source.name, () => verifier.verify(source))
    byEntry.push({
      ...source.name,
      blocks: source.blocks.length,
      records: verifier.records - records,
      contentBytes: verifier.contentBytes - contentBytes,
    })
  }
  for (const { bucket, entry, error } of damage.places) {
    const place = entry === undefined ? bucket : `${bucket}/${entry}`
    found('damaged', error.facts.path ?? `${dataPath}/${place}`, error.message)
  }
  const { records, contentBytes, contentChecked, contentUnchecked } = verifier
  return {
    findings,
    notes: [...busy, ...(await noteNames(subject, there))],
    identity: log?.identity,
    isLogWhole: log?.isWhole ?? false,
    hasRemovals: await hasRemovals(fs, dataPath, there.buckets),
    isLive,
    buckets: there.buckets.length,
    entries: there.entries.length,
    blocks: blocksTotal,
    records,
    contentBytes,
    contentChecked,
    contentUnchecked,
    byEntry,
    plan: log?.steps ?? [],
  }
}

/** Keeps a writer out while we look; `live` when one is there. */
async function lockIfStore(
  fs: FileSystem,
  paths: StorePaths,
): Promise<{ release(): Promise<void> } | 'live' | undefined> {
  if ((await fs.fileBytes(paths.lock)) === undefined) return undefined
  try {
    return (await fs.lock(paths.lock)) ?? 'live'
  } catch (error) {
    // On a read-only medium nobody writes.
    if (error instanceof FileSystemError && error.code === 'ERR_READ_ONLY') return undefined
    throw error
  }
}
