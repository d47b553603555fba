import { crc64, loadCrc64 } from '../base/crc64.ts'
import { FileSystemError, type FileSystem } from '../fs/file-system.ts'
import type { Descriptor } from './codec/descriptor-codec.ts'
import { missingSettings } from './catalogue.ts'
import { isFolderOf } from './codec/folder-codec.ts'
import { decodeBucketSettings } from './codec/settings-codec.ts'
import { decodeIndex, type IndexEntry } from './codec/index-codec.ts'
import { recordStateNumber, scanRecord } from './codec/record-codec.ts'
import { StorageError } from './errors.ts'
import { BucketPaths, EntryPaths, parseBlockFileName, storePaths, type StorePaths } from './paths.ts'
import { discover } from './query/discover.ts'
import { directorySource } from './query/directory-reader.ts'
import type { DirectorySource } from './query/follower.ts'
import { readRecords } from './query/read-records.ts'
import type { BlockSource } from './query/block-source.ts'
import type { EntryName, StoredRecord } from './record.ts'
import { planRecovery } from './recovery/recover.ts'
import { readFormat, requireNothingElse } from './store-files.ts'
import { scanWal, walEntryType } from './wal/wal-codec.ts'

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
  await requireNothingElse(fs, storePaths(dataPath))
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
  /** The directory has been opened by us: a block that its index does not list is none. */
  #isStore = true
  readonly #findings: Finding[] = []
  readonly #plan: string[] = []
  /** By block: the log holds all content from this place of the data file on, and recovery writes it again. */
  readonly #redoneFromBytes = new Map<string, number>()
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
    const { buckets, entries, strays, headless } = await discover(this.#fs, this.#dataPath)
    for (const bucket of headless) {
      const path = new BucketPaths(this.#dataPath, bucket).settings
      this.#found('damaged', path, missingSettings(path).message)
    }
    for (const stray of strays.filter((name) => !headless.includes(name))) {
      this.#found(
        'recoverable',
        `${this.#dataPath}/${stray}`,
        'directory without bucket.settings: ReductStore does not start',
      )
    }
    for (const bucket of buckets) await this.#verifyBucket(bucket)
    if (!this.#isLive) {
      const root = storePaths(this.#dataPath).folder
      await this.#verifyFolder(root, buckets)
      for (const bucket of buckets) {
        const names = entries.filter((name) => name.bucket === bucket).map(({ entry }) => entry)
        await this.#verifyFolder(new BucketPaths(this.#dataPath, bucket).folder, names)
      }
    }
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
      this.#isStore = (await readFormat(this.#fs, paths)) !== undefined
      if (!this.#isStore) return
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
        if (facts.items.length === 0) continue
        const inline = facts.items.filter((item) => !item.direct).map((item) => item.blkAtBytes)
        this.#redoneFromBytes.set(keyOf(facts, facts.blockId), Math.min(...inline))
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
    } catch (error) {
      this.#found('damaged', path, messageOf(error))
    }
  }

  /** The list of names beside what is there. One that is missing is no finding: ReductStore makes it anew. */
  async #verifyFolder(path: string, names: readonly string[]): Promise<void> {
    const bytes = await this.#fs.readFile(path)
    if (bytes !== undefined && !isFolderOf(bytes, names))
      this.#found('recoverable', path, 'does not list the directories beside it')
  }

  /**
   * Index and names; `undefined` when the entry cannot be read at all. Beside a writer the files change between two
   * looks, so that only what every look finds is a finding.
   */
  async #verifyFiles(name: EntryName): Promise<BlockSource | undefined> {
    let look = await this.#lookAtFiles(name)
    for (let looks = 1; this.#isLive && looks < LIVE_LOOKS_MAX && look.findings.length > 0; looks++) {
      const before = new Set(look.findings.map(({ path, message }) => `${path}: ${message}`))
      const { source, findings } = await this.#lookAtFiles(name)
      look = { source, findings: findings.filter(({ path, message }) => before.has(`${path}: ${message}`)) }
    }
    this.#findings.push(...look.findings)
    return look.source
  }

  async #lookAtFiles(name: EntryName): Promise<{ source: BlockSource | undefined; findings: Finding[] }> {
    const findings: Finding[] = []
    const found = (severity: Finding['severity'], path: string, message: string): void => {
      findings.push({ severity, path, message })
    }
    const paths = new EntryPaths(this.#dataPath, name)
    const bytes = await this.#fs.readFile(paths.index)
    const listed = bytes === undefined ? undefined : decodeIndex(bytes)
    // Beside a writer it may be a directory on the way to an entry that is just being made.
    if (listed === undefined && !this.#isLive) found('recoverable', paths.index, 'index is missing')
    else if (listed !== undefined && listed.verdict !== 'valid')
      found('recoverable', paths.index, `index is damaged (${listed.verdict})`)
    const open = new Set<bigint>()
    const removed = new Set<bigint>()
    for (const item of (await this.#fs.list(paths.walDirectory)) ?? []) {
      const file = parseBlockFileName(item.name)
      if (file?.kind !== 'wal') continue
      open.add(file.blockId)
      if (this.#isLive) continue
      const path = paths.wal(file.blockId)
      const { entries, ending } = scanWal((await this.#fs.readFile(path)) ?? new Uint8Array(0))
      if (entries.some(({ type }) => type === walEntryType.removeBlock)) removed.add(file.blockId)
      found('recoverable', path, ending === 'marker' ? 'WAL not folded yet' : `WAL ends badly (${ending})`)
    }
    const index = listed?.verdict === 'valid' ? listed.entries : new Map<bigint, IndexEntry>()
    await this.#findOrphans(name, { listed: index, open, removed }, found)
    try {
      const source = await this.#sourceOf(name)
      for (const { path, message } of source.faults) found('damaged', path, message)
      const blocks = this.#isLive
        ? source.blocks.filter((block) => !open.has(block.id) && block.crc64 !== undefined)
        : source.blocks
      return { source: { ...source, blocks }, findings }
    } catch (error) {
      found('damaged', paths.directory, messageOf(error))
      return { source: undefined, findings }
    }
  }

  async #findOrphans(
    name: EntryName,
    blocks: {
      readonly listed: ReadonlyMap<bigint, IndexEntry>
      readonly open: ReadonlySet<bigint>
      /** ReductStore was removing them. */
      readonly removed: ReadonlySet<bigint>
    },
    found: (severity: Finding['severity'], path: string, message: string) => void,
  ): Promise<void> {
    const { listed, open, removed } = blocks
    const paths = new EntryPaths(this.#dataPath, name)
    const redoneFromBytes = (id: bigint): number | undefined => this.#redoneFromBytes.get(keyOf(name, id))
    const data = new Set<bigint>()
    const described = new Set<bigint>()
    for (const item of (await this.#fs.list(paths.directory)) ?? []) {
      const file = parseBlockFileName(item.name)
      if (file === undefined || removed.has(file.blockId)) continue
      if (file.kind === 'data') data.add(file.blockId)
      else if (file.kind === 'descriptor') described.add(file.blockId)
    }
    for (const id of data) {
      if (described.has(id) || open.has(id) || this.#isLive) continue
      found('recoverable', paths.data(id), 'data file without descriptor or WAL')
    }
    for (const id of new Set([...described, ...open])) {
      if (data.has(id) || removed.has(id) || this.#isLive) continue
      const what = described.has(id) ? 'descriptor' : 'WAL'
      const path = described.has(id) ? paths.descriptor(id) : paths.wal(id)
      found(redoneFromBytes(id) === 0 ? 'recoverable' : 'damaged', path, `${what} without data file`)
    }
    for (const id of described) {
      if (data.has(id) && !listed.has(id))
        found('recoverable', paths.descriptor(id), 'block is not in the index')
    }
    for (const id of listed.keys()) {
      if (described.has(id) || open.has(id) || removed.has(id)) continue
      const severity = redoneFromBytes(id) === undefined ? 'damaged' : 'recoverable'
      found(severity, paths.descriptor(id), 'listed block has no descriptor')
    }
  }

  async #verifyRecords(source: BlockSource): Promise<void> {
    for (const block of source.blocks) {
      const readable = await this.#verifyBlock(source, block)
      if (readable !== undefined) {
        for await (const record of readRecords(this.#fs, readable.source, { anyState: true }))
          await this.#verifyRecord(source.dataPath(block), record, readable.redoneUs)
      }
      this.#blocksDone += 1
      this.#options.progress?.({
        blocks: this.#blocksDone,
        blocksTotal: this.#blocksTotal,
        records: this.#records,
      })
    }
  }

  /** The block alone, with the times of the records that recovery writes again; `undefined` when it cannot be read. */
  async #verifyBlock(
    source: BlockSource,
    listed: IndexEntry,
  ): Promise<{ source: BlockSource; redoneUs: ReadonlySet<bigint> } | undefined> {
    const dataPath = source.dataPath(listed)
    const redoneFromBytes = this.#redoneFromBytes.get(keyOf(source.name, listed.id))
    const read = await this.#readDescriptor(source, listed)
    if (typeof read === 'string') {
      this.#found(redoneFromBytes === undefined ? 'damaged' : 'recoverable', dataPath, read)
      return undefined
    }
    if (read === undefined) return undefined
    const { block, descriptor } = read
    if (descriptor.id !== undefined && descriptor.id !== block.id) {
      this.#found('damaged', dataPath, `descriptor is that of block ${descriptor.id}`)
    }
    // A writer may have folded the block again since it was listed.
    const isAsListed = block.crc64 !== undefined && block.crc64 === crc64(descriptor.bytes)
    if (isAsListed && block.recordCount !== descriptor.timestampsUs.length) {
      this.#found(
        'recoverable',
        dataPath,
        `index says ${block.recordCount} records, descriptor ${descriptor.timestampsUs.length}`,
      )
    }
    const dataBytes = await this.#fs.fileBytes(dataPath)
    if (dataBytes === undefined && descriptor.timestampsUs.length > 0) return undefined
    const redoneUs = new Set<bigint>()
    const short = { damaged: 0, recoverable: 0 }
    for (let index = 0; index < descriptor.timestampsUs.length; index++) {
      const from = descriptor.recordFromBytes[index] as number
      const { beginBytes, endBytes, state } = scanRecord(
        descriptor.bytes,
        from,
        descriptor.recordToBytes[index] as number,
      )
      const isRedone = redoneFromBytes !== undefined && beginBytes >= redoneFromBytes
      if (isRedone) redoneUs.add(descriptor.timestampsUs[index] as bigint)
      // The range of an upload may end behind what was written of it, and an empty record behind the last byte: where
      // ReductStore removes the last record it shortens the file and keeps the size.
      const needsBytes = state === recordStateNumber.finished && endBytes > beginBytes
      if (needsBytes && endBytes > (dataBytes ?? 0)) short[isRedone ? 'recoverable' : 'damaged'] += 1
    }
    for (const severity of ['damaged', 'recoverable'] as const) {
      const count = short[severity]
      if (count > 0)
        this.#found(
          severity,
          dataPath,
          `${count} ${count === 1 ? 'record lies' : 'records lie'} beyond the end of the data file`,
        )
    }
    const one = { ...source, blocks: [block], descriptor: () => Promise.resolve(descriptor) }
    return { source: one, redoneUs }
  }

  #sourceOf(name: EntryName): Promise<DirectorySource> {
    const options = { isForeign: !this.#isStore, isAlone: !this.#isLive }
    return directorySource(this.#fs, this.#dataPath, name, options)
  }

  /**
   * The descriptor, or why it cannot be read. Beside a writer a block may have been reopened or folded since it was
   * listed: `undefined` when it is open now.
   */
  async #readDescriptor(
    source: BlockSource,
    listed: IndexEntry,
  ): Promise<{ block: IndexEntry; descriptor: Descriptor } | string | undefined> {
    let block = listed
    for (let from = source; ;) {
      try {
        return { block, descriptor: await from.descriptor(block) }
      } catch (error) {
        if (!this.#isLive) return messageOf(error)
        from = await this.#sourceOf(source.name)
        const now = from.blocks.find(({ id }) => id === listed.id)
        if (now?.crc64 === undefined) return undefined
        if (now.crc64 === block.crc64) return messageOf(error)
        block = now
      }
    }
  }

  async #verifyRecord(dataPath: string, record: StoredRecord, redoneUs: ReadonlySet<bigint>): Promise<void> {
    this.#records += 1
    this.#contentBytes += record.contentBytes
    this.#options.visit?.(record)
    if (record.contentChecksum === undefined) this.#contentUnchecked += 1
    if (!this.#options.checkContent || record.state !== 'finished') return
    try {
      await record.read()
      if (record.contentChecksum !== undefined) this.#contentChecked += 1
    } catch (error) {
      // A writer has removed it meanwhile.
      if (this.#isLive && error instanceof StorageError && error.code === 'ERR_NOT_FOUND') return
      const severity = redoneUs.has(record.timestampUs) ? 'recoverable' : 'damaged'
      this.#found(severity, dataPath, messageOf(error))
    }
  }

  #found(severity: Finding['severity'], path: string, message: string): void {
    this.#findings.push({ severity, path, message })
  }
}

/** How often an entry is looked at beside a writer before a finding counts. */
const LIVE_LOOKS_MAX = 4

const PLAN_WORDS = {
  open: 'bring up to date and keep open',
  folded: 'list as sealed',
  merge: 'insert what ReductStore does not have into',
  change: 'carry a removal or replacement out in',
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

function keyOf({ bucket, entry }: EntryName, blockId: bigint | number): string {
  return `${bucket}/${entry}/${blockId}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
