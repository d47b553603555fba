import { decodeRecord, replaceLabels } from '../codec/record-codec.ts'
import type { EntriesEdit } from '../commitlog/group.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import { checkLabels } from '../label-rules.ts'
import { encodeWalEntry, walEntryType } from '../wal/wal-codec.ts'
import { locateRecord } from '../query/locate-record.ts'
import { recordNotFound, requireExtensible, type MutationContext, type RecordResult } from './mutations.ts'

export interface LabelUpdate {
  readonly timestampUs: bigint
  /** Values of new labels and of those that are there. */
  readonly set?: ReadonlyMap<string, string>
  readonly remove?: readonly string[]
}

/**
 * Changes labels of records; durable when it resolves, several records as one atom. Everything else of a record stays.
 * Of a label name that a record has more than once all go when it is set or removed.
 * @returns in the order of `updates`
 */
export async function updateLabels(
  context: MutationContext,
  entry: Entry,
  updates: readonly LabelUpdate[],
): Promise<RecordResult[]> {
  return context.exclusive(async (commit) => {
    const results: RecordResult[] = []
    const entries: EntriesEdit[] = []
    // The same record may be named twice: the second update stands on the first.
    const updated = new Map<bigint, Uint8Array>()
    try {
      for (const update of updates) {
        const { timestampUs } = update
        try {
          entries.push(await labelEdit(context, entry, update, updated))
          results.push({ timestampUs })
        } catch (error) {
          if (!(error instanceof StorageError) || error.code === 'ERR_POISONED') throw error
          results.push({ timestampUs, error })
        }
      }
      if (entries.length > 0) await commit({ entries: joinedEdits(entries) })
      return results
    } finally {
      for (const { block } of entries) block.holds -= 1
    }
  })
}

/** The entry for the WAL of a block, which is held. @param updated what others of the same frame say of records */
export async function labelEdit(
  context: MutationContext,
  entry: Entry,
  { timestampUs, set = new Map<string, string>(), remove = [] }: LabelUpdate,
  updated: Map<bigint, Uint8Array>,
): Promise<EntriesEdit> {
  const located = await locateRecord(context.source(entry), timestampUs)
  if (located === undefined) throw recordNotFound(entry, timestampUs)
  const { block: found, descriptor, index } = located
  requireExtensible(entry, found)
  if (entry.uploading.has(timestampUs)) throw isUploading(entry, timestampUs)
  const bytes =
    updated.get(timestampUs) ??
    descriptor.bytes.subarray(descriptor.recordFromBytes[index], descriptor.recordToBytes[index])
  const { labels } = decodeRecord(bytes)
  const changed = applied(labels, set, remove)
  checkLabels({ target: entry.name, labels: changed, contentType: '' })
  const payload = replaceLabels(bytes, changed)
  const block = await context.hold(entry, found)
  updated.set(timestampUs, payload)
  block.metadataBytes += payload.byteLength - bytes.byteLength
  return { block, entries: encodeWalEntry(walEntryType.updateRecord, payload), recordCount: 0 }
}

/** Values change in place, new labels come last. */
function applied(
  labels: readonly string[],
  set: ReadonlyMap<string, string>,
  remove: readonly string[],
): string[] {
  const gone = new Set(remove)
  const values = new Map<string, string>()
  for (let index = 0; index < labels.length; index += 2) {
    const name = labels[index] as string
    if (!gone.has(name)) values.set(name, labels[index + 1] as string)
  }
  for (const [name, value] of set) values.set(name, value)
  return [...values].flat()
}

/** One item a block, in the order given. Content belongs to one edit of a block at most. */
export function joinedEdits(edits: readonly EntriesEdit[]): EntriesEdit[] {
  const byBlock = new Map<EntriesEdit['block'], EntriesEdit>()
  for (const edit of edits) {
    const known = byBlock.get(edit.block)
    const entries = known === undefined ? edit.entries : Buffer.concat([known.entries, edit.entries])
    const recordCount = (known?.recordCount ?? 0) + edit.recordCount
    byBlock.set(edit.block, { ...edit, ...known, entries, recordCount })
  }
  return [...byBlock.values()]
}

/** Its labels are written when it is finished. */
function isUploading({ name }: Entry, timestampUs: bigint): StorageError {
  const where = `${name.bucket}/${name.entry} at ${timestampUs}`
  const facts = { ...name, timestampUs, state: 'started' } as const
  return new StorageError('ERR_RECORD_STATE', `${where}: too early, its upload has not finished`, facts)
}
