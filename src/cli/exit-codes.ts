import { CommanderError } from 'commander'
import { AppError } from '../app/app-error.ts'
import { ConfigError } from '../config/config-error.ts'
import { FileSystemError, type FileSystemErrorCode } from '../fs/file-system.ts'
import { HttpError } from '../http/server.ts'
import { SourceError, type SourceErrorCode } from '../kafka/source.ts'
import { LedgerError } from '../ledger/ledger-error.ts'
import { SinkError } from '../sink/sink-error.ts'
import { StorageError, type StorageErrorCode } from '../storage/index.ts'
import { OutputClosed, OutputFailed } from './output.ts'
import { UsageError } from './usage-error.ts'

/** Contract with supervisors and scripts; never renumber. */
export const exitCodes = {
  ok: 0,
  /**
   * A mistake of ours; from commands that look: something was found. `verify` and `repair`: what the next open will mend;
   * `replay`: messages that are missing, or unknown gaps; `quarantine replay`: messages that stay; `plan`: topics that would
   * meet in one entry.
   */
  unexpected: 1,
  /** Wrong arguments or configuration, or what was asked for is not there. */
  usage: 2,
  /** No broker could be reached, or it refused us. */
  broker: 3,
  /** A topic given by name does not exist. */
  topic: 4,
  /**
   * The data directory is locked, read-only, on a full volume, of a newer format, or of another cluster or group; or
   * something else is where a file or directory of it belongs.
   */
  directory: 5,
  /** Stored data is damaged: a person must look. */
  damaged: 6,
  /** A write or sync failed. */
  io: 7,
  /** The consumer died or makes no progress. */
  consumer: 8,
} as const

export interface Ending {
  readonly code: number
  /** One line, what happened and what to do about it; empty where nothing is to be said. */
  readonly message: string
}

type Row = readonly [code: number, advice?: string]

/** Without advice where the message itself says what to do. */
const STORAGE: Readonly<Record<StorageErrorCode, Row>> = {
  ERR_CORRUPT: [exitCodes.damaged, 'see what is damaged with: sediment verify'],
  ERR_POISONED: [
    exitCodes.io,
    'check the disk and the kernel log, then start again; acknowledged records are safe',
  ],
  ERR_CLOSED: [exitCodes.unexpected, 'this is a bug'],
  ERR_LOCKED: [exitCodes.directory],
  ERR_READ_ONLY: [exitCodes.directory],
  ERR_NO_SPACE: [exitCodes.directory],
  ERR_FORMAT: [exitCodes.directory],
  ERR_NOT_A_STORE: [exitCodes.usage, 'give the data directory with --data or dataPath'],
  ERR_INVALID: [exitCodes.usage, 'correct it and try again'],
  ERR_NOT_FOUND: [exitCodes.usage, 'see what there is with: sediment ls'],
  ERR_EXISTS: [exitCodes.usage],
  ERR_BUSY: [exitCodes.directory],
  ERR_QUOTA: [exitCodes.usage],
  ERR_RECORD_STATE: [
    exitCodes.usage,
    'the record has no whole content; see its state with: sediment query --json',
  ],
}

const VOLUME_FULL: Row = [
  exitCodes.directory,
  'the volume is full: free some space (bytes and inodes) and start again; acknowledged records are safe',
]

const IN_THE_WAY: Row = [
  exitCodes.directory,
  'a file or directory of the store belongs there: move what is there away and start again; acknowledged records are safe',
]

const FILE_SYSTEM: Readonly<Partial<Record<FileSystemErrorCode, Row>>> = {
  ERR_NO_SPACE: [exitCodes.directory, 'free some space (bytes and inodes) and start again'],
  ERR_READ_ONLY: [exitCodes.directory, 'check owner, mode and mount of the directory'],
  ERR_WRONG_KIND: IN_THE_WAY,
  ERR_OTHER_VOLUME: [exitCodes.directory, 'it is not on the volume of the data directory: move it by hand'],
  ERR_UNSUPPORTED: [exitCodes.directory],
  ERR_TOO_MANY_FILES: [exitCodes.io, 'raise the limit of open files (ulimit -n) and start again'],
}
const FAILED_IO: Row = [exitCodes.io, 'check the disk and the path, then start again']

const SOURCE: Readonly<Record<SourceErrorCode, Row>> = {
  ERR_BROKER: [exitCodes.broker, 'check kafka.brokers, the network and the access rights'],
  ERR_REFUSED: [exitCodes.broker],
  ERR_TOPIC: [exitCodes.topic, 'create the topic or correct kafka.topics'],
  ERR_STALE_EPOCH: [exitCodes.consumer, 'start again; nothing is lost'],
  ERR_DEAD: [exitCodes.consumer, 'start again; nothing is lost'],
  ERR_BATCH: [exitCodes.consumer, 'the broker holds a batch that cannot be decoded; check its log segments'],
}

/** What the process ends with, and says, for anything that was thrown. */
export function errorToExit(error: unknown): Ending {
  if (error instanceof OutputClosed) return { code: exitCodes.ok, message: '' }
  if (error instanceof OutputFailed)
    return ending(error, [exitCodes.io, 'what was written before is not complete'])
  if (error instanceof CommanderError) {
    // Commander has said what it had to say.
    return { code: error.exitCode === 0 ? exitCodes.ok : exitCodes.usage, message: '' }
  }
  if (error instanceof ConfigError) return configEnding(error)
  if (error instanceof UsageError || error instanceof AppError)
    return { code: exitCodes.usage, message: error.message }
  if (error instanceof HttpError)
    return ending(error, [exitCodes.usage, 'choose another with http.port and http.host'])
  if (error instanceof StorageError) {
    const row = error.code === 'ERR_POISONED' ? rowOfFailure(error.cause) : undefined
    return ending(error, row ?? STORAGE[error.code])
  }
  if (error instanceof FileSystemError) return ending(error, FILE_SYSTEM[error.code] ?? FAILED_IO)
  if (error instanceof SourceError) return ending(error, SOURCE[error.code])
  if (error instanceof SinkError) {
    if (error.code === 'ERR_STUCK') return ending(error, [exitCodes.consumer, 'start again; nothing is lost'])
    if (error.code === 'ERR_HELD')
      return ending(error, [exitCodes.consumer, 'see why in the log; what is stored is safe'])
    return ending(error, [exitCodes.damaged, 'see what is damaged with: sediment verify'])
  }
  if (error instanceof LedgerError) {
    if (error.code === 'ERR_LEDGER_FORMAT')
      return ending(error, [exitCodes.directory, 'use the release that wrote it'])
    return ending(error, [exitCodes.damaged, 'see what is damaged with: sediment verify'])
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: exitCodes.unexpected, message: `unexpected: ${text}` }
}

/** The first problem, and where to see the others: they are many lines. */
function configEnding(error: ConfigError): Ending {
  const [first = '', ...others] = error.message.split('\n')
  const more = others.length === 0 ? '' : ` (and ${others.length} more; see all with: sediment config check)`
  return { code: exitCodes.usage, message: `${first}${more}` }
}

/** What a failure of the store, or what is behind it, asks for; `undefined`: a look at the disk. */
function rowOfFailure(cause: unknown): Row | undefined {
  if (cause instanceof FileSystemError && cause.code === 'ERR_NO_SPACE') return VOLUME_FULL
  if (cause instanceof FileSystemError && cause.code === 'ERR_WRONG_KIND') return IN_THE_WAY
  return cause instanceof Error ? rowOfFailure(cause.cause) : undefined
}

function ending(error: Error, [code, advice]: Row): Ending {
  const text = oneLine(error.message)
  return { code, message: advice === undefined ? text : `${text}; ${advice}` }
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ').replace(/[.;\s]+$/, '')
}
