import type { FileSystem } from '../../fs/file-system.ts'
import type { Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { decodeRecord, recordStateName } from '../codec/record-codec.ts'
import type { ContentReader, LabelList, RecordState, StoredRecord } from '../record.ts'
import type { BlockData } from './block-data.ts'
import type { BlockSource } from './block-source.ts'
import { openContent } from './open-content.ts'
import { readContent } from './record-content.ts'

/** A block that records are read from. */
export interface ReadBlock {
  readonly fs: FileSystem
  readonly source: BlockSource
  readonly block: IndexEntry
  readonly descriptor: Descriptor
  readonly data: BlockData
}

/** A record of a block as it was listed. What few readers ask for is decoded when they do. */
export class BlockRecord implements StoredRecord {
  readonly state: RecordState
  /** Where its content begins in the data file. */
  readonly beginBytes: number
  readonly endBytes: number
  readonly contentChecksum: number | undefined
  content: Uint8Array | undefined
  readonly #from: ReadBlock
  readonly #index: number
  #texts: { readonly labels: LabelList; readonly contentType: string } | undefined

  /** @param index of the record in the descriptor */
  constructor(from: ReadBlock, index: number) {
    this.#from = from
    this.#index = index
    const { facts } = from.descriptor
    this.beginBytes = facts.beginBytes[index] as number
    this.endBytes = facts.endBytes[index] as number
    this.contentChecksum = facts.hasCrc32[index] === 0 ? undefined : facts.contentCrc32[index]
    this.content = undefined
    this.#texts = undefined
    const state = recordStateName(facts.states[index] as number)
    // An upload that nobody finishes any more counts as failed (W20).
    this.state =
      state === 'finished' ? state : from.source.isStarted(this.timestampUs) ? 'started' : 'errored'
  }

  get bucket(): string {
    return this.#from.source.name.bucket
  }

  get entry(): string {
    return this.#from.source.name.entry
  }

  get timestampUs(): bigint {
    return this.#from.descriptor.timestampsUs[this.#index] as bigint
  }

  get contentBytes(): number {
    return this.endBytes - this.beginBytes
  }

  /** Whether no record has left the entry since it was listed, as far as that is known. */
  get isListed(): boolean {
    return this.#from.source.isCurrent()
  }

  get labels(): LabelList {
    return this.#decoded().labels
  }

  get contentType(): string {
    return this.#decoded().contentType
  }

  read(): Promise<Uint8Array> {
    if (this.content !== undefined) return Promise.resolve(this.content.slice())
    return readContent(this.#from.fs, this.#place())
  }

  open(): Promise<ContentReader> {
    return openContent(this.#from.fs, this.#place())
  }

  #decoded(): { readonly labels: LabelList; readonly contentType: string } {
    if (this.#texts !== undefined) return this.#texts
    const { bytes, recordFromBytes, recordToBytes } = this.#from.descriptor
    this.#texts = decodeRecord(bytes, recordFromBytes[this.#index], recordToBytes[this.#index])
    return this.#texts
  }

  #place() {
    const { source, block, data } = this.#from
    const { timestampUs, beginBytes, endBytes, state, contentChecksum: contentCrc32 } = this
    const stateNumber = this.#from.descriptor.facts.states[this.#index] as number
    const record = { timestampUs, beginBytes, endBytes, state: stateNumber, contentCrc32 }
    return { source, block, record, data, state }
  }
}
