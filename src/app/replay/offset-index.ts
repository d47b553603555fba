import { recordOrigin } from '../../mapping/unmap.ts'
import { replayState } from '../../sink/quarantine.ts'
import type { EntryInfo, EntryName, RecordReader } from '../../storage/index.ts'
import type { TopicPartition } from '../../kafka/source.ts'

const NONE = -1

/** Where the records of a range of offsets of one partition are: 13 bytes an offset. */
export class OffsetIndex {
  readonly fromOffset: number
  readonly toOffset: number
  /** Offsets that more than one record has. */
  duplicates = 0
  readonly #entries: EntryName[] = []
  readonly #entryOf: Int32Array
  readonly #timeUs: Float64Array
  readonly #isSeen: Uint8Array

  constructor(fromOffset: number, toOffset: number) {
    this.fromOffset = fromOffset
    this.toOffset = toOffset
    this.#entryOf = new Int32Array(toOffset - fromOffset).fill(NONE)
    this.#timeUs = new Float64Array(toOffset - fromOffset)
    this.#isSeen = new Uint8Array(toOffset - fromOffset)
  }

  /** Reads all records of the partition; what cannot be read is not there. */
  async fill(reader: RecordReader, place: TopicPartition): Promise<void> {
    for (const entry of await reader.entries()) {
      if (!(await mayHold(reader, entry, place))) continue
      const name = { bucket: entry.bucket, entry: entry.entry }
      this.#entries.push(name)
      for await (const record of reader.records(name, { onDamaged: () => {} })) {
        const origin = recordOrigin(record.labels, record.entry)
        if (origin?.topic !== place.topic || origin.partition !== place.partition) continue
        // Its copy in its right entry counts.
        if (replayState(record) === 'done') continue
        this.#put(origin.offset, record.timestampUs)
      }
    }
  }

  /** The record of an offset, which has been seen then. */
  take(offset: number): { readonly name: EntryName; readonly timestampUs: bigint } | undefined {
    const at = offset - this.fromOffset
    const name = this.#entries[this.#entryOf[at] ?? NONE]
    if (name === undefined) return undefined
    this.#isSeen[at] = 1
    return { name, timestampUs: BigInt(this.#timeUs[at]!) }
  }

  /** Offsets with a record that nobody has taken. */
  *unseen(): Generator<number> {
    for (let at = 0; at < this.#entryOf.length; at++)
      if (this.#entryOf[at] !== NONE && this.#isSeen[at] === 0) yield this.fromOffset + at
  }

  #put(offset: number, timestampUs: bigint): void {
    const at = offset - this.fromOffset
    if (at < 0 || at >= this.#entryOf.length) return
    if (this.#entryOf[at] !== NONE) this.duplicates += 1
    this.#entryOf[at] = this.#entries.length - 1
    this.#timeUs[at] = Number(timestampUs)
  }
}

/** By its first record: an entry has one topic, and where its records have no label `partition`, one partition. */
async function mayHold(
  reader: RecordReader,
  { bucket, entry }: EntryInfo,
  { topic, partition }: TopicPartition,
): Promise<boolean> {
  for await (const { labels } of reader.records({ bucket, entry }, { onDamaged: () => {} })) {
    const origin = recordOrigin(labels, entry)
    if (origin === undefined) return true
    const hasLabel = labels.some(
      (name, index) => index % 2 === 0 && (name === 'partition' || name === 'topic'),
    )
    return hasLabel || (origin.topic === topic && origin.partition === partition)
  }
  return false
}
