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

/** How a batch is gone through for what is owed. */
export interface Payment {
  readonly toWrite: (record: SourceRecord) => RecordWrite | undefined
  /** Whether the batch is still ours; asked before each record. */
  readonly isWanted: () => boolean
  /** Called behind each record with the next offset. */
  readonly reached: (offset: number) => void
}

/** Of one partition. */
interface OwedPartition {
  readonly records: Map<number, OwedRecord>
  /** Ascending; those that are not in `records` any more count no longer. */
  readonly offsets: readonly number[]
}

/**
 * Offsets that the ledger has, and whose content the store has lost to a visit of ReductStore. Their partition is read from
 * the first of them on; what comes again goes into its place, everything else is dropped as accepted before.
 */
export class OwedOffsets {
  readonly #options: OwedOffsetsOptions
  #owed: Map<string, OwedPartition> | undefined
  /** Of each partition, what is done about it last: one thing at a time, over the end of an epoch. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(options: OwedOffsetsOptions) {
    this.#options = options
  }

  isOwed(partition: TopicPartition): boolean {
    return this.#of(partition) !== undefined
  }

  /** The first owed offset at or behind `fromOffset`. */
  next(partition: TopicPartition, fromOffset: number): number | undefined {
    const owed = this.#of(partition)
    return owed && firstOwed(owed, fromOffset)
  }

  /** Where the partition is to be read from for what it owes; what lies below `lowWatermark` is lost. */
  begin(partition: TopicPartition, lowWatermark: number): Promise<number | undefined> {
    return this.#inTurn(partition, async () => {
      await this.#forget(partition, this.#inGaps(partition))
      const offsets = [...(this.#of(partition)?.records.keys() ?? [])]
      const lost = offsets.filter((offset) => offset < lowWatermark)
      await this.#lose(partition, lost, 'Kafka does not hold it any more')
      return this.next(partition, 0)
    })
  }

  /** Writes what the batch has of the owed content. What it should have and has not is lost. */
  pay(batch: SourceBatch, payment: Payment): Promise<void> {
    return this.#inTurn(batch, async () => {
      const owed = this.#of(batch)
      const offsets = owed === undefined ? [] : owedIn(owed, batch)
      if (owed === undefined || offsets.length === 0) return
      const found = new Map(batch.records.map((one) => [one.offset, one]))
      const missing = offsets.filter((offset) => !found.has(offset))
      await this.#lose(batch, missing, 'Kafka has no record there')
      let paid = 0
      for (const offset of offsets) {
        if (!payment.isWanted()) break
        const record = owed.records.get(offset)
        const message = found.get(offset)
        if (record === undefined || message === undefined) continue
        if (await this.#payOne(batch, offset, record, payment.toWrite(message)?.content)) paid += 1
        payment.reached(offset + 1)
      }
      const { logger } = this.#options
      const facts = { ...place(batch), records: paid, left: owed.records.size }
      if (paid > 0) logger.info(facts, 'content that ReductStore had cut off is stored again')
    })
  }

  /** A range that nobody can read: what it owes stays owed, for the next start. */
  passOver(partition: TopicPartition, range: { fromOffset: number; nextOffset: number }): Promise<void> {
    return this.#inTurn(partition, () => {
      const owed = this.#of(partition)
      const offsets = owed === undefined ? [] : owedIn(owed, range)
      for (const offset of offsets) this.#drop(partition, offset)
      const facts = { ...place(partition), ...range, records: offsets.length }
      this.#options.logger.warn(facts, 'content stays owed: its record batch cannot be read')
      return Promise.resolve()
    })
  }

  /** @returns whether it is stored again */
  async #payOne(
    partition: TopicPartition,
    offset: number,
    record: OwedRecord,
    content: Uint8Array | undefined,
  ): Promise<boolean> {
    const { storage, logger } = this.#options
    if (content === undefined) {
      this.#drop(partition, offset)
      logger.warn({ ...place(partition), offset }, 'the rules do not store any more what is owed')
      return false
    }
    try {
      await storage.payOwed(record, content)
      this.#drop(partition, offset)
      return true
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (error.code === 'ERR_INVALID')
        await this.#lose(partition, [offset], 'Kafka has another record there')
      else if (error.code !== 'ERR_EXISTS' && !STAYS_OWED.has(error.code)) throw error
      else {
        this.#drop(partition, offset)
        logger.warn({ ...place(partition), offset, error }, 'content that is owed was not stored again')
      }
      return false
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
      // Noted: not to be noted again, whatever comes of the others.
      await this.#forget(
        partition,
        offsets.filter((offset) => offset >= start && offset < end),
      )
      const range = { fromOffset: start, nextOffset: end, why }
      logger.error({ ...place(partition), ...range }, 'content that ReductStore had cut off is lost')
    }
  }

  async #forget(partition: TopicPartition, offsets: readonly number[]): Promise<void> {
    if (offsets.length === 0) return
    const owed = this.#of(partition)
    await this.#options.storage.forgetOwed(offsets.flatMap((offset) => owed?.records.get(offset) ?? []))
    for (const offset of offsets) this.#drop(partition, offset)
  }

  #inTurn<Result>(partition: TopicPartition, work: () => Promise<Result>): Promise<Result> {
    const name = nameOf(partition)
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(work)
    this.#turns.set(
      name,
      turn.catch(() => undefined),
    )
    return turn
  }

  #of(partition: TopicPartition): OwedPartition | undefined {
    this.#owed ??= this.#find()
    return this.#owed.get(nameOf(partition))
  }

  #drop(partition: TopicPartition, offset: number): void {
    const name = nameOf(partition)
    const owed = this.#owed?.get(name)
    owed?.records.delete(offset)
    if (owed?.records.size === 0) this.#owed?.delete(name)
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
    if (gaps.length === 0) return []
    return [...(this.#of(partition)?.records.keys() ?? [])].filter((offset) =>
      gaps.some((gap) => gap.fromOffset <= offset && offset < gap.nextOffset),
    )
  }

  /** Once the cluster is known. What does not come from there nobody can bring. */
  #find(): Map<string, OwedPartition> {
    const { storage, logger } = this.#options
    const owed = new Map<string, Map<number, OwedRecord>>()
    let strangers = 0
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
        if (++strangers === 1)
          logger.warn(
            { bucket, entry, timestampUs },
            'content that ReductStore has cut off cannot be read again; more are only counted',
          )
        continue
      }
      const name = nameOf(origin)
      const offsets = owed.get(name) ?? new Map<number, OwedRecord>()
      owed.set(name, offsets.set(origin.offset, record))
    }
    if (strangers > 1) logger.warn({ records: strangers }, 'content that stays owed')
    return new Map(
      [...owed].map(([name, records]) => {
        const offsets = [...records.keys()].sort((a, b) => a - b)
        return [name, { records, offsets }]
      }),
    )
  }
}

/** Index of the first offset at or behind `offset`. */
function firstAt(offsets: readonly number[], offset: number): number {
  let low = 0
  let high = offsets.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (offsets[middle]! < offset) low = middle + 1
    else high = middle
  }
  return low
}

function firstOwed({ records, offsets }: OwedPartition, fromOffset: number): number | undefined {
  for (let at = firstAt(offsets, fromOffset); at < offsets.length; at++)
    if (records.has(offsets[at]!)) return offsets[at]
  return undefined
}

function owedIn(
  { records, offsets }: OwedPartition,
  { fromOffset, nextOffset }: { readonly fromOffset: number; readonly nextOffset: number },
): number[] {
  return offsets
    .slice(firstAt(offsets, fromOffset), firstAt(offsets, nextOffset))
    .filter((offset) => records.has(offset))
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
