import type { SourceRecord, TopicPartition } from '../../kafka/source.ts'
import type { RecordMapper } from '../../sink/partition-state.ts'
import { quarantinedRecord } from '../../sink/quarantine.ts'
import { weighRecord, type RecordWrite, type Storage } from '../../storage/index.ts'

const BATCH_RECORDS_MAX = 1000
const BATCH_BYTES_MAX = 4 * 1024 * 1024

/** What became of messages that were missing. */
export interface StoredMissing {
  stored: number
  /** Of those, in quarantine. */
  quarantined: number
  /** Filtered or held by their rule, or without one. */
  left: number
}

/**
 * Stores messages that the ledger has and the store has not, in batches of one atom each. The ledger counts them already, so
 * that nothing else has to be told; what a crash has cut off is found missing by the next comparison.
 */
export class MissingStore {
  readonly #storage: Storage
  readonly #mapper: RecordMapper
  readonly #place: TopicPartition
  readonly #nowMs: () => number
  readonly #report: StoredMissing = { stored: 0, quarantined: 0, left: 0 }
  #writes: RecordWrite[] = []
  #bytes = 0

  constructor(storage: Storage, mapper: RecordMapper, place: TopicPartition, nowMs: () => number) {
    this.#storage = storage
    this.#mapper = mapper
    this.#place = place
    this.#nowMs = nowMs
  }

  async add(record: SourceRecord): Promise<void> {
    const { topic, partition } = this.#place
    const rule = this.#mapper.forPartition(topic, partition)
    const arrivalMs = Math.floor(this.#nowMs())
    const outcome = rule?.map(record, arrivalMs)
    if (outcome === undefined || 'skipped' in outcome || 'held' in outcome) {
      this.#report.left += 1
      return
    }
    if ('rejected' in outcome) {
      this.#report.quarantined += 1
      const reason = { cause: outcome.rejected, detail: outcome.detail ?? '', rule: rule?.ruleName ?? '' }
      this.#put(quarantinedRecord(record, reason, this.#place, arrivalMs))
    } else this.#put(outcome)
    if (this.#writes.length >= BATCH_RECORDS_MAX || this.#bytes >= BATCH_BYTES_MAX) await this.#submit()
  }

  /** Resolves when all is durable. */
  async finish(): Promise<StoredMissing> {
    await this.#submit()
    return this.#report
  }

  #put(write: RecordWrite): void {
    this.#writes.push(write)
    this.#bytes += weighRecord(write)
  }

  async #submit(): Promise<void> {
    const writes = this.#writes
    this.#writes = []
    this.#bytes = 0
    if (writes.length === 0) return
    await this.#storage.submit({ writes })
    this.#report.stored += writes.length
  }
}
