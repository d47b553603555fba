import { crc32 } from '../../base/crc32.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import type { Place } from '../damage.ts'
import { StorageError } from '../errors.ts'
import type { StorePaths } from '../paths.ts'
import type { RecordBegin, RecordReader, RecordWriter } from '../record.ts'
import { labelsAsLeft, stillOwed, writeOwed, type OwedRecord } from '../recovery/owed-content.ts'

export interface OwedRecordsOptions {
  readonly fs: FileSystem
  readonly paths: StorePaths
  readonly begin: (begin: RecordBegin) => Promise<RecordWriter>
}

/**
 * Records that have failed since ReductStore has cut their content off, until it is written again. A record is paid for by
 * the very frame that makes it a finished one; the list on disk follows, and what it names too much is found out by the
 * next open.
 */
export class OwedRecords {
  readonly #options: OwedRecordsOptions
  #records = new Set<OwedRecord>()
  /** The list on disk names records that are paid for. */
  #isBehind = false
  #written: Promise<void> = Promise.resolve()
  #reader: RecordReader | undefined

  constructor(options: OwedRecordsOptions) {
    this.#options = options
  }

  get records(): readonly OwedRecord[] {
    return [...this.#records]
  }

  /** How many of this bucket, or of this entry and all below it, nobody has written again or removed. */
  async countIn({ bucket, entry }: Place): Promise<number> {
    const inside = this.records.filter(
      (record) =>
        record.bucket === bucket && (entry === undefined || `${record.entry}/`.startsWith(`${entry}/`)),
    )
    return this.#reader === undefined ? 0 : (await stillOwed(this.#reader, inside)).length
  }

  /** Takes over what recovery has found, and what earlier runs have left. */
  async open(reader: RecordReader, found: readonly OwedRecord[]): Promise<void> {
    this.#reader = reader
    this.#records = new Set(await stillOwed(reader, found))
    if (this.#records.size < found.length) await this.#write()
  }

  /** @throws {StorageError} see `Storage.payOwed` */
  async pay(record: OwedRecord, content: Uint8Array): Promise<void> {
    const { bucket, entry, timestampUs, contentType, contentBytes, contentChecksum } = record
    const isIt = contentChecksum === undefined || crc32(content) === contentChecksum
    if (content.byteLength !== contentBytes || !isIt) {
      const facts = { bucket, entry, timestampUs: BigInt(timestampUs) }
      throw new StorageError('ERR_INVALID', `${bucket}/${entry} at ${timestampUs}: not its content`, facts)
    }
    // A record that was removed meanwhile must not come back.
    const labels = this.#reader && (await labelsAsLeft(this.#reader, record))
    if (labels === undefined) {
      this.#drop([record])
      const why = `${bucket}/${entry} at ${timestampUs}: it is not owed any more`
      throw new StorageError('ERR_EXISTS', why, { bucket, entry, timestampUs: BigInt(timestampUs) })
    }
    const begin = { target: { bucket, entry }, timestampUs, labels, contentType, contentBytes }
    const writer = await this.#options.begin(begin)
    await writer.write(content)
    await writer.finish()
    this.#drop([record])
    // The list may name what is paid for; a write for each would cost more than the record.
    if (this.#records.size === 0) await this.#write()
  }

  /** They stay failed. The list on disk names them on until nothing is owed, or the store is closed. */
  async forget(records: readonly OwedRecord[]): Promise<void> {
    this.#drop(records)
    if (this.#records.size === 0) await this.#write()
  }

  /** The list on disk names only what is owed when it resolves. */
  async close(): Promise<void> {
    if (this.#isBehind) await this.#write()
  }

  #drop(records: readonly OwedRecord[]): void {
    for (const record of records) this.#records.delete(record)
    this.#isBehind = true
  }

  #write(): Promise<void> {
    this.#isBehind = false
    const { fs, paths } = this.#options
    this.#written = this.#written.then(async () => {
      await writeOwed(fs, paths, this.records)
      // Or a power cut would bring a list back of which all is settled.
      if (this.#records.size === 0) await fs.syncDirectories([paths.sediment])
    })
    return this.#written
  }
}
