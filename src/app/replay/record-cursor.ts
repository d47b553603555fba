import type { EntryName, RecordReader, StoredRecord } from '../../storage/index.ts'

/** Records that were passed and may still be asked for. */
const PASSED_MAX = 8192

/**
 * Finds records of one entry by time. Cheap where they are asked for about in the order of time, as those of a partition
 * are: one pass over the entry, not a search for each.
 */
export class RecordCursor {
  readonly #reader: RecordReader
  readonly #name: EntryName
  readonly #passed = new Map<bigint, StoredRecord>()
  #rest: AsyncIterator<StoredRecord> | undefined
  #lastUs = -1n

  constructor(reader: RecordReader, name: EntryName) {
    this.#reader = reader
    this.#name = name
  }

  async get(timestampUs: bigint): Promise<StoredRecord | undefined> {
    if (timestampUs > this.#lastUs) await this.#advance(timestampUs)
    const found = this.#passed.get(timestampUs)
    this.#passed.delete(timestampUs)
    return found ?? this.#reader.get(this.#name, timestampUs)
  }

  async close(): Promise<void> {
    await this.#rest?.return?.()
    this.#rest = undefined
  }

  /** Stops early where the record is far away: it is searched for then. */
  async #advance(timestampUs: bigint): Promise<void> {
    this.#rest ??= this.#reader
      .records(this.#name, { startUs: timestampUs, onDamaged: () => {} })
      [Symbol.asyncIterator]()
    for (let steps = 0; steps < PASSED_MAX && this.#lastUs < timestampUs; steps++) {
      const next = await this.#rest.next()
      if (next.done === true) return
      this.#lastUs = next.value.timestampUs
      this.#passed.set(this.#lastUs, next.value)
      const [oldest] = this.#passed.keys()
      if (this.#passed.size > PASSED_MAX && oldest !== undefined) this.#passed.delete(oldest)
    }
  }
}
