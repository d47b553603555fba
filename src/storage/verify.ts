import { loadCrc64 } from '../base/crc64.ts'
import { FileSystemError, type FileSystem } from '../fs/file-system.ts'
import type { Descriptor } from './codec/descriptor-codec.ts'
import { decodeBucketSettings } from './codec/settings-codec.ts'
import { decodeIndex, type IndexEntry } from './codec/index-codec.ts'
import { scanRecord } from './codec/record-codec.ts'
import { StorageError } from './errors.ts'
import { BucketPaths, EntryPaths, parseBlockFileName, storePaths, type StorePaths } from './paths.ts'
import { discover } from './query/discover.ts'
import { directorySource } from './query/directory-reader.ts'
import { readRecords } from './query/read-records.ts'
import type { BlockSource } from './query/block-source.ts'
import type { EntryName, StoredRecord } from './record.ts'
import { planRecovery } from './recovery/recover.ts'
import { readFormat } from './store-files.ts'
import { scanWal } from './wal/wal-codec.ts'

export interface Finding {
  /** `recoverable`: the next open mends it. `damaged`: acknowledged data is gone or wrong. */
  readonly severity: 'recoverable' | 'damaged'
  readonly path: string
  readonly message: string
}

export interface VerifyOptions {
  /** Reads all content and compares it with its CRC-32. */
  readonly checkContent: boolean
  readonly progress?: (done: { blocks: number; blocksTotal: number; records: number }) => void
  /** Called with every record that can be read. */
  readonly visit?: (record: StoredRecord) => void
}

/** What can be read of one entry. */
interface EntryReport {
  readonly bucket: string
  readonly entry: string
  readonly blocks: number
  readonly records: number
  readonly contentBytes: number
}

export interface VerifyReport {
  readonly findings: readonly Finding[]
  /** A writer has the directory: its open blocks were left out. */
  readonly isLive: boolean
  readonly buckets: number
  readonly entries: number
  readonly blocks: number
  readonly records: number
  readonly contentBytes: number
  /** Records whose content matched its CRC-32, and those that carry none. */
  readonly contentChecked: number
  readonly contentUnchecked: number
  /** By bucket and entry; one that cannot be read at all is not here but in `findings`. */
  readonly byEntry: readonly EntryReport[]
  /** What the next open would do, in order, for people. */
  readonly plan: readonly string[]
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
  if ((await fs.list(dataPath)) === undefined) {
    throw new StorageError('ERR_NOT_A_STORE', `there is no directory ${dataPath}`, { path: dataPath })
  }
  const lock = await lockIfStore(fs, storePaths(dataPath))
  try {
    const verification = new Verification(fs, dataPath, options, lock === 'live')
    return await verification.run()
  } finally {
    if (typeof lock === 'object') await lock.release()
  }
}

class Verification {
  readonly #fs: FileSystem
  readonly #dataPath: string
  readonly #options: VerifyOptions
  readonly #isLive: boolean
  readonly #findings: Finding[] = []
  readonly #plan: string[] = []
  #records = 0
  #contentBytes = 0
  #contentChecked = 0
  #contentUnchecked = 0
  #blocksDone = 0
  #blocksTotal = 0

  constructor(fs: FileSystem, dataPath: string, options: VerifyOptions, isLive: boolean) {
    this.#fs = fs
    this.#dataPath = dataPath
    this.#options = options
    this.#isLive = isLive
  }

  async run(): Promise<VerifyReport> {
    if (!this.#isLive) await this.#planRecovery()
    const { buckets, entries, strays } = await discover(this.#fs, this.#dataPath)
    for (const stray of strays) {
      this.#found(
        'recoverable',
        `${this.#dataPath}/${stray}`,
        'directory without bucket.settings: ReductStore does not start',
      )
    }
    for (const bucket of buckets) await this.#verifyBucket(bucket)
    const sources: { name: EntryName; source: BlockSource }[] = []
    for (const name of entries) {
      const source = await this.#verifyFiles(name)
      if (source === undefined) continue
      sources.push({ name, source })
      this.#blocksTotal += source.blocks.length
    }
    const byEntry: EntryReport[] = []
    for (const { name, source } of sources) {
      const [records, contentBytes] = [this.#records, this.#contentBytes]
      await this.#verifyRecords(source)
      byEntry.push({
        bucket: name.bucket,
        entry: name.entry,
        blocks: source.blocks.length,
        records: this.#records - records,
        contentBytes: this.#contentBytes - contentBytes,
      })
    }
    return {
      findings: this.#findings,
      isLive: this.#isLive,
      buckets: buckets.length,
      entries: entries.length,
      blocks: this.#blocksTotal,
      records: this.#records,
      contentBytes: this.#contentBytes,
      contentChecked: this.#contentChecked,
      contentUnchecked: this.#contentUnchecked,
      byEntry,
      plan: this.#plan,
    }
  }

  async #planRecovery(): Promise<void> {
    const paths = storePaths(this.#dataPath)
    try {
      if ((await readFormat(this.#fs, paths)) === undefined) return
      const { log, blocks, damage } = await planRecovery(this.#fs, paths)
      for (const message of damage) this.#found('damaged', paths.sediment, message)
      if (log.tornTailBytes > 0) {
        this.#plan.push(
          `drop ${log.tornTailBytes} bytes of an unfinished group at the end of the log: it was never acknowledged`,
        )
      }
      if (log.frames.length > 0) {
        this.#plan.push(`redo ${log.frames.length} groups of ${log.logBytes} log bytes`)
        this.#found(
          'recoverable',
          paths.logDirectory,
          `${log.frames.length} groups are not covered by a checkpoint`,
        )
      }
      for (const { facts, plan } of blocks) {
        if (plan.kind === 'damaged') continue
        this.#plan.push(`${PLAN_WORDS[plan.kind]} ${facts.bucket}/${facts.entry} block ${facts.blockId}`)
      }
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'ERR_CORRUPT') throw error
      this.#found('damaged', error.facts.path ?? paths.sediment, error.message)
    }
  }

  async #verifyBucket(bucket: string): Promise<void> {
    const path = new BucketPaths(this.#dataPath, bucket).settings
    try {
      decodeBucketSettings((await this.#fs.readFile(path)) ?? new Uint8Array(0))
    } catch {
      this.#found('damaged', path, 'settings cannot be decoded')
    }
  }

  /** Index and names; `undefined` when the entry cannot be read at all. */
  async #verifyFiles(name: EntryName): Promise<BlockSource | undefined> {
    const paths = new EntryPaths(this.#dataPath, name)
    const bytes = await this.#fs.readFile(paths.index)
    const listed = bytes === undefined ? undefined : decodeIndex(bytes)
    if (listed === undefined) this.#found('recoverable', paths.index, 'index is missing')
    else if (listed.verdict !== 'valid')
      this.#found('recoverable', paths.index, `index is damaged (${listed.verdict})`)
    const open = new Set<bigint>()
    for (const item of (await this.#fs.list(paths.walDirectory)) ?? []) {
      const file = parseBlockFileName(item.name)
      if (file?.kind !== 'wal') continue
      open.add(file.blockId)
      if (this.#isLive) continue
      const path = paths.wal(file.blockId)
      const { ending } = scanWal((await this.#fs.readFile(path)) ?? new Uint8Array(0))
      this.#found(
        'recoverable',
        path,
        ending === 'marker' ? 'WAL not folded yet' : `WAL ends badly (${ending})`,
      )
    }
    await this.#findOrphans(paths, listed?.verdict === 'valid' ? listed.entries : new Map(), open)
    try {
      const source = await directorySource(this.#fs, this.#dataPath, name)
      const blocks = this.#isLive ? source.blocks.filter((block) => !open.has(block.id)) : source.blocks
      return { ...source, blocks }
    } catch (error) {
      this.#found('damaged', paths.directory, messageOf(error))
      return undefined
    }
  }

  async #findOrphans(
    paths: EntryPaths,
    listed: ReadonlyMap<bigint, IndexEntry>,
    open: ReadonlySet<bigint>,
  ): Promise<void> {
    const data = new Set<bigint>()
    const described = new Set<bigint>()
    for (const item of (await this.#fs.list(paths.directory)) ?? []) {
      const file = parseBlockFileName(item.name)
      if (file === undefined) continue
      if (file.kind === 'data') data.add(file.blockId)
      else if (file.kind === 'descriptor') described.add(file.blockId)
    }
    for (const id of data) {
      if (described.has(id) || open.has(id) || this.#isLive) continue
      this.#found('recoverable', paths.data(id), 'data file without descriptor or WAL')
    }
    for (const id of described) {
      if (!data.has(id)) this.#found('damaged', paths.descriptor(id), 'descriptor without data file')
      else if (!listed.has(id)) this.#found('recoverable', paths.descriptor(id), 'block is not in the index')
    }
    for (const id of listed.keys()) {
      if (!described.has(id) && !open.has(id))
        this.#found('damaged', paths.descriptor(id), 'listed block has no descriptor')
    }
  }

  async #verifyRecords(source: BlockSource): Promise<void> {
    for (const block of source.blocks) {
      const readable = await this.#verifyBlock(source, block)
      if (readable) {
        const one = { ...source, blocks: [block] }
        for await (const record of readRecords(this.#fs, one, { anyState: true }))
          await this.#verifyRecord(source, block, record)
      }
      this.#blocksDone += 1
      this.#options.progress?.({
        blocks: this.#blocksDone,
        blocksTotal: this.#blocksTotal,
        records: this.#records,
      })
    }
  }

  async #verifyBlock(source: BlockSource, block: IndexEntry): Promise<boolean> {
    const dataPath = source.dataPath(block)
    let descriptor: Descriptor
    try {
      descriptor = await source.descriptor(block)
    } catch (error) {
      this.#found('damaged', dataPath, messageOf(error))
      return false
    }
    if (descriptor.id !== undefined && descriptor.id !== block.id) {
      this.#found('damaged', dataPath, `descriptor is that of block ${descriptor.id}`)
    }
    if (block.crc64 !== undefined && block.recordCount !== descriptor.timestampsUs.length) {
      this.#found(
        'recoverable',
        dataPath,
        `index says ${block.recordCount} records, descriptor ${descriptor.timestampsUs.length}`,
      )
    }
    const dataBytes = await this.#fs.fileBytes(dataPath)
    if (dataBytes === undefined) return descriptor.timestampsUs.length === 0
    let short = 0
    for (let index = 0; index < descriptor.timestampsUs.length; index++) {
      const from = descriptor.recordFromBytes[index] as number
      const { endBytes } = scanRecord(descriptor.bytes, from, descriptor.recordToBytes[index] as number)
      if (endBytes > dataBytes) short += 1
    }
    if (short > 0) this.#found('damaged', dataPath, `${short} records lie beyond the end of the data file`)
    return true
  }

  async #verifyRecord(source: BlockSource, block: IndexEntry, record: StoredRecord): Promise<void> {
    this.#records += 1
    this.#contentBytes += record.contentBytes
    this.#options.visit?.(record)
    if (record.contentChecksum === undefined) this.#contentUnchecked += 1
    if (!this.#options.checkContent || record.state !== 'finished') return
    try {
      await record.read()
      if (record.contentChecksum !== undefined) this.#contentChecked += 1
    } catch (error) {
      this.#found('damaged', source.dataPath(block), messageOf(error))
    }
  }

  #found(severity: Finding['severity'], path: string, message: string): void {
    this.#findings.push({ severity, path, message })
  }
}

const PLAN_WORDS = {
  open: 'bring up to date and keep open',
  folded: 'list as sealed',
  merge: 'insert what ReductStore does not have into',
} as const

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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
