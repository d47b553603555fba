import { inParallel } from '../base/in-parallel.ts'
import type { ExistingEntry } from '../mapping/entry-names.ts'
import { hasFixedPath, pathPattern, QUARANTINE_BUCKET } from '../mapping/entry-template.ts'
import type { MappingRule } from '../mapping/rule.ts'
import { recordOrigin } from '../mapping/unmap.ts'
import { StorageError, type EntryInfo, type RecordReader } from '../storage/index.ts'

const READ_AT_A_TIME = 16

/**
 * The entries that rules with names made of messages could have made, each with the topic of its latest record. Without
 * such rules nothing is read.
 */
export async function existingEntries(
  store: Pick<RecordReader, 'entries' | 'records'>,
  rules: readonly MappingRule[],
): Promise<ExistingEntry[]> {
  const patterns = rules.filter((rule) => !hasFixedPath(rule)).map(pathPattern)
  if (patterns.length === 0) return []
  const isWanted = ({ bucket, entry }: EntryInfo): boolean =>
    patterns.some((pattern) => pattern.test(`${bucket}/${entry}`))
  return storedTopics(store, isWanted)
}

/** Every entry but those of the quarantine, or those that are wanted, with the topic of its latest record. */
export async function storedTopics(
  store: Pick<RecordReader, 'entries' | 'records'>,
  isWanted: (entry: EntryInfo) => boolean = () => true,
): Promise<ExistingEntry[]> {
  const all = await store.entries()
  const entries = all.filter((entry) => entry.bucket !== QUARANTINE_BUCKET && isWanted(entry))
  const existing: ExistingEntry[] = []
  await inParallel(READ_AT_A_TIME, entries, async (info) => {
    const { bucket, entry } = info
    existing.push({ bucket, entry, topic: await topicOf(store, info) })
  })
  return existing
}

/** `undefined` as well where the record cannot be read: one damaged block must not keep the process from starting. */
async function topicOf(
  store: Pick<RecordReader, 'records'>,
  { bucket, entry, latestUs }: EntryInfo,
): Promise<string | undefined> {
  if (latestUs === undefined) return undefined
  try {
    for await (const { labels } of store.records({ bucket, entry }, { startUs: latestUs }))
      return recordOrigin(labels, entry)?.topic
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
  }
  return undefined
}
