import type { Clock } from '../../base/clock.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import type { BlockManager } from '../block/block-manager.ts'
import { isExtensible } from '../block/placement.ts'
import { decodeRecord, recordStateNumber, stateFieldBytes } from '../codec/record-codec.ts'
import { scanRecord } from '../codec/scan-record.ts'
import type { Edits, EntriesEdit } from '../commitlog/group.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import type { ReplacedAttachments } from '../mutation/attachments.ts'
import type { QuotaKeeper } from '../quota/quota-keeper.ts'
import { weighRecord } from '../record-weight.ts'
import type { BlockSource } from '../query/block-source.ts'
import { locateRecord, type LocatedRecord } from '../query/locate-record.ts'
import type { EntryName, RecordBegin, RecordWriter } from '../record.ts'
import { encodeWalEntry, walEntryType } from '../wal/wal-codec.ts'
import { RecordUpload, encodeUpload, type UploadPlace } from './record-upload.ts'

export interface UploadsOptions {
  readonly fs: FileSystem
  readonly clock: Clock
  readonly idleMsMax: number
  readonly manager: BlockManager
  readonly exclusive: <T>(job: (commit: (edits: Edits) => Promise<void>) => Promise<T>) => Promise<T>
  readonly source: (entry: Entry) => BlockSource
  /** The entry, made durable when it is missing. */
  readonly makeEntry: (name: EntryName) => Promise<Entry>
  readonly quotas: Pick<QuotaKeeper, 'refusal' | 'evictions'>
  /** See `replacedAttachments`. */
  readonly replaced: (entry: Entry, begin: RecordBegin) => Promise<ReplacedAttachments>
  /** Removes records for good, as far as nothing stands in the way. Not in an exclusive job. */
  readonly remove: (entry: Entry, timestampsUs: readonly bigint[]) => Promise<unknown>
  /** Free bytes, less what open uploads will still write. */
  readonly spareBytes: () => Promise<number>
}

/**
 * Records whose content comes in pieces. Their range is logged first, as an ERRORED record of full length: nothing is
 * ever logged behind an unlogged range (W4), and whatever happens then the record is there and has failed. Content goes
 * to its place in the data file, not through the log; the frame that says FINISHED syncs it.
 */
export class Uploads {
  readonly #options: UploadsOptions
  readonly #open = new Set<RecordUpload>()
  #isClosed = false

  constructor(options: UploadsOptions) {
    this.#options = options
  }

  /** Content that open uploads have still to write. */
  get remainingBytes(): number {
    let bytes = 0
    for (const upload of this.#open) bytes += upload.remainingBytes
    return bytes
  }

  /** @throws {StorageError} see `Storage.beginRecord` */
  async begin(begin: RecordBegin): Promise<RecordWriter> {
    const { exclusive, makeEntry, spareBytes } = this.#options
    const free = await spareBytes()
    return exclusive(async (commit) => {
      if (this.#isClosed) throw new StorageError('ERR_CLOSED', 'the store is closed')
      if (free < begin.contentBytes) {
        const why = `${begin.contentBytes} bytes do not fit into the ${Math.max(0, free)} that are free`
        throw new StorageError('ERR_NO_SPACE', why, factsOf(begin))
      }
      const entry = await makeEntry(begin.target)
      const place = await this.#place(entry, begin, commit)
      return this.#started(entry, begin, place)
    })
  }

  /** Aborts what is open and lets nothing begin any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const upload of [...this.#open]) await upload.abort('the store was closed')
  }

  #started(entry: Entry, begin: RecordBegin, place: UploadPlace): RecordUpload {
    const { fs, clock, idleMsMax, exclusive, replaced, remove } = this.#options
    let replacedUs: readonly bigint[] = []
    const alsoAtEnd = async (): Promise<readonly EntriesEdit[]> => {
      if (!entry.isAttachment) return []
      const { edits, timestampsUs } = await replaced(entry, begin)
      replacedUs = timestampsUs
      return edits
    }
    const afterEnd = async (): Promise<void> => {
      if (replacedUs.length > 0) await remove(entry, replacedUs)
    }
    const timestampUs = BigInt(begin.timestampUs)
    const ended = (): void => {
      place.block.holds -= 1
      entry.uploading.delete(timestampUs)
      this.#open.delete(upload)
    }
    entry.uploading.add(timestampUs)
    const upload = new RecordUpload(begin, place, {
      fs,
      clock,
      idleMsMax,
      exclusive,
      alsoAtEnd,
      ended,
      afterEnd,
    })
    this.#open.add(upload)
    return upload
  }

  async #place(
    entry: Entry,
    begin: RecordBegin,
    commit: (edits: Edits) => Promise<void>,
  ): Promise<UploadPlace> {
    const { source, manager } = this.#options
    const located = await locateRecord(source(entry), BigInt(begin.timestampUs))
    if (located !== undefined) return this.#takeUp(entry, located, begin)
    await this.#makeRoom(entry, begin, commit)
    const range = await manager.reserveRange(entry, begin.timestampUs, begin.contentBytes)
    if (range === undefined) throw exists(begin, 'the time cannot be used there')
    const { block, beginBytes } = range
    const payload = encodeUpload(begin, beginBytes, undefined)
    const entries = encodeWalEntry(walEntryType.writeRecord, payload)
    block.metadataBytes += payload.byteLength - stateFieldBytes
    await commit({ entries: [{ block, entries, recordCount: 1 }] })
    return { block, beginBytes, heldBytes: payload.byteLength }
  }

  /** All of it counts from the start. What is being uploaded does not go for it. @throws {StorageError} `ERR_QUOTA` */
  async #makeRoom(entry: Entry, begin: RecordBegin, commit: (edits: Edits) => Promise<void>): Promise<void> {
    const { quotas } = this.#options
    const record = { ...begin, content: { byteLength: begin.contentBytes } }
    const refusal = quotas.refusal([record])
    if (refusal !== undefined) throw refusal
    for (;;) {
      const changes = await quotas.evictions({ bucket: entry.bucket, bytes: weighRecord(record) })
      if (changes.length === 0) return
      await commit({ changes })
    }
  }

  /** A record whose upload has failed is written again in its range, which the log knows already. */
  async #takeUp(entry: Entry, located: LocatedRecord, begin: RecordBegin): Promise<UploadPlace> {
    const { block: listed, descriptor, index } = located
    const fromBytes = descriptor.recordFromBytes[index] as number
    const toBytes = descriptor.recordToBytes[index] as number
    const { beginBytes, endBytes, state } = decodeRecord(descriptor.bytes, fromBytes, toBytes)
    if (entry.uploading.has(BigInt(begin.timestampUs))) throw exists(begin, 'it is being uploaded')
    if (state === recordStateNumber.finished) throw exists(begin, 'there is a record')
    if (endBytes - beginBytes !== begin.contentBytes)
      throw exists(begin, `a failed record of ${endBytes - beginBytes} bytes has its place`)
    if (!isExtensible(listed) || !isRangeItsOwn(located, beginBytes, endBytes))
      throw exists(begin, 'the range of the failed record cannot be written')
    const block = await this.#options.manager.hold(entry, listed)
    return { block, beginBytes, heldBytes: toBytes - fromBytes }
  }
}

/** In directories that ReductStore has recovered ranges may overlap (W4). */
function isRangeItsOwn({ descriptor, index }: LocatedRecord, beginBytes: number, endBytes: number): boolean {
  if (endBytes > descriptor.sizeBytes) return false
  for (let other = 0; other < descriptor.timestampsUs.length; other++) {
    if (other === index) continue
    const from = descriptor.recordFromBytes[other] as number
    const range = scanRecord(descriptor.bytes, from, descriptor.recordToBytes[other] as number)
    if (range.beginBytes < endBytes && beginBytes < range.endBytes) return false
  }
  return true
}

function factsOf({ target, timestampUs }: RecordBegin): EntryName & { timestampUs: bigint } {
  return { ...target, timestampUs: BigInt(timestampUs) }
}

function exists(begin: RecordBegin, why: string): StorageError {
  const { target, timestampUs } = begin
  return new StorageError(
    'ERR_EXISTS',
    `${target.bucket}/${target.entry} at ${timestampUs}: ${why}`,
    factsOf(begin),
  )
}
