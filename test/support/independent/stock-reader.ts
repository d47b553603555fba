import { crc32 } from 'node:zlib'
import { crc64 } from './crc64.ts'
import { findBuckets, findEntries } from './discovery.ts'
import type { ReadOnlyFiles } from './files.ts'
import { indexCrc64, readDescriptor, readIndex, type RecordMessage } from './messages.ts'
import { Undecodable } from './protobuf.ts'
import { readWal } from './wal.ts'

const STATE_FINISHED = 1

/** ReductStore would not start, or would exit, on this directory. */
export class StockDoesNotStart extends Error {}

export interface StockRecord {
  readonly bucket: string
  readonly entry: string
  readonly timestampUs: bigint
  /** 0 started, 1 finished, 2 errored. */
  readonly state: number
  readonly labels: readonly (readonly [name: string, value: string])[]
  readonly contentType: string
  readonly contentLength: number
  /** `undefined` when the data file is too short: reading it breaks the connection. */
  readonly content: Uint8Array | undefined
}

export interface StockEntry {
  readonly bucket: string
  readonly entry: string
  /** Records in any state, ascending, as a query over all time meets them. */
  readonly records: readonly StockRecord[]
  /** A point read: only the block with the greatest id at or below the time is looked into. */
  at(timestampUs: bigint): StockRecord | undefined
}

export interface StockView {
  readonly entries: readonly StockEntry[]
  /** All records of all entries. */
  readonly records: readonly StockRecord[]
  /** What was not clean: what the server logs as a warning, and contents that contradict their CRC-32. */
  readonly problems: readonly string[]
}

/**
 * What stock ReductStore 1.19 shows after opening a directory, by its own rules and with all its weak points: index
 * or rebuild, a WAL as a whole or not at all, descriptors checked against the index. Nothing is written.
 * @throws {StockDoesNotStart}
 */
export function readAsStock(files: ReadOnlyFiles): StockView {
  const problems: string[] = []
  const entries = findBuckets(files).flatMap((bucket) => {
    if (files.readFile(`${bucket}/bucket.settings`) === undefined) {
      throw new StockDoesNotStart(`${bucket} has no settings`)
    }
    return findEntries(files, bucket).map((entry) => new EntryLoader(files, bucket, entry, problems).load())
  })
  return { entries, records: entries.flatMap((entry) => entry.records), problems }
}

/** A block that WAL replay has built; a file otherwise. */
interface Block {
  readonly beginUs: bigint
  size: number
  readonly records: Map<bigint, RecordMessage>
}

interface Descriptor {
  readonly bytes: Uint8Array
  /** What replaced the file in this run. */
  block?: Block
}

class EntryLoader {
  readonly #files: ReadOnlyFiles
  readonly #bucket: string
  readonly #entry: string
  readonly #directory: string
  readonly #problems: string[]
  /** By file stem: what the directory holds, and what this run would have changed. */
  readonly #descriptors = new Map<string, Descriptor>()
  readonly #data = new Map<string, { lengthSet?: number }>()
  readonly #dataBytes = new Map<string, Uint8Array>()
  /** Id to CRC of the descriptor. */
  #index = new Map<bigint, bigint | undefined>()

  constructor(files: ReadOnlyFiles, bucket: string, entry: string, problems: string[]) {
    this.#files = files
    this.#bucket = bucket
    this.#entry = entry
    this.#directory = `${bucket}/${entry}`
    this.#problems = problems
  }

  load(): StockEntry {
    for (const name of this.#files.list(this.#directory)) {
      if (name.endsWith('.meta')) this.#descriptors.set(name.slice(0, -5), { bytes: this.#read(name) })
      else if (name.endsWith('.blk')) this.#data.set(name.slice(0, -4), {})
    }
    const index = this.#loadIndex()
    if (index === undefined) this.#rebuild()
    else this.#index = index
    this.#replay()
    this.#checkIntegrity()
    return this.#open()
  }

  #loadIndex(): Map<bigint, bigint | undefined> | undefined {
    const bytes = this.#files.readFile(`${this.#directory}/blocks.idx`)
    if (bytes === undefined) return undefined
    try {
      const message = readIndex(bytes)
      for (const block of message.blocks) {
        if (block.latestUs === undefined)
          throw new StockDoesNotStart(`${this.#directory}: index without a latest time`)
      }
      if (indexCrc64(message.blocks) !== message.crc64) return undefined
      return new Map(message.blocks.map((block) => [block.id, block.crc64]))
    } catch (error) {
      if (error instanceof Undecodable) return undefined
      throw error
    }
  }

  /** The index from the descriptors. Whatever does not decode is deleted, data included. */
  #rebuild(): void {
    this.#problem('index rebuilt from descriptors')
    this.#index = new Map()
    for (const [stem, descriptor] of [...this.#descriptors]) {
      if (descriptor.block !== undefined) {
        this.#index.set(descriptor.block.beginUs, undefined)
        continue
      }
      const message = decoded(() => readDescriptor(descriptor.bytes, false))
      if (message?.beginUs === undefined) {
        this.#problem(`${stem}.meta deleted with its data`)
        if (!this.#data.delete(stem))
          throw new StockDoesNotStart(`${this.#directory}/${stem}.blk cannot be deleted`)
        this.#descriptors.delete(stem)
        continue
      }
      if (message.latestUs === undefined) throw new StockDoesNotStart(`${stem}.meta without a latest time`)
      this.#index.set(message.beginUs, crc64(descriptor.bytes))
    }
  }

  #replay(): void {
    const names = this.#files.list(this.#directory)
    const walDirectory = names.includes('.wal/') ? '.wal' : 'wal'
    for (const name of this.#files.list(`${this.#directory}/${walDirectory}`)) {
      if (!name.endsWith('.wal')) continue
      const stem = name.slice(0, -4)
      if (!/^[0-9]+$/.test(stem)) throw new StockDoesNotStart(`${this.#directory}: ${name}`)
      this.#replayOne(BigInt(stem), this.#read(`${walDirectory}/${name}`))
    }
  }

  #replayOne(id: bigint, bytes: Uint8Array): void {
    const operations = this.#wal(bytes)
    if (operations === undefined) {
      this.#problem(`WAL of ${id} deleted`)
      return
    }
    const stem = id.toString()
    let block: Block | undefined
    if (this.#descriptors.has(stem)) {
      block = this.#loadBlock(id)
      if (block === undefined) this.#problem(`block ${id} begun anew beside its WAL`)
    }
    block ??= { beginUs: id, size: 0, records: new Map() }
    for (const operation of operations) {
      if (operation.kind === 'remove-block') {
        this.#index.delete(id)
        this.#descriptors.delete(stem)
        this.#data.delete(stem)
        return
      }
      if (operation.kind === 'put') put(block, operation.record)
      else remove(block, operation.timestampUs)
    }
    this.#descriptors.set(stem, { bytes: new Uint8Array(0), block })
    this.#index.set(id, undefined)
    this.#data.set(stem, { lengthSet: block.size })
  }

  #wal(bytes: Uint8Array): ReturnType<typeof readWal> {
    try {
      return readWal(bytes)
    } catch (error) {
      if (error instanceof Undecodable)
        throw new StockDoesNotStart(`${this.#directory}: WAL entry is no record`)
      throw error
    }
  }

  #checkIntegrity(): void {
    let deviates = false
    for (const id of this.#index.keys()) {
      const stem = id.toString()
      if (!this.#data.has(stem)) {
        if (this.#descriptors.delete(stem)) this.#problem(`${stem}.meta deleted, it has no data`)
        deviates = true
      } else if (!this.#descriptors.has(stem)) deviates = true
    }
    if (deviates || this.#descriptors.size !== this.#index.size) this.#rebuild()
  }

  /** `undefined` when ReductStore refuses the block. */
  #loadBlock(id: bigint): Block | undefined {
    const descriptor = this.#descriptors.get(id.toString())
    if (descriptor === undefined || !this.#index.has(id)) return undefined
    if (descriptor.block !== undefined) return descriptor.block
    const crc = this.#index.get(id)
    if (crc !== undefined && crc !== crc64(descriptor.bytes)) return undefined
    const message = decoded(() => readDescriptor(descriptor.bytes, true))
    if (message === undefined) return undefined
    const records = new Map(message.records.map((record) => [timeOf(record), record]))
    return { beginUs: message.beginUs ?? id, size: message.size, records }
  }

  #open(): StockEntry {
    const blocks = [...this.#index.keys()].sort(ascending).flatMap((id) => {
      const block = this.#loadBlock(id)
      if (block === undefined) this.#problem(`block ${id} is not readable`)
      return block === undefined ? [] : [{ id, block }]
    })
    const records: StockRecord[] = []
    let fromUs = 0n
    for (const { block } of blocks) {
      for (const timestampUs of [...block.records.keys()].sort(ascending)) {
        // The query's time filter moves on with every record, so overlapping blocks lose some.
        if (timestampUs < fromUs) continue
        records.push(this.#record(block, timestampUs))
        fromUs = timestampUs + 1n
      }
    }
    const at = (timestampUs: bigint): StockRecord | undefined => {
      const floor = blocks.findLast(({ id }) => id <= timestampUs)?.block
      return floor?.records.has(timestampUs) === true ? this.#record(floor, timestampUs) : undefined
    }
    return { bucket: this.#bucket, entry: this.#entry, records, at }
  }

  #record(block: Block, timestampUs: bigint): StockRecord {
    const { begin, end, state, labels, contentType, contentCrc32 } = block.records.get(
      timestampUs,
    ) as RecordMessage
    const content = this.#content(block.beginUs.toString(), begin, end)
    if (content === undefined) this.#problem(`content of ${timestampUs} is not there`)
    else if (state === STATE_FINISHED && contentCrc32 !== undefined && crc32(content) !== contentCrc32) {
      this.#problem(`content of ${timestampUs} contradicts its CRC-32`)
    }
    const { bucket, entry } = { bucket: this.#bucket, entry: this.#entry }
    return { bucket, entry, timestampUs, state, labels, contentType, contentLength: end - begin, content }
  }

  #content(stem: string, begin: number, end: number): Uint8Array | undefined {
    if (begin === end) return new Uint8Array(0)
    const there = this.#data.get(stem)
    if (there === undefined) return undefined
    let bytes = this.#dataBytes.get(stem)
    if (bytes === undefined) {
      bytes = this.#files.readFile(`${this.#directory}/${stem}.blk`) ?? new Uint8Array(0)
      if (there.lengthSet !== undefined) bytes = withLength(bytes, there.lengthSet)
      this.#dataBytes.set(stem, bytes)
    }
    return end > bytes.length || begin > end ? undefined : bytes.subarray(begin, end)
  }

  #read(name: string): Uint8Array {
    return this.#files.readFile(`${this.#directory}/${name}`) ?? new Uint8Array(0)
  }

  #problem(what: string): void {
    this.#problems.push(`${this.#directory}: ${what}`)
  }
}

function put(block: Block, record: RecordMessage): void {
  const timestampUs = timeOf(record)
  const before = block.records.get(timestampUs)
  block.size += record.end - record.begin - (before === undefined ? 0 : before.end - before.begin)
  block.records.set(timestampUs, record)
}

/** Bytes are not moved and yet no longer counted: the data file is cut too short later. */
function remove(block: Block, timestampUs: bigint): void {
  const before = block.records.get(timestampUs)
  if (before === undefined) return
  block.size -= before.end - before.begin
  block.records.delete(timestampUs)
}

function timeOf(record: RecordMessage): bigint {
  if (record.timestampUs === undefined) throw new StockDoesNotStart('a record without a time')
  return record.timestampUs
}

function withLength(bytes: Uint8Array, length: number): Uint8Array {
  if (length <= bytes.length) return bytes.subarray(0, length)
  const longer = new Uint8Array(length)
  longer.set(bytes)
  return longer
}

function decoded<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Undecodable) return undefined
    throw error
  }
}

function ascending(one: bigint, other: bigint): number {
  return one < other ? -1 : one > other ? 1 : 0
}
