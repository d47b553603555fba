import type { FileRef, FileSystem } from '../../fs/file-system.ts'
import { writeAllAndSync } from '../../fs/write-all.ts'
import { logPath, parseLogName, type StorePaths } from '../paths.ts'
import { LOG_HEADER_BYTES, encodeLogHeader, type WaitingFrames } from './log-file.ts'

/** Where the log stands: the last durable frame. */
export interface LogPosition {
  readonly sequence: number
  readonly chain: bigint
}

/**
 * The log being written: the only place where a group becomes durable. One frame in flight; after one failed write
 * or sync the caller writes nothing more.
 */
export class CommitLog {
  readonly #fs: FileSystem
  readonly #paths: StorePaths
  readonly generation: number
  #number: number
  #file: FileRef
  #atBytes: number
  #position: LogPosition
  /** Log files that recovery would replay, oldest first, with their size. */
  #files: { number: number; bytes: number }[]
  /** Older files are kept for these. */
  waiting: readonly WaitingFrames[] = []

  private constructor(
    fs: FileSystem,
    paths: StorePaths,
    generation: number,
    number: number,
    position: LogPosition,
  ) {
    this.#fs = fs
    this.#paths = paths
    this.generation = generation
    this.#number = number
    this.#file = { path: logPath(paths.logDirectory, number), kind: 'log' }
    this.#atBytes = LOG_HEADER_BYTES
    this.#position = position
    this.#files = [{ number, bytes: LOG_HEADER_BYTES }]
  }

  /** Begins file `number` behind `position`, durably, header only. */
  static async begin(
    fs: FileSystem,
    paths: StorePaths,
    generation: number,
    number: number,
    position: LogPosition,
  ): Promise<CommitLog> {
    const log = new CommitLog(fs, paths, generation, number, position)
    await log.#writeHeader()
    return log
  }

  get position(): LogPosition {
    return this.#position
  }

  get fileNumber(): number {
    return this.#number
  }

  /** Bytes that recovery would read. */
  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, 0)
  }

  /** Resolves when the frame is durable. Calls must not overlap. */
  async append(frame: Uint8Array, after: LogPosition): Promise<void> {
    await writeAllAndSync(this.#fs, 'log', [{ file: this.#file, atBytes: this.#atBytes, bytes: frame }])
    this.#atBytes += frame.byteLength
    const current = this.#files.at(-1)
    if (current !== undefined) current.bytes = this.#atBytes
    this.#position = after
  }

  /** Goes on in a new file (checkpoint step C1). Not while a frame is in flight. */
  async roll(): Promise<void> {
    this.#number += 1
    this.#file = { path: logPath(this.#paths.logDirectory, this.#number), kind: 'log' }
    this.#atBytes = LOG_HEADER_BYTES
    this.#files.push({ number: this.#number, bytes: LOG_HEADER_BYTES })
    await this.#writeHeader()
  }

  /** Removes the files before `firstLog` (C5). Their names need no sync: an old file is below the checkpoint. */
  async drop(firstLog: number): Promise<number> {
    const dropped = this.#files.filter((file) => file.number < firstLog)
    this.#files = this.#files.filter((file) => file.number >= firstLog)
    for (const { number } of dropped) await this.#fs.unlink(logPath(this.#paths.logDirectory, number))
    return dropped.reduce((sum, file) => sum + file.bytes, 0)
  }

  /** Removes every other log file but those that wait: recovery has read them. */
  async dropOlder(): Promise<void> {
    this.#files = this.#files.filter(({ number }) => number === this.#number)
    for (const item of (await this.#fs.list(this.#paths.logDirectory)) ?? []) {
      const number = parseLogName(item.name)
      const isWaiting = this.waiting.some(
        ({ firstLog, endLog }) => number !== undefined && number >= firstLog && number < endLog,
      )
      if (number !== undefined && number < this.#number && !isWaiting)
        await this.#fs.unlink(logPath(this.#paths.logDirectory, number))
    }
  }

  async #writeHeader(): Promise<void> {
    const header = encodeLogHeader({
      number: this.#number,
      firstSequence: this.#position.sequence + 1,
      chainBefore: this.#position.chain,
    })
    await writeAllAndSync(this.#fs, 'log', [{ file: this.#file, atBytes: 0, bytes: header }])
    await this.#fs.syncDirectories([this.#paths.logDirectory])
  }
}
