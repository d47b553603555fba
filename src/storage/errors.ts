import type { RecordState } from './record.ts'

/** Match on these, never on messages. */
export type StorageErrorCode =
  | 'ERR_CORRUPT' // bytes contradict their checksum or format; a person must look (exit 6)
  | 'ERR_POISONED' // an earlier write or sync failed; the disk's state is unknown (exit 7)
  | 'ERR_CLOSED' // the caller used a store after close()
  | 'ERR_LOCKED' // another process has the directory (exit 5)
  | 'ERR_READ_ONLY' // the directory cannot be written (exit 5)
  | 'ERR_NO_SPACE' // not enough space to open or recover (exit 5), or for an upload
  | 'ERR_FORMAT' // written by a newer release, or for another cluster or group (exit 5)
  | 'ERR_NOT_A_STORE' // the directory is missing, or holds things that are no buckets
  | 'ERR_INVALID' // a name, label or time that the format does not allow
  | 'ERR_NOT_FOUND'
  | 'ERR_EXISTS' // a record, bucket or entry is there already
  | 'ERR_RECORD_STATE' // the record's upload has not finished, or failed: see the fact `state`
  | 'ERR_BUSY' // a writer changes the entry faster than it can be read: try again
  | 'ERR_QUOTA' // the bucket is full by its quota

/** What a failure is about; only what is known is set. */
export interface StorageErrorFacts {
  readonly path?: string
  readonly bucket?: string
  readonly entry?: string
  readonly timestampUs?: bigint
  readonly atBytes?: number
  readonly state?: RecordState
  /** How much was asked for. */
  readonly bytes?: number
}

/** Every failure the engine reports on purpose. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode
  readonly facts: StorageErrorFacts

  constructor(code: StorageErrorCode, message: string, facts: StorageErrorFacts = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.facts = facts
  }
}
