import { crc32 } from '../../base/crc32.ts'
import type { Clock } from '../../base/clock.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { writeAll } from '../../fs/write-all.ts'
import type { OpenBlock } from '../block/block.ts'
import { encodeRecord, recordBytes, recordStateNumber } from '../codec/record-codec.ts'
import type { Edits, EntriesEdit } from '../commitlog/group.ts'
import { StorageError, type StorageErrorCode } from '../errors.ts'
import type { RecordBegin, RecordWriter } from '../record.ts'
import { joinedEdits } from '../mutation/update-labels.ts'
import { encodeWalEntry, walEntryType } from '../wal/wal-codec.ts'

/** Content goes to the disk in pieces of this size at most. */
const PIECE_BYTES = 512 * 1024

export interface UploadContext {
  readonly fs: FileSystem
  readonly clock: Clock
  readonly idleMsMax: number
  readonly exclusive: <T>(job: (commit: (edits: Edits) => Promise<void>) => Promise<T>) => Promise<T>
  /** What the last frame changes besides, of blocks that are held. In the exclusive job. */
  readonly alsoAtEnd: () => Promise<readonly EntriesEdit[]>
  /** Called once, when nothing more is written into the range. */
  readonly ended: () => void
  /** Called once the record is finished, durably. */
  readonly afterEnd: () => Promise<void>
}

/** A range of a data file that was promised to a record. */
export interface UploadPlace {
  readonly block: OpenBlock
  readonly beginBytes: number
  /** Encoded size of the ERRORED record that holds the range. */
  readonly heldBytes: number
}

/** The encoded record of an upload, at its place; ERRORED without a CRC-32. */
export function encodeUpload(
  begin: RecordBegin,
  beginBytes: number,
  contentCrc32: number | undefined,
): Uint8Array {
  const fields = {
    timestampUs: begin.timestampUs,
    beginBytes,
    endBytes: beginBytes + begin.contentBytes,
    state: contentCrc32 === undefined ? recordStateNumber.errored : recordStateNumber.finished,
    labels: begin.labels,
    contentType: begin.contentType,
    contentCrc32,
  }
  const bytes = new Uint8Array(recordBytes(fields))
  encodeRecord(bytes, 0, fields)
  return bytes
}

/**
 *     open ──finish, all content there──▶ finished
 *      ╰──abort, too short, too long, idle, a failure──▶ ended: the record stays ERRORED
 *
 * Calls are carried out one after the other: the range is given free only when no write to it is under way.
 */
export class RecordUpload implements RecordWriter {
  readonly #begin: RecordBegin
  readonly #place: UploadPlace
  readonly #context: UploadContext
  readonly #stop = new AbortController()
  #tail: Promise<void> = Promise.resolve()
  #queued = 0
  #receivedBytes = 0
  #crc32 = 0
  #touchedMs: number
  #state: 'open' | 'finished' | { readonly why: string } = 'open'

  constructor(begin: RecordBegin, place: UploadPlace, context: UploadContext) {
    this.#begin = begin
    this.#place = place
    this.#context = context
    this.#touchedMs = context.clock.monotonicMs()
    void this.#watch()
  }

  get remainingBytes(): number {
    return this.#begin.contentBytes - this.#receivedBytes
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      const { fs } = this.#context
      const { contentBytes } = this.#begin
      if (this.#receivedBytes + chunk.byteLength > contentBytes)
        throw this.#error('ERR_INVALID', `content is longer than the ${contentBytes} bytes announced`)
      const { block, beginBytes } = this.#place
      for (let at = 0; at < chunk.byteLength; at += PIECE_BYTES) {
        const bytes = chunk.subarray(at, at + PIECE_BYTES)
        const atBytes = beginBytes + this.#receivedBytes
        await writeAll(fs, 'projection', [{ file: block.data, atBytes, bytes }])
        this.#crc32 = crc32(bytes, this.#crc32)
        this.#receivedBytes += bytes.byteLength
      }
    })
  }

  finish(): Promise<void> {
    return this.#inTurn(async () => {
      const { fs, exclusive } = this.#context
      const { contentBytes } = this.#begin
      if (this.#receivedBytes < contentBytes)
        throw this.#error(
          'ERR_INVALID',
          `content ends after ${this.#receivedBytes} of the ${contentBytes} bytes announced`,
        )
      const { block, beginBytes, heldBytes } = this.#place
      // Most of it before ingestion has to wait: the frame syncs again.
      if (contentBytes > 0) await fs.syncFiles([block.data])
      await exclusive(async (commit) => {
        const others = await this.#context.alsoAtEnd()
        try {
          const payload = encodeUpload(this.#begin, beginBytes, this.#crc32)
          const direct = contentBytes > 0 ? { blkAtBytes: beginBytes, contentBytes } : undefined
          const entries = encodeWalEntry(walEntryType.writeRecord, payload)
          block.metadataBytes += payload.byteLength - heldBytes
          const finished = { block, entries, recordCount: 0, ...(direct && { direct }) }
          await commit({ entries: joinedEdits([finished, ...others]) })
        } finally {
          for (const other of others) other.block.holds -= 1
        }
      })
      this.#end('finished')
      await this.#context.afterEnd()
    })
  }

  abort(reason = 'aborted'): Promise<void> {
    this.#queued += 1
    const aborted = this.#tail.then(() => this.#end({ why: reason }))
    this.#tail = aborted.finally(() => (this.#queued -= 1))
    return aborted
  }

  /** Runs `job` behind all before it; what it throws ends the upload. */
  #inTurn(job: () => Promise<void>): Promise<void> {
    this.#queued += 1
    const done = this.#tail.then(async () => {
      this.#requireOpen()
      try {
        await job()
      } catch (cause) {
        const error = asStorageError(cause)
        this.#end({ why: error.message })
        throw error
      }
    })
    this.#tail = done
      .catch(() => undefined)
      .then(() => {
        this.#touchedMs = this.#context.clock.monotonicMs()
        this.#queued -= 1
      })
    return done
  }

  #end(state: 'finished' | { readonly why: string }): void {
    if (this.#state !== 'open') return
    this.#state = state
    this.#stop.abort()
    this.#context.ended()
  }

  #requireOpen(): void {
    if (this.#state === 'open') return
    const what =
      this.#state === 'finished' ? 'its upload is finished' : `its upload has ended: ${this.#state.why}`
    throw this.#error('ERR_RECORD_STATE', what)
  }

  /** A writer that has vanished would keep its block open for ever. */
  async #watch(): Promise<void> {
    const { clock, idleMsMax } = this.#context
    while (this.#state === 'open') {
      const idleMs = this.#queued > 0 ? 0 : clock.monotonicMs() - this.#touchedMs
      if (idleMs >= idleMsMax) return this.abort(`nothing was written for ${idleMsMax} ms`)
      await clock.sleep(idleMsMax - idleMs, this.#stop.signal)
    }
  }

  #error(code: StorageErrorCode, what: string): StorageError {
    const { target, timestampUs } = this.#begin
    const where = `${target.bucket}/${target.entry} at ${timestampUs}`
    const state = this.#state === 'finished' ? 'finished' : 'errored'
    const facts = { ...target, timestampUs: BigInt(timestampUs), state } as const
    return new StorageError(code, `${where}: ${what}`, facts)
  }
}

function asStorageError(cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new StorageError('ERR_POISONED', `the store stopped after a failure: ${why}`, {}, cause)
}
