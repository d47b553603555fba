import { close, fdatasync, fsync, open, write } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import type { RecordWrite } from '../../src/storage/index.ts'
import { built } from './built.ts'

const { loadCrc64 } = await built('base/crc64')
const { encodeRecord, recordBytes, recordStateNumber } = await built('storage/codec/record-codec')
const { finishWalEntry, walEntryType, walHeadBytes, walTailBytes, walStopMarker } =
  await built('storage/wal/wal-codec')

const openFile = promisify(open)
const closeFile = promisify(close)
const writeFile = promisify(write)
const syncData = promisify(fdatasync)
const syncNames = promisify(fsync)

/** The limits of a new bucket of ours. */
const BLOCK_BYTES_MAX = 64_000_000
const BLOCK_RECORDS_MAX = 8192
const PARALLEL_BLOCKS = 16

interface BlockFiles {
  readonly dataPath: string
  readonly walPath: string
  data: number | undefined
  wal: number | undefined
}

interface EntryState {
  readonly directory: string
  files: BlockFiles | undefined
  dataAtBytes: number
  walAtBytes: number
  records: number
  latestUs: number
  /** Blocks of one entry are written one after another. */
  tail: Promise<void>
}

interface BlockWrite {
  readonly entry: EntryState
  readonly files: BlockFiles
  /** Files of the block that this one follows. */
  readonly previous: BlockFiles | undefined
  readonly dataAtBytes: number
  readonly walAtBytes: number
  readonly content: Buffer
  readonly entries: Buffer
}

/**
 * The way without a commit log, as a peer: every block's WAL is its own point of durability. Per group and touched block:
 * content, `fdatasync`, WAL entries by the flip rule, `fdatasync`; 16 blocks at a time. Same codecs and checksums as
 * the engine. It does less than the engine: no descriptors, no index, no ledger, no late records.
 */
export class BlockWalStore {
  readonly #root: string
  readonly #entries = new Map<string, EntryState>()
  readonly #waiting: (() => void)[] = []
  #free = PARALLEL_BLOCKS
  #syncs = 0

  private constructor(root: string) {
    this.#root = root
  }

  static async open(root: string): Promise<BlockWalStore> {
    await loadCrc64()
    await mkdir(root, { recursive: true })
    return new BlockWalStore(root)
  }

  get syncs(): number {
    return this.#syncs
  }

  /** Directories, ahead of the measurement. */
  async makeEntry(name: string): Promise<void> {
    const directory = join(this.#root, name)
    await mkdir(join(directory, '.wal'), { recursive: true })
    this.#entries.set(name, {
      directory,
      files: undefined,
      dataAtBytes: 0,
      walAtBytes: 0,
      records: 0,
      latestUs: 0,
      tail: Promise.resolve(),
    })
  }

  /** Resolves when every record of the group is durable. */
  async write(group: readonly RecordWrite[]): Promise<void> {
    const byEntry = new Map<string, RecordWrite[]>()
    for (const record of group) {
      const list = byEntry.get(record.target.entry)
      if (list === undefined) byEntry.set(record.target.entry, [record])
      else list.push(record)
    }
    const done: Promise<void>[] = []
    for (const [name, records] of byEntry) {
      const entry = this.#entries.get(name)
      if (entry === undefined) throw new Error(`no entry ${name}`)
      const writes = this.#cut(entry, records)
      entry.tail = entry.tail.then(async () => {
        for (const one of writes) await this.#writeBlock(one)
      })
      done.push(entry.tail)
    }
    await Promise.all(done)
  }

  async close(): Promise<void> {
    for (const { files, tail } of this.#entries.values()) {
      await tail
      if (files !== undefined) await closeBoth(files)
    }
  }

  /** Rolls at the limits, so that records of one entry may go into several blocks. */
  #cut(entry: EntryState, records: readonly RecordWrite[]): BlockWrite[] {
    const writes: BlockWrite[] = []
    for (let from = 0; from < records.length;) {
      const previous = entry.files
      const isFull = entry.records >= BLOCK_RECORDS_MAX || entry.dataAtBytes >= BLOCK_BYTES_MAX
      const startsBlock = previous === undefined || isFull
      const wantedUs = (records[from] as RecordWrite).timestampUs
      const files = startsBlock ? newFiles(entry.directory, Math.max(wantedUs, entry.latestUs + 1)) : previous
      if (startsBlock) {
        entry.files = files
        entry.dataAtBytes = 0
        entry.walAtBytes = 0
        entry.records = 0
      }
      const to = Math.min(records.length, from + BLOCK_RECORDS_MAX - entry.records)
      const { dataAtBytes, walAtBytes } = entry
      const part = records.slice(from, to)
      const { content, entries } = encode(entry, part)
      writes.push({
        entry,
        files,
        previous: startsBlock ? previous : undefined,
        dataAtBytes,
        walAtBytes,
        content,
        entries,
      })
      from = to
    }
    return writes
  }

  async #writeBlock({
    entry,
    files,
    previous,
    dataAtBytes,
    walAtBytes,
    content,
    entries,
  }: BlockWrite): Promise<void> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#free--
    try {
      if (previous !== undefined) await closeBoth(previous)
      const isNew = files.data === undefined
      const data = (files.data ??= await openFile(files.dataPath, 'w'))
      const wal = (files.wal ??= await openFile(files.walPath, 'w'))
      await writeWhole(data, content, dataAtBytes)
      await this.#counted(syncData(data))
      await writeWhole(wal, entries.subarray(1), walAtBytes + 1)
      await writeWhole(wal, entries.subarray(0, 1), walAtBytes)
      await this.#counted(syncData(wal))
      if (!isNew) return
      await this.#syncDirectory(entry.directory)
      await this.#syncDirectory(join(entry.directory, '.wal'))
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }

  async #syncDirectory(path: string): Promise<void> {
    const directory = await openFile(path, 'r')
    await this.#counted(syncNames(directory))
    await closeFile(directory)
  }

  async #counted(sync: Promise<void>): Promise<void> {
    await sync
    this.#syncs++
  }
}

function newFiles(directory: string, id: number): BlockFiles {
  return {
    dataPath: join(directory, `${id}.blk`),
    walPath: join(directory, '.wal', `${id}.wal`),
    data: undefined,
    wal: undefined,
  }
}

async function closeBoth(files: BlockFiles): Promise<void> {
  if (files.data !== undefined) await closeFile(files.data)
  if (files.wal !== undefined) await closeFile(files.wal)
}

async function writeWhole(file: number, bytes: Buffer, atBytes: number): Promise<void> {
  const { bytesWritten } = await writeFile(file, bytes, 0, bytes.byteLength, atBytes)
  if (bytesWritten !== bytes.byteLength) throw new Error('a short write')
}

/** WAL entries with the stop marker behind them, and the content in one piece. */
function encode(entry: EntryState, records: readonly RecordWrite[]): { content: Buffer; entries: Buffer } {
  const placed = records.map((record) => {
    entry.latestUs = Math.max(record.timestampUs, entry.latestUs + 1)
    const beginBytes = entry.dataAtBytes
    entry.dataAtBytes += record.content.byteLength
    return {
      timestampUs: entry.latestUs,
      beginBytes,
      endBytes: entry.dataAtBytes,
      state: recordStateNumber.finished,
      labels: record.labels,
      contentType: record.contentType,
      contentCrc32: crc32(record.content),
    }
  })
  let bytes = 1
  for (const fields of placed) bytes += walHeadBytes + recordBytes(fields) + walTailBytes
  const entries = Buffer.allocUnsafe(bytes)
  let at = 0
  for (const fields of placed) {
    const payloadEnd = encodeRecord(entries, at + walHeadBytes, fields)
    at = finishWalEntry(entries, at, walEntryType.writeRecord, payloadEnd)
  }
  entries[at] = walStopMarker
  entry.walAtBytes += bytes - 1
  entry.records += records.length
  return { content: Buffer.concat(records.map(({ content }) => content)), entries }
}
