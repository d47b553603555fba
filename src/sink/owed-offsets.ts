import { IntervalSet } from '../base/interval-set.ts'
import type { Logger } from '../base/logger.ts'
import type { SourceBatch, SourceRecord, TopicPartition } from '../kafka/source.ts'
import { place } from '../kafka/topic-partition.ts'
import type { Gap } from '../ledger/gap.ts'
import type { LedgerRow } from '../ledger/ledger-codec.ts'
import { unmapRecord } from '../mapping/unmap.ts'
import { type OwedRecord, type RecordWrite, StorageError, type StorageErrorCode } from '../storage/index.ts'
import type { SinkLedger, SinkStorage } from './options.ts'

/** The store cannot take the content now; the next start asks again. */
const STAYS_OWED: ReadonlySet<StorageErrorCode> = new Set(['ERR_CORRUPT', 'ERR_NO_SPACE', 'ERR_RECORD_STATE'])

export interface OwedOffsetsOptions {
  readonly storage: SinkStorage
  readonly ledger: SinkLedger
  readonly clusterId: () => string
  readonly logger: Logger
  /** Notes that these offsets of the partition, counted as stored, are not. @returns whether it is durable */
  readonly recordLoss: (partition: TopicPartition, gap: Gap) => Promise<boolean>
}

/**
 * Offsets that the ledger has, and whose content the store has lost to a visit of ReductStore. Their partition is read from
 * the first of them on; what comes again goes into its place, everything else is dropped as accepted before.
 */
export class OwedOffsets {
  readonly #options: OwedOffsetsOptions
  /** By partition, then by offset. */
  #owed: Map<string, Map<number, OwedRecord>> | undefined

  constructor(options: OwedOffsetsOptions) {
    this.#options = options
  }

  isOwed(partition: TopicPartition): boolean {
    return this.#of(partition) !== undefined
  }

  /** Where the partition is to be read from for what it owes; what lies below `lowWatermark` is lost. */
  async begin(partition: TopicPartition, lowWatermark: number): Promise<number | undefined> {
    await this.#forget(partition, this.#inGaps(partition))
    const offsets = [...(this.#of(partition)?.keys() ?? [])]
    const lost = offsets.filter((offset) => offset < lowWatermark)
    await this.#lose(partition, lost, 'Kafka does not hold it any more')
    let first: number | undefined
    for (const offset of this.#of(partition)?.keys() ?? []) first = Math.min(offset, first ?? offset)
    return first
  }

  /** Writes what the batch has of the owed content. What it should have and has not is lost. */
  async pay(batch: SourceBatch, toWrite: (record: SourceRecord) => RecordWrite | undefined): Promise<void> {
    const owed = [...(this.#of(batch) ?? [])].filter(
      ([offset]) => offset >= batch.fromOffset && offset < batch.nextOffset,
    )
    const found = new Map(batch.records.map((one) => [one.offset, one]))
    const missing = owed.flatMap(([offset]) => (found.has(offset) ? [] : [offset]))
    await this.#lose(batch, missing, 'Kafka has no record there')
    for (const [offset, record] of owed) {
      const message = found.get(offset)
      if (message !== undefined) await this.#payOne(batch, offset, record, toWrite(message)?.content)
    }
  }

  async #payOne(
    partition: TopicPartition,
    offset: number,
    record: OwedRecord,
    content: Uint8Array | undefined,
  ): Promise<void> {
    const { storage, logger } = this.#options
    if (content === undefined) {
      this.#drop(partition, offset)
      logger.warn({ ...place(partition), offset }, 'the rules do not store any more what is owed')
      return
    }
    try {
      await storage.payOwed(record, content)
      this.#drop(partition, offset)
      logger.info({ ...place(partition), offset }, 'content that ReductStore had cut off is stored again')
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (error.code === 'ERR_INVALID')
        return this.#lose(partition, [offset], 'Kafka has another record there')
      if (error.code !== 'ERR_EXISTS' && !STAYS_OWED.has(error.code)) throw error
      this.#drop(partition, offset)
      logger.warn({ ...place(partition), offset, error }, 'content that is owed was not stored again')
    }
  }

  /** Named as gaps first: an offset in a gap that is still listed as owed is forgotten by the next start. */
  async #lose(partition: TopicPartition, offsets: readonly number[], why: string): Promise<void> {
    const { logger, recordLoss } = this.#options
    if (this.#isAnew(partition)) {
      for (const offset of offsets) this.#drop(partition, offset)
      if (offsets.length > 0)
        logger.warn({ ...place(partition), offsets: offsets.length, why }, 'content stays owed')
      return
    }
    const lost = new IntervalSet()
    for (const offset of offsets) lost.add(offset)
    for (const { start, end } of lost.runs()) {
      if (!(await recordLoss(partition, { class: 'deleted', fromOffset: start, nextOffset: end }))) return
      const range = { fromOffset: start, nextOffset: end, why }
      logger.error({ ...place(partition), ...range }, 'content that ReductStore had cut off is lost')
    }
    await this.#forget(partition, offsets)
  }

  async #forget(partition: TopicPartition, offsets: readonly number[]): Promise<void> {
    if (offsets.length === 0) return
    const owed = this.#of(partition)
    await this.#options.storage.forgetOwed(offsets.flatMap((offset) => owed?.get(offset) ?? []))
    for (const offset of offsets) this.#drop(partition, offset)
  }

  #of(partition: TopicPartition): ReadonlyMap<number, OwedRecord> | undefined {
    this.#owed ??= this.#find()
    return this.#owed.get(nameOf(partition))
  }

  #drop(partition: TopicPartition, offset: number): void {
    const name = nameOf(partition)
    const owed = this.#owed?.get(name)
    owed?.delete(offset)
    if (owed?.size === 0) this.#owed?.delete(name)
  }

  #row(partition: TopicPartition): LedgerRow | undefined {
    const { ledger, clusterId } = this.#options
    return ledger.position({ clusterId: clusterId(), ...place(partition) })
  }

  /** Then a record may be of an earlier incarnation: it does not say, and a gap might be named in the wrong one. */
  #isAnew(partition: TopicPartition): boolean {
    return (this.#row(partition)?.incarnation ?? 0) > 0
  }

  /** Owed offsets that the ledger has as gaps by now. */
  #inGaps(partition: TopicPartition): number[] {
    const gaps = this.#isAnew(partition) ? [] : (this.#row(partition)?.gaps ?? [])
    return [...(this.#of(partition)?.keys() ?? [])].filter((offset) =>
      gaps.some((gap) => gap.fromOffset <= offset && offset < gap.nextOffset),
    )
  }

  /** Once the cluster is known. What does not come from there nobody can bring. */
  #find(): Map<string, Map<number, OwedRecord>> {
    const { storage, logger } = this.#options
    const owed = new Map<string, Map<number, OwedRecord>>()
    for (const record of storage.owed) {
      const { bucket, entry, timestampUs, labels } = record
      const origin = unmapRecord({
        entry,
        timestampUs: BigInt(timestampUs),
        labels,
        content: new Uint8Array(0),
      })
      const row = origin && this.#row(origin)
      if (origin === undefined || row === undefined || origin.offset >= row.nextOffset) {
        logger.warn(
          { bucket, entry, timestampUs },
          'content that ReductStore has cut off cannot be read again',
        )
        continue
      }
      const name = nameOf(origin)
      const offsets = owed.get(name) ?? new Map<number, OwedRecord>()
      owed.set(name, offsets.set(origin.offset, record))
    }
    return owed
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
