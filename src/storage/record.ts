import type { DamagedPlace } from './damage.ts'
import type { StorageError } from './errors.ts'

/** Where a record lives. Keep one object per entry and pass the same one again: lookups are by identity first. */
export interface EntryName {
  readonly bucket: string
  /** Path below the bucket, segments separated by `/`. */
  readonly entry: string
}

/** Alternating names and values: `['offset', '17', 'key', 'a']`. Names are HTTP tokens, values printable ASCII. */
export type LabelList = readonly string[]

/** A record to be stored. */
export interface RecordWrite {
  readonly target: EntryName
  /**
   * Wanted time in microseconds since the epoch, below 2^53. The record gets the first free microsecond at or
   * after it (the slot rule); a spill of a millisecond or more keeps the wanted time as label `ts_original`.
   */
  readonly timestampUs: number
  readonly labels: LabelList
  readonly contentType: string
  /** Must not change until the write has resolved. */
  readonly content: Uint8Array
}

/** A record whose content is not at hand yet. */
export interface RecordBegin {
  readonly target: EntryName
  /** In microseconds since the epoch, below 2^53; exactly this time, or none. */
  readonly timestampUs: number
  readonly labels: LabelList
  readonly contentType: string
  readonly contentBytes: number
}

/**
 * Takes the content of one record in pieces. Until `finish` has resolved the record is there, without content: `started`
 * for readers of the open store, `errored` for all others, and for ever where the writer or the process ends before.
 * Every error ends the upload.
 */
export interface RecordWriter {
  /**
   * Resolves when the operating system has the bytes; wait for it, nothing is held back in memory. `chunk` must not
   * change until then.
   * @throws {StorageError} `ERR_INVALID` beyond the announced length, `ERR_RECORD_STATE` when the upload has ended (the
   *   message says why), `ERR_POISONED`
   */
  write(chunk: Uint8Array): Promise<void>
  /** Resolves when the whole record is durable and visible. @throws {StorageError} as `write`, also when it is too short */
  finish(): Promise<void>
  /** Gives up, once what is under way is written. Nothing after `finish`. */
  abort(reason?: string): Promise<void>
}

export type RecordState = 'started' | 'finished' | 'errored'

/** A stored record, without its content. */
export interface StoredRecord {
  readonly bucket: string
  readonly entry: string
  /** Exact, also beyond 2^53 in foreign directories. */
  readonly timestampUs: bigint
  readonly state: RecordState
  /** In stored order; of a repeated name the last one counts. */
  readonly labels: LabelList
  readonly contentType: string
  readonly contentBytes: number
  /** CRC-32 of the content; `undefined` where the record carries none. */
  readonly contentChecksum: number | undefined
  /**
   * The content as it was read along with others (`BatchOptions.contents`), checked; `undefined` where it was not: too
   * large, unfinished, or it cannot be read, as `read` will tell. It is a view of memory that is used again: good until the
   * next batch is asked for, then `undefined`.
   */
  readonly content: Uint8Array | undefined
  /**
   * The content, checked against its CRC-32 where one is stored. Where a writer has removed the record since, it is not
   * found: never are other bytes read.
   * @throws {StorageError} `ERR_CORRUPT`, `ERR_NOT_FOUND`, `ERR_RECORD_STATE` (its fact `state`: `started` is too early,
   *   `errored` will never be), each naming bucket, entry and timestamp
   */
  read(): Promise<Uint8Array>
  /** The content a part at a time; to be closed. @throws {StorageError} as `read` */
  open(): Promise<ContentReader>
}

/**
 * Content of one record in bounded memory. What was opened in an open store stays readable when the record is removed;
 * in a directory of another process it may be gone (`ERR_NOT_FOUND`). Nothing beyond the record is ever read.
 */
export interface ContentReader {
  readonly contentBytes: number
  /**
   * A part, clamped to the content. The first call reads all content once and compares it with its CRC-32.
   * @throws {StorageError} `ERR_CORRUPT`, `ERR_NOT_FOUND`, `ERR_CLOSED`
   */
  read(atBytes: number, lengthBytes: number): Promise<Uint8Array>
  /**
   * All of it in order. The last chunk comes only when the CRC-32 fits: what ends without an error is good.
   * @param chunkBytes default 512 KiB
   * @throws {StorageError} as `read`
   */
  chunks(chunkBytes?: number): AsyncIterable<Uint8Array>
  close(): void
}

export interface TimeRange {
  /** Inclusive. */
  readonly startUs?: bigint
  /** Exclusive. */
  readonly stopUs?: bigint
}

export interface ReadOptions extends TimeRange {
  /** Unfinished and failed records too. */
  readonly anyState?: boolean
  /** Told of each block that cannot be read, in place of an error there: the rest of the entry goes on. */
  readonly onDamaged?: (error: StorageError) => void
}

export interface BatchOptions extends ReadOptions {
  /** Reads the contents along, in large pieces and ahead of whoever takes them. */
  readonly contents?: boolean
  /**
   * Content of a batch, default 1 MiB. A record up to eight times as large still comes with its content. About six times as
   * much is held in memory.
   */
  readonly batchBytes?: number
}

export interface EntryInfo {
  readonly bucket: string
  readonly entry: string
  readonly blockCount: number
  readonly recordCount: number
  /** Content and descriptors, as ReductStore counts them. */
  readonly bytes: number
  readonly oldestUs: bigint | undefined
  readonly latestUs: bigint | undefined
}

export interface BucketSettings {
  readonly blockBytesMax: number
  readonly blockRecordsMax: number
  readonly quota: { readonly kind: 'none' | 'fifo' | 'hard'; readonly bytes: number }
}

export interface BucketInfo {
  readonly name: string
  readonly settings: BucketSettings
  /** Content and descriptors of all blocks, attachments too: what quotas count. */
  readonly usedBytes: number
  /** No record is older, attachments left out; `undefined` without records. */
  readonly oldestUs: bigint | undefined
}

export interface ListOptions {
  /** `$meta` entries too. */
  readonly attachments?: boolean
  /** Told of each bucket and entry that is damaged; what cannot be read is not listed. */
  readonly onDamaged?: (place: DamagedPlace) => void
}

/** The read side, the same for a live store (through its caches) and for a directory opened read-only. */
export interface RecordReader {
  /** Sorted by bucket, then entry. */
  entries(options?: ListOptions): Promise<EntryInfo[]>
  /** The record at exactly this time, in any state. @throws {StorageError} `ERR_CORRUPT` where the entry cannot be read */
  get(name: EntryName, timestampUs: bigint): Promise<StoredRecord | undefined>
  /** Ascending by time; finished records only unless `anyState`. A missing entry yields nothing. @throws as `get` */
  records(name: EntryName, options?: ReadOptions): AsyncIterable<StoredRecord>
  /** As `records`, many at once: the fast way through an entry. @throws as `get` */
  batches(name: EntryName, options?: BatchOptions): AsyncIterable<readonly StoredRecord[]>
}
