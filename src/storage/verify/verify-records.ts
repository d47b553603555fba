import { crc64 } from '../../base/crc64.ts'
import type { Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { recordStateNumber } from '../codec/record-codec.ts'
import { scanRecord } from '../codec/scan-record.ts'
import { StorageError } from '../errors.ts'
import type { BlockSource } from '../query/block-source.ts'
import { readBatches } from '../query/read-batches.ts'
import type { StoredRecord } from '../record.ts'
import type { Found } from './report.ts'
import { type Subject, blockKey, isBusy, messageOf } from './subject.ts'
import { sourceOf } from './verify-files.ts'

export interface RecordsVerifierOptions {
  /** Reads all content and compares it with its CRC-32. */
  readonly checkContent: boolean
  /** Called with every record that can be read. */
  readonly visit?: ((record: StoredRecord) => void) | undefined
  readonly blockDone: () => void
}

/** Descriptors, byte ranges and contents of one entry after the other; counts what it reads. */
export class RecordsVerifier {
  records = 0
  contentBytes = 0
  contentChecked = 0
  contentUnchecked = 0
  readonly #subject: Subject
  readonly #found: Found
  readonly #options: RecordsVerifierOptions

  constructor(subject: Subject, found: Found, options: RecordsVerifierOptions) {
    this.#subject = subject
    this.#found = found
    this.#options = options
  }

  async verify(source: BlockSource): Promise<void> {
    for (const block of source.blocks) {
      const readable = await this.#verifyBlock(source, block)
      if (readable !== undefined) {
        const options = { anyState: true, contents: this.#options.checkContent }
        for await (const batch of readBatches(this.#subject.fs, readable.source, options))
          for (const record of batch)
            await this.#verifyRecord(source.dataPath(block), record, readable.redoneUs)
      }
      this.#options.blockDone()
    }
  }

  /** The block alone, with the times of the records that recovery writes again; `undefined` when it cannot be read. */
  async #verifyBlock(
    source: BlockSource,
    listed: IndexEntry,
  ): Promise<{ source: BlockSource; redoneUs: ReadonlySet<bigint> } | undefined> {
    const { fs, redoneFromBytes: redone } = this.#subject
    const dataPath = source.dataPath(listed)
    const redoneFromBytes = redone.get(blockKey(source.name, listed.id))
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
    const dataBytes = await fs.fileBytes(dataPath)
    if (dataBytes === undefined && descriptor.timestampsUs.length > 0) return undefined
    const redoneUs = this.#verifyRanges(dataPath, descriptor, dataBytes ?? 0, redoneFromBytes)
    const one = { ...source, blocks: [block], descriptor: () => Promise.resolve(descriptor) }
    return { source: one, redoneUs }
  }

  /** @returns the times of the records that recovery writes again */
  #verifyRanges(
    dataPath: string,
    descriptor: Descriptor,
    dataBytes: number,
    redoneFromBytes: number | undefined,
  ): ReadonlySet<bigint> {
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
      if (needsBytes && endBytes > dataBytes) short[isRedone ? 'recoverable' : 'damaged'] += 1
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
    return redoneUs
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
        if (!this.#subject.isLive) return messageOf(error)
        from = await sourceOf(this.#subject, source.name)
        const now = from.blocks.find(({ id }) => id === listed.id)
        if (now?.crc64 === undefined) return undefined
        if (now.crc64 === block.crc64) return messageOf(error)
        block = now
      }
    }
  }

  async #verifyRecord(dataPath: string, record: StoredRecord, redoneUs: ReadonlySet<bigint>): Promise<void> {
    this.records += 1
    this.contentBytes += record.contentBytes
    const isFinished = record.state === 'finished'
    if (isFinished && record.contentChecksum === undefined) this.contentUnchecked += 1
    try {
      // Labels are decoded when they are asked for.
      if (record.labels.length >= 0) this.#options.visit?.(record)
      if (!this.#options.checkContent || !isFinished) return
      if (record.content === undefined) await record.read()
      if (record.contentChecksum !== undefined) this.contentChecked += 1
    } catch (error) {
      if (!(error instanceof StorageError) || isBusy(error)) throw error
      // A writer has removed it meanwhile.
      if (this.#subject.isLive && error.code === 'ERR_NOT_FOUND') return
      const severity = redoneUs.has(record.timestampUs) ? 'recoverable' : 'damaged'
      this.#found(severity, dataPath, messageOf(error))
    }
  }
}
