import type { Logger } from '../base/logger.ts'
import type { SourceBatch, SourceRecord, TopicPartition } from '../kafka/source.ts'
import { place } from '../kafka/topic-partition.ts'
import type { Gap } from '../ledger/gap.ts'
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
    for (const [offset, record] of this.#of(partition) ?? [])
      if (offset < lowWatermark)
        await this.#lose(partition, offset, record, 'Kafka does not hold it any more')
    const offsets = [...(this.#of(partition)?.keys() ?? [])]
    return offsets.length === 0 ? undefined : Math.min(...offsets)
  }

  /** Writes what the batch has of the owed content. What it should have and has not is lost. */
  async pay(batch: SourceBatch, toWrite: (record: SourceRecord) => RecordWrite | undefined): Promise<void> {
    const owed = [...(this.#of(batch) ?? [])].filter(
      ([offset]) => offset >= batch.fromOffset && offset < batch.nextOffset,
    )
    for (const [offset, record] of owed) {
      const found = batch.records.find((one) => one.offset === offset)
      if (found === undefined) await this.#lose(batch, offset, record, 'Kafka has no record there')
      else await this.#payOne(batch, offset, record, toWrite(found)?.content)
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
      await storage.payOwed?.(record, content)
      this.#drop(partition, offset)
      logger.info({ ...place(partition), offset }, 'content that ReductStore had cut off is stored again')
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (error.code === 'ERR_INVALID')
        return this.#lose(partition, offset, record, 'Kafka has another record there')
      if (error.code !== 'ERR_EXISTS' && !STAYS_OWED.has(error.code)) throw error
      this.#drop(partition, offset)
      logger.warn({ ...place(partition), offset, error }, 'content that is owed was not stored again')
    }
  }

  async #lose(partition: TopicPartition, offset: number, record: OwedRecord, why: string): Promise<void> {
    const { storage, logger, recordLoss } = this.#options
    if (!(await recordLoss(partition, { class: 'deleted', fromOffset: offset, nextOffset: offset + 1 })))
      return
    await storage.forgetOwed?.([record])
    this.#drop(partition, offset)
    logger.error({ ...place(partition), offset, why }, 'content that ReductStore had cut off is lost')
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

  /** Once the cluster is known. What does not come from there, or is lost already, nobody can bring. */
  #find(): Map<string, Map<number, OwedRecord>> {
    const { storage, ledger, clusterId, logger } = this.#options
    const owed = new Map<string, Map<number, OwedRecord>>()
    for (const record of storage.owed ?? []) {
      const { bucket, entry, timestampUs, labels } = record
      const origin = unmapRecord({
        entry,
        timestampUs: BigInt(timestampUs),
        labels,
        content: new Uint8Array(0),
      })
      const row = origin && ledger.position({ clusterId: clusterId(), ...place(origin) })
      const isLost = row?.gaps.some(
        (gap) => gap.fromOffset <= origin!.offset && origin!.offset < gap.nextOffset,
      )
      if (origin === undefined || row === undefined || origin.offset >= row.nextOffset || isLost === true) {
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
