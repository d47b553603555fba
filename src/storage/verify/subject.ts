import type { Clock } from '../../base/clock.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import type { Damage } from '../damage.ts'
import { StorageError } from '../errors.ts'
import type { EntryName } from '../record.ts'

/** The directory that is looked at, and what is known of it before its entries are. */
export interface Subject {
  readonly fs: FileSystem
  readonly dataPath: string
  /** A writer has it. */
  readonly isLive: boolean
  readonly clock: Pick<Clock, 'sleep'> | undefined
  /** It has been opened by us: a block that its index does not list is none. */
  readonly isStore: boolean
  /** By `blockKey`: the log holds all content from this place of the data file on, and recovery writes it again. */
  readonly redoneFromBytes: ReadonlyMap<string, number>
  /** By `blockKey`: their data files are what was written ahead of a group that never became durable; the open removes them. */
  readonly nameless: ReadonlySet<string>
  /** What cannot be read, or get what the log has for it. */
  readonly damage: Damage
}

export function blockKey({ bucket, entry }: EntryName, blockId: bigint | number): string {
  return `${bucket}/${entry}/${blockId}`
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A writer changes the entry faster than it can be read: nothing is known of it. */
export function isBusy(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'ERR_BUSY'
}
