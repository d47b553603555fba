import type { EntryName } from '../../../src/storage/index.ts'

/**
 * What an operator or the sink does to a store. Numbers choose among what is there at the time, round and round: `picks`
 * among the records of the entry, `pick` among open uploads, failed uploads, entries or buckets.
 */
export type Command =
  | {
      readonly kind: 'write'
      readonly entry: number
      readonly times: readonly number[]
      readonly large: boolean
    }
  /** Content that goes home before its frame. */
  | { readonly kind: 'writeDirect'; readonly entry: number; readonly times: readonly number[] }
  /** Writes at the times of the records that were removed last. */
  | { readonly kind: 'refill' }
  | {
      readonly kind: 'labels'
      readonly entry: number
      readonly picks: readonly number[]
      readonly isRemoval: boolean
    }
  | { readonly kind: 'remove'; readonly entry: number; readonly picks: readonly number[] }
  | { readonly kind: 'removeRange'; readonly entry: number; readonly from: number; readonly count: number }
  /** Opens the content of a record, and keeps it open until `readOn`, a move or the end of the process. */
  | { readonly kind: 'read'; readonly entry: number; readonly pick: number }
  | { readonly kind: 'readOn' }
  | { readonly kind: 'begin'; readonly entry: number; readonly time: number; readonly contentBytes: number }
  /** An attachment of an entry: the end of its upload takes away the others of its key. */
  | {
      readonly kind: 'attach'
      readonly entry: number
      readonly key: number
      readonly contentBytes: number
    }
  | { readonly kind: 'beginAgain'; readonly pick: number }
  | { readonly kind: 'piece' | 'finish' | 'abort'; readonly pick: number }
  | {
      readonly kind: 'settings'
      readonly bucket: number
      readonly quota: 'none' | 'fifo' | 'hard'
      readonly quotaBytes: number
      readonly blockRecordsMax: number
    }
  | { readonly kind: 'renameEntry'; readonly pick: number; readonly to: number }
  | { readonly kind: 'renameBucket'; readonly pick: number; readonly to: number }
  | { readonly kind: 'removeEntry'; readonly pick: number }
  | { readonly kind: 'removeBucket'; readonly pick: number }
  | { readonly kind: 'fold' | 'checkpoint' | 'settle' | 'pass' | 'restart' }
  /** A restart, with all blocks saved by ReductStore in between. */
  | { readonly kind: 'visit' }
  /** CRC-32s are added to the blocks that lack some. */
  | { readonly kind: 'checksums' }
  /** The commands in it run at once, each so many turns of the microtask queue behind the one before. */
  | { readonly kind: 'together'; readonly commands: readonly Command[]; readonly lag: number }

export type CommandOf<K extends Command['kind']> = Extract<Command, { kind: K }>

/** Lies in a directory that is no entry. */
export const inDirectory: EntryName = { bucket: 'two', entry: 'c/d' }
/** Where records are written to. */
export const entries: readonly EntryName[] = [
  { bucket: 'one', entry: 'a' },
  { bucket: 'one', entry: 'a/b' },
  inDirectory,
]

/** Where entries and buckets are renamed to, beside the names above. */
export const paths: readonly string[] = ['a', 'a/b', 'c', 'c/d', 'e/f/g']
export const buckets: readonly string[] = ['one', 'two', 'three']
